-- Which services earn the commissions.
-- One row per store and service.
--
-- :days integer = 365  days before as_of to look at
--
-- By the commission's day and the service name it came with; commissions dated after as_of do not exist yet, reversals
-- are subtracted, and removed ones count: they happened.
-- records_without_usd counts the commissions that net_usd lacks because their USD value is unknown; share is the part
-- of the net_usd of all rows.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 365) as days
),
-- what each service's commissions of the period add up to, in millionths of a dollar
sums as (
  select
    c.store_id, c.service_name,
    count(*) as records,
    sum(c.net_usd_micros) as net_usd_micros,
    count(*) - count(c.net_usd_micros) as records_without_usd
  from params p
  join commission_records c indexed by commission_records_revenue
    on c.commission_day > date(p.as_of, (-p.days) || ' days') and c.commission_day <= p.as_of
  group by c.store_id, c.service_name
)
select
  store_id, service_name, records,
  net_usd_micros / 1000000.0 as net_usd,
  records_without_usd,
  round(1.0 * net_usd_micros / nullif(sum(net_usd_micros) over (), 0), 4) as share
from sums
order by store_id, service_name;
