//! `status`: per store and kind how fresh and how complete the mirror is, what the stores sent that is unknown, and
//! what waits for the CRM.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::config::Config;
use crate::db::{Db, ListingStatus, UnknownValue};
use crate::model::Kind;
use crate::model::instant::parse_instant;
use crate::runs::{self, Runs};

pub struct Status {
    listings: Vec<ListingStatus>,
    unknown: Vec<UnknownValue>,
    database_bytes: u64,
    push: PushStatus,
    runs: Runs,
    /// Listings that are older than the age asked for.
    stale: Vec<String>,
    now: DateTime<Utc>,
}

/// What waits for the CRM.
#[derive(Default)]
pub struct PushStatus {
    /// Records that the next push would create or update.
    pub pending: Vec<(Kind, u64)>,
    /// So many linked records would change that the push stops and asks first.
    pub is_braked: bool,
    pub rejections: u64,
    pub last_push_at: Option<String>,
}

/// Unknown fields and values shown to a person; JSON has all.
const UNKNOWN_SHOWN: usize = 10;

/// Reads the mirror; without one, every configured kind was never listed.
pub fn read(config: &Config, push: PushStatus, now: DateTime<Utc>, max_age_hours: Option<u32>) -> Result<Status> {
    let path = &config.paths.database;
    let (mut listings, mut unknown) = (Vec::new(), Vec::new());
    if path.exists() {
        let db = Db::open_reader(path)?;
        listings = db.listing_status()?;
        unknown = db.unknown_values()?;
    }
    for store in &config.stores {
        for kind in store.kinds() {
            if !listings.iter().any(|row| row.store_id == store.store_id && row.kind == kind.name()) {
                listings.push(ListingStatus::never(&store.store_id, kind));
            }
        }
    }
    let stale = max_age_hours.map_or_else(Vec::new, |hours| stale(&listings, now, hours));
    let database_bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut runs = runs::read(&config.paths);
    // nobody can make good what a store that is gone did not do
    runs.failures.retain(|failed| {
        failed.store_id.as_ref().is_none_or(|known| config.stores.iter().any(|store| store.store_id == *known))
    });
    Ok(Status { listings, unknown, database_bytes, push, runs, stale, now })
}

fn stale(listings: &[ListingStatus], now: DateTime<Utc>, hours: u32) -> Vec<String> {
    let fresh = |row: &&ListingStatus| {
        let complete = row.last_complete_at.as_deref().and_then(parse_instant);
        complete.is_some_and(|complete| now - complete <= TimeDelta::hours(i64::from(hours)))
    };
    listings.iter().filter(|row| !fresh(row)).map(|row| format!("{} {}", row.store_id, row.kind)).collect()
}

impl Status {
    pub fn exit(&self) -> u8 {
        3 * u8::from(!self.stale.is_empty())
    }

    /// The contract's status object.
    pub fn json(&self) -> Value {
        json!({
            "command": "status", "exit": self.exit(),
            "listings": self.listings.iter().map(|row| json!({
                "store_id": row.store_id, "kind": row.kind, "state": row.state, "last_run_at": row.last_run_at,
                "last_complete_at": row.last_complete_at, "records": row.records, "removed": row.removed,
                "quarantined": row.quarantined,
            })).collect::<Vec<_>>(),
            "push": {
                "pending": self.push.pending.iter().map(|(kind, count)| (kind.name().to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
                "braked": self.push.is_braked, "rejections": self.push.rejections, "last_push_at": self.push.last_push_at,
            },
            "unknown_values": self.unknown.iter().map(|row| json!({
                "store_id": row.store_id, "kind": row.kind, "pointer": row.pointer, "value": row.value, "records": row.records,
            })).collect::<Vec<_>>(),
            "failures": self.runs.failures_json(), "unfinished": self.runs.unfinished_json(),
            "stale": self.stale, "database_bytes": self.database_bytes, "error": null,
        })
    }

    pub fn text(&self) -> String {
        let header = ["store", "kind", "state", "last complete", "records", "removed", "quarantined"];
        let rows = self.listings.iter().map(|row| {
            vec![
                row.store_id.clone(),
                row.kind.clone(),
                row.state.replace('_', " "),
                row.last_complete_at.as_deref().map_or_else(|| "never".to_owned(), |at| self.ago(at)),
                crate::screen::thousands(row.records),
                crate::screen::thousands(row.removed),
                crate::screen::thousands(row.quarantined),
            ]
        });
        let mut text = crate::screen::table(&header, rows, 4);
        text.push_str(&format!("\n\ndatabase: {}", crate::screen::bytes(self.database_bytes)));
        text.push_str(&self.push_line());
        text.push_str(&self.run_lines());
        for row in self.unknown.iter().take(UNKNOWN_SHOWN) {
            let what = row.value.as_ref().map_or_else(
                || "unknown field".to_owned(),
                |value| format!("unknown value {:?}", crate::screen::plain(value)),
            );
            let records = crate::screen::counted(row.records, "record", "records");
            text.push_str(&format!("\n{} {}: {what} in {} ({records})", row.store_id, row.kind, row.pointer));
        }
        if self.unknown.len() > UNKNOWN_SHOWN {
            text.push_str(&format!(
                "\n… and {} more; see: select * from unknown_values",
                self.unknown.len() - UNKNOWN_SHOWN
            ));
        }
        if !self.stale.is_empty() {
            text.push_str(&format!("\nolder than asked for: {}", self.stale.join(", ")));
        }
        text
    }

    fn push_line(&self) -> String {
        let pending: u64 = self.push.pending.iter().map(|(_, count)| count).sum();
        let last = self.push.last_push_at.as_deref().map_or_else(|| "never".to_owned(), |at| self.ago(at));
        let refused = match self.push.rejections {
            0 => String::new(),
            count => format!(", {} refused (see: storemirror report crm_rejections)", crate::screen::thousands(count)),
        };
        let braked = if self.push.is_braked {
            "\nthe next push waits for you: it would change an unusual share of the linked records;\n  see: storemirror push --dry-run, then push --allow-mass-change"
        } else {
            ""
        };
        format!("\nlast push: {last}; {} to send{refused}{braked}", crate::screen::thousands(pending))
    }

    /// Runs that failed and have not succeeded since, and runs without an end.
    fn run_lines(&self) -> String {
        let mut text = String::new();
        for failed in &self.runs.failures {
            let what = match &failed.store_id {
                Some(store_id) => format!("{store_id} {}", failed.kinds.join(", ")),
                None => "all of it".to_owned(),
            };
            let ago = self.ago(&failed.failed_at);
            text.push_str(&format!("\n`{}` failed {ago} with exit {} ({what}):", failed.run, failed.exit));
            for line in [Some(&failed.message), failed.hint.as_ref()].into_iter().flatten() {
                text.push_str(&format!("\n  {}", crate::screen::plain(line)));
            }
        }
        for (label, run) in self.runs.unfinished() {
            let ago = self.ago(&run.started_at);
            text.push_str(&format!("\n`{label}` begun {ago} has not ended: it was killed, or is still running"));
        }
        text
    }

    /// How long ago, in the unit a person would use.
    fn ago(&self, instant: &str) -> String {
        parse_instant(instant).map_or_else(|| instant.to_owned(), |then| crate::screen::ago(self.now - then))
    }
}
