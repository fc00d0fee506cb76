-- How the renewals of each month ended: paid, failing, or lost.
-- One row per month and store with an outcome.
--
-- :months integer = 12  as_of's month and the months before it
--
-- A subscription has one outcome a month: renewed or lost by the last of its recurring and cancel transactions (by day,
-- then id); with neither, failed when there was a recurring_failure or past_due. Transactions after as_of do not exist
-- yet; removed ones happened; those without a subscription have no outcome.
-- renewal_rate is renewed ÷ (renewed + lost), empty when both are 0.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:months, 12) as months
),
-- from the first day of the oldest month to as_of
period as materialized (
  select date(as_of, 'start of month', (1 - months) || ' months') as first_day, as_of as last_day
  from params
),
-- the newest payment and the newest cancellation of a subscription in a month: their days and ids, written alike
endings as (
  select
    substr(t.transaction_day, 1, 7) as month, t.store_id,
    max(t.transaction_day || printf('%020d', t.transaction_id))
      filter (where t.transaction_type = 'recurring') as last_recurring,
    max(t.transaction_day || printf('%020d', t.transaction_id))
      filter (where t.transaction_type = 'cancel') as last_cancel
  -- the order of the index is that of the groups, so the transactions come first
  from transaction_records t indexed by transaction_records_by_subscription
  cross join period p on t.transaction_day between p.first_day and p.last_day
  where t.transaction_type in ('recurring', 'cancel', 'recurring_failure', 'past_due')
    and t.subscription_id is not null
  group by t.store_id, t.subscription_id, month
),
outcomes as (
  select
    month, store_id,
    coalesce(last_recurring > coalesce(last_cancel, ''), 0) as is_renewed,
    coalesce(last_cancel > coalesce(last_recurring, ''), 0) as is_lost
  from endings
)
select
  month, store_id,
  sum(is_renewed) as renewed,
  sum(not is_renewed and not is_lost) as failed,
  sum(is_lost) as lost,
  (20000 * sum(is_renewed) + sum(is_renewed + is_lost)) / (2 * nullif(sum(is_renewed + is_lost), 0)) / 10000.0
    as renewal_rate
from outcomes
group by month, store_id
order by month, store_id;
