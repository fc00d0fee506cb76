//! The mirror file as a trial looks at it: what must hold at every moment, and at the end.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::Value;
use storemirror::sim::World;

use super::storm::NAMELESS;
use crate::support::Bench;

/// Payloads and everything derived from them.
pub const ALL_TABLES: &[&str] = &[
    "payloads",
    "subscription_records",
    "subscription_addons",
    "transaction_records",
    "commission_records",
    "lead_records",
    "subscription_versions",
    "commission_versions",
    "customers",
    "services",
    "plans",
    "findings",
];

/// Queries that find nothing in a sound mirror, at any moment.
const NEVER: [(&str, &str); 10] = [
    (
        "a version that does not begin where the one before ended, or after it",
        "select n.record_id from payloads n
         left join payloads p on p.store_id = n.store_id and p.kind = n.kind and p.record_id = n.record_id
           and p.version = n.version - 1
         where n.version > 1 and (p.seen_until is null or p.seen_until > n.seen_from)",
    ),
    ("a version that ends before it begins", "select record_id from payloads where seen_until < seen_from"),
    (
        "versions that do not count up from 1, or several open ones",
        "select record_id from payloads group by store_id, kind, record_id
         having min(version) <> 1 or max(version) <> count(*) or sum(seen_until is null) > 1",
    ),
    (
        "a run that is finished and interrupted, or neither",
        "select sync_run_id from sync_runs where (outcome = 'interrupted') <> (finished_at is null)",
    ),
    (
        "typed versions that do not partition the days",
        "select subscription_id from (
           select *, lead(from_day) over w as next, lag(version) over w as before from subscription_versions
           window w as (partition by store_id, subscription_id order by version))
         where until_day <> coalesce(next, '9999-12-31') or (before is null and from_day <> '0000-01-01') or from_day > until_day",
    ),
    (
        "typed versions that do not partition the days",
        "select commission_id from (
           select *, lead(from_day) over w as next, lag(version) over w as before from commission_versions
           window w as (partition by store_id, commission_id order by version))
         where until_day <> coalesce(next, '9999-12-31') or (before is null and from_day <> '0000-01-01') or from_day > until_day",
    ),
    (
        "a typed version that ends at another instant than its payload",
        "select v.subscription_id from subscription_versions v
         join payloads p on p.store_id = v.store_id and p.kind = 'subscriptions'
           and p.record_id = cast(v.subscription_id as text) and p.version = v.version
         where v.seen_from is not p.seen_from or v.seen_until is not p.seen_until",
    ),
    (
        "a payload without a row and without a place in quarantine",
        "select p.record_id from payloads p
         where p.seen_until is null
           and not exists (select 1 from quarantine q where q.store_id = p.store_id and q.kind = p.kind and q.record_id = p.record_id)
           and not exists (select 1 from subscription_records r where r.payload_id = p.payload_id and p.kind = 'subscriptions')
           and not exists (select 1 from transaction_records r where r.payload_id = p.payload_id and p.kind = 'transactions')
           and not exists (select 1 from commission_records r where r.payload_id = p.payload_id and p.kind = 'commissions')
           and not exists (select 1 from lead_records r where r.payload_id = p.payload_id and p.kind = 'leads')",
    ),
    (
        "a record that is in quarantine twice",
        "select record_id from quarantine where record_id is not null group by store_id, kind, record_id having count(*) > 1",
    ),
    ("a broken file", "select * from pragma_integrity_check where integrity_check <> 'ok'"),
];

/// Per kind: table, key, and columns that stand in the payload under their own names.
const ROWS: [(&str, &str, &str, &[&str]); 4] = [
    ("subscriptions", "subscription_records", "subscription_id", &["status", "org_name", "plan_name", "currency"]),
    ("transactions", "transaction_records", "transaction_id", &["description", "service_name", "transaction_type"]),
    ("commissions", "commission_records", "commission_id", &["status", "entity", "payout_id"]),
    ("leads", "lead_records", "lead_id", &["status", "org_name", "plan_name"]),
];

pub struct Mirror {
    connection: Connection,
    seed: u64,
}

