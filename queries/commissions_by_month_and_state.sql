-- What became of each month's commissions: active, requested, paid, offset or removed, per paying entity.
-- One row per month, store, entity, payout currency and state.
--
-- :months integer = 24  as_of's month and the months before it
--
-- The month is that of the commission's day; commissions dated after as_of do not exist yet. State and balance are
-- those known at the end of as_of. net_payout and net_usd are the commission's own amounts, so the states of a month
-- add up to its row of commissions_by_month; balance_payout is what is still owed, empty for state removed: that is
-- never owed. records_without_usd counts the commissions that net_usd lacks because their USD value is unknown.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:months, 24) as months
),
-- every commission of the period that existed on as_of, in the state it was in
commissions_then as (
  select
    substr(h.commission_day, 1, 7) as month,
    h.store_id, h.entity, h.payout_currency, h.net_payout_micros, h.net_usd_micros,
    h.removed_day <= p.as_of and h.state in ('active', 'requested') as is_removed,
    h.state, h.balance_payout_micros
  from params p
  cross join commission_history h on h.from_day <= p.as_of and h.until_day > p.as_of
  where h.commission_day between date(p.as_of, 'start of month', (1 - p.months) || ' months') and p.as_of
),
-- removal applied: what the store lists no more is not owed
states as (
  select
    month, store_id, entity, payout_currency, net_payout_micros, net_usd_micros,
    case when is_removed then 'removed' else state end as state,
    case when is_removed then null else balance_payout_micros end as balance_payout_micros
  from commissions_then
)
select
  month, store_id, entity, payout_currency, state,
  count(*) as records,
  sum(net_payout_micros) / 1000000.0 as net_payout,
  sum(balance_payout_micros) / 1000000.0 as balance_payout,
  sum(net_usd_micros) / 1000000.0 as net_usd,
  count(*) - count(net_usd_micros) as records_without_usd
from states
group by month, store_id, entity, payout_currency, state
order by month, store_id, entity, payout_currency, state;
