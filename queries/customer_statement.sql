-- Everything that happened with a customer, in order: subscriptions begun, transactions, commissions.
-- One row per event.
--
-- :customer text  part of the customer's id, name or email; left out: all customers
--
-- event is subscription, transaction or commission; detail says more: plan and frequency, type and description, type
-- and paying entity. Events after as_of do not exist yet; removed ones happened; what has no day comes first.
-- amount is as received, a refund's negative; a commission's is its net_payout in the payout currency. amount_usd is the
-- same in USD: the money transactions and refunds add up to revenue_usd, and the commissions to commission_usd, of
-- revenue_by_customer. The beginning of a subscription has no amount: its first payment is a transaction.
-- A commission whose subscription is not in the mirror belongs to the customer it names, such a transaction to nobody.
-- Letters from A to Z are found in either case; company_name is the customer's newest one.
with params as (
  select coalesce(:as_of, date('now')) as as_of, lower(:customer) as customer
),
-- the customers asked for
asked_customers as (
  select r.store_id, r.customer_id, coalesce(c.company_name, max(r.company_name)) as company_name
  from params p
  join subscription_records r
  left join customers c on c.store_id = r.store_id and c.customer_id = r.customer_id
  where p.customer is null
    or instr(lower(format('%s|%s|%s|%s|%s|%s|%s', r.customer_id, r.company_name, r.org_name, r.email,
                          c.company_name, c.org_name, c.email)), p.customer) > 0
  group by r.store_id, r.customer_id
),
-- their subscriptions
owned as materialized (
  select
    a.customer_id, a.company_name, r.store_id, r.subscription_id,
    r.subscription_start_date, r.service_name, r.plan_name, r.billing_frequency
  from asked_customers a
  join subscription_records r on r.store_id = a.store_id and r.customer_id is a.customer_id
),
-- transactions and commissions whose subscription is not in the mirror, found by narrow indexes
stray_transactions as (
  select t.store_id, t.transaction_id
  from params p
  join transaction_records t
  where p.customer is null
    and not exists (
      select 1 from subscription_records r
      where r.store_id = t.store_id and r.subscription_id = t.subscription_id)
),
stray_commissions as materialized (
  select c.store_id, c.commission_id
  from commission_records c indexed by commission_records_revenue
  where not exists (
      select 1 from subscription_records r
      where r.store_id = c.store_id and r.subscription_id = c.subscription_id)
),
-- every transaction and every commission with its customer
owned_transactions as (
  select o.customer_id, o.company_name, t.store_id, t.transaction_id
  from owned o
  join transaction_records t on t.store_id = o.store_id and t.subscription_id = o.subscription_id
  union all
  select null, null, store_id, transaction_id
  from stray_transactions
),
owned_commissions as (
  select o.customer_id, o.company_name, c.store_id, c.commission_id
  from owned o
  join commission_records c on c.store_id = o.store_id and c.subscription_id = o.subscription_id
  union all
  select c.own_customer_id, coalesce(n.company_name, c.company_name), c.store_id, c.commission_id
  from params p
  join stray_commissions s
  join commission_records c on c.store_id = s.store_id and c.commission_id = s.commission_id
  left join customers n on n.store_id = c.store_id and n.customer_id = c.own_customer_id
  where p.customer is null
    or instr(lower(format('%s|%s|%s|%s|%s|%s', c.own_customer_id, c.company_name, c.email,
                          n.company_name, n.org_name, n.email)), p.customer) > 0
),
events as (
  select
    customer_id, company_name, subscription_start_date as day, 'subscription' as event, store_id,
    subscription_id as record_id, service_name,
    coalesce(plan_name || ', ' || billing_frequency, plan_name, billing_frequency) as detail,
    null as currency, null as amount, null as amount_usd
  from owned
  where subscription_start_date is not null
  union all
  select
    o.customer_id, o.company_name, t.transaction_day, 'transaction', t.store_id, t.transaction_id, t.service_name,
    coalesce(t.transaction_type || ': ' || t.description, t.transaction_type, t.description), t.currency,
    case t.transaction_type
      when 'refund' then -((abs(t.amount_micros) + 5000) / 10000)
      else (t.amount_micros + 5000 * sign(t.amount_micros)) / 10000
    end / 100.0,
    case t.transaction_type
      when 'refund' then -((abs(t.usd_amount_micros) + 5000) / 10000)
      else (t.usd_amount_micros + 5000 * sign(t.usd_amount_micros)) / 10000
    end / 100.0
  from owned_transactions o
  cross join transaction_records t on t.store_id = o.store_id and t.transaction_id = o.transaction_id
  union all
  select
    coalesce(o.customer_id, c.own_customer_id), o.company_name, c.commission_day, 'commission', c.store_id,
    c.commission_id, c.service_name,
    coalesce(c.type || ': ' || c.entity, c.type, c.entity), c.payout_currency,
    c.net_payout_micros / 1000000.0, c.net_usd_micros / 1000000.0
  from owned_commissions o
  cross join commission_records c on c.store_id = o.store_id and c.commission_id = o.commission_id
)
select
  e.customer_id, e.company_name, e.day, e.event, e.store_id, e.record_id, e.service_name, e.detail, e.currency,
  e.amount, e.amount_usd
-- the events come first: they are sorted as they come, not kept
from events e
cross join params p on coalesce(e.day, '') <= p.as_of
order by e.customer_id, e.day, e.event, e.record_id, e.store_id;
