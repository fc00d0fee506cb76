-- The day a commission became requested, was paid, offset or removed, as the mirror saw it.
-- One row per change of a commission's state.
--
-- :days integer = 90  days before as_of to look at
--
-- seen_at is when the mirror first saw the new state; the store may have changed it since the listing before. A
-- commission seen for the first time has changed nothing. An active or requested commission that the store no longer
-- lists becomes removed; when it is listed again, it changes from removed to what it is then.
-- payout_id is the one named in the new state. Commissions dated after as_of do not exist yet.
with params as (
  select coalesce(:as_of, date('now')) as as_of, coalesce(:days, 90) as days
),
-- the first and the last day looked at
period as (
  select date(as_of, (1 - days) || ' days') as first_day, as_of as last_day, date(as_of, '1 day') as end_day
  from params
),
-- versions that the period brought, each with the state that the version before it ended in
versions as (
  select
    v.store_id, v.commission_id, v.version, v.seen_from as seen_at, v.payout_id,
    case when b.removed_day is not null and b.state in ('active', 'requested') then 'removed' else b.state end
      as from_state,
    v.state as to_state
  from period p
  cross join commission_versions v
    on v.version > 1 and v.seen_from >= p.first_day and v.seen_from < p.end_day
  join commission_versions b
    on b.store_id = v.store_id and b.commission_id = v.commission_id
    and b.version = (
      select max(o.version) from commission_versions o
      where o.store_id = v.store_id and o.commission_id = v.commission_id and o.version < v.version)
),
-- removals of what was owed; the instant is that of the listing that lacked it
removals as (
  select
    v.store_id, v.commission_id, v.version,
    case when substr(v.seen_until, 1, 10) = v.removed_day then v.seen_until else v.removed_day || 'T00:00:00Z' end
      as seen_at,
    v.payout_id, v.state as from_state, 'removed' as to_state
  from period p
  cross join commission_versions v on v.removed_day between p.first_day and p.last_day
  where v.state in ('active', 'requested')
),
changes as (
  select store_id, commission_id, version, seen_at, payout_id, from_state, to_state
  from versions
  where from_state is not to_state
  union all
  select store_id, commission_id, version, seen_at, payout_id, from_state, to_state
  from removals
)
select
  c.seen_at, c.store_id, c.commission_id, r.company_name, r.service_name, c.from_state, c.to_state, r.payout_currency,
  r.net_payout_micros / 1000000.0 as net_payout,
  c.payout_id
from period p
join changes c
join commission_records r on r.store_id = c.store_id and r.commission_id = c.commission_id
where coalesce(r.commission_day, '') <= p.last_day
order by c.seen_at, c.store_id, c.commission_id, c.version, c.to_state = 'removed';
