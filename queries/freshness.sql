-- How fresh and how complete the mirror is: when each kind was last listed, and how that ended.
-- One row per store and kind.
--
-- The hours are counted to :now (an instant such as 2026-03-01T06:00:00Z; left out: the present). as_of plays no part.
-- state: complete, possibly_truncated (the store may have held records back), suspicious (too much was missing at
-- once, so nothing was removed) or never. last_outcome is that of the newest run, which started at last_run_at.
-- records are listed now, removed are no longer listed, quarantined are listed but could not be read.
with params as (
  select coalesce(:now, strftime('%Y-%m-%dT%H:%M:%SZ', 'now')) as now
),
-- the newest run of each store and kind
newest_runs as (
  select
    store_id, kind, started_at, outcome,
    row_number() over (partition by store_id, kind order by started_at desc, sync_run_id desc) as place
  from sync_runs
),
-- how many records of each kind were ever seen, and how many are current
counts as (
  select
    c.store_id, c.kind,
    (select count(*)
     from payloads p
     where p.store_id = c.store_id and p.kind = c.kind and p.version = 1) as seen,
    (select count(*)
     from payloads p
     where p.store_id = c.store_id and p.kind = c.kind and p.seen_until is null) as listed
  from coverage c
),
-- how many of each kind are listed now and could not be read
quarantined as (
  select store_id, kind, count(*) as records
  from quarantined_records
  group by store_id, kind
)
select
  c.store_id, c.kind, c.state,
  r.started_at as last_run_at,
  r.outcome as last_outcome,
  c.last_complete_at,
  (10 * (strftime('%s', p.now) - strftime('%s', c.last_complete_at)) + 1800) / 3600 / 10.0 as hours_since,
  n.listed as records,
  n.seen - n.listed as removed,
  coalesce(q.records, 0) as quarantined
from params p
join coverage c
join counts n on n.store_id = c.store_id and n.kind = c.kind
left join newest_runs r on r.store_id = c.store_id and r.kind = c.kind and r.place = 1
left join quarantined q on q.store_id = c.store_id and q.kind = c.kind
order by c.store_id, c.kind;
