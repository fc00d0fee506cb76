-- What share of the sale each service paid as commission, month by month.
-- One row per month, store and service.
--
-- :months integer = 12  as_of's month and the months before it
--
-- Base commissions alone (type commission, commission_type Base, rate above 0), by the commission's day; those dated
-- after as_of do not exist yet, removed ones count: they happened.
-- weighted_rate is Σ|usd_commission| ÷ Σ|eligible USD amount| of those that have both, rounded to four decimals; empty
-- when none has. lowest_rate and highest_rate are of all of them.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:months, 12) as months
),
-- from the first day of the oldest month to as_of
period as (
  select date(as_of, 'start of month', (1 - months) || ' months') as first_day, as_of as last_day
  from params
),
-- what the base commissions of each month and service add up to; in USD only where both amounts are known
sums as (
  select
    substr(b.commission_day, 1, 7) as month,
    b.store_id, b.service_name,
    count(*) as records,
    sum(abs(b.usd_commission_micros)) filter (where b.eligible_usd_amount_micros is not null) as paid,
    sum(abs(b.eligible_usd_amount_micros)) filter (where b.usd_commission_micros is not null) as sold,
    min(b.rate_basis_points) as lowest,
    max(b.rate_basis_points) as highest
  from period p
  -- `+` keeps SQLite in the narrow index of the services: one pass instead of a look-up for each
  join base_commissions b on +b.commission_day between p.first_day and p.last_day
  group by month, b.store_id, b.service_name
)
select
  month, store_id, service_name, records,
  case when sold > 0 then (10000 * paid / sold + (2 * (10000 * paid % sold) >= sold)) / 10000.0 end as weighted_rate,
  lowest / 10000.0 as lowest_rate,
  highest / 10000.0 as highest_rate
from sums
order by month, store_id, service_name;
