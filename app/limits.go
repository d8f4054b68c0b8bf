package app

import (
	"hash/maphash"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/time/rate"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/gateway"
)

// passwordTries bounds how often passwords are tried. Who tries is told apart
// by address; what is tried by account, so that many addresses together do not
// guess faster than one.
type passwordTries struct {
	byAddress *tries
	byAccount *tries
}

func newPasswordTries(config Config) passwordTries {
	return passwordTries{
		byAddress: newTries(config.LoginTriesPerAddress),
		byAccount: newTries(config.LoginTriesPerAccount),
	}
}

// Names of accounts, by what is known of one before the store is asked. They
// are no secret and leave no trace: only their hashes are kept.
func accountOfEmail(email string) string {
	key, ok := auth.EmailKey(email)
	if !ok {
		key = email // nobody's: it is refused anyhow, and counted as any other
	}
	return "email:" + key
}

func accountOfUser(p auth.Principal) string { return "user:" + p.UserID }

// try counts a try of a password and makes it, or answers rate_limited. It
// counts before the password is hashed and the store is read, whether or not
// there is such an account: the answer tells nothing of that. What succeeds
// gives its account the try back. An address that is refused costs the account
// nothing.
func (a *App) try(c *fiber.Ctx, account string, work func() error) error {
	from := gateway.Network(a.proxies.client(c)).String()
	counted, wait := a.tries.byAddress.begin(from)
	if wait > 0 {
		return tooManyTries(c, wait)
	}
	counted(false)
	ended, wait := a.tries.byAccount.begin(account)
	if wait > 0 {
		return tooManyTries(c, wait)
	}
	succeeded := false
	defer func() { ended(succeeded) }()
	err := work()
	succeeded = err == nil
	return err
}

func tooManyTries(c *fiber.Ctx, wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	c.Set(fiber.HeaderRetryAfter, strconv.Itoa(seconds))
	return fault.New(fault.RateLimited, "too many tries, come back later")
}

// maxTried is how many names one generation of tries remembers.
const maxTried = 10_000

// tries limits how often something may be tried under one name: so many a
// minute, and as many at once.
//
// Names come from clients, so memory is bounded: there are two generations of
// at most maxTried names. A name that is tried moves to the young one; when
// that is full it becomes the old one, and what was old is forgotten. A name is
// so forgotten no sooner than maxTried other names came after its last try.
// What is forgotten may be tried anew in full, but it may be so after a minute
// anyway. Whoever wants more has to bring ten thousand other names within that
// minute, for one more minute's worth of tries each time. For accounts that
// takes hundreds of addresses that each use up their own tries; and whoever
// has ten thousand addresses is not held by a limit on one.
type tries struct {
	rate  rate.Limit
	burst int
	seed  maphash.Seed // names of any length, which nobody can make collide

	mu         sync.Mutex
	young, old map[uint64]*tried
}

// tried is one name. A try under way holds a token and takes it when it ends.
type tried struct {
	tokens   *rate.Limiter
	underWay int
}

func newTries(perMinute int) *tries {
	return &tries{
		rate: rate.Limit(float64(perMinute) / time.Minute.Seconds()), burst: perMinute,
		seed: maphash.MakeSeed(), young: make(map[uint64]*tried),
	}
}

// begin lets one more try begin, whose end must be told: a try that succeeded
// counts no more. Where there are too many it gives how long to wait until
// there may be another instead, which is more than zero.
func (t *tries) begin(name string) (end func(succeeded bool), wait time.Duration) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.name(maphash.String(t.seed, name))
	if free := n.tokens.TokensAt(now) - float64(n.underWay); free < 1 {
		return nil, max(time.Duration((1-free)/float64(t.rate)*float64(time.Second)), time.Nanosecond)
	}
	n.underWay++
	return func(succeeded bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		n.underWay--
		if !succeeded {
			n.tokens.Allow() // it has one: underWay has kept it
		}
	}, 0
}

// name gives what is known under a name, as young as it can be.
func (t *tries) name(hash uint64) *tried {
	n := t.young[hash]
	if n != nil {
		return n
	}
	if n = t.old[hash]; n == nil {
		n = &tried{tokens: rate.NewLimiter(t.rate, t.burst)}
	}
	if len(t.young) >= maxTried {
		t.old, t.young = t.young, make(map[uint64]*tried)
	}
	t.young[hash] = n
	return n
}
