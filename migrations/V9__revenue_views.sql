-- The terms of the reports on renewals, losses and revenue. Three of these views answer for a day (which version was in
-- force, which rate was usual, which cancellation was the newest), and a view takes no parameters; so they are asked
-- with `where days = json_array('2026-03-01')`, for one day or several. Without that condition they are empty.

-- The days asked for. `days` is the hidden argument of json_each; an equality on it reaches json_each through every view
-- built on this one, because none of them groups, orders or limits.
create view asked_days as
select json as days, value as as_of
from json_each;

-- Sums and newest events of a subscription are read from this index alone; it also holds what a transaction brought in.
drop index transaction_records_by_subscription;
create index transaction_records_by_subscription
on transaction_records (
  store_id, subscription_id, transaction_day, transaction_type, amount_micros, usd_amount_micros, service_name);
-- The same for what a commission brought in.
create index commission_records_revenue
on commission_records (
  store_id, subscription_id, commission_day, net_usd_micros, service_name, own_customer_id, country);

-- The subscriptions that were live at the end of a day, each as known then.
create view live_subscriptions as
select
  d.days, d.as_of,
  h.store_id, h.subscription_id, h.version, h.seen_from, h.seen_until, h.from_day, h.until_day, h.removed_day,
  h.customer_id, h.company_name, h.email, h.country, h.business_category, h.subscription_start_date,
  h.service_id, h.service_name, h.plan_id, h.plan_name, h.paid_users,
  h.status, h.billing_frequency, h.pricing_type, h.subscription_type, h.currency,
  h.next_recurring_amount_micros, h.next_recurring_amount_usd_micros, h.next_recurring_date, h.mrr_usd_micros,
  coalesce(h.next_recurring_amount_micros, 0) > 0 and h.next_recurring_date is not null as is_renewing
from asked_days d
cross join subscription_history h on h.from_day <= d.as_of and h.until_day > d.as_of
where h.status = 'active' and (h.removed_day is null or h.removed_day > d.as_of);

-- The same with the three rates by which their next commission can be guessed.
create view rated_subscriptions as
select
  l.*,
  (select b.rate_basis_points
   from base_commissions b
   where b.store_id = l.store_id and b.subscription_id = l.subscription_id and b.commission_day <= l.as_of
   order by b.commission_day desc, b.commission_id desc
   limit 1) as own_rate_basis_points,
  v.rate_basis_points as service_rate_basis_points,
  s.rate_basis_points as store_rate_basis_points
from live_subscriptions l
left join service_rates v on v.store_id = l.store_id and v.service_id = l.service_id and v.day = l.as_of
left join store_rates s on s.store_id = l.store_id and s.day = l.as_of;

-- The same with the usual rate, whose it is, and the commission to expect at the next renewal, in whole cents: 0 at
-- partner_price whatever the rate, because the discount was taken at purchase; empty when no rate is known.
create view expected_commissions as
select
  r.*,
  coalesce(r.own_rate_basis_points, r.service_rate_basis_points, r.store_rate_basis_points) as usual_rate_basis_points,
  case
    when r.own_rate_basis_points is not null then 'subscription'
    when r.service_rate_basis_points is not null then 'service'
    when r.store_rate_basis_points is not null then 'store'
    else 'none'
  end as rate_source,
  case
    when r.pricing_type = 'partner_price' then 0
    else (r.next_recurring_amount_usd_micros
          * coalesce(r.own_rate_basis_points, r.service_rate_basis_points, r.store_rate_basis_points)
          + 50000000) / 100000000 * 10000
  end as expected_commission_usd_micros
from rated_subscriptions r;

-- The subscriptions that were not live at the end of a day, with what tells when and why they were lost: the newest
-- cancel that nothing took back, and the last version that the mirror saw live.
create view ended_subscriptions as
select
  d.days, d.as_of,
  h.store_id, h.subscription_id, h.customer_id, h.company_name, h.email, h.country, h.subscription_start_date,
  h.service_id, h.service_name, h.plan_id, h.plan_name,
  (select case t.transaction_type when 'cancel' then t.transaction_day end
   from transaction_records t
   where t.store_id = h.store_id and t.subscription_id = h.subscription_id and t.transaction_day <= d.as_of
     and t.transaction_type in ('cancel', 'signup', 'reactivate', 'recurring', 'subscription_resumed')
   order by t.transaction_day desc, t.transaction_id desc
   limit 1) as cancelled_day,
  (select max(v.version)
   from subscription_versions v
   where v.store_id = h.store_id and v.subscription_id = h.subscription_id
     and v.status = 'active' and v.from_day <= d.as_of) as live_version
from asked_days d
cross join subscription_history h on h.from_day <= d.as_of and h.until_day > d.as_of
where not coalesce(h.status = 'active' and (h.removed_day is null or h.removed_day > d.as_of), 0);

-- The same with the day of the loss and its reason; both are empty for those never seen live and never cancelled.
create view lost_subscriptions as
select
  e.days, e.as_of,
  coalesce(e.cancelled_day, v.removed_day, v.until_day) as lost_day,
  case
    when e.cancelled_day is not null then 'cancelled'
    when v.removed_day is not null then 'removed'
    when v.until_day is not null then 'inactive'
  end as reason,
  e.store_id, e.subscription_id, e.customer_id, e.company_name, e.email, e.country, e.subscription_start_date,
  e.service_id, e.service_name, e.plan_id,
  -- the store forgets a plan with its cancellation
  coalesce(e.plan_name, v.plan_name) as plan_name
from ended_subscriptions e
left join subscription_versions v
  on v.store_id = e.store_id and v.subscription_id = e.subscription_id and v.version = e.live_version;

-- What brought money: money transactions, refunds (negative), and commissions. customer and country of the commission
-- itself stand beside, for those whose subscription is not in the mirror.
create view revenue_events as
select
  store_id, subscription_id, transaction_day as day, service_name, null as own_customer_id, null as own_country,
  1 as is_transaction, 0 as is_refund,
  usd_amount_micros as revenue_usd_micros, null as net_usd_micros,
  usd_amount_micros is null as is_without_usd
from money_transactions
union all
select
  store_id, subscription_id, transaction_day, service_name, null, null,
  0, 1, -abs(usd_amount_micros), null, usd_amount_micros is null
from transaction_records
where transaction_type = 'refund'
union all
select
  store_id, subscription_id, commission_day, service_name, own_customer_id, country,
  0, 0, null, net_usd_micros, net_usd_micros is null
from commission_records indexed by commission_records_revenue;

insert into sqlite_stat1 (tbl, idx, stat) values
  ('transaction_records', 'transaction_records_by_subscription', '1000000 500000 17 1 1 1 1 1'),
  ('commission_records', 'commission_records_revenue', '800000 400000 15 1 1 1 1 1');
