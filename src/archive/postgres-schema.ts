/**
 * What `postgres.sql` says, for a Worker that migrates by itself: a Worker cannot read a file.
 * A test holds the two together; `postgres.sql` has the comments.
 */
export const POSTGRES_SCHEMA = `
create or replace function yurt_search(text text) returns tsvector
language plpgsql immutable parallel safe as $$
begin
  return to_tsvector('simple', left(text, 1000000));
exception when program_limit_exceeded then
  return to_tsvector('simple', left(text, 100000));
end
$$;
create table if not exists yurt_documents (
  id text collate "C" primary key,
  update bytea,
  sidecar bytea,
  writer text,
  revision bigint,
  written_by bigint,
  bytes bigint generated always as (octet_length(update)) stored,
  json jsonb,
  text text,
  search tsvector generated always as (yurt_search(text)) stored,
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
alter table yurt_documents add column if not exists sidecar bytea;
alter table yurt_documents add column if not exists writer text;
alter table yurt_documents add column if not exists written_by bigint;
alter table yurt_documents alter column update set storage external;
create index if not exists yurt_documents_search on yurt_documents using gin (search);
`
