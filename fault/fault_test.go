package fault_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/fault"
)

var details = []fault.Detail{{Field: "a", Reason: "required"}, {Field: "b", Reason: "expected string"}}

func TestNew(t *testing.T) {
	err := fault.New(fault.BadFrame, "no 100% frame", details...)
	if err.Code != fault.BadFrame || err.Message != "no 100% frame" || err.Ref != "" || !cmp.Equal(err.Details, details) {
		t.Errorf("got %+v", err)
	}
	if err := fault.New(fault.Busy, "later"); err.Details != nil {
		t.Errorf("details %v out of nowhere", err.Details)
	}
	if err := fault.Newf(fault.NotFound, "no %s, %d times", "node", 2); err.Code != fault.NotFound || err.Message != "no node, 2 times" {
		t.Errorf("got %+v", err)
	}
}

func TestErrorIsForTheLog(t *testing.T) {
	cause := errors.New("disk full")
	for want, err := range map[string]*fault.Error{
		"busy: later":                           fault.New(fault.Busy, "later"),
		"busy: later: disk full":                fault.New(fault.Busy, "later").Because(cause),
		"internal: oops (ref 0a): disk full":    (&fault.Error{Code: fault.Internal, Message: "oops", Ref: "0a"}).Because(cause),
		"bad_frame: no":                         fault.New(fault.BadFrame, "no", details...),
		"conflict: taken: busy: row: disk full": fault.New(fault.Conflict, "taken").Because(fault.New(fault.Busy, "row").Because(cause)),
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestBecauseLeavesTheOriginal(t *testing.T) {
	original := fault.New(fault.Busy, "later", details...)
	cause := errors.New("full")
	wrapped := original.Because(cause)
	if !errors.Is(wrapped, cause) || errors.Unwrap(wrapped) != cause {
		t.Errorf("%v does not wrap its cause", wrapped)
	}
	if original.Unwrap() != nil {
		t.Errorf("the original got the cause %v", original.Unwrap())
	}
	if wrapped.Code != original.Code || wrapped.Message != original.Message || !cmp.Equal(wrapped.Details, details) {
		t.Errorf("the copy is %+v", wrapped)
	}
	if again := wrapped.Because(errors.New("other")); errors.Is(again, cause) {
		t.Errorf("%v has two causes", again)
	}
}

func TestFrom(t *testing.T) {
	if got := fault.From(nil); got != nil {
		t.Errorf("of nil came %v", got)
	}
	known := fault.New(fault.Forbidden, "no", details...)
	for _, err := range []error{known, fmt.Errorf("try: %w", known), errors.Join(errors.New("x"), fmt.Errorf("try: %w", known))} {
		if got := fault.From(err); got != known {
			t.Errorf("of %v came %v", err, got)
		}
	}
	// A fault stays what it is, whatever caused it.
	slow := fault.New(fault.Busy, "later").Because(context.DeadlineExceeded)
	if got := fault.From(slow); got != slow {
		t.Errorf("of %v came %v", slow, got)
	}
}

func TestFromDeadline(t *testing.T) {
	err := fmt.Errorf("query: %w", context.DeadlineExceeded)
	got := fault.From(err)
	if got.Code != fault.Timeout || got.Ref != "" || !errors.Is(got, err) {
		t.Errorf("got %v", got)
	}
	if got := fault.From(context.Canceled); got.Code != fault.Internal {
		t.Errorf("of a cancelled call came %v", got)
	}
}

var plainRef = regexp.MustCompile(`^[0-9a-f]{16}$`)

func TestFromUnknownTellsNothingButARef(t *testing.T) {
	cause := errors.New("password=hunter2")
	got := fault.From(fmt.Errorf("open: %w", cause))
	if got.Code != fault.Internal || got.Message != "internal error" || got.Details != nil || !plainRef.MatchString(got.Ref) {
		t.Errorf("got %+v", got)
	}
	if !errors.Is(got, cause) {
		t.Error("the cause is lost for the log")
	}
	if again := fault.From(cause); again.Ref == got.Ref {
		t.Error("two faults have one ref")
	}
	if again := fault.From(got); again != got {
		t.Errorf("the ref changed from %s to %s", got.Ref, again.Ref)
	}
}

func TestFromGivesARefToInternalFaults(t *testing.T) {
	known := fault.New(fault.Internal, "internal error").Because(errors.New("x"))
	got := fault.From(known)
	if !plainRef.MatchString(got.Ref) || got.Error() == known.Error() || !cmp.Equal(errors.Unwrap(got), errors.Unwrap(known), byText) {
		t.Errorf("got %v", got)
	}
	if known.Ref != "" {
		t.Error("the shared fault was changed")
	}
}

var byText = cmp.Transformer("text", error.Error)

func TestIs(t *testing.T) {
	err := fmt.Errorf("try: %w", fault.New(fault.Conflict, "taken").Because(fault.New(fault.Busy, "row")))
	if !fault.Is(err, fault.Conflict) {
		t.Error("not a conflict")
	}
	// What a fault was caused by is not what it is.
	if fault.Is(err, fault.Busy) || fault.Is(errors.New("busy"), fault.Busy) || fault.Is(nil, fault.Busy) {
		t.Error("busy it is not")
	}
}

func TestStatusOfAnUnknownCode(t *testing.T) {
	for _, code := range []fault.Code{"", "nope", "Internal"} {
		if got := code.Status(); got != http.StatusInternalServerError {
			t.Errorf("%q is %d", code, got)
		}
	}
}
