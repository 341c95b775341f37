-- The tables of a folder's reviews: `queue` follows from the run and can be made anew; `events` are the reviews.

CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    task TEXT NOT NULL,
    item TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('answer', 'undo')),
    answer TEXT NOT NULL,
    batch INTEGER NOT NULL,
    nonce TEXT NOT NULL,
    undoes INTEGER REFERENCES events (seq)
);
CREATE INDEX IF NOT EXISTS events_of_an_item ON events (reviewer, task, item);
CREATE INDEX IF NOT EXISTS events_of_a_batch ON events (batch);
CREATE INDEX IF NOT EXISTS events_by_nonce ON events (nonce);
CREATE UNIQUE INDEX IF NOT EXISTS events_undone ON events (undoes);
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events never change'); END;
CREATE TRIGGER IF NOT EXISTS events_last BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events never go'); END;

-- Per reviewer and item the last answer that was not undone; it is settled in the transaction of each event.
CREATE TABLE IF NOT EXISTS standing (
    reviewer TEXT NOT NULL,
    task TEXT NOT NULL,
    item TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (task, item, reviewer)
);
CREATE VIEW IF NOT EXISTS standing_vetoes AS
    SELECT reviewer, item, json_extract(answer, '$.note') AS note FROM standing
    WHERE task = 'check' AND json_extract(answer, '$.verdict') = 'veto';

-- `doubt` (0..1) orders the queue, highest first, and `tie` breaks ties at random but always alike.
CREATE TABLE IF NOT EXISTS queue (
    task TEXT NOT NULL,
    item TEXT NOT NULL,
    trait TEXT NOT NULL,
    kind TEXT NOT NULL,
    language TEXT NOT NULL,
    doubt REAL NOT NULL,
    tie INTEGER NOT NULL,
    facts TEXT NOT NULL,
    PRIMARY KEY (task, item)
);
CREATE INDEX IF NOT EXISTS queue_in_order ON queue (task, doubt DESC, tie, trait, kind, language, item);
