-- Who may leave: cancellations to come, payments that fail, downgrades, and renewals that did not happen.
-- One row per live subscription and reason.
--
-- :days integer = 60  how long a failed payment or a downgrade counts
--
-- cancel_scheduled: a scheduled_cancel, however old, with no later subscription_resumed, reactivate or recurring.
-- payment_failing: a recurring_failure or past_due within :days and no later recurring or reactivate.
-- downgraded: a downgrade within :days. overdue: what renewals_overdue lists.
-- since is the day of the first transaction that counts, or the date of the overdue renewal; later is by day, then id.
-- Transactions after as_of do not exist yet; removed ones happened. mrr_usd is that of as_of;
-- expected_commission_usd is next_recurring_amount_usd × the usual rate, as in renewals_due.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 60) as days
),
-- what is live on as_of
live as materialized (
  select
    date(p.as_of, (-p.days) || ' days') as after_day, e.*
  from params p
  join expected_commissions e on e.days = json_array(p.as_of)
),
-- the transactions that put a live subscription at risk
warnings as (
  select
    l.store_id, l.subscription_id, t.transaction_day, t.transaction_id,
    case t.transaction_type
      when 'scheduled_cancel' then 'cancel_scheduled'
      when 'downgrade' then 'downgraded'
      else 'payment_failing'
    end as reason
  from live l
  join transaction_records t on t.store_id = l.store_id and t.subscription_id = l.subscription_id
  where t.transaction_day <= l.as_of
    and (t.transaction_type = 'scheduled_cancel'
         or t.transaction_type in ('recurring_failure', 'past_due', 'downgrade') and t.transaction_day > l.after_day)
),
-- those that nothing took back
risks as (
  select w.store_id, w.subscription_id, w.reason, min(w.transaction_day) as since
  from warnings w
  join params p
  where not exists (
    select 1 from transaction_records t
    where t.store_id = w.store_id and t.subscription_id = w.subscription_id
      and t.transaction_day between w.transaction_day and p.as_of
      and (t.transaction_day > w.transaction_day or t.transaction_id > w.transaction_id)
      and case w.reason
        when 'cancel_scheduled' then t.transaction_type in ('subscription_resumed', 'reactivate', 'recurring')
        when 'payment_failing' then t.transaction_type in ('recurring', 'reactivate')
        else 0
      end)
  group by w.store_id, w.subscription_id, w.reason
  union all
  select store_id, subscription_id, 'overdue', next_recurring_date
  from live
  where is_renewing and next_recurring_date < as_of
)
select
  r.reason, r.since, l.store_id, l.subscription_id, l.customer_id, l.company_name, l.email, l.service_name, l.plan_name,
  l.next_recurring_date,
  l.mrr_usd_micros / 1000000.0 as mrr_usd,
  l.expected_commission_usd_micros / 1000000.0 as expected_commission_usd
from risks r
join live l on l.store_id = r.store_id and l.subscription_id = r.subscription_id
order by mrr_usd desc, l.subscription_id, l.store_id, r.reason;
