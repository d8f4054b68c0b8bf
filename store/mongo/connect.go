package mongo

import (
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

// clientOptions reads a connection string and adds what it leaves open.
func clientOptions(uri string, own Options) (*options.ClientOptions, error) {
	configured := options.Client().ApplyURI(uri)
	if err := configured.Validate(); err != nil {
		return nil, connectError(uri, err)
	}
	if preference := configured.ReadPreference; preference != nil && preference.Mode() != readpref.PrimaryMode {
		return nil, fmt.Errorf("connection string: readPreference=%s would read what is out of date; leave it out", preference.Mode())
	}
	switch concern := configured.WriteConcern; {
	case concern == nil:
		journaled := true
		configured.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journaled})
	case !concern.Acknowledged():
		return nil, errors.New("connection string: w=0 would lose what was answered as written; leave it out")
	}
	if configured.ServerSelectionTimeout == nil {
		configured.SetServerSelectionTimeout(min(selectTimeout, own.Timeout))
	}
	if configured.ConnectTimeout == nil {
		configured.SetConnectTimeout(own.Timeout)
	}
	if configured.AppName == nil {
		configured.SetAppName("walkergate")
	}
	return configured, nil
}

// settledReads are of what a majority has, unless the URI says otherwise.
func settledReads(configured *options.ClientOptions) *options.CollectionOptionsBuilder {
	reads := options.Collection()
	if configured.ReadConcern == nil {
		reads.SetReadConcern(readconcern.Majority())
	}
	return reads
}

// connectError tells what is wrong with a connection string, but not where the
// reason could repeat a part of its password.
func connectError(uri string, err error) error {
	if strings.Contains(uri, "@") {
		return errors.New("connection string: it cannot be read; the reason could repeat a part of the password, so it is left out here. " +
			"In the name and the password each of : / ? # [ ] @ % must be percent-encoded")
	}
	return fmt.Errorf("connection string: %w", err)
}

// checkDatabase holds a name to what every server and every file system takes.
func checkDatabase(name string) error {
	if name == "" || len(name) > 63 || strings.ContainsAny(name, "/\\. \"$*<>:|?\x00") {
		return fmt.Errorf("%q is no name of a database: 1 to 63 bytes without any of /\\. \"$*<>:|?", name)
	}
	return nil
}
