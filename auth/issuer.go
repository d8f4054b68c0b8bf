package auth

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Issuer is another who issues tokens that are taken here: Auth0, Keycloak,
// Supabase, a company's own. What is pinned here is never read from a token.
type Issuer struct {
	// Name is the iss of its tokens, to the letter.
	Name string
	// Audiences are those of which the aud of a token must name one: at least
	// one.
	Audiences []string
	// Keys is where its public keys are: the URL of a JWK Set (RFC 7517), by
	// https or, on this machine alone, by http; or the path of a file that holds
	// such a set or public keys and certificates as PEM.
	Keys string
}

// ParseIssuers reads issuers, each as "<name> <audience>... <keys>" with spaces
// between, and gives all that is wrong with them. What one belongs to stands in
// one place, so that no issuer gets the keys of another by a slip in a list.
func ParseIssuers(texts []string) (issuers []Issuer, faults []error) {
	for _, text := range texts {
		fields := strings.Fields(text)
		if len(fields) < 3 {
			faults = append(faults, fmt.Errorf("%q is not of the form: issuer audience keys", text))
			continue
		}
		last := len(fields) - 1
		issuers = append(issuers, Issuer{Name: fields[0], Audiences: fields[1:last], Keys: fields[last]})
	}
	return issuers, append(faults, checkIssuers(issuers)...)
}

func checkIssuers(issuers []Issuer) (faults []error) {
	seen := make(map[string]bool)
	for _, issuer := range issuers {
		switch {
		case issuer.Name == "":
			faults = append(faults, errors.New("an issuer has no name"))
		case seen[issuer.Name]:
			faults = append(faults, fmt.Errorf("the issuer %q stands there twice", issuer.Name))
		case len(issuer.Audiences) == 0 || slices.Contains(issuer.Audiences, ""):
			faults = append(faults, fmt.Errorf("the issuer %q needs an audience", issuer.Name))
		}
		seen[issuer.Name] = true
		if why := wrongKeys(issuer.Keys); why != "" {
			faults = append(faults, fmt.Errorf("the keys of the issuer %q: %s", issuer.Name, why))
		}
	}
	return faults
}

// wrongKeys says what is wrong with where keys are, empty where nothing is. It
// looks at no disk and no network.
func wrongKeys(keys string) string {
	if keys == "" {
		return "a file or a URL is needed"
	}
	if !isURL(keys) {
		return ""
	}
	at, err := url.Parse(keys)
	switch {
	case err != nil || at.Host == "" || at.User != nil || at.Fragment != "":
		return "not a plain URL"
	case at.Scheme == "https" || at.Scheme == "http" && isLoopback(at.Hostname()):
		return ""
	}
	return "the URL must be https; http does on this machine alone"
}

func isURL(keys string) bool { return strings.Contains(keys, "://") }

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
