//! The bookkeeping of listings: one `sync_runs` row per listing, what is known of each kind's completeness in
//! `coverage`, and the pages of a listing under way in `listing_pages`, from which a killed run goes on.

use anyhow::{Context, Result};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::db::removal::{Missing, remove};
use crate::db::save::{Class, SavedRecord};
use crate::db::{Db, read_rows};
use crate::model::Kind;

/// One row of `sync_runs` as it is written at the end of a listing.
#[derive(Clone, Debug, Default)]
pub struct RunRow {
    pub outcome: String,
    pub listings: u64,
    pub resumed: bool,
    pub requests: u64,
    pub pages: u64,
    pub received: u64,
    pub new: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub returned: u64,
    pub quarantined: u64,
    pub missing: u64,
    /// What the listing removes.
    pub gone: Vec<Missing>,
    pub error: Option<String>,
}

/// What is known of one kind's completeness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    pub store_id: String,
    pub kind: Kind,
    pub state: String,
    pub last_complete_at: Option<String>,
    pub last_listing_at: Option<String>,
    pub records: u64,
}

/// One line of `status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingStatus {
    pub store_id: String,
    pub kind: String,
    pub state: String,
    pub last_run_at: Option<String>,
    pub last_complete_at: Option<String>,
    pub records: u64,
    pub removed: u64,
    pub quarantined: u64,
}

/// One row of `unknown_values`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownValue {
    pub store_id: String,
    pub kind: String,
    pub pointer: String,
    pub value: Option<String>,
    pub records: u64,
}

impl ListingStatus {
    /// A kind that no listing has touched.
    pub fn never(store_id: &str, kind: Kind) -> Self {
        Self {
            store_id: store_id.to_owned(),
            kind: kind.name().to_owned(),
            state: "never".to_owned(),
            last_run_at: None,
            last_complete_at: None,
            records: 0,
            removed: 0,
            quarantined: 0,
        }
    }
}

/// Where in a listing a saved page stands.
#[derive(Clone, Debug)]
pub struct PageMark {
    pub sync_run_id: i64,
    /// 1 for the first walk of a run, 2 for the one that confirms it.
    pub listing: u32,
    /// The page's number; 0 for page 1 asked again at the end; a proof by larger pages counts down from -1.
    pub page: i64,
    pub per_page: u32,
    pub saved_at: String,
}

/// The records of one saved page, short enough to keep for every page of a listing under way.
#[derive(Serialize, Deserialize)]
struct Tally {
    /// Record ids, or `sha256:…` where there is none, with a letter for their class.
    records: Vec<(String, char)>,
}

/// A listing that a killed run left behind.
#[derive(Debug, Default)]
pub struct OpenListing {
    pub sync_run_id: i64,
    pub started_at: String,
    pub listing: u32,
    pub per_page: u32,
    pub saved_at: String,
    /// The pages of all its walks: (listing, page, records).
    pub pages: Vec<(u32, i64, Vec<SavedRecord>)>,
}

const CLASSES: [(Class, char); 6] = [
    (Class::New, 'n'),
    (Class::Changed, 'c'),
    (Class::Unchanged, 'u'),
    (Class::Returned, 'r'),
    (Class::Quarantined, 'q'),
    (Class::QuarantinedKnown, 'k'),
];

impl PageMark {
    pub(super) fn save(
        &self,
        connection: &Connection,
        store_id: &str,
        kind: Kind,
        saved: &[SavedRecord],
    ) -> Result<()> {
        let letter = |class| CLASSES.iter().find(|(known, _)| *known == class).map_or('u', |(_, letter)| *letter);
        let records = saved
            .iter()
            .map(|record| {
                let id = match (&record.record_id, &record.content_sha256) {
                    (Some(id), _) => id.clone(),
                    (None, hash) => format!("sha256:{}", hash.as_deref().unwrap_or_default()),
                };
                (id, letter(record.class))
            })
            .collect();
        let tally = serde_json::to_string(&Tally { records })?;
        connection
            .prepare_cached(
                "insert or replace into listing_pages (store_id, kind, sync_run_id, listing, page, per_page, saved_at, tally)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![store_id, kind.name(), self.sync_run_id, self.listing, self.page, self.per_page, self.saved_at, tally])?;
        Ok(())
    }
}

fn read_tally(text: &str) -> Result<Vec<SavedRecord>> {
    let tally: Tally =
        serde_json::from_str(text).context("a page of the interrupted listing cannot be read; use --no-resume")?;
    Ok(tally
        .records
        .into_iter()
        .map(|(id, letter)| {
            let class =
                CLASSES.iter().find(|(_, known)| *known == letter).map_or(Class::Unchanged, |(class, _)| *class);
            match id.strip_prefix("sha256:") {
                Some(hash) => SavedRecord { record_id: None, content_sha256: Some(hash.to_owned()), class },
                None => SavedRecord { record_id: Some(id), content_sha256: None, class },
            }
        })
        .collect())
}

impl Db {
    /// Notes a configured store and the kinds that belong to it.
    pub fn register_store(&self, store_id: &str, data_center: &str, api_url: &str, kinds: &[Kind]) -> Result<()> {
        self.write(|connection| {
            connection.execute(
                "insert into stores (store_id, data_center, api_url) values (?1, ?2, ?3)
                 on conflict (store_id) do update set data_center = excluded.data_center, api_url = excluded.api_url
                 where data_center <> excluded.data_center or api_url <> excluded.api_url",
                [store_id, data_center, api_url],
            )?;
            for kind in kinds {
                connection.execute(
                    "insert into coverage (store_id, kind, state) values (?1, ?2, 'never') on conflict do nothing",
                    [store_id, kind.name()],
                )?;
            }
            Ok(())
        })
    }

