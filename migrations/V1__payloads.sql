-- The truth: every version of every record exactly as a store sent it. Everything else can be made from here.

-- Marks the file as ours ("STMR"), so that a foreign database is refused instead of being written to.
pragma application_id = 1398033746;

create table stores (
  store_id          text not null primary key,
  data_center       text not null,
  api_url           text not null,
  record_name       text,
  first_complete_at text
) strict, without rowid;

-- An ordinary rowid table: bodies are long, and WITHOUT ROWID doubles the file with them.
-- The body comes last, so that the other columns are read without walking its overflow pages.
create table payloads (
  payload_id     integer primary key,
  store_id       text not null,
  kind           text not null,
  record_id      text not null,
  version        integer not null,
  content_sha256 text not null,
  seen_from      text not null,
  seen_until     text,
  body           text not null
) strict;
create unique index payloads_by_version on payloads (store_id, kind, record_id, version);
-- At most one current version of a record; also the list of what is listed now, without touching a body.
create unique index payloads_current on payloads (store_id, kind, record_id) where seen_until is null;

create table quarantine (
  store_id      text not null,
  kind          text not null,
  record_id     text,
  pointer       text not null,
  reason        text not null,
  body          text not null,
  first_seen_at text not null,
  last_seen_at  text not null,
  body_sha256   text not null
) strict;
-- One row per record; a record without a usable id is told apart by its content. No part of the key may be null:
-- nulls are distinct in an index.
create unique index quarantine_by_record on quarantine (store_id, kind, coalesce(record_id, ''), case when record_id is null then body_sha256 else '' end);

-- What the mapping noticed and survived: unknown fields, unknown enum values, money with more than six decimals.
create table findings (
  finding       text not null,
  store_id      text not null,
  kind          text not null,
  pointer       text not null,
  value         text,
  records       integer not null,
  example_id    text not null,
  first_seen_at text not null,
  last_seen_at  text not null
) strict;
create unique index findings_by_value on findings (store_id, kind, finding, pointer, coalesce(value, ''));

create view unknown_values as
select store_id, kind, pointer, value, records, first_seen_at, last_seen_at
from findings
where finding in ('unknown_field', 'unknown_value') and records > 0;

-- Small facts about the file itself: which mapping its rows were made with.
create table settings (
  name  text not null primary key,
  value text not null
) strict, without rowid;
