-- One row a node, and so one row at most.
CREATE TABLE leases (
	node_id   TEXT NOT NULL PRIMARY KEY CHECK (node_id <> ''),
	beat      INTEGER NOT NULL,
	bus       INTEGER NOT NULL,
	serving   INTEGER NOT NULL,
	condemned INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
