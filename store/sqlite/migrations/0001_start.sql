-- Times are milliseconds since 1970.

CREATE TABLE users (
	id            TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	root_id       TEXT NOT NULL UNIQUE CHECK (root_id <> ''),
	email_key     TEXT NOT NULL UNIQUE CHECK (email_key <> ''),
	email         TEXT NOT NULL,
	profile       TEXT NOT NULL, -- a JSON object
	password_hash TEXT NOT NULL,
	generation    INTEGER NOT NULL,
	created_at    INTEGER NOT NULL
) STRICT;

-- An empty token_id ends every token of the user below the generation.
CREATE TABLE revocations (
	user_id    TEXT NOT NULL,
	token_id   TEXT NOT NULL,
	generation INTEGER NOT NULL,
	at         INTEGER NOT NULL,
	ends       INTEGER NOT NULL,
	PRIMARY KEY (user_id, token_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX revocations_at ON revocations (at);
CREATE INDEX revocations_ends ON revocations (ends);

CREATE TABLE records (
	client_id    TEXT NOT NULL PRIMARY KEY CHECK (client_id <> ''),
	root_id      TEXT NOT NULL,
	node_id      TEXT NOT NULL,
	channel_ids  TEXT NOT NULL, -- a JSON array, in the order of joining
	connected_at INTEGER NOT NULL,
	changed_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- As every index here it holds the primary key behind its columns, so a page
-- of one root is one range.
CREATE INDEX records_root ON records (root_id);

-- Who stands in which channel: records.channel_ids, the other way round. It
-- has no index by client, because channel_ids says which rows are a client's.
CREATE TABLE record_channels (
	channel_id TEXT NOT NULL,
	client_id  TEXT NOT NULL,
	PRIMARY KEY (channel_id, client_id)
) STRICT, WITHOUT ROWID;
