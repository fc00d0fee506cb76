-- What changed about subscriptions, field by field, as the mirror saw it.
-- One row per changed field of a subscription's newer version.
--
-- :days integer = 90  days before as_of to look at
--
-- A version is compared with the one before it; seen_at is the instant at which the newer one was first received, and
-- its UTC day must lie in the period. A new subscription changes nothing (subscriptions_new lists it), nor does one that
-- the store stops listing (subscriptions_lost lists it) or lists again as it was.
-- Values are texts: amounts with two decimals, empty when not known. mrr_usd follows from amount, frequency and status.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 90) as days
),
fields (field, is_amount) as (
  values
    ('status', 0), ('billing_frequency', 0), ('pricing_type', 0), ('subscription_type', 0), ('service_id', 0),
    ('service_name', 0), ('plan_id', 0), ('plan_name', 0), ('paid_users', 0), ('currency', 0),
    ('next_recurring_date', 0), ('next_recurring_amount', 1), ('next_recurring_amount_usd', 1), ('mrr_usd', 1)
),
-- the versions first seen in the period, each with the number of the one before
changed as (
  select
    v.*,
    (select max(b.version)
     from subscription_versions b
     where b.store_id = v.store_id and b.subscription_id = v.subscription_id and b.version < v.version)
      as version_before
  from params p
  join subscription_versions v
    on substr(v.seen_from, 1, 10) > date(p.as_of, (-p.days) || ' days') and substr(v.seen_from, 1, 10) <= p.as_of
  where v.version > 1
),
-- both versions' values, field by field
facts as (
  select
    n.store_id, n.subscription_id, n.version, n.seen_from, f.field, f.is_amount,
    case f.field
      when 'status' then b.status
      when 'billing_frequency' then b.billing_frequency
      when 'pricing_type' then b.pricing_type
      when 'subscription_type' then b.subscription_type
      when 'service_id' then b.service_id
      when 'service_name' then b.service_name
      when 'plan_id' then b.plan_id
      when 'plan_name' then b.plan_name
      when 'paid_users' then b.paid_users
      when 'currency' then b.currency
      when 'next_recurring_date' then b.next_recurring_date
      when 'next_recurring_amount' then b.next_recurring_amount_micros
      when 'next_recurring_amount_usd' then b.next_recurring_amount_usd_micros
      when 'mrr_usd' then b.mrr_usd_micros
    end as value_before,
    case f.field
      when 'status' then n.status
      when 'billing_frequency' then n.billing_frequency
      when 'pricing_type' then n.pricing_type
      when 'subscription_type' then n.subscription_type
      when 'service_id' then n.service_id
      when 'service_name' then n.service_name
      when 'plan_id' then n.plan_id
      when 'plan_name' then n.plan_name
      when 'paid_users' then n.paid_users
      when 'currency' then n.currency
      when 'next_recurring_date' then n.next_recurring_date
      when 'next_recurring_amount' then n.next_recurring_amount_micros
      when 'next_recurring_amount_usd' then n.next_recurring_amount_usd_micros
      when 'mrr_usd' then n.mrr_usd_micros
    end as value
  from changed n
  cross join subscription_versions b
    on b.store_id = n.store_id and b.subscription_id = n.subscription_id and b.version = n.version_before
  cross join fields f
)
select
  f.seen_from as seen_at, f.store_id, f.subscription_id, r.customer_id, r.company_name, f.field,
  case
    when f.is_amount and f.value_before is not null then format('%.2f', (f.value_before + 5000) / 10000 / 100.0)
    else cast(f.value_before as text)
  end as from_value,
  case
    when f.is_amount and f.value is not null then format('%.2f', (f.value + 5000) / 10000 / 100.0)
    else cast(f.value as text)
  end as to_value
from facts f
cross join subscription_records r on r.store_id = f.store_id and r.subscription_id = f.subscription_id
where f.value_before is not f.value
order by seen_at, f.store_id, f.subscription_id, f.version, f.field;
