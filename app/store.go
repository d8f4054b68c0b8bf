package app

import (
	"fmt"

	"github.com/walkergate/walkergate/store"
	"github.com/walkergate/walkergate/store/mongo"
	"github.com/walkergate/walkergate/store/sqlite"
)

// openStore opens the engine that the settings name: MongoDB where there is a
// connection string, else the embedded one. A store that was handed in is taken
// as it is.
func (a *App) openStore() (store.Store, error) {
	if a.among.store != nil {
		return a.among.store, nil
	}
	if a.config.MongodbURI != "" {
		opened, err := mongo.Open(a.base, a.config.MongodbURI, a.config.MongodbDatabase, mongo.Options{Log: a.log})
		if err != nil {
			return nil, fmt.Errorf("MONGODB_URI, MONGODB_DATABASE: %w", err)
		}
		return opened, nil
	}
	opened, err := sqlite.Open(a.base, a.config.DataDir, sqlite.Options{Log: a.log})
	if err != nil {
		return nil, err
	}
	return opened, nil
}
