-- Which subscriptions began in the last days, and what became of them.
-- One row per subscription that started in the period.
--
-- :days integer = 90  days before as_of to look at
--
-- status, plan and mrr_usd are those known on as_of; mrr_usd is empty for one that is not live (any more). A removed
-- subscription still began; it keeps the status it had.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 90) as days
)
select
  h.subscription_start_date, h.store_id, h.subscription_id, h.customer_id, h.company_name, h.email, h.service_name,
  h.plan_name, h.billing_frequency, h.pricing_type, h.status,
  case when h.removed_day is null or h.removed_day > p.as_of then h.mrr_usd_micros / 1000000.0 end as mrr_usd
from params p
join subscription_history h on h.from_day <= p.as_of and h.until_day > p.as_of
where h.subscription_start_date > date(p.as_of, (-p.days) || ' days') and h.subscription_start_date <= p.as_of
order by h.subscription_start_date desc, h.subscription_id, h.store_id;
