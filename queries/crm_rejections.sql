-- What the CRM refused, why, and when it is sent again.
-- One row per record that the CRM refused and has not accepted since.
--
-- As things stand now; as_of plays no part. name is the record's name in the CRM, field the field the CRM names, value
-- what was sent in it. The record is sent again at next_at, or at once when its fields or the mapping change. A record
-- refused by several CRMs (a sandbox and the real one) stands here with its newest refusal. AMBIGUOUS_NAME: several
-- records in the CRM bear its name; nothing is sent until one is left, which is looked for at next_at.
with params as (
  select coalesce(:as_of, date('now')) as as_of
),
-- the newest refusal of each record
refusals as (
  select *, row_number() over (partition by store_id, kind, record_id order by last_at desc, target) as place
  from crm_rejections
)
select
  r.store_id, r.kind, r.record_id,
  replace(replace(s.record_name, '{store}', r.store_id), '{id}', r.record_id) as name,
  r.code, r.message, r.field, r.value, r.attempts, r.first_at, r.last_at, r.next_at
from refusals r
left join stores s on s.store_id = r.store_id
where r.place = 1
order by r.store_id, r.kind, r.record_id;
