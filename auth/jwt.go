package auth

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxToken bounds a token in bytes before anything of it is read.
	maxToken = 8 << 10
	// typeAccess is the typ of the tokens that act for a user. Whatever else
	// may one day be signed with the same key bears another.
	typeAccess = "access"
	// clockSkew is how far ahead the clock of another node may be that issued
	// a token.
	clockSkew = time.Minute
	// bearer is the scheme that may stand before a token.
	bearer = "bearer "
)

// tokens issues access tokens and reads them. It is immutable.
type tokens struct {
	secret []byte
	issuer string
	ttl    time.Duration
	now    func() time.Time
	parser *jwt.Parser
}

func newTokens(secret []byte, issuer string, ttl time.Duration, now func() time.Time) *tokens {
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(now),
		jwt.WithExpirationRequired(),
	}
	if issuer != "" {
		options = append(options, jwt.WithIssuer(issuer))
	}
	return &tokens{secret: secret, issuer: issuer, ttl: ttl, now: now, parser: jwt.NewParser(options...)}
}

// claims is what a token of ours says. Its field names are short and fixed;
// the root is among them, so that no call needs the store to know it.
type claims struct {
	Issuer     string  `json:"iss,omitempty"`
	UserID     string  `json:"sub"`
	RootID     string  `json:"root"`
	Generation *int64  `json:"gen"`
	TokenID    string  `json:"jti"`
	Type       string  `json:"typ"`
	IssuedAt   instant `json:"iat"`
	ExpiresAt  instant `json:"exp"`
}

// issue makes a token for the user as it stood in the store at that time or
// later: its generation decides whether the token is alive.
func (t *tokens) issue(user User, at time.Time) (string, error) {
	at = at.Truncate(time.Millisecond)
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, &claims{
		Issuer: t.issuer, UserID: user.ID, RootID: user.RootID,
		Generation: &user.Generation, TokenID: newID(at), Type: typeAccess,
		IssuedAt: instant{at}, ExpiresAt: instant{at.Add(t.ttl)},
	})
	text, err := token.SignedString(t.secret)
	if err != nil {
		return "", fmt.Errorf("sign an access token: %w", err)
	}
	return text, nil
}

// bare takes the scheme off a token.
func bare(token string) string {
	token = strings.TrimSpace(token)
	if len(token) >= len(bearer) && strings.EqualFold(token[:len(bearer)], bearer) {
		token = strings.TrimSpace(token[len(bearer):])
	}
	return token
}

// read gives who a bare token stands for. It does not know of revocations.
func (t *tokens) read(token string) (Principal, error) {
	if token == "" || len(token) > maxToken {
		return Principal{}, errInvalid
	}
	var said claims
	_, err := t.parser.ParseWithClaims(token, &said, func(*jwt.Token) (any, error) { return t.secret, nil })
	if errors.Is(err, jwt.ErrTokenExpired) {
		return Principal{}, errExpired
	}
	now := t.now()
	if err != nil || !said.sound() || said.IssuedAt.After(now.Add(clockSkew)) {
		return Principal{}, errInvalid
	}
	// A token lives no longer than tokens live today: revocations are
	// remembered that long and not longer.
	expiresAt := said.ExpiresAt.Time
	if longest := said.IssuedAt.Add(t.ttl); expiresAt.After(longest) {
		expiresAt = longest
	}
	if !now.Before(expiresAt) {
		return Principal{}, errExpired
	}
	return Principal{
		UserID: said.UserID, RootID: said.RootID, TokenID: said.TokenID,
		Generation: *said.Generation, IssuedAt: said.IssuedAt.Time, ExpiresAt: expiresAt,
	}, nil
}

// sound reports whether all that we write into a token stands in it.
func (c *claims) sound() bool {
	rootID, ok := ParseRootID(c.RootID)
	return ok && rootID == c.RootID && rootID != PublicRoot &&
		isID(c.UserID) && c.TokenID != "" && c.Type == typeAccess &&
		c.Generation != nil && *c.Generation >= 0 && !c.IssuedAt.IsZero()
}

// The parser asks these of its claims.

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt.numericDate(), nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt.numericDate(), nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (c *claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *claims) GetSubject() (string, error)                  { return c.UserID, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

// instant is a time in a claim: seconds since 1970 with three decimals. The
// library's own type cuts to the second, unless a variable of the whole
// process says otherwise.
type instant struct{ time.Time }

func (i instant) numericDate() *jwt.NumericDate {
	if i.IsZero() {
		return nil
	}
	return &jwt.NumericDate{Time: i.Time}
}

// MarshalJSON writes the decimals by hand: a float would not always end with
// the millisecond that went in.
func (i instant) MarshalJSON() ([]byte, error) {
	milliseconds := i.UnixMilli()
	text := strconv.AppendInt(make([]byte, 0, 16), milliseconds/1000, 10)
	rest := milliseconds % 1000
	return append(text, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10)), nil
}

// UnmarshalJSON reads any number of seconds after 1970 that a calendar knows.
func (i *instant) UnmarshalJSON(text []byte) error {
	const yearTenThousand = 253402300800
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil || seconds <= 0 || seconds >= yearTenThousand {
		return errors.New("not a time")
	}
	i.Time = time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
	return nil
}
