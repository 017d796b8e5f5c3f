/**
 * The schema of a room's SQLite: one for all that a room stores, so that one number says which steps it has taken.
 */

/**
 * The steps of the schema, in order; a room takes those it lacks, in a transaction with the number of the last.
 * `bytes` stands last in a row: SQLite then reads the columns before it without touching a large value's pages.
 */
export const MIGRATIONS = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
   CREATE TABLE log (
     id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
     log_bytes INTEGER NOT NULL, log_rows INTEGER NOT NULL, clocks BLOB NOT NULL,
     crc INTEGER NOT NULL, bytes BLOB NOT NULL
   );
   CREATE TABLE snapshot (part INTEGER PRIMARY KEY, crc INTEGER NOT NULL, bytes BLOB NOT NULL);
   CREATE TABLE waiting (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
   CREATE TABLE quarantine (
     id INTEGER PRIMARY KEY, source TEXT NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL,
     reason TEXT NOT NULL, bytes BLOB NOT NULL
   );
   CREATE TABLE owner (client INTEGER PRIMARY KEY, subject TEXT NOT NULL);`,
  // Time and author of each update; the weight in memory; values that outgrow a row; whose content is whose.
  `CREATE TABLE log_2 (
     id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
     log_bytes INTEGER NOT NULL, log_rows INTEGER NOT NULL, log_weight INTEGER NOT NULL, clocks BLOB,
     at INTEGER NOT NULL, who BLOB NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL
   );
   INSERT INTO log_2 SELECT id, revision, part, parts, log_bytes, log_rows, log_bytes, clocks, 0, x'', crc, bytes FROM log;
   DROP TABLE log;
   ALTER TABLE log_2 RENAME TO log;
   CREATE TABLE value (name TEXT NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (name, part));
   INSERT INTO value SELECT 'snapshot_clocks', 0, value FROM meta WHERE key = 'snapshot_clocks';
   DELETE FROM meta WHERE key = 'snapshot_clocks';
   CREATE TABLE presence (client INTEGER PRIMARY KEY, state TEXT NOT NULL);
   CREATE TABLE carried (
     client INTEGER NOT NULL, owner TEXT NOT NULL, clock INTEGER NOT NULL, PRIMARY KEY (client, owner)
   ) WITHOUT ROWID;
   DELETE FROM meta WHERE key = 'outbox';
   ALTER TABLE waiting RENAME TO waiting_1;
   CREATE TABLE waiting (
     id INTEGER PRIMARY KEY, size INTEGER NOT NULL, crc INTEGER NOT NULL, peers TEXT NOT NULL, subject TEXT,
     roots TEXT, who BLOB NOT NULL, missing TEXT NOT NULL
   );
   CREATE INDEX waiting_by_bytes ON waiting (size, crc);
   INSERT INTO waiting SELECT id, length(bytes), 0, '', NULL, NULL, x'', '[]' FROM waiting_1;
   INSERT INTO value SELECT 'waiting ' || id, 0, bytes FROM waiting_1;
   DROP TABLE waiting_1;`,
  // The past: see history/segments.ts, versions.ts and copies.ts, which read and write these through `tables`.
  `CREATE TABLE past (
     id INTEGER PRIMARY KEY, kind TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
     first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, joins INTEGER NOT NULL, size INTEGER NOT NULL,
     kept INTEGER NOT NULL, damaged INTEGER NOT NULL
   );
   CREATE TABLE past_bytes (
     id INTEGER NOT NULL, part INTEGER NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (id, part)
   );
   CREATE TABLE version (
     n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, at INTEGER NOT NULL, name TEXT,
     trigger TEXT NOT NULL, created_by TEXT NOT NULL, writers TEXT NOT NULL, meta TEXT
   );
   CREATE TABLE person (subject TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE copied (id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, bytes BLOB NOT NULL);
   INSERT INTO meta SELECT 'snapshot_revision', coalesce(
     (SELECT min(revision) - 1 FROM log), (SELECT value FROM meta WHERE key = 'revision'), 0
   );`,
  // Checksums of what stands beside the document: of a row's clocks and origins, and of each value. NULL: from before.
  `CREATE TABLE log_3 (
     id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,
     log_bytes INTEGER NOT NULL, log_rows INTEGER NOT NULL, log_weight INTEGER NOT NULL, clocks BLOB,
     at INTEGER NOT NULL, who BLOB NOT NULL, head_crc INTEGER, crc INTEGER NOT NULL, bytes BLOB NOT NULL
   );
   INSERT INTO log_3 SELECT id, revision, part, parts, log_bytes, log_rows, log_weight, clocks, at, who, NULL, crc, bytes
     FROM log;
   DROP TABLE log;
   ALTER TABLE log_3 RENAME TO log;
   CREATE TABLE value_2 (
     name TEXT NOT NULL, part INTEGER NOT NULL, crc INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (name, part)
   );
   INSERT INTO value_2 SELECT name, part, NULL, bytes FROM value;
   DROP TABLE value;
   ALTER TABLE value_2 RENAME TO value;`,
  // A large value of the past is not compressed: see history/segments.ts.
  "ALTER TABLE past ADD COLUMN packed INTEGER NOT NULL DEFAULT 1",
  // What of the past stands in the archive, under whose name, and what is to be removed there: see history/moving.ts.
  `ALTER TABLE past ADD COLUMN moved TEXT;
   CREATE TABLE past_gone (name TEXT PRIMARY KEY) WITHOUT ROWID;`,
  // Checksums of small notes; NULL: from before.
  "ALTER TABLE meta ADD COLUMN crc INTEGER",
]

/**
 * The oldest schema whose server can go on with what the newest step leaves, so that an upgrade can be taken back. Lower
 * than the newest only while the steps since then add what an older server neither reads, writes nor misses.
 */
export const OPENS_FROM = MIGRATIONS.length

/** The tables of a document's past, which go with it (D8). */
export const PAST = ["past", "past_bytes", "version", "person", "copied"]
