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
-- what renews, as known on as_of: when, every how many months, and what it should earn
renewing as materialized (
  select
    p.as_of, e.store_id, e.next_recurring_amount_usd_micros, e.expected_commission_usd_micros, e.rate_source,
    12 * substr(e.next_recurring_date, 1, 4) + substr(e.next_recurring_date, 6, 2) as first_month,
    cast(substr(e.next_recurring_date, 9) as integer) as day_of_month,
    case e.billing_frequency
      when 'monthly' then 1 when 'quarterly' then 3 when 'half_yearly' then 6 when 'yearly' then 12
    end as period
  from params p
  join expected_commissions e on e.days = json_array(p.as_of)
  where e.is_renewing and e.pricing_type = 'list_price'
),
-- every renewal of the months ahead; only in as_of's own month does the day matter
renewals as (
  select c.month, r.*
  from calendar c
  join renewing r
    on r.first_month <= c.month_number
    and case when r.period is null then r.first_month = c.month_number
             else (c.month_number - r.first_month) % r.period = 0 end
  where c.month > substr(r.as_of, 1, 7) or min(r.day_of_month, c.last_day) >= cast(substr(r.as_of, 9) as integer)
)
select
  month, store_id,
  count(*) as renewals,
  sum(next_recurring_amount_usd_micros) / 1000000.0 as amount_usd,
  sum(expected_commission_usd_micros) / 1000000.0 as expected_usd,
  coalesce(sum(expected_commission_usd_micros) filter (where rate_source = 'subscription'), 0) / 1000000.0
    as from_subscription_rate,
  coalesce(sum(expected_commission_usd_micros) filter (where rate_source = 'service'), 0) / 1000000.0
    as from_service_rate,
  coalesce(sum(expected_commission_usd_micros) filter (where rate_source = 'store'), 0) / 1000000.0
    as from_store_rate,
  count(*) - count(expected_commission_usd_micros) as without_rate
from renewals
group by month, store_id
order by month, store_id;
