-- What was taken back, and which commission it took back.
-- One row per reversal.
--
-- :days integer = 365  days before as_of to look at
--
-- matched_by says how the original was found: transaction, the newest commission of the same transaction (one dated
-- after the reversal only when there is no other); else amount, the newest of the same subscription on or before the
-- reversal's day with the same amount in the same payout currency; else subscription, the subscription's newest of an
-- earlier day; else empty. Commissions dated after as_of do not exist yet; removed ones count: they happened.
-- days_between runs from the original's day to the reversal's.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 365) as days
),
-- the reversals of the period
reversals as (
  select p.as_of, c.*
  from params p
  join commission_records c indexed by commission_records_reversals
    on c.commission_day > date(p.as_of, (-p.days) || ' days') and c.commission_day <= p.as_of
  where c.type = 'commission_reversal'
),
-- each with the original that every way of looking finds
candidates as (
  select
    r.*,
    coalesce(
      (select o.commission_id
       from commission_records o
       where o.store_id = r.store_id and o.transaction_id = r.transaction_id and o.type = 'commission'
         and o.commission_day <= r.commission_day
       order by o.commission_day desc, o.commission_id desc
       limit 1),
      (select o.commission_id
       from commission_records o
       where o.store_id = r.store_id and o.transaction_id = r.transaction_id and o.type = 'commission'
         and coalesce(o.commission_day, '') <= r.as_of
       order by o.commission_day desc, o.commission_id desc
       limit 1)) as by_transaction,
    (select o.commission_id
     from commission_records o
     where o.store_id = r.store_id and o.subscription_id = r.subscription_id and o.type = 'commission'
       and o.commission_day <= r.commission_day
       and o.payout_currency is r.payout_currency and abs(o.net_payout_micros) = abs(r.net_payout_micros)
     order by o.commission_day desc, o.commission_id desc
     limit 1) as by_amount,
    (select o.commission_id
     from commission_records o
     where o.store_id = r.store_id and o.subscription_id = r.subscription_id and o.type = 'commission'
       and o.commission_day < r.commission_day
     order by o.commission_day desc, o.commission_id desc
     limit 1) as by_subscription
  from reversals r
),
-- the best of them
matches as (
  select
    *,
    coalesce(by_transaction, by_amount, by_subscription) as original_id,
    case
      when by_transaction is not null then 'transaction'
      when by_amount is not null then 'amount'
      when by_subscription is not null then 'subscription'
    end as matched_by
  from candidates
)
select
  m.store_id, m.commission_id, m.commission_day, m.subscription_id, m.company_name, m.payout_currency,
  m.net_payout_micros / 1000000.0 as net_payout,
  m.net_usd_micros / 1000000.0 as net_usd,
  m.original_id as original_commission_id,
  o.commission_day as original_day,
  cast(julianday(m.commission_day) - julianday(o.commission_day) as integer) as days_between,
  m.matched_by
from matches m
left join commission_records o on o.store_id = m.store_id and o.commission_id = m.original_id
order by m.store_id, m.commission_id;
