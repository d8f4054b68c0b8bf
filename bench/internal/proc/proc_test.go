package proc_test

import (
	"os"
	"testing"
	"time"

	"github.com/walkergate/walkergate/bench/internal/proc"
)

func TestParseStat(t *testing.T) {
	got, err := proc.ParseStat([]byte("17 (a) b (c) S 1 17 17 0 -1 4194560 900 0 3 0 125 250 7 9 20 0 5 0 100 0 0"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (proc.CPU{User: 1250 * time.Millisecond, System: 2500 * time.Millisecond}); got != want || got.Total() != 3750*time.Millisecond {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := proc.ParseStat([]byte("17 (a) S 1")); err == nil {
		t.Error("a short line passes")
	}
}

func TestParseStatus(t *testing.T) {
	got, err := proc.ParseStatus("Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t   20 kB\nVmRSS:\t   10 kB\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := (proc.Memory{Resident: 10 << 10, Peak: 20 << 10}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := proc.ParseStatus("Name:\tx\nState:\tZ (zombie)\n"); err == nil {
		t.Error("a process without memory passes")
	}
}

func TestParseMachine(t *testing.T) {
	got, err := proc.ParseMachine("cpu  100 20 30 4000 500 6 7 80 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := (proc.Machine{Busy: 1630 * time.Millisecond, Stolen: 800 * time.Millisecond}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := proc.ParseMachine("intr 1 2 3"); err == nil {
		t.Error("another line passes")
	}
	if now, err := proc.ReadMachine(); err != nil || now.Busy <= 0 {
		t.Errorf("%+v, %v", now, err)
	}
}

func TestReadsThisProcess(t *testing.T) {
	before, err := proc.ReadCPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	used := func() time.Duration {
		now, err := proc.ReadCPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		return now.Since(before).Total()
	}
	for deadline := time.Now().Add(30 * time.Second); used() < 50*time.Millisecond; { // it counts what reading costs
		if time.Now().After(deadline) {
			t.Fatal("CPU time does not grow")
		}
	}
	memory, err := proc.ReadMemory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if memory.Resident < 1<<20 || memory.Peak < memory.Resident {
		t.Errorf("memory of this process: %+v", memory)
	}
}
