package channels_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/walkergate/walkergate/channels"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/specs"
)

// leaver makes a policy that only hears of the ends of joins.
func leaver(leave func(ctx context.Context, join specs.Join) error) specs.Channel {
	return specs.Channel{Pattern: "a", Leave: leave}
}

func numbered(n int) specs.Join {
	left := join("a", alice)
	left.ClientID = fmt.Sprint(n)
	return left
}

// Nobody waits for Leave. It hears of each end once, of the oldest first, and of
// sixteen at once.
func TestLeaveHearsOfEachEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		heard := make(map[string]int)
		running, most := 0, 0
		policies := newPolicies(t, channels.Options{}, leaver(func(_ context.Context, left specs.Join) error {
			mu.Lock()
			heard[left.ClientID]++
			running++
			most = max(most, running)
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			defer mu.Unlock()
			running--
			return nil
		}))
		policy := of(t, policies, "a")
		began := time.Now()
		for n := range 100 {
			policy.Left(numbered(n))
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
		synctest.Wait()
		if load := loadOf(t, policies, "a"); load != (channels.Load{Pattern: "a", Running: 16, Leaving: 84}) {
			t.Errorf("the load is %+v", load)
		}
		mu.Lock()
		for n := range 16 {
			if heard[fmt.Sprint(n)] != 1 {
				t.Errorf("of %d it was not told among the first", n)
			}
		}
		mu.Unlock()
		if err := policies.Close(t.Context()); err != nil || time.Since(began) != 7*time.Second {
			t.Errorf("all was told after %v: %v", time.Since(began), err)
		}
		for n := range 100 {
			if heard[fmt.Sprint(n)] != 1 {
				t.Errorf("it was told of %d %d times", n, heard[fmt.Sprint(n)])
			}
		}
		if most != 16 || loadOf(t, policies, "a") != (channels.Load{Pattern: "a"}) {
			t.Errorf("%d ran at once; the load is %+v", most, policies.Loads())
		}
	})
}

// One that comes while another is told does not wait for it.
func TestOneLeaveDoesNotWaitForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		policies := newPolicies(t, channels.Options{}, leaver(func(_ context.Context, left specs.Join) error {
			if left.ClientID == "0" {
				<-time.After(4 * time.Second)
			} else {
				last = time.Now()
			}
			return nil
		}))
		policy := of(t, policies, "a")
		began := time.Now()
		policy.Left(numbered(0))
		synctest.Wait()
		policy.Left(numbered(1))
		synctest.Wait()
		if !last.Equal(began) {
			t.Errorf("the second was told at %v, the first at %v", last, began)
		}
	})
}

func TestWhatGoesWrongInLeaveIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs logged
		policies := newPolicies(t, channels.Options{Log: logs.logger()}, leaver(func(ctx context.Context, left specs.Join) error {
			switch left.ClientID {
			case "0":
				return errors.New("broken disk")
			case "1":
				panic("broken bone")
			case "2":
				exit()
			case "3":
				<-ctx.Done()
				return ctx.Err()
			case "4":
				return fault.New(fault.Conflict, "broken promise")
			}
			return nil
		}))
		policy := of(t, policies, "a")
		for n := range 6 {
			policy.Left(numbered(n))
		}
		if err := policies.Close(t.Context()); err != nil {
			t.Error(err)
		}
		text := logs.String()
		if !contains(text, "broken disk", "broken bone", "leaves_test.go", "runtime.Goexit", "did not decide in time", "broken promise") ||
			strings.Count(text, `level=WARN msg="a leave hook failed"`) != 5 {
			t.Errorf("logged is:\n%s", text)
		}
	})
}

