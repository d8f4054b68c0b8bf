package builtin

import "github.com/walkergate/walkergate/walkers"

// progress is the message that the progress walkers deliver:
// {"type":"progress","data":{"progress":"20%"}}.
type progress struct {
	Type string       `json:"type"`
	Data progressStep `json:"data"`
}

type progressStep struct {
	Progress string `json:"progress"`
}

// run sends the steps while the walker runs, and reports each.
func run(call *walkers.Call, to send) error {
	for _, step := range []string{"0%", "20%", "40%", "60%", "80%", "100%"} {
		message := progress{Type: "progress", Data: progressStep{Progress: step}}
		if _, err := to(message); err != nil {
			return err
		}
		call.Report(message)
	}
	return nil
}
