-- What each service brought in, and what was earned from it.
-- One row per store and service name with a transaction, refund or commission in the period.
--
-- :days integer = 365  days before as_of to look at
--
-- revenue_usd adds up the money transactions and takes off the refunds, both in USD; commission_usd adds up net_usd by
-- commission day. records_without_usd counts the transactions, refunds and commissions whose USD value is unknown and
-- which the two sums lack. Removed transactions and commissions count: they happened. The service's name is that of
-- each record. share is the part of all stores' revenue, empty when there is none.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 365) as days
),
period as materialized (
  select date(as_of, (-days) || ' days') as after_day, as_of as last_day
  from params
),
totals as (
  select
    e.store_id, e.service_name,
    sum(e.is_transaction) as transactions,
    sum(e.is_refund) as refunds,
    coalesce(sum(e.revenue_usd_micros), 0) as revenue,
    coalesce(sum(e.net_usd_micros), 0) as commission,
    sum(e.is_without_usd) as records_without_usd
  -- the events come first: they are read as they come, not kept
  from revenue_events e
  cross join period p on e.day > p.after_day and e.day <= p.last_day
  group by e.store_id, e.service_name
),
-- in whole cents, beside the whole
cents as (
  select
    *,
    (revenue + 5000 * sign(revenue)) / 10000 as revenue_cents,
    (sum(revenue) over () + 5000) / 10000 as all_cents
  from totals
)
select
  store_id, service_name, transactions, refunds,
  revenue_cents / 100.0 as revenue_usd,
  commission / 1000000.0 as commission_usd,
  records_without_usd,
  case when all_cents > 0 then
    (20000 * revenue_cents + sign(revenue_cents) * all_cents) / (2 * all_cents) / 10000.0
  end as share
from cents
order by store_id, service_name;