    /// Opens a `sync_runs` row. It says `interrupted` until it is finished, so that a killed run tells the truth.
    pub fn start_run(&self, store_id: &str, kind: Kind, now: &str) -> Result<i64> {
        self.write(|connection| {
            connection
                .execute("delete from listing_pages where store_id = ?1 and kind = ?2", [store_id, kind.name()])?;
            connection.execute(
                "insert into sync_runs (store_id, kind, started_at, outcome) values (?1, ?2, ?3, 'interrupted')",
                [store_id, kind.name(), now],
            )?;
            Ok(connection.last_insert_rowid())
        })
    }

    /// A listing that is taken up again is under way: until it is finished, its row says `interrupted` once more, also
    /// where the run before had the time to say that it failed.
    pub fn reopen_run(&self, sync_run_id: i64) -> Result<()> {
        self.write(|connection| {
            connection.execute(
                "update sync_runs set outcome = 'interrupted', finished_at = null, resumed = 1, error = null
                 where sync_run_id = ?1",
                [sync_run_id],
            )?;
            Ok(())
        })
    }

    /// Keeps the first page's response headers as soon as they are known.
    pub fn save_headers(&self, sync_run_id: i64, headers: &str) -> Result<()> {
        self.write(|connection| {
            connection.execute(
                "update sync_runs set first_page_headers = ?2 where sync_run_id = ?1",
                params![sync_run_id, headers],
            )?;
            Ok(())
        })
    }

    /// Removes what the listing found gone, closes its `sync_runs` row, updates coverage, and forgets the listing under
    /// way unless it can be resumed: all of it or, when killed, nothing.
    pub fn finish_run(
        &self,
        sync_run_id: i64,
        store_id: &str,
        kind: Kind,
        run: &RunRow,
        now: &str,
        finished_at: &str,
    ) -> Result<()> {
        self.write(|connection| {
            remove(connection, store_id, kind, &run.gone, now)?;
            connection.execute(
                "update sync_runs set finished_at = ?2, outcome = ?3, listings = ?4, resumed = ?5, requests = ?6, pages = ?7,
                   received = ?8, new = ?9, changed = ?10, unchanged = ?11, returned = ?12, quarantined = ?13,
                   missing = ?14, removed = ?15, error = ?16
                 where sync_run_id = ?1",
                params![
                    sync_run_id, finished_at, run.outcome, run.listings, run.resumed, run.requests, run.pages, run.received,
                    run.new, run.changed, run.unchanged, run.returned, run.quarantined, run.missing, run.gone.len(), run.error
                ],
            )?;
            if matches!(run.outcome.as_str(), "complete" | "possibly_truncated" | "suspicious") {
                connection.execute("delete from listing_pages where store_id = ?1 and kind = ?2", [store_id, kind.name()])?;
                update_coverage(connection, store_id, kind, &run.outcome, now)?;
            }
            Ok(())
        })
    }

    /// A run that had no time to list anything: it failed before its first request.
    pub fn record_failed_run(&self, store_id: &str, kind: Kind, outcome: &str, error: &str, now: &str) -> Result<()> {
        self.write(|connection| {
            connection.execute(
                "insert into sync_runs (store_id, kind, started_at, finished_at, outcome, error) values (?1, ?2, ?3, ?3, ?4, ?5)",
                [store_id, kind.name(), now, outcome, error],
            )?;
            Ok(())
        })
    }

