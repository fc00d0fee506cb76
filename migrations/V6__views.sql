-- The four kinds as a person reads them: plain numbers, real columns, removal applied.

create view subscriptions as
select
  r.store_id, r.subscription_id, r.customer_id, r.org_id, r.org_name, r.company_name, r.email, r.country,
  r.service_id, r.service_name, r.plan_id, r.plan_name, r.business_category, r.status,
  case when r.status = 'active' and r.removed_at is null then 1 else 0 end as is_live,
  r.billing_frequency, r.pricing_type, r.subscription_type, r.currency,
  r.next_recurring_amount_micros / 1000000.0 as next_recurring_amount,
  r.next_recurring_amount_usd_micros / 1000000.0 as next_recurring_amount_usd,
  r.next_recurring_date, r.subscription_start_date, r.subscription_end_date, r.paid_users,
  case when r.removed_at is null then r.mrr_usd_micros / 1000000.0 end as mrr_usd,
  r.profile_id, r.zuid, r.custom_id, r.customer_type, r.source, r.license_description, r.registration_date,
  r.total_revenue_micros / 1000000.0 as total_revenue, r.partner_mapping_date,
  r.address, r.city, r.state, r.zip, r.phone, r.fax, r.main_contact,
  r.first_seen_at, r.changed_at, r.removed_at, p.body as payload
from subscription_records r
left join payloads p on p.payload_id = r.payload_id;

create view transactions as
select
  r.store_id, r.transaction_id, r.subscription_id, s.customer_id, r.transaction_type, r.transaction_at,
  r.transaction_day, r.description,
  r.amount_micros / 1000000.0 as amount, r.usd_amount_micros / 1000000.0 as usd_amount, r.currency,
  r.billing_frequency, r.service_id, r.service_name, r.plan_id, r.plan_name, r.pricing_type, r.done_by_type,
  r.invoice_id, r.invoice_number, r.profile_id, r.subscription_type, r.transaction_date, r.pay_period,
  r.next_recurring_date,
  r.first_seen_at, r.changed_at, r.removed_at, p.body as payload
from transaction_records r
left join subscription_records s on s.store_id = r.store_id and s.subscription_id = r.subscription_id
left join payloads p on p.payload_id = r.payload_id;

create view commissions as
select
  r.store_id, r.commission_id, r.subscription_id, r.transaction_id,
  coalesce(s.customer_id, r.own_customer_id) as customer_id,
  r.type, r.commission_type, r.status,
  case when r.removed_at is not null and r.state in ('active', 'requested') then 'removed' else r.state end as state,
  r.commission_day, r.payout_id, r.entity, r.currency, r.payout_currency,
  cast(r.exchange_rate as real) as exchange_rate,
  r.commission_micros / 1000000.0 as commission,
  r.net_payout_micros / 1000000.0 as net_payout,
  r.net_usd_micros / 1000000.0 as net_usd,
  case when r.removed_at is not null and r.state in ('active', 'requested') then null
       else r.balance_payout_micros / 1000000.0 end as balance_payout,
  r.payout_amount_micros / 1000000.0 as payout_amount,
  r.eligible_amount_micros / 1000000.0 as eligible_amount, r.eligible_currency,
  r.rate_basis_points / 10000.0 as rate,
  r.company_name, r.email, r.service_name, r.service_id, r.profile_id, r.country,
  r.transaction_date, r.transaction_amount_micros / 1000000.0 as transaction_amount, r.transaction_currency,
  r.transaction_description, r.allotted_day, r.sign, r.own_customer_id,
  r.base_commission_micros / 1000000.0 as base_commission,
  r.payout_commission_micros / 1000000.0 as payout_commission,
  r.balance_commission_micros / 1000000.0 as balance_commission,
  r.eligible_usd_amount_micros / 1000000.0 as eligible_usd_amount,
  r.usd_commission_micros / 1000000.0 as usd_commission,
  r.currency_symbol, r.usd_currency_symbol,
  r.first_seen_at, r.changed_at, r.removed_at, p.body as payload
from commission_records r
left join subscription_records s on s.store_id = r.store_id and s.subscription_id = r.subscription_id
left join payloads p on p.payload_id = r.payload_id;

create view leads as
select
  r.store_id, r.lead_id, r.org_id, r.org_name, r.company_name, r.email, r.country, r.service_id, r.service_name,
  r.plan_id, r.plan_name, r.billing_frequency, r.registration_date, r.subscription_id, r.customer_id, r.status,
  r.profile_id, r.zuid, r.custom_id, r.customer_type, r.source, r.business_category, r.addons,
  r.license_description, r.paid_users, r.pricing_type, r.subscription_type, r.currency,
  r.next_recurring_amount_micros / 1000000.0 as next_recurring_amount,
  r.next_recurring_amount_usd_micros / 1000000.0 as next_recurring_amount_usd,
  r.next_recurring_date, r.subscription_start_date,
  r.total_revenue_micros / 1000000.0 as total_revenue, r.partner_mapping_date,
  r.address, r.city, r.state, r.zip, r.phone, r.fax, r.main_contact,
  r.first_seen_at, r.changed_at, r.removed_at, p.body as payload
from lead_records r
left join payloads p on p.payload_id = r.payload_id;
