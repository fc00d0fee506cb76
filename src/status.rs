//! `status`: per store and kind how fresh and how complete the mirror is, and what waits for the CRM.

use anyhow::Result;
use serde_json::{Value, json};

use crate::config::Config;
use crate::db::{Db, ListingStatus};

pub struct Status {
    listings: Vec<ListingStatus>,
}

/// Reads the mirror; without one, every configured kind was never listed.
pub fn read(config: &Config) -> Result<Status> {
    let mut listings = if config.paths.database.exists() {
        Db::open_reader(&config.paths.database)?.listing_status()?
    } else {
        Vec::new()
    };
    for store in &config.stores {
        for kind in store.kinds() {
            if !listings.iter().any(|row| row.store_id == store.store_id && row.kind == kind.name()) {
                listings.push(ListingStatus::never(&store.store_id, kind));
            }
        }
    }
    Ok(Status { listings })
}

impl Status {
    /// The contract's status object.
    pub fn json(&self) -> Value {
        json!({
            "command": "status", "exit": 0,
            "listings": self.listings.iter().map(|row| json!({
                "store_id": row.store_id, "kind": row.kind, "state": row.state, "last_run_at": row.last_run_at,
                "last_complete_at": row.last_complete_at, "records": row.records, "removed": row.removed,
                "quarantined": row.quarantined,
            })).collect::<Vec<_>>(),
        })
    }

    pub fn text(&self) -> String {
        let header = ["store", "kind", "state", "last complete", "records", "removed", "quarantined"];
        let rows = self.listings.iter().map(|row| {
            vec![
                row.store_id.clone(),
                row.kind.clone(),
                row.state.replace('_', " "),
                row.last_complete_at.clone().unwrap_or_else(|| "never".to_owned()),
                row.records.to_string(),
                row.removed.to_string(),
                row.quarantined.to_string(),
            ]
        });
        crate::screen::table(&header, rows, 4)
    }
}
