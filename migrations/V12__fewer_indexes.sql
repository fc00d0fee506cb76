-- Two indexes of commissions less: each of a listing's commissions pays for every one of them, and what they answered
-- is answered by a neighbour.

-- commission_records_revenue begins with the same three columns.
drop index commission_records_by_subscription;

-- One index over all commissions of a sale instead of one over all of them and one over those that are no reversal.
drop index commission_records_by_sale;
drop index commission_records_by_transaction;
create index commission_records_by_transaction
on commission_records (store_id, transaction_id, commission_day, type);

insert into sqlite_stat1 (tbl, idx, stat) values
  ('commission_records', 'commission_records_by_transaction', '800000 400000 2 1 1');