impl Mirror {
    pub fn open(path: &Path, seed: u64) -> Self {
        Self { connection: Connection::open(path).expect("the mirror opens"), seed }
    }

    /// All rows of a query, each as one line.
    fn lines(&self, sql: &str) -> Vec<String> {
        let mut statement = self.connection.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("a query");
        let mut lines = Vec::new();
        while let Some(row) = rows.next().expect("a row") {
            let values: Vec<String> = (0..columns).map(|column| text(row.get_ref(column).expect("a value"))).collect();
            lines.push(values.join("|"));
        }
        lines
    }

    #[track_caller]
    fn finds_nothing(&self, what: &str, sql: &str) {
        let found = self.lines(sql);
        assert!(found.is_empty(), "seed {}: {what}: {:?}", self.seed, &found[..found.len().min(5)]);
    }

    /// A killed run may not have got as far as making the tables.
    fn is_empty(&self) -> bool {
        self.lines("select 1 from sqlite_schema where name = 'data_dictionary'").is_empty()
    }

    /// What holds after any run, however it ended.
    pub fn is_sound(&self) {
        if self.is_empty() {
            return;
        }
        for (what, sql) in NEVER {
            self.finds_nothing(what, sql);
        }
        for (kind, table, key, _) in ROWS {
            self.finds_nothing(
                "a row that is removed while its record is listed, or the other way round",
                &format!(
                    "select r.{key} from {table} r join payloads p on p.payload_id = r.payload_id
                     where p.kind <> '{kind}' or r.removed_at is not p.seen_until or cast(r.{key} as text) <> p.record_id
                       or p.version <> (select max(version) from payloads l where l.store_id = p.store_id
                                        and l.kind = p.kind and l.record_id = p.record_id)"
                ),
            );
        }
    }

    /// Every listed record is current in the mirror with the store's content, and nothing else is missing.
    pub fn holds(&self, world: &World, store: &str, kind: &str) {
        let current = self.current(store, kind);
        for record in world.store(store).records(kind) {
            if record.id == NAMELESS {
                continue;
            }
            let Some(body) = current.get(&record.id) else {
                panic!("seed {}: {store} {kind} {} is not in the mirror", self.seed, record.id);
            };
            if *body != record.json {
                let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
                assert_eq!(value(body), value(&record.json), "seed {}: {store} {kind} {}", self.seed, record.id);
            }
        }
    }

