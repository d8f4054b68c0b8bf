-- The epoch of every channel that has no log yet. It is made anew before a row is
-- removed that was made under it, so no epoch gives a seq twice.
CREATE TABLE base_epoch (
	epoch TEXT NOT NULL
) STRICT;

INSERT INTO base_epoch VALUES (lower(hex(randomblob(8))));

-- A log has a row from its first message on, for as long as it keeps any and
-- for some time after that.
CREATE TABLE logs (
	number     INTEGER NOT NULL PRIMARY KEY,
	channel_id TEXT NOT NULL UNIQUE CHECK (channel_id <> ''),
	epoch      TEXT NOT NULL,
	born       TEXT NOT NULL, -- base_epoch when the row was made
	head       INTEGER NOT NULL,
	first      INTEGER NOT NULL,
	messages   INTEGER NOT NULL, -- retention: how many,
	age        INTEGER NOT NULL, -- and for how many milliseconds
	used       INTEGER NOT NULL,
	due        INTEGER NOT NULL -- when to look whether anything is to be let go
) STRICT;

CREATE INDEX logs_due ON logs (due);

-- From logs.first on a log is dense. Below it stands what is left of
-- messages that were let go, for as long as their ids are remembered.
CREATE TABLE messages (
	log         INTEGER NOT NULL, -- logs.number
	seq         INTEGER NOT NULL,
	id          TEXT NOT NULL,
	keyed       INTEGER NOT NULL,
	digest      TEXT NOT NULL,
	client_id   TEXT, -- NULL, as root_id, where the server itself sent it
	root_id     TEXT,
	owner       TEXT NOT NULL,
	at          INTEGER NOT NULL,
	known_until INTEGER NOT NULL,
	data        BLOB, -- NULL once it was let go
	PRIMARY KEY (log, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX messages_id ON messages (log, id);

-- What the messages of an owner count, over all channels.
CREATE TABLE quotas (
	owner TEXT NOT NULL PRIMARY KEY CHECK (owner <> ''),
	bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE marks (
	root_id    TEXT NOT NULL,
	channel_id TEXT NOT NULL,
	seq        INTEGER NOT NULL,
	PRIMARY KEY (root_id, channel_id)
) STRICT, WITHOUT ROWID;
