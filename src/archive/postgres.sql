-- Yurt's documents in your Postgres. Run it once: psql "$DATABASE_URL" -f postgres.sql
-- It may be run again at any time, and completes the table of an older server. The server needs SELECT, INSERT and
-- UPDATE on the table, and TEMPORARY on the database for documents over 4 MB.

-- The words of a document. A tsvector holds at most 1 MB: of a very long text only the first 1,000,000 characters
-- are indexed, and if their words still do not fit, the first 100,000. The column "text" is always whole.
create or replace function yurt_search(text text) returns tsvector
language plpgsql immutable parallel safe as $$
begin
  return to_tsvector('simple', left(text, 1000000));
exception when program_limit_exceeded then
  return to_tsvector('simple', left(text, 100000));
end
$$;

-- One row a document. To create one by hand, insert an id and one of these:
--   update       a Yjs V1 update;
--   json         an object of root name to content: an object becomes a Y.Map, an array a Y.Array, a text a Y.Text;
--   text         plain text: becomes the Y.Text named "text", the one that Yurt's text editor opens.
-- To give a document that exists other content, set "update"; or set it to null, one of "json" and "text" to the
-- content and the other to null. "writer" need not be touched: by "written_by" a room sees that another hand changed
-- the row, and it merges what it finds with what it has before it writes again.
create table if not exists yurt_documents (
  id text collate "C" primary key,
  update bytea,                          -- the whole document, as one Yjs V1 update
  sidecar bytea,                         -- what a room needs beside it; keep it with the update
  writer text,                           -- the storage of the room that wrote the row
  revision bigint,                       -- the writer's count of commits in it; grows only
  written_by bigint,                     -- the transaction in which that room wrote the row
  bytes bigint generated always as (octet_length(update)) stored,
  json jsonb,                            -- the document as JSON: root name to value; null: too large to show
  text text,                             -- the text of all roots, in name order; null: too large to show
  search tsvector generated always as (yurt_search(text)) stored,
  updated_at timestamptz not null default now(),
  deleted_at timestamptz                 -- set: the document was deleted at "revision"; keep the row
);

-- The table of an older server lacks these. Its rows count as written by hand.
alter table yurt_documents add column if not exists sidecar bytea;
alter table yurt_documents add column if not exists writer text;
alter table yurt_documents add column if not exists written_by bigint;

-- Updates do not compress, and uncompressed they can be read in parts.
alter table yurt_documents alter column update set storage external;

-- select id from yurt_documents where search @@ websearch_to_tsquery('simple', 'what people wrote')
create index if not exists yurt_documents_search on yurt_documents using gin (search);

-- Whoever says LISTEN yurt_documents hears {"id": …, "revision": …} at each new revision, and with
-- "deleted": true at a deletion. The server says it in the transaction of the write; there is no trigger.
