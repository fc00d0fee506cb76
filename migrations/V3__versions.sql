-- Typed history: one row per payload version that could be normalized. A version holds on the UTC days
-- from_day <= day < until_day; the first one also for every day before (from_day 0000-01-01).
-- removed_day: the store stopped listing the record on that day (NULL: it did not while this version held).

create table subscription_versions (
  store_id                         text not null,
  subscription_id                  integer not null,
  version                          integer not null,
  seen_from                        text not null,
  seen_until                       text,
  from_day                         text not null,
  until_day                        text not null,
  removed_day                      text,
  status                           text,
  billing_frequency                text,
  pricing_type                     text,
  subscription_type                text,
  service_id                       integer,
  service_name                     text,
  plan_id                          integer,
  plan_name                        text,
  paid_users                       integer,
  currency                         text,
  next_recurring_amount_micros     integer,
  next_recurring_amount_usd_micros integer,
  next_recurring_date              text,
  mrr_usd_micros                   integer,
  primary key (store_id, subscription_id, version)
) strict, without rowid;

create table commission_versions (
  store_id              text not null,
  commission_id         integer not null,
  version               integer not null,
  seen_from             text not null,
  seen_until            text,
  from_day              text not null,
  until_day             text not null,
  removed_day           text,
  status                text,
  state                 text,
  payout_id             integer,
  net_payout_micros     integer,
  net_usd_micros        integer,
  balance_payout_micros integer,
  payout_amount_micros  integer,
  primary key (store_id, commission_id, version)
) strict, without rowid;
