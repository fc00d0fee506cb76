-- What the live subscriptions bring in a month, per service.
-- One row per store and service name.
--
-- Counted are the subscriptions live on as_of with an MRR above 0, as known then; one whose frequency or USD amount is
-- unknown has none. The service's name is that of the subscription itself.
-- seats adds up the paid users, arr_usd is 12 × mrr_usd, share is the part of all stores' MRR.
with params as (
  select coalesce(:as_of, date('now')) as as_of
),
services_then as (
  select
    l.store_id, l.service_name,
    count(*) as subscriptions,
    sum(l.paid_users) as seats,
    sum(l.mrr_usd_micros) / 10000 as mrr_cents
  from params p
  join live_subscriptions l on l.days = json_array(p.as_of)
  where l.mrr_usd_micros > 0
  group by l.store_id, l.service_name
),
total as (
  select sum(mrr_cents) as mrr_cents
  from services_then
)
select
  s.store_id, s.service_name, s.subscriptions, s.seats,
  s.mrr_cents / 100.0 as mrr_usd,
  12 * s.mrr_cents / 100.0 as arr_usd,
  (20000 * s.mrr_cents + t.mrr_cents) / (2 * t.mrr_cents) / 10000.0 as share
from services_then s
join total t
order by mrr_usd desc, s.store_id, s.service_name;
