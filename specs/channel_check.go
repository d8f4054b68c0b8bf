package specs

import (
	"errors"
	"fmt"
	"time"
)

const (
	// maxKept bounds the messages of one channel that are kept: a log is there
	// for what clients missed, and is read by pages.
	maxKept = 1_000_000
	// minAge is the shortest time that a message is kept; less is a number
	// without its unit.
	minAge = time.Second
	maxAge = 10 * 365 * 24 * time.Hour
)

// ChannelFault is one thing that is wrong with the policy of channels.
type ChannelFault struct {
	// Pattern is the pattern as it was given.
	Pattern string
	// Field is the field of the policy at fault.
	Field   string
	Problem string
}

// Error tells the pattern, the field and the problem.
func (f *ChannelFault) Error() string {
	return fmt.Sprintf("channel %q: %s: %s", f.Pattern, f.Field, f.Problem)
}

// CheckChannels checks policies that are declared side by side. The error joins
// one *ChannelFault for each thing that is wrong.
func CheckChannels(declared []Channel) error {
	var faults []error
	shapes := make(map[string]string, len(declared))
	for _, channel := range declared {
		c := &channelChecker{channel: channel}
		c.pattern(shapes)
		c.modes()
		c.retention()
		faults = append(faults, c.faults...)
	}
	return errors.Join(faults...)
}

// channelChecker gathers the faults of one policy.
type channelChecker struct {
	channel Channel
	faults  []error
}

func (c *channelChecker) fault(field, format string, args ...any) {
	c.faults = append(c.faults, &ChannelFault{
		Pattern: c.channel.Pattern, Field: field, Problem: fmt.Sprintf(format, args...),
	})
}

// pattern checks the form of the pattern, and that none of the same shape was
// declared before.
func (c *channelChecker) pattern(shapes map[string]string) {
	pattern, faults := parsePattern(c.channel.Pattern)
	for _, err := range faults {
		c.fault("pattern", "%v", err)
	}
	if faults != nil {
		return
	}
	shape := pattern.shape()
	if before, taken := shapes[shape]; taken {
		c.fault("pattern", "matches the same channels as %q", before)
		return
	}
	shapes[shape] = c.channel.Pattern
}

func (c *channelChecker) modes() {
	if c.channel.Auth > NoAuth {
		c.fault("auth", "unknown mode %d", c.channel.Auth)
	}
	if c.channel.Store > StoreNever {
		c.fault("store", "unknown mode %d", c.channel.Store)
	}
}

func (c *channelChecker) retention() {
	messages, age := c.channel.Messages, c.channel.Age
	if messages < 0 || messages > maxKept {
		c.fault("messages", "%d is not within 1 to %d", messages, maxKept)
	}
	if age != 0 && (age < minAge || age > maxAge) {
		c.fault("age", "%v is not within %v to %v", age, minAge, maxAge)
	}
	if c.channel.Store == StoreNever && (messages != 0 || age != 0) {
		c.fault("store", "nothing is stored, so that nothing can be kept")
	}
}
