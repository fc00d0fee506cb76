//! What `verify` says: one coverage line per store and kind, with what differs between the store and the mirror.

use serde_json::{Value, json};

use crate::failure::worst;
use crate::ingest::summary::{Listing, Summary};

pub struct VerifySummary(pub Summary);

/// How a listing differs from the mirror.
struct Difference {
    /// Listed, and not (or not any more) in the mirror.
    not_mirrored: u64,
    changed: u64,
    /// In the mirror as current, and not listed.
    not_listed: u64,
}

fn difference(listing: &Listing) -> Difference {
    let counts = listing.counts;
    Difference {
        not_mirrored: counts.new + counts.returned + counts.quarantined,
        changed: counts.changed,
        not_listed: listing.missing,
    }
}

fn exit(listing: &Listing) -> u8 {
    let found = difference(listing);
    let differs = found.not_mirrored + found.changed + found.not_listed > 0;
    worst([listing.exit(), 3 * u8::from(differs)])
}

impl VerifySummary {
    pub fn exit(&self) -> u8 {
        worst(self.0.listings.iter().map(exit))
    }

    pub fn json(&self) -> Value {
        let listings = self.0.listings.iter().map(|listing| {
            let found = difference(listing);
            json!({
                "store_id": listing.store_id, "kind": listing.kind.name(), "outcome": listing.outcome.name(),
                "requests": listing.requests, "listed": listing.counts.received, "in_mirror": listing.in_mirror,
                "not_mirrored": found.not_mirrored, "changed": found.changed, "not_listed": found.not_listed,
                "examples": { "differing": listing.differing, "not_listed": listing.not_listed },
                "error": listing.message(),
            })
        });
        json!({
            "command": "verify", "version": env!("CARGO_PKG_VERSION"), "started_at": self.0.started_at,
            "finished_at": self.0.finished_at, "exit": self.exit(), "listings": listings.collect::<Vec<_>>(), "error": null,
        })
    }

    pub fn text(&self) -> String {
        let header = ["store", "kind", "outcome", "listed", "mirrored", "new", "changed", "gone"];
        let rows = self.0.listings.iter().map(|listing| {
            let found = difference(listing);
            let numbers =
                [listing.counts.received, listing.in_mirror, found.not_mirrored, found.changed, found.not_listed];
            let texts =
                [listing.store_id.clone(), listing.kind.name().to_owned(), listing.outcome.name().replace('_', " ")];
            texts.into_iter().chain(numbers.map(crate::screen::thousands)).collect()
        });
        let mut text = crate::screen::table(&header, rows, 3);
        for listing in &self.0.listings {
            let place = format!("{} {}", listing.store_id, listing.kind);
            let mut lines: Vec<String> = listing.message().map(str::to_owned).into_iter().collect();
            if !listing.differing.is_empty() {
                lines.push(format!("the mirror differs, for example in {}", listing.differing.join(", ")));
            }
            if !listing.not_listed.is_empty() {
                lines.push(format!("no longer listed, for example {}", listing.not_listed.join(", ")));
            }
            text.extend(lines.into_iter().map(|line| format!("\n{place}: {line}")));
        }
        text
    }
}
