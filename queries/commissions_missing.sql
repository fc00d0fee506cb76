-- Money that came in without any commission: what to ask the store about, with the evidence.
-- One row per money transaction at list price for which no commission exists.
--
-- :grace integer = 2  days a commission may take to appear
-- :days integer = 365  days before as_of to look at
--
-- Left out: transactions removed by as_of, and those refunded in full (the same amount of the same subscription) on
-- the day itself or within 60 days. Commissions and refunds dated after as_of do not exist yet; removed ones do count.
-- rate is the usual rate on the transaction's day; rate_source says whose: the subscription's own newest base
-- commission, else the service's, else the store's base commissions of the 365 days before, else none.
-- expected_usd is usd_amount × rate, empty when one of them is not known.
-- certainty: unknown when the store's transactions or commissions are not completely listed; before_first when the
-- subscription's first commission is later than the transaction (it may have been mapped late); else missing.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:grace, 2) as grace, coalesce(:days, 365) as days
),
-- money transactions at list price in the period, still listed on as_of, that no commission names
sales as materialized (
  -- `+` keeps SQLite in the order of the transactions: one pass instead of a look-up for each
  select p.as_of, t.store_id, t.transaction_id
  from params p
  join money_transactions t
    on +t.transaction_day > date(p.as_of, (-p.days) || ' days')
    and +t.transaction_day <= date(p.as_of, (-p.grace) || ' days')
  where t.pricing_type = 'list_price'
    and (t.removed_at is null or substr(t.removed_at, 1, 10) > p.as_of)
    and not exists (
      select 1 from commission_records c
      where c.store_id = t.store_id and c.transaction_id = t.transaction_id
        and c.type = 'commission' and (c.commission_day is null or c.commission_day <= p.as_of))
),
-- those not refunded, with their subscription's own rate and the day it first earned a commission
unpaid as materialized (
  select
    s.as_of, t.*,
    (select b.rate_basis_points
     from base_commissions b
     where b.store_id = t.store_id and b.subscription_id = t.subscription_id
       and b.commission_day <= t.transaction_day
     order by b.commission_day desc, b.commission_id desc
     limit 1) as own_rate,
    (select min(c.commission_day)
     from commission_records c
     where c.store_id = t.store_id and c.subscription_id = t.subscription_id
       and c.type = 'commission' and c.commission_day <= s.as_of) as first_commission_day
  from sales s
  join transaction_records t on t.store_id = s.store_id and t.transaction_id = s.transaction_id
  where not exists (
    select 1 from transaction_records r
    where r.store_id = t.store_id and r.subscription_id = t.subscription_id
      and r.transaction_type = 'refund' and r.amount_micros = t.amount_micros
      and r.transaction_day between t.transaction_day and date(t.transaction_day, '60 days')
      and r.transaction_day <= s.as_of)
),
-- stores whose transactions and commissions are both completely listed
complete_stores as (
  select store_id
  from coverage
  where kind in ('transactions', 'commissions') and state = 'complete' and last_complete_at is not null
  group by store_id
  having count(*) = 2
),
-- the usual rate of each on its day, in basis points, and whose rate it is
rated as (
  select
    u.*,
    coalesce(u.own_rate, v.rate_basis_points, s.rate_basis_points) as usual_rate,
    case
      when u.own_rate is not null then 'subscription'
      when v.rate_basis_points is not null then 'service'
      when s.rate_basis_points is not null then 'store'
      else 'none'
    end as rate_source
  from unpaid u
  left join service_rates v
    on v.store_id = u.store_id and v.service_id = u.service_id and v.day = u.transaction_day
  left join store_rates s on s.store_id = u.store_id and s.day = u.transaction_day
)
select
  t.store_id, t.transaction_id, t.transaction_day, t.transaction_type, t.subscription_id,
  r.customer_id, r.company_name, t.service_name, t.plan_name, t.invoice_number, t.currency,
  (t.amount_micros + 5000) / 10000 / 100.0 as amount,
  (t.usd_amount_micros + 5000) / 10000 / 100.0 as usd_amount,
  t.usual_rate / 10000.0 as rate,
  t.rate_source,
  (t.usd_amount_micros * t.usual_rate + 50000000) / 100000000 / 100.0 as expected_usd,
  cast(julianday(t.as_of) - julianday(t.transaction_day) as integer) as days_since,
  case
    when t.store_id not in (select store_id from complete_stores) then 'unknown'
    when t.first_commission_day > t.transaction_day then 'before_first'
    else 'missing'
  end as certainty
from rated t
left join subscription_records r on r.store_id = t.store_id and r.subscription_id = t.subscription_id
order by expected_usd desc nulls last, t.transaction_id, t.store_id;