    fn current(&self, store: &str, kind: &str) -> BTreeMap<String, String> {
        let sql = "select record_id, body from payloads where store_id = ?1 and kind = ?2 and seen_until is null";
        let mut statement = self.connection.prepare(sql).expect("a query");
        let rows = statement.query_map([store, kind], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    }

    /// The listing of a finished run as `sync_runs` and `coverage` tell it.
    pub fn knows_of(&self, listing: &Value) {
        let (store, kind) = (listing["store_id"].as_str().expect("a store"), listing["kind"].as_str().expect("a kind"));
        let names = ["received", "new", "changed", "unchanged", "returned", "quarantined", "missing", "removed"];
        let count = |name: &str| listing[name].as_u64().expect("a count");
        let classes: u64 = names[1..6].iter().map(|name| count(name)).sum();
        assert_eq!(count("received"), classes, "seed {}: {listing}", self.seed);
        let counts: Vec<String> = names.iter().map(|name| count(name).to_string()).collect();
        let outcome = listing["outcome"].as_str().expect("an outcome");
        // a listing taken up again has the row it began with, which may be older than that of a run in between
        let told = self.lines(&format!(
            "select outcome, {} from sync_runs where store_id = '{store}' and kind = '{kind}' and finished_at is not null
             order by finished_at desc, sync_run_id desc limit 5",
            names.join(", ")
        ));
        let said = format!("{outcome}|{}", counts.join("|"));
        assert!(told.contains(&said), "seed {}: {listing}: {told:?}", self.seed);
        if matches!(outcome, "complete" | "possibly_truncated" | "suspicious") {
            let covered = self
                .lines(&format!("select state, records from coverage where store_id = '{store}' and kind = '{kind}'"));
            assert_eq!(covered, [format!("{outcome}|{}", self.current(store, kind).len())], "seed {}", self.seed);
        }
    }

    /// The store's records are the mirror's current ones, all else is removed with its values, and rows say what their
    /// payloads say.
    pub fn is_the_store(&self, world: &World, lists: &[(&str, &str)]) {
        for (store, kind) in lists {
            self.holds(world, store, kind);
            let listed = world.store(store).count(kind);
            assert_eq!(self.current(store, kind).len(), listed, "seed {}: {store} {kind} holds too much", self.seed);
            let covered = self
                .lines(&format!("select state, records from coverage where store_id = '{store}' and kind = '{kind}'"));
            assert_eq!(covered, [format!("complete|{listed}")], "seed {}: {store} {kind}", self.seed);
        }
        for (kind, table, _, columns) in ROWS {
            for column in columns {
                self.finds_nothing(
                    "a row that says something else than its payload",
                    &format!(
                        "select r.{column}, json_extract(p.body, '$.{column}') from {table} r
                         join payloads p on p.payload_id = r.payload_id
                         where r.{column} is not json_extract(p.body, '$.{column}')
                           and json_extract(p.body, '$.{column}') not in ('-', '-0', '--', '')
                           and json_extract(p.body, '$.{column}') not like '%&%'
                           and not exists (select 1 from quarantine q where q.store_id = p.store_id and q.kind = '{kind}'
                                           and q.record_id = p.record_id)"
                    ),
                );
            }
        }
        let (open, left) = ("select count(*) from listing_pages", "pages of a listing that is over");
        assert_eq!(self.lines(open), ["0"], "seed {}: {left}", self.seed);
    }

    /// Every row of some tables, to be compared with itself later.
    pub fn dump(&self, tables: &[&str]) -> Vec<String> {
        let mut lines = Vec::new();
        for table in tables {
            lines.push((*table).to_owned());
            let mut rows = self.lines(&format!("select * from {table}"));
            rows.sort();
            lines.extend(rows);
        }
        lines
    }

    /// Two dumps are the same; shows what only one of them has.
    pub fn is_unchanged(&self, before: &[String], after: &[String], what: &str) {
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these.iter().filter(|line| !those.contains(line)).take(3).cloned().collect()
        };
        assert!(
            before == after,
            "seed {}: {what}: {:#?} became {:#?}",
            self.seed,
            only(before, after),
            only(after, before)
        );
    }

    pub fn is_what_a_rebuild_makes(&self, bench: &Bench) {
        let tables = [ALL_TABLES, &["quarantine"]].concat();
        let before = self.dump(&tables);
        let ran = bench.run(&["rebuild", "--json"]);
        let answer = ran.json();
        assert_eq!(answer["changed"], serde_json::json!([]), "seed {}: {answer}", self.seed);
        let quarantined = answer["quarantined"].as_u64() > Some(0);
        assert_eq!(ran.exit, if quarantined { 3 } else { 0 }, "seed {}: {answer}", self.seed);
        self.is_unchanged(&before, &self.dump(&tables), "a rebuild makes something else");
    }

    /// A row of a fresh mirror stands here too, but for what is this mirror's own history.
    pub fn has_the_rows_of(&self, fresh: &Self) {
        for (kind, table, key, _) in ROWS {
            let own = ["payload_id", "first_seen_at", "changed_at"];
            let columns: Vec<String> = self
                .lines(&format!("select name from pragma_table_info('{table}')"))
                .into_iter()
                .filter(|name| !own.contains(&name.as_str()))
                .collect();
            let rows = |mirror: &Self| {
                // a record that cannot be read now has a row only where it could be read once
                mirror.lines(&format!(
                    "select {} from {table} r where removed_at is null and not exists (
                       select 1 from quarantine q where q.store_id = r.store_id and q.kind = '{kind}'
                         and q.record_id = cast(r.{key} as text)) order by store_id, {key}",
                    columns.join(", ")
                ))
            };
            self.is_unchanged(&rows(self), &rows(fresh), &format!("a fresh {table} is another"));
        }
    }
}

fn text(value: ValueRef) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}
