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
),
-- the renewals between as_of and the last day, each as known on as_of
renewals as materialized (
  select
    p.as_of, h.*,
    (select b.rate_basis_points
     from base_commissions b
     where b.store_id = h.store_id and b.subscription_id = h.subscription_id and b.commission_day <= p.as_of
     order by b.commission_day desc, b.commission_id desc
     limit 1) as own_rate
  from params p
  join subscription_history h on h.from_day <= p.as_of and h.until_day > p.as_of
  where h.status = 'active' and (h.removed_day is null or h.removed_day > p.as_of)
    and h.next_recurring_amount_micros > 0
    and h.next_recurring_date between p.as_of and date(p.as_of, p.within || ' days')
),
-- the usual rate of each, in basis points, and whose rate it is
rated as (
  select
    r.*,
    coalesce(r.own_rate, v.rate_basis_points, s.rate_basis_points) as usual_rate,
    case
      when r.own_rate is not null then 'subscription'
      when v.rate_basis_points is not null then 'service'
      when s.rate_basis_points is not null then 'store'
      else 'none'
    end as rate_source
  from renewals r
  left join service_rates v on v.store_id = r.store_id and v.service_id = r.service_id and v.day = r.as_of
  left join store_rates s on s.store_id = r.store_id and s.day = r.as_of
)
select
  store_id, subscription_id, customer_id, company_name, email, service_name, plan_name, billing_frequency,
  pricing_type, next_recurring_date,
  cast(julianday(next_recurring_date) - julianday(as_of) as integer) as days_left,
  currency,
  (next_recurring_amount_micros + 5000) / 10000 / 100.0 as next_recurring_amount,
  (next_recurring_amount_usd_micros + 5000) / 10000 / 100.0 as next_recurring_amount_usd,
  usual_rate / 10000.0 as rate,
  rate_source,
  case
    when pricing_type = 'partner_price' then 0.0
    else (next_recurring_amount_usd_micros * usual_rate + 50000000) / 100000000 / 100.0
  end as expected_commission_usd
from rated
order by next_recurring_date, subscription_id, store_id;
