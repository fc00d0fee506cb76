-- How monthly recurring revenue moved: what came, grew, shrank, left and returned.
-- One row per month since the mirror's history began.
--
-- :months integer = 12  as_of's month and the months before it
--
-- A store's history begins at the end of the day of its first complete subscription listing; nothing before it is
-- guessed, and a record counts from the day it was first seen. Each customer of a store (a subscription without one
-- stands for itself) is compared between two months' ends, or the history's beginning, or as_of in the running month.
-- baseline is the MRR of the stores whose history begins in the month. fx is what changed in USD while amount, currency
-- and frequency stayed as they were; all other parts leave it out. new: a customer from 0 that never had MRR;
-- reactivation: one that had, if only between two months' ends; churn: one that is at 0; expansion and contraction: the
-- others, by the sign of the change. opening + all the parts = closing.
-- observed is 0 when no complete subscription listing of any store fell into the month: its changes show later.
-- customer_churn_rate is the part of the opening's customers that churned; grr = (opening + contraction + churn) ÷
-- opening; nrr adds expansion and reactivation. All three are empty when there was no opening.
with recursive params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:months, 12) as months
),
-- where each store's history begins
beginnings as materialized (
  select p.as_of, s.store_id, substr(s.first_complete_at, 1, 10) as first_day
  from params p
  join stores s on substr(s.first_complete_at, 1, 10) <= p.as_of
),
-- every version with MRR, and the days on whose ends it began and ceased to hold
versions as (
  select
    b.as_of, b.first_day, v.store_id, v.subscription_id, v.version,
    coalesce(r.customer_id, r.subscription_id) as customer,
    v.mrr_usd_micros as mrr, v.next_recurring_amount_micros as amount, v.currency, v.billing_frequency,
    substr(v.seen_from, 1, 10) as from_day,
    coalesce(v.removed_day, v.until_day) as until_day
  from beginnings b
  cross join subscription_versions v on v.store_id = b.store_id
  cross join subscription_records r on r.store_id = v.store_id and r.subscription_id = v.subscription_id
  where v.mrr_usd_micros > 0 and substr(v.seen_from, 1, 10) <= b.as_of
),
-- the same in steps, at which customers are compared: 2026-03.1 is March's end, 2026-03.0 a beginning within March
states as materialized (
  select
    *,
    substr(max(from_day, first_day), 1, 7) || '.' || (from_day > first_day) as from_step,
    case
      when until_day > as_of then '9999'
      else substr(max(until_day, first_day), 1, 7) || '.' || (until_day > first_day)
    end as until_step
  from versions
),
-- those that held at one step at least, each beside the one before and the one after
held as (
  select
    *,
    lag(until_step) over by_version = from_step as follows,
    lag(mrr) over by_version as mrr_before,
    lag(amount) over by_version is amount
      and lag(currency) over by_version is currency
      and lag(billing_frequency) over by_version is billing_frequency as is_same_price,
    coalesce(lead(from_step) over by_version, '9999') as next_step
  from states
  where from_step < until_step
  window by_version as (partition by store_id, subscription_id order by version)
),
-- what each subscription's MRR changed by at a step, and how much of that is exchange rate
changes as (
  select
    store_id, customer, from_step as step,
    mrr - case when follows then mrr_before else 0 end as change,
    case when follows and is_same_price then mrr - mrr_before else 0 end as fx
  from held
  union all
  select store_id, customer, until_step, -mrr, 0
  from held
  where until_step < next_step
  union all
  -- what came and went between two steps changed nothing, but the customer had MRR
  select store_id, customer, from_step, 0, 0
  from states
  where from_step >= until_step
),
-- the same per customer, with the MRR after it, and the step at which the customer was first seen with MRR
customer_changes as (
  select
    step,
    sum(change) as change,
    sum(fx) as fx,
    sum(sum(change)) over by_step as mrr,
    first_value(step) over by_step as first_step
  from changes
  group by store_id, customer, step
  window by_step as (partition by store_id, customer order by step)
),
-- what each change is called; moved is the change without exchange rate
movements as (
  select
    substr(step, 1, 7) as month, change, fx, change - fx as moved,
    (mrr > 0) - (mrr - change > 0) as customers,
    substr(first_step, 1, 7) < substr(step, 1, 7) as was_customer,
    case
      when step like '%.0' then 'baseline'
      when mrr - change = 0 then case when first_step = step then 'new' else 'reactivation' end
      when mrr = 0 then 'churn'
      when change - fx > 0 then 'expansion'
      else 'contraction'
    end as movement
  from customer_changes
),
months as (
  select min(substr(first_day, 1, 7)) as month, substr(as_of, 1, 7) as last_month
  from beginnings
  union all
  select substr(date(month || '-01', '1 month'), 1, 7), last_month
  from months
  where month < last_month
),
parts as (
  select
    month,
    sum(change) as change,
    sum(fx) as fx,
    sum(moved) filter (where movement = 'baseline') as baseline,
    sum(moved) filter (where movement = 'new') as new,
    sum(moved) filter (where movement = 'expansion') as expansion,
    sum(moved) filter (where movement = 'contraction') as contraction,
    sum(moved) filter (where movement = 'churn') as churn,
    sum(moved) filter (where movement = 'reactivation') as reactivation,
    sum(customers) as customers,
    count(*) filter (where movement = 'churn' and was_customer) as churned
  from movements
  group by month
),
-- every month with its parts, and what it began with
balances as (
  select
    m.month,
    coalesce(sum(s.change) over by_month, 0) - coalesce(s.change, 0) as opening,
    coalesce(s.baseline, 0) as baseline,
    coalesce(s.new, 0) as new,
    coalesce(s.expansion, 0) as expansion,
    coalesce(s.contraction, 0) as contraction,
    coalesce(s.churn, 0) as churn,
    coalesce(s.reactivation, 0) as reactivation,
    coalesce(s.fx, 0) as fx,
    coalesce(sum(s.change) over by_month, 0) as closing,
    coalesce(sum(s.customers) over by_month, 0) - coalesce(s.customers, 0) as opening_customers,
    coalesce(s.churned, 0) as churned
  from months m
  left join parts s on s.month = m.month
  where m.month is not null
  window by_month as (order by m.month)
),
-- what of the opening was kept, without and with what grew
retained as (
  select
    *,
    opening + contraction + churn as gross,
    opening + contraction + churn + expansion + reactivation as net
  from balances
)
select
  b.month,
  exists (
    select 1 from sync_runs r
    where r.kind = 'subscriptions' and r.outcome = 'complete'
      and substr(r.finished_at, 1, 7) = b.month and substr(r.finished_at, 1, 10) <= p.as_of) as observed,
  b.opening / 1000000.0 as opening,
  b.baseline / 1000000.0 as baseline,
  b.new / 1000000.0 as new,
  b.expansion / 1000000.0 as expansion,
  b.contraction / 1000000.0 as contraction,
  b.churn / 1000000.0 as churn,
  b.reactivation / 1000000.0 as reactivation,
  b.fx / 1000000.0 as fx,
  b.closing / 1000000.0 as closing,
  (20000 * b.churned + b.opening_customers) / (2 * nullif(b.opening_customers, 0)) / 10000.0 as customer_churn_rate,
  (20000 * b.gross + sign(b.gross) * b.opening) / (2 * nullif(b.opening, 0)) / 10000.0 as grr,
  (20000 * b.net + sign(b.net) * b.opening) / (2 * nullif(b.opening, 0)) / 10000.0 as nrr
from params p
join retained b on b.month >= substr(date(p.as_of, 'start of month', (1 - p.months) || ' months'), 1, 7)
order by b.month;
