-- What in the mirror is incomplete or was not understood, so that the other reports may lack it.
-- One row per finding, store, kind, field and value.
--
-- Everything the mirror holds now, removed records too; as_of plays no part. pointer is the field in the store's
-- record, value what stands in it where that says more, records how many there are and example_id one of them.
-- orphan_subscription, orphan_transaction: records that name no subscription or transaction, or one that is not in the
-- mirror. unknown_value, unknown_field: kept, but not known to this program. missing_amount: an amount that reports add
-- up is empty; of subscriptions only live ones count, of balances only what is active or requested.
-- unknown_frequency: live subscriptions with an amount whose frequency gives no months, so that they have no MRR.
-- rounded_money: an amount with more than six decimals. quarantined: listed now, but not readable; value is the reason.
-- truncated_listing: the newest listing may lack records; value is its state, records what the mirror holds.
with params as (
  select coalesce(:as_of, date('now')) as as_of
),
-- transactions by their subscription, counted through an index, and only then looked up
orphans as (
  select
    'orphan_subscription' as finding, t.store_id, 'transactions' as kind, '/subscription_id' as pointer,
    sum(t.records) as records, min(t.first_id) as example_id
  from (
    select store_id, subscription_id, count(*) as records, min(transaction_id) as first_id
    from transaction_records
    group by store_id, subscription_id) t
  where not exists (
    select 1 from subscription_records s where s.store_id = t.store_id and s.subscription_id = t.subscription_id)
  group by t.store_id
  union all
  select
    'orphan_subscription', c.store_id, 'commissions', '/subscription/subscription_id', sum(c.records), min(c.first_id)
  from (
    select store_id, subscription_id, count(*) as records, min(commission_id) as first_id
    from commission_records
    group by store_id, subscription_id) c
  where not exists (
    select 1 from subscription_records s where s.store_id = c.store_id and s.subscription_id = c.subscription_id)
  group by c.store_id
  union all
  select 'orphan_transaction', c.store_id, 'commissions', '/transaction/transaction_id', count(*), min(c.commission_id)
  from commission_records c indexed by commission_records_by_transaction
  where not exists (
    select 1 from transaction_records t indexed by transaction_records_sales
    where t.store_id = c.store_id and t.transaction_id = c.transaction_id)
  group by c.store_id
),
current_subscriptions as (
  select *
  from subscription_records
  where status = 'active' and removed_at is null
),
-- amounts that should be there
missing_amounts as (
  select store_id, 'transactions' as kind, '/amount' as pointer, transaction_id as record_id
  from transaction_records
  where amount_micros is null
  union all
  select store_id, 'transactions', '/usd_amount', transaction_id
  from transaction_records
  where usd_amount_micros is null
  union all
  select store_id, 'commissions', '/base_commission', commission_id
  from commission_records
  where net_payout_micros is null
  union all
  select store_id, 'commissions', '/balance_commission', commission_id
  from commission_records
  where balance_payout_micros is null and state in ('active', 'requested') and removed_at is null
  union all
  select store_id, 'subscriptions', '/next_recurring_amount', subscription_id
  from current_subscriptions
  where next_recurring_amount_micros is null
  union all
  select store_id, 'subscriptions', '/next_recurring_amount_usd', subscription_id
  from current_subscriptions
  where next_recurring_amount_usd_micros is null
),
unknown_frequencies as (
  select store_id, billing_frequency, subscription_id
  from current_subscriptions
  where next_recurring_amount_micros > 0
    and coalesce(billing_frequency, '') not in ('monthly', 'quarterly', 'half_yearly', 'yearly')
),
all_findings as (
  select finding, store_id, kind, pointer, null as value, records, cast(example_id as text) as example_id
  from orphans
  union all
  select finding, store_id, kind, pointer, value, records, example_id
  from findings
  where records > 0
  union all
  select 'missing_amount', store_id, kind, pointer, null, count(*), cast(min(record_id) as text)
  from missing_amounts
  group by store_id, kind, pointer
  union all
  select
    'unknown_frequency', store_id, 'subscriptions', '/billing_frequency', billing_frequency, count(*),
    cast(min(subscription_id) as text)
  from unknown_frequencies
  group by store_id, billing_frequency
  union all
  select 'quarantined', store_id, kind, pointer, reason, count(*), min(record_id)
  from quarantined_records
  group by store_id, kind, pointer, reason
  union all
  select 'truncated_listing', store_id, kind, null, state, records, null
  from coverage
  where state in ('possibly_truncated', 'suspicious')
)
select finding, store_id, kind, pointer, value, records, example_id
from all_findings
order by finding, store_id, kind, pointer, value, example_id;
