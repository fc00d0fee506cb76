-- The terms that several reports share, each written once: which transactions are money, which commissions say what
-- a service pays, and what was known about a record on a given day. A report adds its own day and its own columns.

-- The reports ask for the newest base commission of a subscription and for a service's base commissions day by day.
-- Both indexes hold everything that is asked for, so the wide rows of commission_records stay unread.
create index commission_records_base_by_subscription
on commission_records (store_id, subscription_id, commission_day, commission_id, rate_basis_points, type, commission_type)
where type = 'commission' and commission_type = 'Base' and rate_basis_points > 0;
create index commission_records_base_by_service
on commission_records (
  store_id, service_id, commission_day, usd_commission_micros, eligible_usd_amount_micros, rate_basis_points,
  type, commission_type)
where type = 'commission' and commission_type = 'Base' and rate_basis_points > 0;
-- Which transactions have a commission; and the narrow columns by which the sales without one are found. Both run in
-- the order of the transactions, so that a million of them are compared in one pass.
create index commission_records_by_sale
on commission_records (store_id, transaction_id, commission_day, type) where type = 'commission';
create index transaction_records_sales
on transaction_records (
  store_id, transaction_id, transaction_day, transaction_type, pricing_type, amount_micros, subscription_id, removed_at);
-- Sums over all commissions read this index instead of rows five times as wide; it runs in the order of the versions.
create index commission_records_totals
on commission_records (
  store_id, commission_id, commission_day, entity, payout_currency, sign, net_payout_micros, net_usd_micros);
-- Few rows: which services are the partner's own extensions.
create index subscription_records_extensions
on subscription_records (store_id, service_id) where business_category = 'extensions';
-- What was known about a subscription: its versions, with the lasting facts of the record beside them.
-- In force on a day: from_day <= day and until_day > day; live on it: status active and not (removed_day <= day).
create view subscription_history as
select
  v.store_id, v.subscription_id, v.version, v.seen_from, v.seen_until, v.from_day, v.until_day, v.removed_day,
  r.customer_id, r.company_name, r.email, r.country, r.business_category, r.subscription_start_date,
  v.service_id, v.service_name, v.plan_id, v.plan_name, v.paid_users,
  v.status, v.billing_frequency, v.pricing_type, v.subscription_type, v.currency,
  v.next_recurring_amount_micros, v.next_recurring_amount_usd_micros, v.next_recurring_date, v.mrr_usd_micros
from subscription_versions v
cross join subscription_records r on r.store_id = v.store_id and r.subscription_id = v.subscription_id;

-- What was known about a commission: state and balance of each version; the amounts are the commission's own and are
-- taken from its current row, so that every commission report adds up the same amounts whatever its as_of.
-- Read as a whole: the narrow index of the records, and each one's versions beside it, in the same order. SQLite
-- would choose the index by day, whose order makes every look-up a random one; so the order is said here.
create view commission_history as
select
  v.store_id, v.commission_id, v.version, v.seen_from, v.seen_until, v.from_day, v.until_day, v.removed_day,
  r.type, r.sign, r.entity, r.payout_currency, r.commission_day, r.subscription_id, r.transaction_id,
  r.company_name, r.service_name, v.status, v.state, v.payout_id,
  r.net_payout_micros, r.net_usd_micros, v.balance_payout_micros, v.payout_amount_micros
from commission_records r indexed by commission_records_totals
cross join commission_versions v on v.store_id = r.store_id and v.commission_id = r.commission_id;

-- Transactions by which money came in; a refund is none, and neither is an event with amount 0.
create view money_transactions as
select *
from transaction_records
where transaction_type in (
    'signup', 'recurring', 'upgrade', 'reactivate', 'one_time_payment', 'one_time_charge', 'offline_to_online',
    'subscription_resumed')
  and amount_micros > 0;

-- Commissions that show what a sale pays. A removed one still counts: it happened.
create view base_commissions as
select *
from commission_records
where type = 'commission' and commission_type = 'Base' and rate_basis_points > 0;

-- What the base commissions of one service on one day add up to, where both USD amounts are known.
create view service_commission_days as
select
  store_id, service_id, commission_day,
  sum(abs(usd_commission_micros)) as usd_commission_micros,
  sum(abs(eligible_usd_amount_micros)) as eligible_usd_amount_micros
from base_commissions
where usd_commission_micros is not null and eligible_usd_amount_micros is not null
group by store_id, service_id, commission_day;

