-- How many of the customers who began in a month are still there, month after month.
-- One row per cohort and age in months.
--
-- A cohort is the month of a customer's earliest subscription start; customers are told apart per store, and a
-- subscription without a customer stands for itself. Those without a start date belong to no cohort.
-- kept counts the cohort's customers with at least one subscription that had started and was not lost (as
-- subscriptions_lost says) by the end of the month that is age months after the cohort's; as_of ends the running month.
-- A subscription that is live on as_of, or of which nobody knows when it was lost, was never lost.
-- retention is kept ÷ customers.
with recursive params as (
  select coalesce(:as_of, date('now')) as as_of
),
-- when what is not live was lost
losses as materialized (
  select l.store_id, l.subscription_id, l.lost_day
  from params p
  join lost_subscriptions l on l.days = json_array(p.as_of)
  where l.lost_day <= p.as_of
),
-- the month from whose end on a subscription counts, and the month from whose end on it does not
spans as materialized (
  select
    r.store_id, coalesce(r.customer_id, r.subscription_id) as customer,
    substr(r.subscription_start_date, 1, 7) as from_month,
    substr(l.lost_day, 1, 7) as until_month
  from params p
  join subscription_records r on r.subscription_start_date <= p.as_of
  left join losses l on l.store_id = r.store_id and l.subscription_id = r.subscription_id
),
customer_cohorts as materialized (
  select store_id, customer, min(from_month) as cohort
  from spans
  group by store_id, customer
),
-- how many subscriptions a customer gains or loses in a month
steps as (
  select store_id, customer, from_month as month, 1 as step
  from spans
  where until_month is null or until_month > from_month
  union all
  select store_id, customer, until_month, -1
  from spans
  where until_month > from_month
),
-- how many it has at the month's end
holdings as (
  select
    store_id, customer, month,
    sum(step) as step,
    sum(sum(step)) over (partition by store_id, customer order by month) as subscriptions
  from steps
  group by store_id, customer, month
),
-- how many customers of a cohort are won (back) or lost in a month
turns as (
  select c.cohort, h.month, sum((h.subscriptions > 0) - (h.subscriptions - h.step > 0)) as turn
  from holdings h
  join customer_cohorts c on c.store_id = h.store_id and c.customer = h.customer
  group by c.cohort, h.month
),
-- every month of every cohort's life up to as_of
ages as (
  select c.cohort, c.cohort as month, 0 as age, count(*) as customers, substr(p.as_of, 1, 7) as last_month
  from params p
  join customer_cohorts c
  group by c.cohort
  union all
  select cohort, substr(date(month || '-01', '1 month'), 1, 7), age + 1, customers, last_month
  from ages
  where month < last_month
),
kept as (
  select
    a.cohort, a.age, a.customers,
    sum(coalesce(t.turn, 0)) over (partition by a.cohort order by a.age) as kept
  from ages a
  left join turns t on t.cohort = a.cohort and t.month = a.month
)
select
  cohort, age, customers, kept,
  (20000 * kept + customers) / (2 * customers) / 10000.0 as retention
from kept
order by cohort, age;