    /// The listing a killed run left, if it left one.
    pub fn open_listing(&self, store_id: &str, kind: Kind) -> Result<Option<OpenListing>> {
        // proofs and the second look at page 1 come after the pages they looked at again
        let mut statement = self.connection.prepare_cached(
            "select p.sync_run_id, p.listing, p.page, p.per_page, p.saved_at, p.tally, r.started_at
             from listing_pages p join sync_runs r on r.sync_run_id = p.sync_run_id
             where p.store_id = ?1 and p.kind = ?2 order by p.listing, p.page <= 0, p.page",
        )?;
        let mut rows = statement.query([store_id, kind.name()])?;
        let mut open: Option<OpenListing> = None;
        while let Some(row) = rows.next()? {
            let (listing, page, saved_at): (u32, i64, String) = (row.get(1)?, row.get(2)?, row.get(4)?);
            let records = read_tally(row.get_ref(5)?.as_str()?)?;
            let open = open.get_or_insert_with(OpenListing::default);
            open.sync_run_id = row.get(0)?;
            open.started_at = row.get(6)?;
            open.listing = listing;
            if page > 0 {
                open.per_page = row.get(3)?;
            }
            open.saved_at = open.saved_at.clone().max(saved_at);
            open.pages.push((listing, page, records));
        }
        Ok(open)
    }

    pub fn coverage(&self) -> Result<Vec<Coverage>> {
        let mut statement = self
            .connection
            .prepare_cached("select store_id, kind, state, last_complete_at, last_listing_at, records from coverage")?;
        let mut rows = statement.query([])?;
        let mut coverage = Vec::new();
        while let Some(row) = rows.next()? {
            let kind: String = row.get(1)?;
            coverage.push(Coverage {
                store_id: row.get(0)?,
                kind: kind.parse().map_err(anyhow::Error::msg)?,
                state: row.get(2)?,
                last_complete_at: row.get(3)?,
                last_listing_at: row.get(4)?,
                records: row.get::<_, i64>(5)?.try_into()?,
            });
        }
        coverage.sort_by(|left: &Coverage, right| (&left.store_id, left.kind).cmp(&(&right.store_id, right.kind)));
        Ok(coverage)
    }

    pub fn listing_status(&self) -> Result<Vec<ListingStatus>> {
        self.coverage()?
            .into_iter()
            .map(|row| {
                let (store_id, kind) = (row.store_id.as_str(), row.kind);
                let last_run_at = self
                    .connection
                    .prepare_cached(
                        "select started_at from sync_runs where store_id = ?1 and kind = ?2 order by sync_run_id desc limit 1",
                    )?
                    .query_row([store_id, kind.name()], |row| row.get(0))
                    .optional()?;
                Ok(ListingStatus {
                    last_run_at,
                    records: self.count_current(store_id, kind)?,
                    removed: self.count_removed(store_id, kind)?,
                    quarantined: self.count_quarantined(store_id, kind)?,
                    kind: kind.name().to_owned(),
                    state: row.state,
                    last_complete_at: row.last_complete_at,
                    store_id: row.store_id,
                })
            })
            .collect()
    }

    pub fn unknown_values(&self) -> Result<Vec<UnknownValue>> {
        let sql = "select store_id, kind, pointer, value, records from unknown_values
             order by store_id, kind, pointer, value";
        read_rows(&self.connection, sql, [], |row| {
            Ok(UnknownValue {
                store_id: row.get(0)?,
                kind: row.get(1)?,
                pointer: row.get(2)?,
                value: row.get(3)?,
                records: row.get(4)?,
            })
        })
    }

    /// Records the store once listed and lists no more.
    fn count_removed(&self, store_id: &str, kind: Kind) -> Result<u64> {
        let all: i64 = self
            .connection
            .prepare_cached("select count(*) from payloads where store_id = ?1 and kind = ?2 and version = 1")?
            .query_row([store_id, kind.name()], |row| row.get(0))?;
        Ok(u64::try_from(all)? - self.count_current(store_id, kind)?)
    }

    /// Records of the kind that are listed now and could not be normalized or identified.
    pub fn count_quarantined(&self, store_id: &str, kind: Kind) -> Result<u64> {
        let count: Option<i64> = self
            .connection
            .prepare_cached("select count(*) from quarantined_records where store_id = ?1 and kind = ?2")?
            .query_row([store_id, kind.name()], |row| row.get(0))
            .optional()?;
        Ok(u64::try_from(count.unwrap_or(0))?)
    }
}

fn update_coverage(connection: &Connection, store_id: &str, kind: Kind, outcome: &str, now: &str) -> Result<()> {
    let complete_at = (outcome == "complete").then_some(now);
    connection.execute(
        "insert into coverage (store_id, kind, state, last_complete_at, last_listing_at, records)
         values (?1, ?2, ?3, ?4, ?5, (select count(*) from payloads indexed by payloads_current
                                      where store_id = ?1 and kind = ?2 and seen_until is null))
         on conflict (store_id, kind) do update set
           state = excluded.state, last_listing_at = excluded.last_listing_at, records = excluded.records,
           last_complete_at = coalesce(excluded.last_complete_at, last_complete_at)",
        params![store_id, kind.name(), outcome, complete_at, now],
    )?;
    if outcome == "complete" && kind == Kind::Subscriptions {
        connection.execute(
            "update stores set first_complete_at = ?2 where store_id = ?1 and first_complete_at is null",
            [store_id, now],
        )?;
    }
    Ok(())
}
