-- Whose purchases earn the commissions.
-- One row per store and customer.
--
-- :days integer = 365  days before as_of to look at
--
-- By the commission's day; commissions dated after as_of do not exist yet, reversals are subtracted, and removed ones
-- count: they happened. A commission belongs to the customer of its subscription, else to its own mail address or
-- profile; without any, customer_id is empty. company_name is the customer's newest name,
-- else that of its newest commission.
-- records_without_usd counts the commissions that net_usd lacks because their USD value is unknown; share is the part
-- of the net_usd of all rows.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 365) as days
),
-- the commissions of the period, each with its customer
earnings as (
  select
    c.store_id, coalesce(s.customer_id, c.own_customer_id) as customer_id, c.commission_id, c.net_usd_micros
  from params p
  join commission_records c indexed by commission_records_revenue
    on c.commission_day > date(p.as_of, (-p.days) || ' days') and c.commission_day <= p.as_of
  left join subscription_records s on s.store_id = c.store_id and s.subscription_id = c.subscription_id
),
-- what each customer's add up to, in millionths of a dollar
sums as (
  select
    store_id, customer_id,
    count(*) as records,
    max(commission_id) as newest_id,
    sum(net_usd_micros) as net_usd_micros,
    count(*) - count(net_usd_micros) as records_without_usd
  from earnings
  group by store_id, customer_id
)
select
  s.store_id, s.customer_id,
  coalesce(n.company_name, c.company_name) as company_name,
  s.records,
  s.net_usd_micros / 1000000.0 as net_usd,
  s.records_without_usd,
  round(1.0 * s.net_usd_micros / nullif(sum(s.net_usd_micros) over (), 0), 4) as share
from sums s
left join customers n on n.store_id = s.store_id and n.customer_id = s.customer_id
left join commission_records c
  on c.store_id = s.store_id and c.commission_id = s.newest_id and s.customer_id is not null
order by s.store_id, s.customer_id;
