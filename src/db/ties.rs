//! What must hold between the tables of a mirror, whatever it holds: versions, rows, links and counts that belong together.
//! Each tie is a line; a file in which all hold is one that an ingest could have left.

use anyhow::Result;

use crate::db::Db;
use crate::model::Kind;
use crate::model::json::content_sha256;

/// One tie, looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    pub name: &'static str,
    /// What holds when it does.
    pub promise: &'static str,
    /// How often it does not.
    pub broken: u64,
}

/// The tie that a rebuild mends.
pub const DERIVED: &str = "derived";

/// A tie of the whole file: name, promise, and a statement with one row for each place where it does not hold.
type Line = (&'static str, &'static str, &'static str);

const TIES: &[Line] = &[
    (
        "versions",
        "the versions of each record count from 1 without a gap",
        "select 1 from payloads group by store_id, kind, record_id having min(version) <> 1 or max(version) <> count(*)",
    ),
    (
        "current",
        "at most one version of each record is current, and it is the newest",
        "select 1 from payloads p where p.seen_until is null and exists (
           select 1 from payloads n
           where n.store_id = p.store_id and n.kind = p.kind and n.record_id = p.record_id and n.version > p.version)",
    ),
    (
        "coverage",
        "the counts of the last listings are those of the current versions",
        // a listing that was cut short has saved pages that no count knows of yet
        "select 1 from coverage c
         where (select outcome from sync_runs r where r.store_id = c.store_id and r.kind = c.kind
                order by sync_run_id desc limit 1) in ('complete', 'possibly_truncated', 'suspicious')
           and c.records <> (select count(*) from payloads p
                             where p.store_id = c.store_id and p.kind = c.kind and p.seen_until is null)",
    ),
    (
        "links",
        "every CRM link is that of a record",
        "select 1 from crm_links l where not exists (
           select 1 from payloads p where p.store_id = l.store_id and p.kind = l.kind and p.record_id = l.record_id)",
    ),
    (
        "statements",
        "every frozen month has all its rows",
        "select 1 from statements s
         where s.records <> (select count(*) from statement_rows r where r.month = s.month)",
    ),
];

/// Ties of each kind: `{records}`, `{key}` and `{kind}` stand for its own.
const KIND_TIES: &[Line] = &[
    (
        "rows",
        "every row is derived from the newest version of its record",
        "select 1 from {records} r left join payloads p on p.payload_id = r.payload_id
         where p.payload_id is null or p.store_id <> r.store_id or p.kind <> '{kind}'
           or p.record_id <> cast(r.{key} as text) or (p.seen_until is null) <> (r.removed_at is null)
           or exists (select 1 from payloads n where n.store_id = p.store_id and n.kind = p.kind
                      and n.record_id = p.record_id and n.version > p.version)",
    ),
    (
        "records",
        "every record has a row, or stands in quarantine",
        "select 1 from payloads p
         where p.kind = '{kind}' and p.version = 1
           and not exists (select 1 from {records} r where r.store_id = p.store_id and cast(r.{key} as text) = p.record_id
                           and r.{key} = p.record_id)
           and not exists (select 1 from quarantine q where q.store_id = p.store_id and q.kind = p.kind
                           and q.record_id = p.record_id)",
    ),
];

impl Db {
    /// Looks at every tie.
    pub fn ties(&self) -> Result<Vec<Tie>> {
        let mut ties = Vec::new();
        for &(name, promise, sql) in TIES {
            ties.push(Tie { name, promise, broken: self.count_rows(sql)? });
        }
        for &(name, promise, sql) in KIND_TIES {
            let mut broken = 0;
            for table in Kind::ALL.map(Kind::table) {
                let sql = sql.replace("{records}", table.records).replace("{key}", table.key);
                broken += self.count_rows(&sql.replace("{kind}", table.view))?;
            }
            ties.push(Tie { name, promise, broken });
        }
        ties.push(Tie {
            name: "contents",
            promise: "every payload is the text its hash was made of",
            broken: self.changed_bodies()?,
        });
        Ok(ties)
    }

    /// What a rebuild would make otherwise, as one more tie. It is made: only for a copy.
    pub fn rebuild_tie(&self) -> Result<Tie> {
        let changed = self.rebuild(&|_| ())?.changed;
        let broken = changed.values().map(|(before, after)| before.max(after)).sum();
        Ok(Tie { name: DERIVED, promise: "what is derived is what the payloads make", broken })
    }

    fn count_rows(&self, select: &str) -> Result<u64> {
        Ok(self.connection().query_row(&format!("select count(*) from ({select})"), [], |row| row.get(0))?)
    }

    fn changed_bodies(&self) -> Result<u64> {
        let mut statement = self.connection().prepare("select content_sha256, body from payloads")?;
        let mut rows = statement.query([])?;
        let mut changed = 0;
        while let Some(row) = rows.next()? {
            let (hash, body) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
            changed += u64::from(content_sha256(body) != hash);
        }
        Ok(changed)
    }
}
