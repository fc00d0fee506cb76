-- How long the commissions that are still owed have been waiting, per paying entity.
-- One row per store, entity, payout currency and age.
--
-- Owed are the commissions that were active or requested at the end of as_of and still listed; balance_payout is what
-- of them is open, so the buckets add up to the active and requested rows of commissions_by_state.
-- bucket is the age in days, from the commission's day to as_of: 0-30, 31-60, 61-90, 91+; empty when a commission has
-- no day. Commissions dated after as_of do not exist yet. A reversal that waits reduces its bucket.
with params as (
  select coalesce(:as_of, date('now')) as as_of
),
-- every commission owed on as_of, and its age in days
owed as (
  select
    h.store_id, h.entity, h.payout_currency, h.balance_payout_micros,
    cast(julianday(p.as_of) - julianday(h.commission_day) as integer) as age
  from params p
  cross join commission_history h on h.from_day <= p.as_of and h.until_day > p.as_of
  where h.state in ('active', 'requested')
    and (h.removed_day is null or h.removed_day > p.as_of)
    and coalesce(h.commission_day, '') <= p.as_of
),
-- the bucket of each
aged as (
  select
    store_id, entity, payout_currency, balance_payout_micros,
    case when age <= 30 then '0-30' when age <= 60 then '31-60' when age <= 90 then '61-90' when age > 90 then '91+' end
      as bucket
  from owed
)
select
  store_id, entity, payout_currency, bucket,
  count(*) as records,
  sum(balance_payout_micros) / 1000000.0 as balance_payout
from aged
group by store_id, entity, payout_currency, bucket
order by store_id, entity, payout_currency, bucket nulls last;
