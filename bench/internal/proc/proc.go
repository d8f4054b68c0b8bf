// Package proc reads what a process has used of the machine from /proc.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU time in /proc: Linux shows hundredths of a second to
// user space, whatever it counts in itself.
const tick = 10 * time.Millisecond

// CPU is the time a process has run, all its threads together.
type CPU struct{ User, System time.Duration }

// Total is all of it.
func (c CPU) Total() time.Duration { return c.User + c.System }

// Since is what was used from then on.
func (c CPU) Since(then CPU) CPU {
	return CPU{User: c.User - then.User, System: c.System - then.System}
}

// Machine is the time all cores together were busy, and the time that the
// machine's host kept from them.
type Machine struct{ Busy, Stolen time.Duration }

// ReadMachine reads /proc/stat.
func ReadMachine() (Machine, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	return parseMachine(string(text))
}

// parseMachine takes the first line: user, nice, system, idle, iowait, irq,
// softirq, steal.
func parseMachine(text string) (Machine, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return Machine{}, errors.New("/proc/stat does not begin with the sum of all cores")
	}
	var ticks [9]time.Duration
	for i, field := range fields[1:9] {
		number, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return Machine{}, fmt.Errorf("/proc/stat: %w", err)
		}
		ticks[i+1] = time.Duration(number) * tick
	}
	return Machine{Busy: ticks[1] + ticks[2] + ticks[3] + ticks[6] + ticks[7], Stolen: ticks[8]}, nil
}

// Memory is what a process holds in memory now, and at most so far, in bytes.
type Memory struct{ Resident, Peak int64 }

// ReadCPU reads /proc/PID/stat.
func ReadCPU(pid int) (CPU, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return CPU{}, err
	}
	return parseStat(text)
}

// parseStat takes fields 14 and 15. The second field, the program's name in
// brackets, may hold anything.
func parseStat(text []byte) (CPU, error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return CPU{}, errors.New("/proc/PID/stat is too short")
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return CPU{}, fmt.Errorf("/proc/PID/stat, utime: %w", err)
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	if err != nil {
		return CPU{}, fmt.Errorf("/proc/PID/stat, stime: %w", err)
	}
	return CPU{User: time.Duration(user) * tick, System: time.Duration(system) * tick}, nil
}

// ReadMemory reads /proc/PID/status.
func ReadMemory(pid int) (Memory, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, err
	}
	return parseStatus(string(text))
}

func parseStatus(text string) (Memory, error) {
	var memory Memory
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		var into *int64
		switch name {
		case "VmRSS":
			into = &memory.Resident
		case "VmHWM":
			into = &memory.Peak
		default:
			continue
		}
		number, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return Memory{}, fmt.Errorf("/proc/PID/status, %s: %w", name, err)
		}
		*into = number << 10
	}
	if memory.Resident == 0 || memory.Peak == 0 {
		return Memory{}, errors.New("/proc/PID/status tells no memory: the process has ended")
	}
	return memory, nil
}
