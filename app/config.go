package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/gateway"
)

// Config is all that can be set. The zero value works: each field that is left
// zero gets the default of its tag. The tags are also what the command line,
// the environment, --help and .env.example are made of.
type Config struct {
	Host           string   `env:"HOST" default:"localhost" help:"Address to listen on. localhost means 127.0.0.1 and [::1], so that the name works in every browser."`
	Port           int      `env:"PORT" default:"8000" help:"Port to listen on; --port=-1 takes a free one."`
	TLSCert        string   `env:"TLS_CERT" help:"Certificate file (PEM); with TLS_KEY the gateway serves https and wss itself."`
	TLSKey         string   `env:"TLS_KEY" help:"Key file (PEM) of TLS_CERT."`
	TrustedProxies []string `env:"TRUSTED_PROXIES" help:"Addresses or networks (10.0.0.0/8) of proxies in front, comma separated. Only from them X-Forwarded-For, -Proto and -Host are believed."`
	AllowOrigins   []string `env:"ALLOW_ORIGINS" help:"Origins of other sites whose pages may call and connect (https://app.example.com), comma separated; * for all. The own host needs no entry; nor, to connect a socket, does any port of this machine on loopback."`

	DataDir         string        `env:"DATA_DIR" default:"data" help:"Folder of the embedded database and the generated secret, readable by the owner alone."`
	MongodbURI      string        `env:"MONGODB_URI" help:"Connection string of a MongoDB, 4.4 or newer, that keeps users and records in place of the embedded database. Needs TOKEN_SECRET."`
	MongodbDatabase string        `env:"MONGODB_DATABASE" default:"walkergate" help:"Name of the database in it."`
	NodeLease       time.Duration `env:"NODE_LEASE" default:"10s" help:"Silence after which a node is taken for dead and its records are removed; the same on all nodes of a database, 1s or more."`

	TokenSecret string        `env:"TOKEN_SECRET" help:"Key that signs tokens, 32 bytes or more. Made and kept under DATA_DIR when empty; required with MONGODB_URI."`
	TokenTTL    time.Duration `env:"TOKEN_TTL" default:"12h" help:"Life of a token."`
	AuthIssuers []string      `env:"AUTH_ISSUERS" help:"Other issuers whose tokens are taken, comma separated, each written as: issuer audience keys. Keys are the https URL of a JWKS, or a file with one or with public keys as PEM; docs/AUTH.md has examples."`
	AuthStrict  Switch        `env:"AUTH_STRICT" default:"off" placeholder:"on|off" help:"on or off. Refuse an upgrade whose token is refused, instead of letting it in as the public user."`
	AuthExpiry  string        `env:"AUTH_EXPIRY" default:"public" enum:"public,close" help:"What becomes of a socket whose token ends: public (it goes on as the public user) or close (it is closed with 4401)."`
	ArgonAtOnce int           `env:"ARGON_AT_ONCE" default:"2" help:"Password hashes computed at once (19 MiB each); others wait, then get busy."`

	LoginTriesPerAddress int `env:"LOGIN_TRIES_PER_ADDRESS" default:"60" help:"Logins, registrations and changes of a password a minute from one address (IPv6: a /64); more get 429."`
	LoginTriesPerAccount int `env:"LOGIN_TRIES_PER_ACCOUNT" default:"10" help:"The same for one account, from wherever; what succeeds does not count."`

	PublishPolicy  gateway.PublishPolicy `env:"PUBLISH_POLICY" default:"authenticated" enum:"open,authenticated,none" help:"Who may send user, channel and client frames: open, authenticated or none. Walkers may always; the built-in ones are walkers too."`
	BuiltinWalkers Switch                `env:"BUILTIN_WALKERS" default:"on" placeholder:"on|off" help:"on or off. Register the built-in walkers (chat, progress, echo)."`
	WalkerTimeout  time.Duration         `env:"WALKER_TIMEOUT" default:"30s" help:"Time a walker may take, where its spec says nothing."`
	MaxWalkers     int                   `env:"MAX_WALKERS" default:"1000" help:"Walkers that run at once; more get busy."`

	MaxConnections           int `env:"MAX_CONNECTIONS" default:"10000" help:"Open sockets at once; more get 503 before the upgrade."`
	MaxConnectionsPerUser    int `env:"MAX_CONNECTIONS_PER_USER" default:"100" help:"Of these, those of one user; the public user is not held to it."`
	MaxConnectionsPerAddress int `env:"MAX_CONNECTIONS_PER_ADDRESS" default:"1000" help:"Of these, those from one address (IPv6: a /64). Behind a proxy that TRUSTED_PROXIES does not name, all come from that one."`

	MaxBodyBytes   int           `env:"MAX_BODY_BYTES" default:"4194304" help:"Bytes of a REST body, files included."`
	MaxHeaderBytes int           `env:"MAX_HEADER_BYTES" default:"16384" help:"Bytes of a request's line and headers."`
	MaxFrameBytes  int           `env:"MAX_FRAME_BYTES" default:"65536" help:"Bytes of a message over the socket; more closes with 1009."`
	FrameRate      int           `env:"FRAME_RATE" default:"100" help:"Frames a second of one connection, in the long run."`
	FrameBurst     int           `env:"FRAME_BURST" default:"200" help:"Frames of one connection at once, before FRAME_RATE holds."`
	WaitingFrames  int           `env:"WAITING_FRAMES" default:"64" help:"Frames of one connection that may wait behind a running walker; more get busy."`
	QueueBytes     int           `env:"QUEUE_BYTES" default:"1048576" help:"Bytes that may wait for a slow client; more closes with 1013."`
	WriteTimeout   time.Duration `env:"WRITE_TIMEOUT" default:"5s" help:"Time without progress after which a slow client is closed with 1013."`
	PingInterval   time.Duration `env:"PING_INTERVAL" default:"25s" help:"Silence after which a client is pinged."`
	DeadAfter      time.Duration `env:"DEAD_AFTER" default:"60s" help:"Silence after which a client is closed with 4408."`
	ReadTimeout    time.Duration `env:"READ_TIMEOUT" default:"30s" help:"Time to send a whole HTTP request."`

	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" default:"15s" help:"Time to end running work and send clients away after SIGTERM."`
	LogLevel        string        `env:"LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	LogFormat       string        `env:"LOG_FORMAT" default:"text" enum:"text,json" help:"text or json."`
}

// What AUTH_EXPIRY may say.
const (
	expiryMakesPublic = "public"
	expiryCloses      = "close"
)

// minNodeLease is the shortest lease: five beats fit in it, each with the time
// that a call to the store may take.
const minNodeLease = time.Second

// anyPort asks for a free port: zero already means the default.
const anyPort = -1

// Switch is a setting that is on or off. The zero value is off, whatever the
// default of the command line: a program that sets its Config by hand gets no
// built-in walkers unless it asks for them.
type Switch bool

// UnmarshalText reads on, off, true, false, 1 and 0.
func (s *Switch) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "on", "true", "1", "yes":
		*s = true
	case "off", "false", "0", "no", "":
		*s = false
	default:
		return fmt.Errorf("%q is neither on nor off", text)
	}
	return nil
}

// withDefaults fills fields that are zero from their tags. Switches stay: off
// is what their zero says.
func (c Config) withDefaults() Config {
	value := reflect.ValueOf(&c).Elem()
	for i := range value.NumField() {
		field, text := value.Field(i), value.Type().Field(i).Tag.Get("default")
		if text == "" || !field.IsZero() || field.Kind() == reflect.Bool {
			continue
		}
		if err := setDefault(field, text); err != nil {
			panic("app: default of " + value.Type().Field(i).Name + ": " + err.Error()) // a tag of ours
		}
	}
	return c
}

func setDefault(field reflect.Value, text string) error {
	if _, ok := field.Interface().(time.Duration); ok {
		duration, err := time.ParseDuration(text)
		field.SetInt(int64(duration))
		return err
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Int:
		number, err := strconv.ParseInt(text, 10, 64)
		field.SetInt(number)
		return err
	default:
		return fmt.Errorf("kind %s has no default", field.Kind())
	}
	return nil
}

// Validate reports everything that is wrong with the settings at once, each
// under the name of its environment variable.
func (c Config) Validate() error {
	var faults []error
	wrong := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf(key+": "+format, args...))
	}
	if c.Port < anyPort || c.Port > 65535 {
		wrong("PORT", "%d is no port", c.Port)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		wrong("TLS_CERT, TLS_KEY", "one needs the other")
	}
	if c.TokenSecret != "" {
		if err := auth.CheckSecret([]byte(c.TokenSecret)); err != nil {
			wrong("TOKEN_SECRET", "%v", err)
		}
	}
	_, faulty := auth.ParseIssuers(c.AuthIssuers)
	for _, fault := range faulty {
		wrong("AUTH_ISSUERS", "%v", fault)
	}
	if c.MongodbURI != "" && c.TokenSecret == "" {
		wrong("TOKEN_SECRET", "is required with MONGODB_URI: whatever runs over the same users must sign with the same key")
	}
	if c.NodeLease < minNodeLease {
		wrong("NODE_LEASE", "must be %s or more: it has to outlast a slow moment of the store", minNodeLease)
	}
	for _, proxy := range c.TrustedProxies {
		if _, err := parseNetwork(proxy); err != nil {
			wrong("TRUSTED_PROXIES", "%q is neither an address nor a network", proxy)
		}
	}
	for _, origin := range c.AllowOrigins {
		if !validOrigin(origin) {
			wrong("ALLOW_ORIGINS", "%q is no origin (https://host or https://host:port)", origin)
		}
	}
	switch c.PublishPolicy {
	case gateway.PublishOpen, gateway.PublishAuthenticated, gateway.PublishNone:
	default:
		wrong("PUBLISH_POLICY", "%q is none of open, authenticated, none", c.PublishPolicy)
	}
	if c.AuthExpiry != expiryCloses && c.AuthExpiry != expiryMakesPublic {
		wrong("AUTH_EXPIRY", "%q is neither public nor close", c.AuthExpiry)
	}
	for key, limit := range c.positive() {
		if limit <= 0 {
			wrong(key, "must be more than 0")
		}
	}
	if c.DeadAfter <= c.PingInterval {
		wrong("DEAD_AFTER", "must be longer than PING_INTERVAL (%s)", c.PingInterval)
	}
	return errors.Join(faults...)
}

// positive lists the limits: each has to be something.
func (c Config) positive() map[string]int64 {
	return map[string]int64{
		"TOKEN_TTL": int64(c.TokenTTL), "ARGON_AT_ONCE": int64(c.ArgonAtOnce), "WALKER_TIMEOUT": int64(c.WalkerTimeout),
		"MAX_CONNECTIONS": int64(c.MaxConnections), "MAX_CONNECTIONS_PER_USER": int64(c.MaxConnectionsPerUser),
		"MAX_CONNECTIONS_PER_ADDRESS": int64(c.MaxConnectionsPerAddress), "MAX_WALKERS": int64(c.MaxWalkers),
		"LOGIN_TRIES_PER_ADDRESS": int64(c.LoginTriesPerAddress), "LOGIN_TRIES_PER_ACCOUNT": int64(c.LoginTriesPerAccount),
		"MAX_BODY_BYTES":   int64(c.MaxBodyBytes),
		"MAX_HEADER_BYTES": int64(c.MaxHeaderBytes), "MAX_FRAME_BYTES": int64(c.MaxFrameBytes),
		"FRAME_RATE": int64(c.FrameRate), "FRAME_BURST": int64(c.FrameBurst), "WAITING_FRAMES": int64(c.WaitingFrames),
		"QUEUE_BYTES": int64(c.QueueBytes), "WRITE_TIMEOUT": int64(c.WriteTimeout), "PING_INTERVAL": int64(c.PingInterval),
		"READ_TIMEOUT": int64(c.ReadTimeout), "SHUTDOWN_TIMEOUT": int64(c.ShutdownTimeout),
	}
}

func parseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

func validOrigin(origin string) bool {
	if origin == "*" {
		return true
	}
	parsed, err := url.Parse(origin)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != "" &&
		parsed.Path == "" && parsed.RawQuery == "" && parsed.Fragment == "" && parsed.User == nil
}

// addresses are where to listen. On localhost only the first must be had: a
// machine may have no IPv6.
func (c Config) addresses() (required, optional string) {
	port := strconv.Itoa(max(c.Port, 0)) // 0 is how the system is asked for a free one
	if c.Host == "localhost" {
		return net.JoinHostPort("127.0.0.1", port), "[::1]"
	}
	return net.JoinHostPort(c.Host, port), ""
}
