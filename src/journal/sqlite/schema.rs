//! The schema, as `sqlite3` shows it, and how one version becomes the next.
//! Times are microseconds since 1970 UTC; lists and what is never searched for are JSON.

use rusqlite::Connection;

use super::failed;
use crate::journal::StoreError;

/// The version of the schema, kept as `user_version`.
const VERSION: i64 = 1;

const TABLES: &str = "
-- One row a conversation, open or closed. What changes with every message is in `tail`.
CREATE TABLE conversation (
  number     INTEGER PRIMARY KEY,
  id         TEXT NOT NULL UNIQUE,           -- UUID version 7: ordered by start
  seller     TEXT NOT NULL,
  within     TEXT NOT NULL,                  -- the seller whose key vouches for the buyer, or ''
  buyer      TEXT NOT NULL,
  state      TEXT NOT NULL,
  team       TEXT NOT NULL,                  -- the group
  agent      TEXT,
  entry      TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  closed_at  INTEGER,
  detail     TEXT NOT NULL                   -- everything else, JSON
) STRICT;
CREATE INDEX conversation_open ON conversation (number) WHERE state <> 'closed';
CREATE INDEX conversation_closed ON conversation (closed_at) WHERE state = 'closed';
CREATE INDEX conversation_of_seller ON conversation (seller, id);
CREATE INDEX conversation_of_buyer ON conversation (buyer, within, id);

-- Who holds or held which conversation.
CREATE TABLE holder (
  account      TEXT NOT NULL,
  conversation TEXT NOT NULL,
  PRIMARY KEY (account, conversation)
) STRICT, WITHOUT ROWID;

-- What messages leave behind in a conversation.
CREATE TABLE tail (
  conversation     INTEGER PRIMARY KEY,      -- conversation.number
  rev              INTEGER NOT NULL,
  first_reply_at   INTEGER,
  last_seq         INTEGER NOT NULL,
  last_for_buyer   INTEGER NOT NULL,
  last_wrote       INTEGER NOT NULL,
  unanswered_since INTEGER,
  read_by_buyer    INTEGER NOT NULL,
  read_by_staff    INTEGER NOT NULL,
  unread_by_buyer  INTEGER NOT NULL,
  unread_by_staff  INTEGER NOT NULL,
  last_message     INTEGER NOT NULL          -- message.number of the last one, or 0
) STRICT;

-- Messages, in the order in which they were written. Each names the one before it in its conversation: a full index
-- would have to be changed in as many places as there are conversations, with every commit.
CREATE TABLE message (
  number         INTEGER PRIMARY KEY,
  conversation   INTEGER NOT NULL,           -- conversation.number
  seq            INTEGER NOT NULL,
  before         INTEGER NOT NULL,           -- message.number of the one with seq - 1, or 0
  prev_for_buyer INTEGER NOT NULL,
  kind           TEXT NOT NULL,              -- buyer, agent or system
  sender         TEXT NOT NULL,              -- the buyer or the account, '' for the system
  within         TEXT,                       -- as in conversation, of a buyer
  name           TEXT,
  note           INTEGER NOT NULL,           -- 1: for staff only
  client_id      TEXT,
  at             INTEGER NOT NULL,
  body           TEXT NOT NULL               -- JSON
) STRICT;
-- Where reading may begin.
CREATE UNIQUE INDEX message_landmark ON message (conversation, seq) WHERE seq % 64 = 0;

-- Why each conversation went as it went.
CREATE TABLE decision (
  number       INTEGER PRIMARY KEY,
  conversation INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  detail       TEXT NOT NULL                 -- JSON
) STRICT;
CREATE INDEX decision_of ON decision (conversation, number);

-- Who last held a conversation of a buyer with a seller, until when, and their last closed one.
CREATE TABLE past (
  buyer       TEXT NOT NULL,
  within      TEXT NOT NULL,
  seller      TEXT NOT NULL,
  holder      TEXT,
  until       INTEGER,
  last_closed TEXT NOT NULL,
  PRIMARY KEY (buyer, within, seller)
) STRICT, WITHOUT ROWID;

CREATE TABLE agent (
  account       TEXT PRIMARY KEY,
  status        TEXT NOT NULL,
  since         INTEGER NOT NULL,
  last_given    INTEGER NOT NULL,
  last_ended    INTEGER NOT NULL,
  missed_offers INTEGER NOT NULL,
  paused        TEXT NOT NULL                -- JSON: [[seller, status]]
) STRICT, WITHOUT ROWID;

-- Where each group's rotation stands.
CREATE TABLE rotation (
  seller      TEXT NOT NULL,
  team        TEXT NOT NULL,
  last_chosen TEXT,
  weights     TEXT NOT NULL,                 -- JSON: [[account, weight]]
  PRIMARY KEY (seller, team)
) STRICT, WITHOUT ROWID;

-- The latest accepted routing configurations; the last one counts.
CREATE TABLE accepted (
  generation INTEGER PRIMARY KEY,
  detail     TEXT NOT NULL                   -- JSON: files and unbindings
) STRICT;

CREATE TABLE audit (
  number INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  who    TEXT NOT NULL,
  action TEXT NOT NULL,
  detail TEXT NOT NULL                       -- JSON
) STRICT;

-- One row: how many commits there have been, and the time of the last record.
CREATE TABLE progress (
  only      INTEGER PRIMARY KEY CHECK (only = 1),
  commits   INTEGER NOT NULL,
  last_time INTEGER NOT NULL
) STRICT;
INSERT INTO progress VALUES (1, 0, 0);
";

/// Made also where the other tables are there already: a store from before them has none.
const LATER: &str = "
-- What agents said of themselves, and when: a replay needs to know who was there.
CREATE TABLE IF NOT EXISTS presence (
  number  INTEGER PRIMARY KEY,
  account TEXT NOT NULL,
  at      INTEGER NOT NULL,
  status  TEXT NOT NULL
) STRICT;

-- What was counted of each seller's day, the last one on which anything was.
CREATE TABLE IF NOT EXISTS day (
  seller TEXT PRIMARY KEY,
  date   TEXT NOT NULL,                      -- by the seller's calendar
  detail TEXT NOT NULL                       -- JSON
) STRICT;
";

/// Makes the tables where there are none.
pub(super) fn prepare(connection: &Connection) -> Result<(), StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    match found {
        0 => {
            let script = format!("BEGIN IMMEDIATE; {TABLES} {LATER} PRAGMA user_version = {VERSION}; COMMIT;");
            connection.execute_batch(&script).map_err(failed)
        }
        VERSION => connection.execute_batch(LATER).map_err(failed),
        found => Err(StoreError::Newer { found, known: VERSION }),
    }
}
