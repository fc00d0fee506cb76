-- What each customer brought in, and what was earned from it.
-- One row per store and customer with a transaction, refund or commission in the period, or a live subscription.
--
-- :days integer = 365  days before as_of to look at
--
-- revenue_usd adds up the money transactions and takes off the refunds, both in USD; commission_usd adds up net_usd by
-- commission day. records_without_usd counts the transactions, refunds and commissions whose USD value is unknown and
-- which the two sums lack. Removed transactions and commissions count: they happened.
-- live_subscriptions and mrr_usd are those of as_of. What belongs to no known customer stands in a row of its own, so
-- that the rows add up to those of revenue_by_service and revenue_by_country. company_name is the newest one.
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
    e.store_id, e.subscription_id, e.own_customer_id,
    sum(e.is_transaction) as transactions,
    sum(e.is_refund) as refunds,
    sum(e.revenue_usd_micros) as revenue,
    sum(e.net_usd_micros) as commission,
    sum(e.is_without_usd) as records_without_usd
  -- the events come first: they are read as they come, not kept
  from revenue_events e
  cross join period p on e.day > p.after_day and e.day <= p.last_day
  group by e.store_id, e.subscription_id, e.own_customer_id
),
-- the same by customer, and what is live
activity as (
  select
    s.store_id, coalesce(r.customer_id, s.own_customer_id) as customer_id,
    s.transactions, s.refunds, s.revenue, s.commission, s.records_without_usd,
    0 as live_subscriptions, null as mrr
  from sums s
  left join subscription_records r on r.store_id = s.store_id and r.subscription_id = s.subscription_id
  union all
  select l.store_id, l.customer_id, 0, 0, null, null, 0, 1, l.mrr_usd_micros
  from params p
  join live_subscriptions l on l.days = json_array(p.as_of)
),
totals as (
  select
    store_id, customer_id,
    sum(transactions) as transactions,
    sum(refunds) as refunds,
    coalesce(sum(revenue), 0) as revenue,
    coalesce(sum(commission), 0) as commission,
    sum(records_without_usd) as records_without_usd,
    sum(live_subscriptions) as live_subscriptions,
    coalesce(sum(mrr), 0) as mrr
  from activity
  group by store_id, customer_id
)
select
  t.store_id, t.customer_id, c.company_name, t.transactions, t.refunds,
  (t.revenue + 5000 * sign(t.revenue)) / 10000 / 100.0 as revenue_usd,
  t.commission / 1000000.0 as commission_usd,
  t.records_without_usd, t.live_subscriptions,
  t.mrr / 1000000.0 as mrr_usd
from totals t
left join customers c on c.store_id = t.store_id and c.customer_id = t.customer_id
order by revenue_usd desc, t.customer_id, t.store_id;
