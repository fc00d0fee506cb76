-- What renews in each of the coming months, and the commission to expect from it.
-- One row per month and store with a renewal.
--
-- :months integer = 12  as_of's month and the months after it
--
-- A renewal is counted in the month of its next date, from as_of on: overdue ones are in renewals_overdue, and what
-- renews more than once in the period is counted once (commission_forecast rolls it forward).
-- Amounts, dates and the usual rate are those known on as_of. amount_usd and expected_commission_usd add up what is
-- known; without_rate counts the renewals whose expected commission is not.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:months, 12) as months
),
-- the renewals from as_of to the end of the last month
renewals as (
  select
    substr(e.next_recurring_date, 1, 7) as month,
    e.store_id, e.next_recurring_amount_usd_micros, e.expected_commission_usd_micros
  from params p
  join expected_commissions e on e.days = json_array(p.as_of)
  where e.is_renewing
    and e.next_recurring_date >= p.as_of
    and e.next_recurring_date < date(p.as_of, 'start of month', p.months || ' months')
)
select
  month, store_id,
  count(*) as renewals,
  (sum(next_recurring_amount_usd_micros) + 5000) / 10000 / 100.0 as amount_usd,
  sum(expected_commission_usd_micros) / 1000000.0 as expected_commission_usd,
  count(*) - count(expected_commission_usd_micros) as without_rate
from renewals
group by month, store_id
order by month, store_id;
