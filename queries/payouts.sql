-- What was paid out, payout by payout.
-- One row per store and payout.
--
-- A payout is known by the commissions that name it (payout_id above 0) at the end of as_of; those dated after as_of do
-- not exist yet, removed ones count: they were paid. payout_amount adds up what of each is in the payout, as known then;
-- first_day and last_day are the days of its first and last commission. A payout has one entity and one currency;
-- should a store ever send more under one id, each has its own row, for currencies are never added together.
with params as (
  select coalesce(:as_of, date('now')) as as_of
),
-- every commission that named a payout on as_of
paid as (
  select h.store_id, h.payout_id, h.entity, h.payout_currency, h.commission_day, h.payout_amount_micros
  from params p
  cross join commission_history h on h.from_day <= p.as_of and h.until_day > p.as_of
  where h.payout_id > 0 and coalesce(h.commission_day, '') <= p.as_of
)
select
  store_id, payout_id, entity, payout_currency,
  count(*) as records,
  min(commission_day) as first_day,
  max(commission_day) as last_day,
  sum(payout_amount_micros) / 1000000.0 as payout_amount
from paid
group by store_id, payout_id, entity, payout_currency
order by last_day desc, payout_id, store_id, entity, payout_currency;
