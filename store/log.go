package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/walkergate/walkergate/channels"
)

// What the engines do alike with the channels' log.
const (
	// ChannelLife is how long a channel is remembered that keeps no message and
	// gets none. Anybody who may store can name new channels without end, so
	// what remembers them must go some day.
	ChannelLife = 30 * 24 * time.Hour
	// LookAgain is how soon at the earliest Sweep looks again at a channel that
	// keeps nothing. A message is let go as much later than its age at most.
	LookAgain = time.Minute

	// maxSlack is how many messages beyond its retention a log lets stand, so
	// that not every append has to let one go.
	maxSlack = 64
	// maxTrim is how many messages one append lets go at most: as many as came
	// with it and some more, so that a retention that was narrowed is reached
	// in steps.
	maxTrim = 2 * channels.MaxPage
	// maxChannel and maxID bound names, in bytes.
	maxChannel = 300
	maxID      = 64
)

// NewEpoch makes up an epoch that no log has had.
func NewEpoch() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(b[:])
}

// Cost is what a message counts in its owner's quota.
func Cost(message *channels.Message) int64 {
	return int64(len(message.Data)) + channels.MessageCost
}

// KnownUntil is how long a message's ID is remembered at least.
func KnownUntil(message *channels.Message) time.Time {
	if message.Keyed {
		return message.At.Add(channels.KeyLife)
	}
	return message.At.Add(channels.RetryLife)
}

// Moments gives when the first and the last of messages came. The last is what
// an append takes for now: the clock of a log is that of its messages.
func Moments(messages []channels.Message) (first, last time.Time) {
	first, last = messages[0].At, messages[0].At
	for i := range messages {
		if at := messages[i].At; at.Before(first) {
			first = at
		} else if at.After(last) {
			last = at
		}
	}
	return first, last
}

// TrimTo gives the seq of the first message that a log is to keep by their
// number: first itself where it is too early to let go of any.
func TrimTo(first, head int64, retention channels.Retention) int64 {
	keep := int64(retention.Messages)
	if head-first+1 <= keep+min(keep/8, maxSlack) {
		return first
	}
	return min(head-keep+1, first+maxTrim)
}

// NextLook is when Sweep has to look at a channel again, if for nothing else,
// that it leaves in order at now. What is appended meanwhile comes after now,
// and so is not past its age before then.
func NextLook(now time.Time, age time.Duration) time.Time {
	return now.Add(max(age, LookAgain))
}

// CheckAppending reports what an engine must not be asked to write.
func CheckAppending(appending *channels.Appending) error {
	if err := checkChannel(appending.ChannelID); err != nil {
		return err
	}
	if count := len(appending.Messages); count < 1 || count > channels.MaxPage {
		return fmt.Errorf("append to a log: 1 to %d messages, not %d", channels.MaxPage, count)
	}
	if appending.Retention.Messages < 1 || appending.Retention.Age < time.Second {
		return fmt.Errorf("append to a log: a retention of %d messages and %s keeps nothing",
			appending.Retention.Messages, appending.Retention.Age)
	}
	if appending.Quota < 0 {
		return errors.New("append to a log: the quota is negative")
	}
	for i := range appending.Messages {
		message := &appending.Messages[i]
		if message.ID == "" || len(message.ID) > maxID || !utf8.ValidString(message.ID) {
			return fmt.Errorf("append to a log: the id of a message is 1 to %d bytes of UTF-8", maxID)
		}
		if len(message.Data) == 0 {
			return errors.New("append to a log: a message without data")
		}
	}
	return nil
}

// CheckLogQuery reports what an engine must not be asked to read.
func CheckLogQuery(query channels.LogQuery) error {
	if query.Limit < 1 || query.Limit > channels.MaxPage {
		return fmt.Errorf("a page of a log holds 1 to %d messages, not %d", channels.MaxPage, query.Limit)
	}
	return checkChannel(query.ChannelID)
}

// CheckHeads is CheckLogQuery for heads.
func CheckHeads(channelIDs []string) error {
	if len(channelIDs) > channels.MaxPage {
		return fmt.Errorf("heads of %d channels at once at most, not %d", channels.MaxPage, len(channelIDs))
	}
	for _, channelID := range channelIDs {
		if err := checkChannel(channelID); err != nil {
			return err
		}
	}
	return nil
}

func checkChannel(channelID string) error {
	if channelID == "" || len(channelID) > maxChannel || !utf8.ValidString(channelID) {
		return fmt.Errorf("the id of a channel is 1 to %d bytes of UTF-8", maxChannel)
	}
	return nil
}
