-- What was earned and what was reversed in each month, per paying entity.
-- One row per month, store, entity and payout currency.
--
-- :months integer = 24  as_of's month and the months before it
--
-- The month is that of the commission's day; commissions dated after as_of do not exist yet. earned adds up the
-- commissions, reversed the reversals (negative), net_payout both. Removed commissions count: they happened.
-- records_without_usd counts the commissions that net_usd lacks because their USD value is unknown.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:months, 24) as months
),
-- from the first day of the oldest month to as_of
period as (
  select date(as_of, 'start of month', (1 - months) || ' months') as first_day, as_of as last_day
  from params
)
select
  substr(c.commission_day, 1, 7) as month,
  c.store_id, c.entity, c.payout_currency,
  count(*) as records,
  coalesce(sum(c.net_payout_micros) filter (where c.sign = 1), 0) / 1000000.0 as earned,
  coalesce(sum(c.net_payout_micros) filter (where c.sign = -1), 0) / 1000000.0 as reversed,
  sum(c.net_payout_micros) / 1000000.0 as net_payout,
  sum(c.net_usd_micros) / 1000000.0 as net_usd,
  count(*) - count(c.net_usd_micros) as records_without_usd
from period p
join commission_records c indexed by commission_records_totals on c.commission_day between p.first_day and p.last_day
group by month, c.store_id, c.entity, c.payout_currency
order by month, c.store_id, c.entity, c.payout_currency;
