//! How things stand after a run: stores, their kinds, the push, and the commands themselves. Pure.

use crate::failure::{Code, Failure};
use crate::ingest::{self, Listing, Outcome};
use crate::push;
use crate::runs::{Asked, Part};
use crate::screen::counted;

/// One thing that can be well or not, as a run found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// `store us`, `listing us commissions`, `push`, `ingest`: of our own words alone.
    pub(super) thing: String,
    /// None: it is well.
    pub(super) trouble: Option<Trouble>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// One word; another word is another trouble.
    pub(super) state: String,
    pub(super) title: String,
    /// What happened.
    pub(super) what: String,
    /// What to do about it.
    pub(super) fix: Option<String>,
}

/// What a run that ended with `result` tells of things, of each part what it came to.
pub(super) fn of(
    asked: &Asked,
    result: Result<u8, Failure>,
    ingest: Option<Result<ingest::Summary, Failure>>,
    push: Option<Result<push::Summary, Failure>>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_told = matches!(ingest, Some(Err(_))) || matches!(push, Some(Err(_)));
    match ingest {
        Some(Ok(summary)) => {
            findings.push(Finding { thing: "ingest".to_owned(), trouble: None });
            findings
                .extend(summary.listings.chunk_by(|left, right| left.store_id == right.store_id).flat_map(of_store));
        }
        Some(Err(failure)) => findings.extend(of_failure(asked, Part::Ingest, &failure)),
        None => {}
    }
    match push {
        Some(Ok(summary)) => findings.push(of_push(&summary)),
        Some(Err(failure)) => findings.extend(of_failure(asked, Part::Push, &failure)),
        None => {}
    }
    if let (Err(failure), false) = (result, is_told) {
        findings.extend(of_failure(asked, asked.part, &failure));
    }
    findings
}

/// A command that failed as a whole. That a person stopped it, or did not want to wait, is no news.
fn of_failure(asked: &Asked, part: Part, failure: &Failure) -> Option<Finding> {
    let is_news = match failure.code {
        Code::Interrupted => false,
        Code::Locked => asked.waits,
        _ => true,
    };
    let (thing, title) = match part {
        Part::Ingest => ("ingest", "the mirror cannot be brought up to date"),
        Part::Push => ("push", "the push into the CRM fails"),
    };
    is_news.then(|| Finding { thing: thing.to_owned(), trouble: Some(failed(title.to_owned(), failure)) })
}

fn failed(title: String, failure: &Failure) -> Trouble {
    Trouble { state: failure.code.name().to_owned(), title, what: failure.message.clone(), fix: failure.hint.clone() }
}

/// One store's listings: what met the whole store is said of the store, the rest of each kind.
fn of_store(listings: &[Listing]) -> Vec<Finding> {
    let store_id = &listings[0].store_id;
    let skipped = listings.iter().any(|listing| listing.outcome == Outcome::Skipped);
    let meets_all = |listing: &&Listing| {
        let code = listing.failure.as_ref().map(|failure| failure.code);
        listing.outcome == Outcome::Failed && (skipped || listing.is_hopeless || code == Some(Code::Config))
    };
    let stopped = listings.iter().find(meets_all);
    let trouble = stopped
        .and_then(|listing| listing.failure.as_ref())
        .map(|failure| failed(format!("store {store_id} cannot be listed"), failure));
    let mut findings = vec![Finding { thing: format!("store {store_id}"), trouble }];
    for listing in listings.iter().filter(|listing| !meets_all(listing)) {
        let trouble = match listing.outcome {
            Outcome::Skipped | Outcome::Interrupted => continue,
            _ => of_listing(listing),
        };
        findings.push(Finding { thing: format!("listing {store_id} {}", listing.kind), trouble });
    }
    findings
}

fn of_listing(listing: &Listing) -> Option<Trouble> {
    let name = format!("{} {}", listing.store_id, listing.kind);
    let trouble = |state: &str, title: String, what: String| {
        Some(Trouble { state: state.to_owned(), title, what, fix: listing.advice() })
    };
    match (listing.outcome, &listing.failure) {
        (_, Some(failure)) => Some(failed(format!("{name} cannot be listed"), failure)),
        (Outcome::Suspicious, None) => {
            let missing = counted(listing.missing, "known record was", "known records were");
            trouble("suspicious", format!("{name}: suspiciously many are missing"), format!("{missing} not listed"))
        }
        (Outcome::PossiblyTruncated, None) => {
            let what = listing.error.clone().unwrap_or_else(|| "the store's pages ended without a sign".to_owned());
            trouble("possibly_truncated", format!("{name}: the listing may be cut short"), what)
        }
        _ if listing.counts.quarantined > 0 => {
            let what = counted(listing.counts.quarantined, "record is", "records are");
            trouble("quarantined", format!("{name}: not everything could be read"), format!("{what} in quarantine"))
        }
        _ => None,
    }
}

fn of_push(summary: &push::Summary) -> Finding {
    let refused = summary.refused();
    let trouble = |state: &str, title: &str, what: String, fix: &str| {
        Some(Trouble { state: state.to_owned(), title: title.to_owned(), what, fix: Some(fix.to_owned()) })
    };
    let trouble = if let Some(failure) = summary.failure() {
        Some(failed("the push into the CRM fails".to_owned(), failure))
    } else if let Some((updates, linked)) = summary.braked() {
        trouble(
            "brake",
            "the push waits for you",
            format!("it would change {updates} of {}", counted(linked, "linked record", "linked records")),
            "see `storemirror push --dry-run`; if that is right, `storemirror push --allow-mass-change`",
        )
    } else if summary.stopped() == Some("day_limit") {
        trouble(
            "day_limit",
            "the CRM takes no more today",
            "its API credits of the last 24 hours are spent".to_owned(),
            "nothing, if that is rare: the next push goes on; else see daily_credits in the configuration",
        )
    } else if refused > 0 {
        trouble(
            "refused",
            "the CRM refuses records",
            format!("{} refused, and waiting to be sent again", counted(refused, "record is", "records are")),
            "see `storemirror report crm_rejections`",
        )
    } else {
        None
    };
    Finding { thing: "push".to_owned(), trouble }
}