// Leaves that never come back clog the policy: nobody new may join, what waits
// goes on waiting, and is told as soon as they are back.
func TestDeadLeavesHoldTheOthersUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var mu sync.Mutex
		heard := 0
		spec := leaver(func(context.Context, specs.Join) error {
			mu.Lock()
			heard++
			mu.Unlock()
			<-release
			return nil
		})
		spec.Subscribe = func(context.Context, specs.Join) error { return nil }
		policies := newPolicies(t, channels.Options{}, spec)
		policy := of(t, policies, "a")
		for n := range 100 {
			policy.Left(numbered(n))
		}
		<-time.After(time.Minute)
		// Of the sixteen that hung at once the first to be given up on may have
		// made room for others, until all were.
		mu.Lock()
		hang := heard
		mu.Unlock()
		if load := loadOf(t, policies, "a"); hang < 16 || hang > 31 ||
			load != (channels.Load{Pattern: "a", Running: hang, Abandoned: hang, Leaving: 100 - hang}) {
			t.Errorf("told of %d, the load is %+v", hang, load)
		}
		expect(t, policy.Join(t.Context(), join("a", alice)), fault.Busy, "the channel has too many decisions that do not end")
		for range hang - 15 {
			release <- struct{}{}
		}
		synctest.Wait() // as many have come back as is needful: more are told, and hang in their turn
		if load := loadOf(t, policies, "a"); load.Leaving >= 100-hang || load.Abandoned != 15 {
			t.Errorf("the load is %+v", load)
		}
		close(release)
		synctest.Wait()
		if load := loadOf(t, policies, "a"); heard != 100 || load != (channels.Load{Pattern: "a"}) {
			t.Errorf("told of %d, the load is %+v", heard, load)
		}
		if err := policy.Join(t.Context(), join("a", alice)); err != nil {
			t.Error(err)
		}
	})
}

// However many ends wait, none is let go of: nobody new may join instead, until
// there is room.
func TestEndsThatWaitAreBounded(t *testing.T) {
	const most = 1 << 16
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		policies, err := channels.NewPolicies([]specs.Channel{leaver(func(ctx context.Context, _ specs.Join) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})}, channels.Options{HookTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		policy := of(t, policies, "a")
		left := numbered(0)
		for range 16 {
			policy.Left(left)
		}
		synctest.Wait() // as many run as may
		for range most - 1 {
			policy.Left(left)
		}
		if err := policy.Join(t.Context(), join("a", alice)); err != nil {
			t.Errorf("one below the bound: %v", err)
		}
		for range 2 { // those who are in may leave
			policy.Left(left)
			expect(t, policy.Join(t.Context(), join("a", alice)), fault.Busy, "too many ends of joins wait to be told")
		}
		if load := loadOf(t, policies, "a"); load.Leaving != most+1 {
			t.Errorf("the load is %+v", load)
		}
		for range 2 {
			release <- struct{}{}
		}
		synctest.Wait()
		if err := policy.Join(t.Context(), join("a", alice)); err != nil {
			t.Error(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := policies.Close(ended); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprint(16+most-1, " ends of joins")) {
			t.Errorf("closed with %v", err)
		}
	})
}

func TestCloseGivesUpOnLeavesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs logged
		ended := 0
		var mu sync.Mutex
		policies, err := channels.NewPolicies([]specs.Channel{leaver(func(ctx context.Context, _ specs.Join) error {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ended++
			return ctx.Err()
		})}, channels.Options{Log: logs.logger()})
		if err != nil {
			t.Fatal(err)
		}
		policy := of(t, policies, "a")
		for n := range 20 {
			policy.Left(numbered(n))
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err = policies.Close(ctx)
		if err == nil || time.Since(began) != time.Second || !strings.HasPrefix(err.Error(), "20 ends of joins were not told: ") {
			t.Errorf("closed with %v after %v", err, time.Since(began))
		}
		synctest.Wait()
		if time.Since(began) != time.Second || ended != 16 {
			t.Errorf("%d hooks were cut off after %v", ended, time.Since(began))
		}
		policy.Left(numbered(20))
		if !contains(logs.String(), "joins=4", "it came too late") {
			t.Errorf("logged is:\n%s", logs.String())
		}
		if err := policies.Close(t.Context()); err != nil {
			t.Errorf("closed again: %v", err)
		}
	})
}
