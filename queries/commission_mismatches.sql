-- Commissions that do not look right: paid twice, at another rate, on a part of the sale, or without their sale.
-- One row per commission and reason.
--
-- :tolerance number = 0.02  how far a rate may move before it is named
-- :days integer = 365  days before as_of to look at
--
-- duplicate: the transaction already had a base commission (type commission, commission_type Base, rate above 0) for
-- each of its reversals and one more; by day, then by id. rate_changed: a commission (no reversal) whose rate differs by
-- more than tolerance from previous_rate, that of the subscription's base commission before it.
-- partial_base: a commission (no reversal) counted on less than 98 % of the transaction's amount, which is taken in
-- payout_currency when the eligible amount stands in it. no_transaction, no_subscription: it names none, or one that
-- is not in the mirror.
-- Commissions dated after as_of do not exist yet; removed ones count: they happened.
with params as (
  select
    coalesce(:as_of, date('now')) as as_of, coalesce(:tolerance, 0.02) as tolerance, coalesce(:days, 365) as days
),
-- transactions with more than one commission: few, found in one pass through an index
paid_again as materialized (
  select store_id, transaction_id
  from commission_records indexed by commission_records_by_transaction
  where type = 'commission' and transaction_id is not null
  group by store_id, transaction_id
  having count(*) > 1
),
-- their base commissions in order, and how many of them were taken back
places as (
  select
    b.store_id, b.commission_id,
    row_number() over (
      partition by b.store_id, b.transaction_id order by b.commission_day, b.commission_id) as place,
    (select count(*)
     from commission_records r
     where r.store_id = b.store_id and r.transaction_id = b.transaction_id and r.type = 'commission_reversal'
       and r.commission_day <= p.as_of) as reversals
  from params p
  cross join paid_again a
  cross join base_commissions b
    on b.store_id = a.store_id and b.transaction_id = a.transaction_id and +b.commission_day <= p.as_of
),
duplicates as materialized (
  select store_id, commission_id
  from places
  where place > 1 + reversals
),
-- commissions whose transaction is not in the mirror; two indexes in the same order, so that neighbours stay near
without_transaction as materialized (
  select c.store_id, c.commission_id
  from commission_records c indexed by commission_records_by_transaction
  where not exists (
    select 1 from transaction_records t indexed by transaction_records_sales
    where t.store_id = c.store_id and t.transaction_id = c.transaction_id)
),
-- every commission with what it is held against
compared as not materialized (
  select
    c.*,
    -- what one unit of the transaction's currency is in that of the eligible amount
    case
      when c.eligible_currency = coalesce(c.transaction_currency, c.currency) then 1.0
      when c.eligible_currency is not null then cast(c.exchange_rate as real)
    end as conversion,
    (select b.rate_basis_points
     from base_commissions b
     where b.store_id = c.store_id and b.subscription_id = c.subscription_id
       and (b.commission_day, b.commission_id) < (c.commission_day, c.commission_id)
     order by b.commission_day desc, b.commission_id desc
     limit 1) as previous_basis_points
  from commission_records c
),
-- the commissions of the period that have a finding of their own
judged as materialized (
  select
    c.store_id, c.commission_id,
    -- in basis points, without what a decimal loses as a float
    c.type = 'commission'
      and abs(c.rate_basis_points - c.previous_basis_points) > round(p.tolerance * 10000, 4) as is_rate_changed,
    c.type = 'commission'
      and 100 * abs(c.eligible_amount_micros) < 98 * abs(c.transaction_amount_micros) * c.conversion as is_partial_base,
    not exists (
      select 1 from subscription_records s
      where s.store_id = c.store_id and s.subscription_id = c.subscription_id) as is_without_subscription
  from params p
  join compared c
    -- `+` keeps SQLite in the order of the commissions: one pass instead of a look-up for each
    on +c.commission_day > date(p.as_of, (-p.days) || ' days') and +c.commission_day <= p.as_of
  where is_rate_changed or is_partial_base or is_without_subscription
),
findings as (
  select 'duplicate' as reason, store_id, commission_id from duplicates
  union all
  select 'rate_changed', store_id, commission_id from judged where is_rate_changed
  union all
  select 'partial_base', store_id, commission_id from judged where is_partial_base
  union all
  select 'no_transaction', store_id, commission_id from without_transaction
  union all
  select 'no_subscription', store_id, commission_id from judged where is_without_subscription
)
select
  f.reason, c.store_id, c.commission_id, c.commission_day, c.transaction_id, c.subscription_id, c.company_name,
  c.service_name,
  c.rate_basis_points / 10000.0 as rate,
  c.previous_basis_points / 10000.0 as previous_rate,
  sign(c.eligible_amount_micros) * ((abs(c.eligible_amount_micros) + 5000) / 10000) / 100.0 as eligible_amount,
  c.eligible_currency,
  sign(c.transaction_amount_micros) * ((abs(c.transaction_amount_micros) + 5000) / 10000) / 100.0 as transaction_amount,
  c.transaction_currency,
  c.net_usd_micros / 1000000.0 as net_usd
from params p
cross join findings f
cross join compared c on c.store_id = f.store_id and c.commission_id = f.commission_id
where c.commission_day > date(p.as_of, (-p.days) || ' days') and c.commission_day <= p.as_of
order by c.commission_day desc, c.commission_id, c.store_id, f.reason;
