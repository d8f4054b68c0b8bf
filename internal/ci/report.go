package ci

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Report is the program internal/ci/report, whose package tells its arguments.
// An error means that the run is not good.
func Report(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	features := flags.String("features", "", "a list of features that names their tests")
	brief := flags.Bool("brief", false, "name what did not pass without what it printed")
	closing := flags.Bool("close", false, "end with the count of passed and failed tests alone")
	others := flags.Int("failed", 0, "failures that are not tests, for the closing count")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() < 2 {
		return errors.New("expected a name and at least one file")
	}
	logs := make([]*Log, 0, flags.NArg())
	for _, file := range flags.Args()[1:] {
		log, err := read(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		logs = append(logs, log)
	}
	all := Merge(logs...)
	if err := WriteSummary(out, flags.Arg(0), all, *brief); err != nil {
		return err
	}
	failed := len(all.Bad()) + *others
	if *features != "" {
		missing, err := judge(out, *features, all)
		if err != nil {
			return err
		}
		failed += missing
	}
	if *closing {
		fmt.Fprintf(out, "%d passed, %d failed\n", all.Count(Passed), failed)
	}
	switch {
	case failed > 0:
		return fmt.Errorf("%s failed", flags.Arg(0))
	case len(all.Results) == 0:
		return fmt.Errorf("%s ran no test", flags.Arg(0))
	}
	return nil
}

func read(file string) (log *Log, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if strings.HasSuffix(file, ".tap") {
		return ReadTAP(f, strings.TrimSuffix(filepath.Base(file), ".tap"))
	}
	return ReadGo(f)
}

// judge holds the list of features to the log and counts the tests it names in
// vain.
func judge(out io.Writer, file string, log *Log) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	missing, err := Features(string(text), log)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	for _, name := range missing {
		fmt.Fprintf(out, "%s names %s, which did not run and pass\n", file, name)
	}
	return len(missing), nil
}
