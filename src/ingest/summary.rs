//! What an ingest says of itself: the contract's JSON, the exit code, and the lines a person reads.

use serde_json::{Value, json};

use crate::failure::{Failure, worst};
use crate::ingest::walk::Counts;
use crate::model::Kind;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Complete,
    PossiblyTruncated,
    Suspicious,
    Interrupted,
    Failed,
    Skipped,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::PossiblyTruncated => "possibly_truncated",
            Self::Suspicious => "suspicious",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What came of one kind of one store.
#[derive(Clone, Debug)]
pub struct Listing {
    pub store_id: String,
    pub kind: Kind,
    pub outcome: Outcome,
    pub listings: u64,
    pub resumed: bool,
    pub requests: u64,
    pub pages: u64,
    pub counts: Counts,
    pub missing: u64,
    pub removed: u64,
    pub error: Option<String>,
    pub failure: Option<Failure>,
    /// The failure would meet every other kind of the store too.
    pub is_hopeless: bool,
    /// Of `verify` alone: current records in the mirror, and some ids that differ or are listed no more.
    pub in_mirror: u64,
    pub differing: Vec<String>,
    pub not_listed: Vec<String>,
}

impl Listing {
    pub fn new(store_id: &str, kind: Kind) -> Self {
        Self {
            store_id: store_id.to_owned(),
            kind,
            outcome: Outcome::Interrupted,
            listings: 0,
            resumed: false,
            requests: 0,
            pages: 0,
            counts: Counts::default(),
            missing: 0,
            removed: 0,
            error: None,
            failure: None,
            is_hopeless: false,
            in_mirror: 0,
            differing: Vec::new(),
            not_listed: Vec::new(),
        }
    }

    pub(super) fn exit(&self) -> u8 {
        match (&self.failure, self.outcome) {
            (Some(failure), _) => failure.code.exit(),
            (None, Outcome::Complete) => 3 * u8::from(self.counts.quarantined > 0 || self.missing > 0),
            (None, Outcome::PossiblyTruncated | Outcome::Suspicious) => 3,
            (None, Outcome::Interrupted) => 130,
            (None, Outcome::Failed | Outcome::Skipped) => 1,
        }
    }

    fn json(&self) -> Value {
        let counts = self.counts;
        json!({
            "store_id": self.store_id, "kind": self.kind.name(), "outcome": self.outcome.name(),
            "listings": self.listings, "resumed": self.resumed, "requests": self.requests, "pages": self.pages,
            "received": counts.received, "new": counts.new, "changed": counts.changed, "unchanged": counts.unchanged,
            "returned": counts.returned, "quarantined": counts.quarantined, "missing": self.missing,
            "removed": self.removed, "error": self.message(),
        })
    }

    pub(super) fn message(&self) -> Option<&str> {
        self.error.as_deref().or(self.failure.as_ref().map(|failure| failure.message.as_str()))
    }

    /// What a person should do about it, if anything.
    pub fn advice(&self) -> Option<String> {
        match self.outcome {
            Outcome::Suspicious => Some(format!(
                "{} known records were not listed; nothing was removed. If that is right: storemirror ingest {} --store {} --accept-removals",
                self.missing, self.kind, self.store_id
            )),
            Outcome::PossiblyTruncated => {
                Some("the store did not prove that this was all; nothing was removed".to_owned())
            }
            _ if self.counts.quarantined > 0 => {
                Some("quarantined records are kept; see: select * from quarantine".to_owned())
            }
            _ => None,
        }
    }
}

type Count = fn(&Listing) -> u64;

/// The columns of the table for a person: title, count, and whether it is shown when every listing has none.
const COUNTS: [(&str, Count, bool); 6] = [
    ("records", |listing| listing.counts.received, true),
    ("new", |listing| listing.counts.new, true),
    ("changed", |listing| listing.counts.changed, true),
    ("returned", |listing| listing.counts.returned, false),
    ("removed", |listing| listing.removed, false),
    ("quarantined", |listing| listing.counts.quarantined, false),
];

#[derive(Clone, Debug)]
pub struct Summary {
    pub started_at: String,
    pub finished_at: String,
    pub listings: Vec<Listing>,
}

impl Summary {
    pub fn exit(&self) -> u8 {
        worst(self.listings.iter().map(Listing::exit))
    }

    /// The contract's ingest object.
    pub fn json(&self) -> Value {
        let total = |count: fn(&Listing) -> u64| self.listings.iter().map(count).sum::<u64>();
        let failure = self.listings.iter().find_map(|listing| listing.failure.as_ref());
        json!({
            "command": "ingest", "version": env!("CARGO_PKG_VERSION"),
            "started_at": self.started_at, "finished_at": self.finished_at, "exit": self.exit(),
            "listings": self.listings.iter().map(Listing::json).collect::<Vec<_>>(),
            "totals": {
                "received": total(|listing| listing.counts.received), "new": total(|listing| listing.counts.new),
                "changed": total(|listing| listing.counts.changed), "unchanged": total(|listing| listing.counts.unchanged),
                "returned": total(|listing| listing.counts.returned),
                "quarantined": total(|listing| listing.counts.quarantined), "removed": total(|listing| listing.removed),
            },
            "error": failure.map(crate::failure::json),
        })
    }

    /// A table of the listings, then what needs a person.
    pub fn text(&self) -> String {
        let shown: Vec<&(&str, Count, bool)> = COUNTS
            .iter()
            .filter(|(_, count, always)| *always || self.listings.iter().any(|listing| count(listing) > 0))
            .collect();
        let header: Vec<&str> =
            ["store", "kind", "outcome"].into_iter().chain(shown.iter().map(|(title, ..)| *title)).collect();
        let rows = self.listings.iter().map(|listing| {
            let texts =
                [listing.store_id.clone(), listing.kind.name().to_owned(), listing.outcome.name().replace('_', " ")];
            let counts = shown.iter().map(|(_, count, _)| crate::screen::thousands(count(listing)));
            texts.into_iter().chain(counts).collect()
        });
        let mut text = crate::screen::table(&header, rows, 3);
        // a kind that was skipped has the reason of the one before it
        for listing in self.listings.iter().filter(|listing| listing.outcome != Outcome::Skipped) {
            for line in listing.message().map(str::to_owned).into_iter().chain(listing.advice()) {
                text.push_str(&format!("\n{} {}: {line}", listing.store_id, listing.kind));
            }
        }
        text
    }
}
