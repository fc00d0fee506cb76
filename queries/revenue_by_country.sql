-- What each country brought in, and what was earned from it.
-- One row per store and country with a transaction, refund or commission in the period.
--
-- :days integer = 365  days before as_of to look at
--
-- revenue_usd adds up the money transactions and takes off the refunds, both in USD; commission_usd adds up net_usd by
-- commission day. records_without_usd counts the transactions, refunds and commissions whose USD value is unknown and
-- which the two sums lack. Removed transactions and commissions count: they happened. The country is that of the
-- subscription; a commission whose subscription is not in the mirror brings its own, a transaction has none then.
-- share is the part of all stores' revenue, empty when there is none.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 365) as days
),
period as materialized (
  select date(as_of, (-days) || ' days') as after_day, as_of as last_day
  from params
),
-- what came in per subscription
sums as (
  select
    e.store_id, e.subscription_id, e.own_country,
    sum(e.is_transaction) as transactions,
    sum(e.is_refund) as refunds,
    sum(e.revenue_usd_micros) as revenue,
    sum(e.net_usd_micros) as commission,
    sum(e.is_without_usd) as records_without_usd
  -- the events come first: they are read as they come, not kept
  from revenue_events e
  cross join period p on e.day > p.after_day and e.day <= p.last_day
  group by e.store_id, e.subscription_id, e.own_country
),
totals as (
  select
    s.store_id, coalesce(r.country, s.own_country) as country,
    sum(s.transactions) as transactions,
    sum(s.refunds) as refunds,
    coalesce(sum(s.revenue), 0) as revenue,
    coalesce(sum(s.commission), 0) as commission,
    sum(s.records_without_usd) as records_without_usd
  from sums s
  left join subscription_records r on r.store_id = s.store_id and r.subscription_id = s.subscription_id
  group by s.store_id, coalesce(r.country, s.own_country)
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
  store_id, country, transactions, refunds,
  revenue_cents / 100.0 as revenue_usd,
  commission / 1000000.0 as commission_usd,
  records_without_usd,
  case when all_cents > 0 then
    (20000 * revenue_cents + sign(revenue_cents) * all_cents) / (2 * all_cents) / 10000.0
  end as share
from cents
order by store_id, country;
