-- Which subscriptions were lost, when, and why.
-- One row per subscription that is not live on as_of and was lost in the period.
--
-- :days integer = 365  days before as_of to look at
--
-- lost_on is the day of its newest cancel with no later signup, reactivate, recurring or subscription_resumed (by day,
-- then id): reason cancelled. Without one it is the first day the mirror saw it not live after it had last seen it
-- live: removed when the store stopped listing it, inactive when its status changed. One never seen live and never
-- cancelled is not listed. Transactions after as_of do not exist yet; removed ones happened.
-- plan_name is the plan known on as_of, or the one of the last live version when the store has forgotten it.
-- months_kept counts whole months from the start to lost_on; a month that begins on the 31st is whole on the last day
-- of a shorter one. last_amount_usd is the USD amount of its newest money transaction up to as_of.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 365) as days
),
-- the losses of the period, each with its newest money transaction and the months between the two dates' months
losses as (
  select
    l.*,
    12 * (substr(l.lost_day, 1, 4) - substr(l.subscription_start_date, 1, 4))
      + substr(l.lost_day, 6, 2) - substr(l.subscription_start_date, 6, 2) as months_between,
    (select m.transaction_id
     from money_transactions m
     where m.store_id = l.store_id and m.subscription_id = l.subscription_id and m.transaction_day <= l.as_of
     order by m.transaction_day desc, m.transaction_id desc
     limit 1) as last_money_id
  from params p
  join lost_subscriptions l on l.days = json_array(p.as_of)
  where l.lost_day > date(p.as_of, (-p.days) || ' days') and l.lost_day <= p.as_of
)
select
  l.lost_day as lost_on,
  l.reason, l.store_id, l.subscription_id, l.customer_id, l.company_name, l.service_name, l.plan_name,
  l.subscription_start_date,
  max(0, l.months_between - (substr(l.lost_day, 9, 2) < min(
    substr(l.subscription_start_date, 9, 2),
    strftime('%d', l.lost_day, 'start of month', '1 month', '-1 day')))) as months_kept,
  (t.usd_amount_micros + 5000) / 10000 / 100.0 as last_amount_usd
from losses l
left join transaction_records t on t.store_id = l.store_id and t.transaction_id = l.last_money_id
order by lost_on desc, l.subscription_id, l.store_id;
