-- What was asked of the stores and how much of the answer can be believed.

create table sync_runs (
  sync_run_id        integer primary key,
  store_id           text not null,
  kind               text not null,
  started_at         text not null,
  finished_at        text,
  outcome            text not null,
  listings           integer not null default 0,
  resumed            integer not null default 0,
  requests           integer not null default 0,
  pages              integer not null default 0,
  received           integer not null default 0,
  new                integer not null default 0,
  changed            integer not null default 0,
  unchanged          integer not null default 0,
  returned           integer not null default 0,
  quarantined        integer not null default 0,
  missing            integer not null default 0,
  removed            integer not null default 0,
  first_page_headers text,
  error              text
) strict;
create index sync_runs_by_kind on sync_runs (store_id, kind, sync_run_id);

create table coverage (
  store_id         text not null,
  kind             text not null,
  state            text not null,
  last_complete_at text,
  last_listing_at  text,
  records          integer not null default 0,
  primary key (store_id, kind)
) strict, without rowid;

-- The listing that is under way: what a killed run needs to go on after the last saved page.
create table listing_pages (
  store_id    text not null,
  kind        text not null,
  sync_run_id integer not null,
  listing     integer not null,
  page        integer not null,
  per_page    integer not null,
  saved_at    text not null,
  tally       text not null,
  primary key (store_id, kind, listing, page)
) strict, without rowid;
