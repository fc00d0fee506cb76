-- What stands in the CRM because of us, what it refused, and what it cost.

create table crm_links (
  target          text not null,
  store_id        text not null,
  kind            text not null,
  record_id       text not null,
  crm_id          text not null,
  fields_sha256   text not null,
  acknowledged_at text not null,
  state           text not null,
  fields_sent     text not null,
  primary key (target, store_id, kind, record_id)
) strict;
create index crm_links_by_crm_id on crm_links (crm_id);

create table crm_rejections (
  target        text not null,
  store_id      text not null,
  kind          text not null,
  record_id     text not null,
  code          text not null,
  message       text,
  field         text,
  value         text,
  attempts      integer not null,
  first_at      text not null,
  last_at       text not null,
  next_at       text not null,
  fields_sha256 text not null,
  primary key (target, store_id, kind, record_id)
) strict, without rowid;

create table push_runs (
  push_run_id     integer primary key,
  target          text not null,
  started_at      text not null,
  finished_at     text,
  outcome         text not null,
  created         integer not null default 0,
  updated         integer not null default 0,
  adopted         integer not null default 0,
  rejected        integer not null default 0,
  left_over       integer not null default 0,
  requests        integer not null default 0,
  credits_planned integer not null default 0,
  credits_used    integer not null default 0,
  stopped         text,
  error           text
) strict;

-- One row per write request, so that a budget for any rolling 24 hours can be kept.
create table crm_credits (
  crm_credit_id integer primary key,
  target        text not null,
  used_at       text not null,
  credits       integer not null
) strict;
create index crm_credits_by_time on crm_credits (used_at);

create table crm_fields (
  target           text not null,
  api_name         text not null,
  field_label      text,
  data_type        text,
  length           integer,
  decimal_place    integer,
  read_only        integer not null default 0,
  system_mandatory integer not null default 0,
  lookup_module    text,
  pick_list_values text,
  fetched_at       text not null,
  primary key (target, api_name)
) strict, without rowid;
