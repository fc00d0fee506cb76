-- What the commission and trust reports need beside the shared terms: a rate's service by name, gaps in the data found
-- at once, the records in quarantine now; and the statements, months of commissions frozen as they were known.

-- As in V8, with the name: the rates of a service are asked for by the name on the commission.
drop index commission_records_base_by_service;
create index commission_records_base_by_service
on commission_records (
  store_id, service_id, commission_day, usd_commission_micros, eligible_usd_amount_micros, rate_basis_points,
  service_name, type, commission_type)
where type = 'commission' and commission_type = 'Base' and rate_basis_points > 0;

-- Few rows: what was taken back, and what the stores stopped listing.
create index commission_records_reversals
on commission_records (store_id, transaction_id, commission_day) where type = 'commission_reversal';
create index commission_versions_removed
on commission_versions (removed_day) where removed_day is not null;

-- Few rows: amounts that a record should have and has not.
create index transaction_records_without_amount on transaction_records (store_id) where amount_micros is null;
create index transaction_records_without_usd on transaction_records (store_id) where usd_amount_micros is null;
create index commission_records_without_amount on commission_records (store_id) where net_payout_micros is null;
create index commission_records_without_balance on commission_records (store_id) where balance_payout_micros is null;

-- Records that are listed now and could not be normalized; one without an id is when the newest listing brought it.
create view quarantined_records as
select q.store_id, q.kind, q.record_id, q.pointer, q.reason, q.first_seen_at, q.last_seen_at
from quarantine q
left join coverage c on c.store_id = q.store_id and c.kind = q.kind
where case
    when q.record_id is null then q.last_seen_at >= coalesce(c.last_listing_at, '')
    else exists (
      select 1 from payloads p
      where p.store_id = q.store_id and p.kind = q.kind and p.record_id = q.record_id and p.seen_until is null)
  end;

-- A month of commissions as it was known at one moment: kept apart from everything that is derived, never made again.
create table statements (
  month     text not null primary key,
  frozen_at text not null,
  records   integer not null,
  sha256    text not null
) strict, without rowid;

create table statement_rows (
  month                  text not null,
  store_id               text not null,
  commission_id          integer not null,
  commission_day         text not null,
  type                   text,
  commission_type        text,
  state                  text,
  payout_id              integer,
  entity                 text,
  payout_currency        text,
  net_payout_micros      integer,
  balance_payout_micros  integer,
  payout_amount_micros   integer,
  net_usd_micros         integer,
  currency               text,
  exchange_rate          text,
  commission_micros      integer,
  eligible_amount_micros integer,
  eligible_currency      text,
  rate_basis_points      integer,
  subscription_id        integer,
  transaction_id         integer,
  customer_id            text,
  company_name           text,
  service_name           text,
  removed_at             text,
  primary key (month, store_id, commission_id)
) strict, without rowid;

create trigger statements_stay before update on statements
begin
  select raise(abort, 'a frozen statement never changes');
end;
create trigger statements_are_kept before delete on statements
begin
  select raise(abort, 'a frozen statement never changes');
end;
create trigger statement_rows_stay before update on statement_rows
begin
  select raise(abort, 'a frozen statement never changes');
end;
create trigger statement_rows_are_kept before delete on statement_rows
begin
  select raise(abort, 'a frozen statement never changes');
end;
create trigger statement_rows_are_complete before insert on statement_rows
when exists (select 1 from statements s where s.month = new.month)
begin
  select raise(abort, 'a frozen statement never changes');
end;

-- Every commission as a statement would freeze it now: current values, removal applied.
create view statement_rows_now as
select
  substr(r.commission_day, 1, 7) as month,
  r.store_id, r.commission_id, r.commission_day, r.type, r.commission_type,
  case when r.removed_at is not null and r.state in ('active', 'requested') then 'removed' else r.state end as state,
  r.payout_id, r.entity, r.payout_currency, r.net_payout_micros,
  case when r.removed_at is not null and r.state in ('active', 'requested') then null else r.balance_payout_micros end
    as balance_payout_micros,
  r.payout_amount_micros, r.net_usd_micros, r.currency, r.exchange_rate, r.commission_micros,
  r.eligible_amount_micros, r.eligible_currency, r.rate_basis_points, r.subscription_id, r.transaction_id,
  coalesce(s.customer_id, r.own_customer_id) as customer_id,
  r.company_name, r.service_name, r.removed_at
from commission_records r
left join subscription_records s on s.store_id = r.store_id and s.subscription_id = r.subscription_id;

-- What a month adds up to, per store, paying entity and currency: as it was frozen, and as it is known now.
create view statement_totals as
with months as (
  select
    1 as is_frozen, month, store_id, entity, payout_currency, type, net_payout_micros, balance_payout_micros,
    net_usd_micros
  from statement_rows
  union all
  select
    0, month, store_id, entity, payout_currency, type, net_payout_micros, balance_payout_micros, net_usd_micros
  from statement_rows_now
)
select
  month, is_frozen, store_id, entity, payout_currency,
  count(*) as records,
  coalesce(sum(net_payout_micros) filter (where type is not 'commission_reversal'), 0) as earned_micros,
  coalesce(sum(net_payout_micros) filter (where type = 'commission_reversal'), 0) as reversed_micros,
  sum(net_payout_micros) as net_payout_micros,
  sum(balance_payout_micros) as balance_payout_micros,
  sum(net_usd_micros) as net_usd_micros,
  count(*) - count(net_usd_micros) as records_without_usd
from months
group by month, is_frozen, store_id, entity, payout_currency;

-- Proportions as in V8.
insert into sqlite_stat1 (tbl, idx, stat) values
  ('commission_records', 'commission_records_base_by_service', '780000 390000 40000 50 5 2 2 2 2 2'),
  ('commission_records', 'commission_records_reversals', '16000 8000 2 1'),
  ('commission_versions', 'commission_versions_removed', '8000 20'),
  ('transaction_records', 'transaction_records_without_amount', '100 50'),
  ('transaction_records', 'transaction_records_without_usd', '100 50'),
  ('commission_records', 'commission_records_without_amount', '100 50'),
  ('commission_records', 'commission_records_without_balance', '100 50'),
  ('statements', 'statements', '60 1'),
  ('statement_rows', 'statement_rows', '600000 10000 5000 1');
