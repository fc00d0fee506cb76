-- What the coming renewals should earn, and how much of that is guesswork.
-- One row per month and store.
--
-- :months integer = 12  as_of's month and the months after it
--
-- Renewing subscriptions at list_price as known on as_of (live, amount above 0, with a next date) are rolled forward
-- from their next date by whole periods; a day that a month does not have becomes its last one. The first renewal
-- counted is the first on or after as_of. A subscription of unknown frequency renews on its next date alone.
-- expected_usd adds up next_recurring_amount_usd × usual rate of each renewal; from_subscription_rate,
-- from_service_rate and from_store_rate are its parts by whose rate it is: the subscription's own newest base
-- commission, else the service's, else the store's base commissions of the last 365 days.
-- without_rate counts the renewals that expected_usd lacks because no rate or no USD amount is known.
with recursive params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:months, 12) as months
),
-- the months ahead, as first days
months_ahead as (
  select date(as_of, 'start of month') as first_day, months - 1 as more
  from params
  where months > 0
  union all
  select date(first_day, '1 month'), more - 1
  from months_ahead
  where more > 0
),
-- each with its place in the row of all months and the number of its days
calendar as (
  select
    substr(first_day, 1, 7) as month,
    12 * substr(first_day, 1, 4) + substr(first_day, 6, 2) as month_number,
    cast(substr(date(first_day, '1 month', '-1 day'), 9) as integer) as last_day
  from months_ahead
),
-- what renews, as known on as_of: when, every how many months, and at whose own rate
renewing as materialized (
  select
    p.as_of, h.store_id, h.service_id, h.next_recurring_amount_usd_micros,
    12 * substr(h.next_recurring_date, 1, 4) + substr(h.next_recurring_date, 6, 2) as first_month,
    cast(substr(h.next_recurring_date, 9) as integer) as day_of_month,
    case h.billing_frequency when 'monthly' then 1 when 'quarterly' then 3 when 'half_yearly' then 6 when 'yearly' then 12 end
      as period,
    (select b.rate_basis_points
     from base_commissions b
     where b.store_id = h.store_id and b.subscription_id = h.subscription_id and b.commission_day <= p.as_of
     order by b.commission_day desc, b.commission_id desc
     limit 1) as own_rate
  from params p
  join subscription_history h on h.from_day <= p.as_of and h.until_day > p.as_of
  where h.status = 'active' and (h.removed_day is null or h.removed_day > p.as_of)
    and h.pricing_type = 'list_price'
    and h.next_recurring_amount_micros > 0 and h.next_recurring_date is not null
),
-- the commission to expect from each renewal, in cents, and whose rate says so
rated as (
  select
    r.*,
    (r.next_recurring_amount_usd_micros * coalesce(r.own_rate, v.rate_basis_points, s.rate_basis_points) + 50000000)
      / 100000000 as expected_cents,
    case
      when r.own_rate is not null then 'subscription'
      when v.rate_basis_points is not null then 'service'
      when s.rate_basis_points is not null then 'store'
    end as rate_source
  from renewing r
  left join service_rates v on v.store_id = r.store_id and v.service_id = r.service_id and v.day = r.as_of
  left join store_rates s on s.store_id = r.store_id and s.day = r.as_of
),
-- every renewal of the months ahead; only in as_of's own month does the day matter
renewals as (
  select c.month, r.*
  from calendar c
  join rated r
    on r.first_month <= c.month_number
    and case when r.period is null then r.first_month = c.month_number
             else (c.month_number - r.first_month) % r.period = 0 end
  where c.month > substr(r.as_of, 1, 7) or min(r.day_of_month, c.last_day) >= cast(substr(r.as_of, 9) as integer)
)
select
  month, store_id,
  count(*) as renewals,
  sum(next_recurring_amount_usd_micros) / 1000000.0 as amount_usd,
  sum(expected_cents) / 100.0 as expected_usd,
  coalesce(sum(expected_cents) filter (where rate_source = 'subscription'), 0) / 100.0 as from_subscription_rate,
  coalesce(sum(expected_cents) filter (where rate_source = 'service'), 0) / 100.0 as from_service_rate,
  coalesce(sum(expected_cents) filter (where rate_source = 'store'), 0) / 100.0 as from_store_rate,
  count(*) - count(expected_cents) as without_rate
from renewals
group by month, store_id
order by month, store_id;
