-- What is active, requested, paid, offset or removed, per paying entity, and what is still owed.
-- One row per store, entity, payout currency and state.
--
-- State and balance are those known at the end of as_of; a commission dated after as_of does not exist yet, one
-- without a day does. net_payout and net_usd are the commission's own amounts, so they add up to those of
-- commissions_by_month. balance_payout is what is still owed, empty for state removed: that is never owed.
-- records_without_usd counts the commissions that net_usd lacks because their USD value is unknown.
-- oldest_day is the earliest commission day of the row.
with params as (
  select coalesce(:as_of, date('now')) as as_of
),
-- every commission that existed on as_of, in the state it was in
commissions_then as (
  select
    h.store_id, h.entity, h.payout_currency, h.commission_day, h.net_payout_micros, h.net_usd_micros,
    h.removed_day <= p.as_of and h.state in ('active', 'requested') as is_removed,
    h.state, h.balance_payout_micros
  from params p
  cross join commission_history h on h.from_day <= p.as_of and h.until_day > p.as_of
  where coalesce(h.commission_day, '') <= p.as_of
),
-- removal applied: what the store lists no more is not owed
states as (
  select
    store_id, entity, payout_currency, commission_day, net_payout_micros, net_usd_micros,
    case when is_removed then 'removed' else state end as state,
    case when is_removed then null else balance_payout_micros end as balance_payout_micros
  from commissions_then
)
select
  store_id, entity, payout_currency, state,
  count(*) as records,
  sum(net_payout_micros) / 1000000.0 as net_payout,
  sum(balance_payout_micros) / 1000000.0 as balance_payout,
  sum(net_usd_micros) / 1000000.0 as net_usd,
  count(*) - count(net_usd_micros) as records_without_usd,
  min(commission_day) as oldest_day
from states
group by store_id, entity, payout_currency, state
order by store_id, entity, payout_currency, state;
