-- Which CRM account a customer is: what a push found when it asked, so that a later one need not ask again.

create table crm_accounts (
  target       text not null,
  match_field  text not null,
  value        text not null,
  crm_id       text,
  matches      integer not null,
  looked_up_at text not null,
  primary key (target, match_field, value)
) strict, without rowid;
