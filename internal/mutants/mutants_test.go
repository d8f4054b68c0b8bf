//go:build mutants

package mutants_test

import (
	"testing"

	"github.com/walkergate/walkergate/internal/archtest"
	"github.com/walkergate/walkergate/internal/mutants"
)

// house are the faults planted in this project, a promise each.
var house = map[string]mutants.Mutant{
	"a long function is overlooked": {
		File:    "internal/archtest/shape.go",
		Old:     "lines > maxFunc",
		New:     "lines > 10*maxFunc",
		Why:     "functions grow out of sight",
		Package: "./internal/archtest",
		Run:     "^TestLengthsSeesLongFilesAndFunctions$",
	},
	"REST forgets that a node was named": {
		File:    "app/rest.go",
		Old:     "HasNode: at.node,",
		New:     "HasNode: false,",
		Why:     "whoever names another's node over REST is let in as if at their own root, and Enter is never asked",
		Package: "./app",
		Run:     "^TestDoorsAgree$",
	},
	"REST forgets that a token was refused": {
		File:    "app/rest.go",
		Old:     "TokenRefused: refused,",
		New:     "TokenRefused: refused && at.node,",
		Why:     "a client whose token ended is told to log in for the first time",
		Package: "./app",
		Run:     "^TestDoorsAgree$",
	},
	"the socket forgets the status of a walker": {
		File:    "gateway/frames.go",
		Old:     "wire.WalkerReply(id, answer.Status, answer.Reports)",
		New:     "wire.WalkerReply(id, 200, answer.Reports)",
		Why:     "what a walker accepted, or refused by its status, looks done to a socket's client",
		Package: "./app",
		Run:     "^TestDoorsAgree$",
	},
	"the socket forgets the body of a walker's own": {
		File:    "gateway/frames.go",
		Old:     "\tcase answer.Custom:",
		New:     "\tcase answer.Custom && answer.Status == 0:",
		Why:     "a walker that answers with a body of its own answers a socket's client nothing",
		Package: "./app",
		Run:     "^TestDoorsAgree$",
	},
	"the end of a token is acknowledged before it is written": {
		File:    "store/sqlite/revocations.go",
		Old:     "\treturn s.writer.submit(ctx, func(c *conn) error { return revoke(c, revocation) })",
		New:     "\ttime.AfterFunc(200*time.Millisecond, func() {\n\t\t_ = s.writer.submit(context.WithoutCancel(ctx), func(c *conn) error { return revoke(c, revocation) })\n\t})\n\treturn nil",
		Why:     "whoever logged out just before a crash is logged in again after it",
		Package: "./app",
		Run:     "^TestKilledUnderLoadOnSQLite$",
	},
	"a node asks every two seconds what others revoked": {
		File:    "auth/follow.go",
		Old:     "followEvery = 500 * time.Millisecond",
		New:     "followEvery = 2 * time.Second",
		Why:     "a user who was thrown out goes on, on every node but one",
		Package: "./auth",
		Run:     "^TestRevocationReachesEveryNodeWithinASecond$",
	},
	"a skipped test counts as passed": {
		File:    "internal/ci/gotest.go",
		Old:     `"skip": Skipped`,
		New:     `"skip": Passed`,
		Why:     "a test that never runs keeps CI green",
		Package: "./internal/ci",
		Run:     "^TestReportJudgesRuns$",
	},
}

// TestEveryFaultIsSeen runs one fault at a time: a build fills the machine.
func TestEveryFaultIsSeen(t *testing.T) {
	root, err := archtest.Root()
	if err != nil {
		t.Fatal(err)
	}
	for name, mutant := range house {
		t.Run(name, func(t *testing.T) {
			if err := mutant.Kill(t.Context(), root); err != nil {
				t.Errorf("%s: %v", mutant.Why, err)
			}
		})
	}
}