-- One row per store, service and day on which a service's rate is known: the commissions of the 365 days up to it.
-- Rounded half away from zero to basis points; exact while a year's commissions stay below 900 million dollars.
create view service_rates as
with recursive
-- what the base commissions of a service add up to on each day
commission_days as materialized (
  select
    store_id, service_id, julianday(commission_day) as day_number,
    usd_commission_micros as paid, eligible_usd_amount_micros as sold
  from service_commission_days
  where service_id is not null and julianday(commission_day) is not null
),
-- a day's commissions enter the year's sums on that day and leave them 365 days later
changes as (
  select store_id, service_id, day_number, paid, sold from commission_days
  union all
  select store_id, service_id, day_number + 365, -paid, -sold from commission_days
),
-- the year's sums from each such day on, until the next one
stretches as (
  select
    store_id, service_id, day_number,
    lead(day_number) over (partition by store_id, service_id order by day_number) as next_number,
    sum(sum(paid)) over (partition by store_id, service_id order by day_number) as paid,
    sum(sum(sold)) over (partition by store_id, service_id order by day_number) as sold
  from changes
  group by store_id, service_id, day_number
),
-- the rate of each stretch, on its first day and on every day after it
days as (
  select
    store_id, service_id, day_number, next_number,
    10000 * paid / sold + (2 * (10000 * paid % sold) >= sold) as rate_basis_points
  from stretches
  where sold > 0
  union all
  select store_id, service_id, day_number + 1, next_number, rate_basis_points
  from days
  where day_number + 1 < next_number
),
-- materialized, so that a report's join on the day finds its row through an index of its own
rates as materialized (
  select store_id, service_id, cast(date(day_number) as text) as day, rate_basis_points
  from days
)
select store_id, service_id, day, rate_basis_points
from rates;

-- The same for a whole store, without the services of category extensions: those pay a rate of their own.
create view store_rates as
with recursive
-- what the base commissions of a store add up to on each day
commission_days as materialized (
  select
    store_id, julianday(commission_day) as day_number,
    sum(usd_commission_micros) as paid, sum(eligible_usd_amount_micros) as sold
  from service_commission_days d
  where julianday(commission_day) is not null
    and not exists (
      select 1 from subscription_records s
      where s.store_id = d.store_id and s.service_id = d.service_id and s.business_category = 'extensions')
  group by store_id, commission_day
),
-- a day's commissions enter the year's sums on that day and leave them 365 days later
changes as (
  select store_id, day_number, paid, sold from commission_days
  union all
  select store_id, day_number + 365, -paid, -sold from commission_days
),
-- the year's sums from each such day on, until the next one
stretches as (
  select
    store_id, day_number,
    lead(day_number) over (partition by store_id order by day_number) as next_number,
    sum(sum(paid)) over (partition by store_id order by day_number) as paid,
    sum(sum(sold)) over (partition by store_id order by day_number) as sold
  from changes
  group by store_id, day_number
),
-- the rate of each stretch, on its first day and on every day after it
days as (
  select
    store_id, day_number, next_number,
    10000 * paid / sold + (2 * (10000 * paid % sold) >= sold) as rate_basis_points
  from stretches
  where sold > 0
  union all
  select store_id, day_number + 1, next_number, rate_basis_points
  from days
  where day_number + 1 < next_number
),
-- materialized, so that a report's join on the day finds its row through an index of its own
rates as materialized (
  select store_id, cast(date(day_number) as text) as day, rate_basis_points
  from days
)
select store_id, day, rate_basis_points
from rates;

-- Without statistics SQLite takes every store for ten records and reads the whole of it where it should look one up.
-- These are the proportions of a large partner; `analyze` replaces them with the real ones.
analyze stores;
delete from sqlite_stat1;
insert into sqlite_stat1 (tbl, idx, stat) values
  ('subscription_records', 'subscription_records', '60000 30000 1'),
  ('subscription_records', 'subscription_records_by_customer', '60000 30000 2'),
  ('subscription_records', 'subscription_records_by_service', '60000 30000 3000'),
  ('subscription_records', 'subscription_records_extensions', '3000 1500 1500'),
  ('subscription_versions', 'subscription_versions', '300000 150000 5 1'),
  ('transaction_records', 'transaction_records', '1000000 500000 1'),
  ('transaction_records', 'transaction_records_by_subscription', '1000000 500000 17 1 1'),
  ('transaction_records', 'transaction_records_by_day', '1000000 700'),
  ('transaction_records', 'transaction_records_sales', '1000000 500000 1 1 1 1 1 1 1'),
  ('commission_records', 'commission_records', '800000 400000 1'),
  ('commission_records', 'commission_records_by_transaction', '800000 400000 2'),
  ('commission_records', 'commission_records_by_subscription', '800000 400000 15 1'),
  ('commission_records', 'commission_records_by_day', '800000 600'),
  ('commission_records', 'commission_records_base_by_subscription', '780000 390000 15 1 1 1 1 1'),
  ('commission_records', 'commission_records_base_by_service', '780000 390000 40000 50 5 2 2 2 2'),
  ('commission_records', 'commission_records_by_sale', '780000 390000 2 1 1'),
  ('commission_records', 'commission_records_totals', '800000 400000 1 1 1 1 1 1 1'),
  ('commission_versions', 'commission_versions', '1600000 800000 2 1'),
  ('payloads', 'payloads_by_version', '2000000 1000000 300000 1 1'),
  ('payloads', 'payloads_current', '2000000 1000000 300000 1');
