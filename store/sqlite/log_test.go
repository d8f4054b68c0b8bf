package sqlite_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/sqlite"
	"github.com/walkergate/walkergate/store/storetest"
)

func TestContractOfNodes(t *testing.T) {
	storetest.RunNodes(t, func(t *testing.T, nodes int) []store.Store {
		return slices.Repeat([]store.Store{open(t, newDir(t))}, nodes)
	})
}

func TestModel(t *testing.T) { storetest.RunModel(t, open(t, newDir(t))) }

func TestLastMarks(t *testing.T) {
	s := open(t, newDir(t))
	storetest.LastMarks(t, s, func(count int) {
		for n := range count {
			if err := s.Mark(t.Context(), "ann", fmt.Sprint("room ", n), 1); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestNoStatementOfTheLogScansATable(t *testing.T) {
	plans, err := open(t, newDir(t)).LogPlan()
	if err != nil {
		t.Fatal(err)
	}
	if len(plans) < 20 {
		t.Errorf("only %d statements have a plan", len(plans))
	}
	for query, steps := range plans {
		for _, step := range steps {
			// What is scanned or sorted may be the few rows of a subquery.
			scanned, _ := strings.CutPrefix(step, "SCAN ")
			if scanned != step && !strings.HasPrefix(scanned, "(subquery") && scanned != "gone" || strings.Contains(step, "ORDER BY") {
				t.Errorf("%s\nis answered by %s", query, step)
			}
		}
	}
}

// appendOne is an append of the n-th message.
func appendOne(n int) channels.Appending {
	return channels.Appending{
		ChannelID: "room", Retention: channels.Retention{Messages: 100, Age: time.Hour}, Quota: 1 << 40,
		Messages: []channels.Message{{ID: fmt.Sprint(n), Owner: "ann", At: time.Now(), Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}},
	}
}

func TestALogOutlivesARestart(t *testing.T) {
	dir := newDir(t)
	s := open(t, dir)
	first, _, err := s.Append(t.Context(), appendOne(1))
	if err != nil {
		t.Fatal(err)
	}
	unborn, err := s.Heads(t.Context(), []string{"hall"})
	if err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	s = open(t, dir)
	epoch, places, err := s.Append(t.Context(), appendOne(2))
	if err != nil || epoch != first || places[0].Seq != 2 {
		t.Errorf("the next message got %+v under %s (%v), want the seq 2 under %s", places, epoch, err, first)
	}
	if again, err := s.Heads(t.Context(), []string{"hall"}); err != nil || again[0] != unborn[0] {
		t.Errorf("the head of a channel without a message is %+v (%v), and was %+v", again, err, unborn)
	}
}

// killedAppender tells the process that is to be killed where to write.
const killedAppender = "SQLITE_TEST_KILLED_APPENDER"

// TestWhatWasAppendedSurvivesAKill runs itself as a second process, which
// appends for ever, tells each seq after its answer, and is killed.
func TestWhatWasAppendedSurvivesAKill(t *testing.T) {
	if dir := os.Getenv(killedAppender); dir != "" {
		appendForEver(dir)
	}
	dir := newDir(t)
	process := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	process.Env = append(os.Environ(), killedAppender+"="+dir)
	process.Stderr = os.Stderr
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	told := int64(0)
	for told < 300 && lines.Scan() {
		told++
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // what was told before the kill
		told++
	}
	_ = process.Wait() // says that it was killed
	s := open(t, dir)
	page, err := s.Messages(t.Context(), channels.LogQuery{ChannelID: "room", Limit: channels.MaxPage})
	if err != nil {
		t.Fatal(err)
	}
	head, last := page.Head, page.Messages[len(page.Messages)-1]
	if head.Seq < told || last.Seq != head.Seq || page.Messages[0].Seq != head.First || string(last.Data) != fmt.Sprintf(`{"n":%d}`, head.Seq) {
		t.Errorf("of %d messages that were told the log kept %+v, the last being %+v", told, head, last)
	}
	_, places, err := s.Append(t.Context(), appendOne(int(head.Seq)))
	if err != nil || places[0].Seq != head.Seq || !places[0].Before {
		t.Errorf("the last message again got the place %+v (%v)", places, err)
	}
}

func appendForEver(dir string) {
	s, err := sqlite.Open(context.Background(), dir, sqlite.Options{})
	if err != nil {
		panic(err)
	}
	for n := 1; ; n++ {
		if _, _, err := s.Append(context.Background(), appendOne(n)); err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}
