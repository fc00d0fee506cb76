-- What should have renewed and has not: the date is past and the subscription still counts as live.
-- One row per renewing subscription whose next date is before as_of.
--
-- Renewing: live on as_of, with an amount above 0 and a next date; amounts, plan and date are those known on as_of.
-- last_transaction is the subscription's newest transaction of any type up to as_of, removed ones included.
with params as (
  select coalesce(:as_of, date('now')) as as_of
),
-- the overdue renewals, each with its newest transaction
overdue as (
  select
    l.*,
    (select t.transaction_id
     from transaction_records t
     where t.store_id = l.store_id and t.subscription_id = l.subscription_id and t.transaction_day <= l.as_of
     order by t.transaction_day desc, t.transaction_id desc
     limit 1) as last_transaction_id
  from params p
  join live_subscriptions l on l.days = json_array(p.as_of)
  where l.is_renewing and l.next_recurring_date < p.as_of
)
select
  o.store_id, o.subscription_id, o.customer_id, o.company_name, o.email, o.service_name, o.plan_name,
  o.next_recurring_date,
  cast(julianday(o.as_of) - julianday(o.next_recurring_date) as integer) as days_overdue,
  o.currency,
  (o.next_recurring_amount_micros + 5000) / 10000 / 100.0 as next_recurring_amount,
  (o.next_recurring_amount_usd_micros + 5000) / 10000 / 100.0 as next_recurring_amount_usd,
  t.transaction_day as last_transaction_day,
  t.transaction_type as last_transaction_type
from overdue o
left join transaction_records t on t.store_id = o.store_id and t.transaction_id = o.last_transaction_id
order by days_overdue desc, o.subscription_id, o.store_id;
