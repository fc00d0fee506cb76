-- Customers whose personal data was taken out of the mirror, so that no later listing brings it back; and the one change
-- that a frozen statement knows: who a commission was earned on is forgotten, never what it came to.

-- Nothing here says who it was. customer is the pseudonym that stands where the customer's identifiers stood.
create table forgotten (
  store_id     text not null,
  kind         text not null,
  record_id    text not null,
  customer     text not null,
  forgotten_at text not null,
  primary key (store_id, kind, record_id)
) strict, without rowid;

-- Salted hashes of the customers' keys and addresses: a new record of a forgotten customer is known by them.
create table forgotten_marks (
  mark         text not null primary key,
  forgotten_at text not null
) strict, without rowid;

create table statement_redactions (
  statement_redaction_id integer primary key,
  month                  text not null,
  redacted_at            text not null,
  rows                   integer not null,
  sha256                 text not null
) strict;
create index statement_redactions_by_month on statement_redactions (month);

drop trigger statement_rows_stay;
create trigger statement_rows_stay before update on statement_rows
when not (
  new.month = old.month and new.store_id = old.store_id and new.commission_id = old.commission_id
  and new.commission_day = old.commission_day and new.type is old.type and new.commission_type is old.commission_type
  and new.state is old.state and new.payout_id is old.payout_id and new.entity is old.entity
  and new.payout_currency is old.payout_currency and new.net_payout_micros is old.net_payout_micros
  and new.balance_payout_micros is old.balance_payout_micros
  and new.payout_amount_micros is old.payout_amount_micros and new.net_usd_micros is old.net_usd_micros
  and new.currency is old.currency and new.exchange_rate is old.exchange_rate
  and new.commission_micros is old.commission_micros and new.eligible_amount_micros is old.eligible_amount_micros
  and new.eligible_currency is old.eligible_currency and new.rate_basis_points is old.rate_basis_points
  and new.subscription_id is old.subscription_id and new.transaction_id is old.transaction_id
  and new.service_name is old.service_name and new.removed_at is old.removed_at
  and (new.company_name is null or new.company_name is old.company_name)
  and (new.customer_id glob 'forgotten-*' or new.customer_id is old.customer_id)
  and exists (
    select 1 from forgotten f
    where f.store_id = old.store_id and f.kind = 'commissions' and f.record_id = cast(old.commission_id as text))
)
begin
  select raise(abort, 'a frozen statement never changes');
end;
