package mongo

import "go.mongodb.org/mongo-driver/v2/mongo/options"

// ClientOptions is what a connection string becomes.
func ClientOptions(uri string) (*options.ClientOptions, error) {
	return clientOptions(uri, Options{Timeout: defaultTimeout})
}
