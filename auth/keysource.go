package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

const (
	// maxKeysBytes bounds what is read of the keys of an issuer, in bytes.
	maxKeysBytes = 256 << 10
	// maxRedirects is how often its server may send us on, within itself.
	maxRedirects = 3
)

// keySource gives the way to the text of an issuer's keys.
func keySource(keys string, transport http.RoundTripper) func(context.Context) ([]byte, error) {
	if !isURL(keys) {
		return func(context.Context) ([]byte, error) { return readKeyFile(keys) }
	}
	client := &http.Client{Transport: transport, CheckRedirect: staysAtHome}
	return func(ctx context.Context) ([]byte, error) { return fetchKeys(ctx, client, keys) }
}

// newTransport keeps no connection open: keys are read once an hour.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
		ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
	}
}

func readKeyFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err // names the path
	}
	if !info.Mode().IsRegular() { // to open a pipe would wait for its other end
		return nil, fmt.Errorf("%s: not a file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	return readKeys(file)
}

func fetchKeys(ctx context.Context, client *http.Client, from string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	request.Header.Set("User-Agent", "walkergate")
	response, err := client.Do(request)
	if err != nil {
		if failed := new(url.Error); errors.As(err, &failed) {
			err = failed.Err // without the URL, which may hold what no log should
		}
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("answered with status %d", response.StatusCode)
	}
	return readKeys(response.Body)
}

func readKeys(from io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxKeysBytes+1))
	if err == nil && len(text) > maxKeysBytes {
		err = fmt.Errorf("more than %d bytes", maxKeysBytes)
	}
	return text, err
}

// staysAtHome refuses every way to another server: where keys come from is said
// by the settings alone.
func staysAtHome(request *http.Request, via []*http.Request) error {
	home := via[0].URL
	if request.URL.Scheme != home.Scheme || request.URL.Host != home.Host || len(via) > maxRedirects {
		return errors.New("sent on to another place")
	}
	return nil
}
