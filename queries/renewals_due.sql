-- What renews in the coming days, and the commission to expect from it.
-- One row per renewing subscription.
--
-- :within integer = 90  days ahead of as_of
--
-- Renewing: live on as_of, with an amount above 0 and a next date; amounts, plan and date are those known on as_of.
-- rate is the usual rate on as_of; rate_source says whose: the subscription's own newest base commission, else the
-- service's, else the store's base commissions of the last 365 days, else none.
-- expected_commission_usd is next_recurring_amount_usd × rate; 0 for partner_price whatever the rate, because the
-- discount was taken at purchase; empty when no rate is known.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:within, 90) as within
)
select
  e.store_id, e.subscription_id, e.customer_id, e.company_name, e.email, e.service_name, e.plan_name,
  e.billing_frequency, e.pricing_type, e.next_recurring_date,
  cast(julianday(e.next_recurring_date) - julianday(p.as_of) as integer) as days_left,
  e.currency,
  (e.next_recurring_amount_micros + 5000) / 10000 / 100.0 as next_recurring_amount,
  (e.next_recurring_amount_usd_micros + 5000) / 10000 / 100.0 as next_recurring_amount_usd,
  e.usual_rate_basis_points / 10000.0 as rate,
  e.rate_source,
  e.expected_commission_usd_micros / 1000000.0 as expected_commission_usd
from params p
join expected_commissions e on e.days = json_array(p.as_of)
where e.is_renewing and e.next_recurring_date between p.as_of and date(p.as_of, p.within || ' days')
order by e.next_recurring_date, e.subscription_id, e.store_id;
