//! Listing every record of every kind of every store: page → save → next, until the listing is complete or cannot be
//! (design, rules 3 and 4). Stores run side by side, the kinds of one store one after the other, parents first. A
//! failure ends one store's run, never another's; everything received until then is saved.

mod summary;
mod verify;
pub mod walk;

use std::cell::RefCell;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use crate::api::{self, Page, StoreApi};
use crate::config::StoreConfig;
use crate::db::{Db, Missing, OpenListing, PageMark, RunRow, SavedRecord};
use crate::failure::{Code, Failure};
use crate::ingest::walk::{Proof, Seen, Step, Walk};
use crate::model::Kind;
use crate::model::instant::{format_instant, parse_instant};
use crate::progress::{Line, Progress};

pub use summary::{Listing, Outcome, Summary};
pub use verify::VerifySummary;

/// A listing left by a killed run is taken up when its last page is younger than this: the store has moved on since.
const RESUME_WITHIN: TimeDelta = TimeDelta::hours(1);
/// Pages asked for at once when the number of pages is known beforehand.
const PAGES_IN_FLIGHT: usize = 4;
/// Ids of differing records that `verify` names per kind: enough to look one up.
const DIFFERING_SHOWN: usize = 10;
/// A listing is suspicious when more than this many of the known records are missing …
const SUSPICIOUS_MISSING: u64 = 20;
/// … and more than one in this many (10 %).
const SUSPICIOUS_ONE_IN: u64 = 10;

/// What is done with what a listing brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is saved.
    Ingest,
    /// It is compared with the mirror, and nothing is written.
    Verify,
}

pub struct Options {
    pub purpose: Purpose,
    /// Empty: the kinds of each store's configuration.
    pub kinds: Vec<Kind>,
    /// Kinds of the configuration that are left alone this time.
    pub except: Vec<Kind>,
    pub resume: bool,
    pub accept_removals: bool,
}

/// A store and the way to it, or why there is none.
pub struct Source<'a> {
    pub store: &'a StoreConfig,
    pub api: Result<StoreApi, Failure>,
}

/// Lists everything and says what came of it.
pub async fn run(
    db: &Db,
    sources: &[Source<'_>],
    options: &Options,
    progress: &Progress,
    clock: &dyn Fn() -> DateTime<Utc>,
) -> Result<Summary> {
    let started_at = format_instant(clock());
    let stores = sources.iter().map(|source| ingest_store(db, source, options, progress, clock));
    let mut listings = Vec::new();
    for result in join_all(stores).await {
        listings.extend(result?);
    }
    Ok(Summary { started_at, finished_at: format_instant(clock()), listings })
}

async fn ingest_store(
    db: &Db,
    source: &Source<'_>,
    options: &Options,
    progress: &Progress,
    clock: &dyn Fn() -> DateTime<Utc>,
) -> Result<Vec<Listing>> {
    let store = source.store;
    let mut kinds = if options.kinds.is_empty() { store.kinds() } else { options.kinds.clone() };
    kinds.retain(|kind| !options.except.contains(kind));
    let writes = options.purpose == Purpose::Ingest;
    if writes {
        db.register_store(&store.store_id, &store.data_center, store.api_url.as_str(), &kinds)?;
    }
    let mut listings = Vec::new();
    let mut stopped: Option<Failure> = source.api.as_ref().err().cloned();
    for kind in kinds {
        let listing = match (&source.api, &stopped) {
            (Ok(api), None) => {
                let line = progress.line(&format!("{} {kind}", store.store_id));
                Lister::new(db, api, store, kind, options, line, clock).run().await?
            }
            (_, Some(failure)) => skip(writes.then_some(db), store, kind, failure, listings.is_empty(), clock)?,
            (Err(_), None) => unreachable!("a store without a client is stopped from the start"),
        };
        if listing.is_hopeless && stopped.is_none() {
            stopped.clone_from(&listing.failure);
        }
        listings.push(listing);
    }
    Ok(listings)
}

fn skip(
    db: Option<&Db>,
    store: &StoreConfig,
    kind: Kind,
    failure: &Failure,
    first: bool,
    clock: &dyn Fn() -> DateTime<Utc>,
) -> Result<Listing> {
    let outcome = if first { Outcome::Failed } else { Outcome::Skipped };
    if let Some(db) = db {
        db.record_failed_run(&store.store_id, kind, outcome.name(), &failure.message, &format_instant(clock()))?;
    }
    let mut listing = Listing::new(&store.store_id, kind);
    listing.outcome = outcome;
    listing.failure = Some(failure.clone());
    Ok(listing)
}

/// How one walk over the pages ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Complete,
    Truncated,
}

/// Where a page stands: in which walk, its number there (0: page 1 once more; negative: asked for with a larger
/// `per_page`), and how many records were asked for.
type Place = (u32, i64, u32);

/// What became of a listing, and which records it removes.
struct Judged {
    outcome: Outcome,
    gone: Vec<Missing>,
}

impl From<Outcome> for Judged {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, gone: Vec::new() }
    }
}

/// Lists one kind of one store.
struct Lister<'a> {
    db: &'a Db,
    api: &'a StoreApi,
    store: &'a StoreConfig,
    kind: Kind,
    options: &'a Options,
    line: Line,
    clock: &'a dyn Fn() -> DateTime<Utc>,
    sync_run_id: i64,
    /// The instant everything of this listing is dated with: when it began.
    listed_at: String,
    seen: RefCell<Seen>,
    listing: RefCell<Listing>,
    requests_before: u64,
}

impl<'a> Lister<'a> {
    fn new(
        db: &'a Db,
        api: &'a StoreApi,
        store: &'a StoreConfig,
        kind: Kind,
        options: &'a Options,
        line: Line,
        clock: &'a dyn Fn() -> DateTime<Utc>,
    ) -> Self {
        Self {
            db,
            api,
            store,
            kind,
            options,
            line,
            clock,
            sync_run_id: 0,
            listed_at: format_instant(clock()),
            seen: RefCell::default(),
            listing: RefCell::new(Listing::new(&store.store_id, kind)),
            requests_before: api.requests(),
        }
    }

    async fn run(mut self) -> Result<Listing> {
        let open = self.resumable()?;
        match &open {
            Some(open) => {
                self.sync_run_id = open.sync_run_id;
                self.db.reopen_run(open.sync_run_id)?;
                self.listed_at.clone_from(&open.started_at);
                self.listing.borrow_mut().resumed = true;
            }
            None if self.writes() => {
                self.sync_run_id = self.db.start_run(&self.store.store_id, self.kind, &self.listed_at)?;
            }
            None => {}
        }
        let result = self.list(open).await;
        self.finish(result)
    }

    /// The listing a killed run left, when it is young enough and was asked in the same way.
    fn resumable(&self) -> Result<Option<OpenListing>> {
        if !self.options.resume || !self.writes() {
            return Ok(None);
        }
        let now = (self.clock)();
        let young = |open: &OpenListing| {
            parse_instant(&open.saved_at).is_some_and(|saved| saved <= now && now - saved < RESUME_WITHIN)
        };
        Ok(self
            .db
            .open_listing(&self.store.store_id, self.kind)?
            .filter(|open| young(open) && open.per_page == self.store.page_size))
    }

    /// One walk, and a second one where the first leaves a doubt: a sign of drift, or a known record missing.
    async fn list(&self, open: Option<OpenListing>) -> Result<Judged, Stop> {
        let mut walk_number = 1;
        let mut walk = Walk::default();
        let mut step = Step::Next;
        if let Some(open) = open {
            walk_number = open.listing;
            for (number, page, records) in &open.pages {
                let (ids, new_ids) = self.seen.borrow_mut().note(*number, records);
                if *number == walk_number && *page > 0 {
                    step = walk.after(&ids, new_ids);
                }
            }
        }
        loop {
            self.listing.borrow_mut().listings = u64::from(walk_number);
            let ending = self.walk(walk_number, &mut walk, step).await?;
            if ending == Ending::Truncated {
                return Ok(Outcome::PossiblyTruncated.into());
            }
            let drifted = walk.overlapped || self.first_page_moved(walk_number, &walk).await?;
            let missing = self.missing()?;
            if walk_number == 2 || (!drifted && missing.is_empty()) {
                return Ok(self.judge_missing(walk_number, missing));
            }
            walk_number = 2;
            walk = Walk::default();
            step = Step::Next;
        }
    }

    /// Asks page after page until the walk is over. `step` is where a resumed walk stands.
    async fn walk(&self, number: u32, walk: &mut Walk, mut step: Step) -> Result<Ending, Stop> {
        let expected = self.expected_pages()?;
        while step == Step::Next {
            let first = walk.pages + 1;
            let last = if walk.pages == 0 { first } else { expected.max(first) };
            let pages = stream::iter(first..=last).map(|page| self.api.list(self.kind, page, self.store.page_size));
            let mut pages = pages.buffered(PAGES_IN_FLIGHT);
            let mut page_number = first;
            while let Some(page) = pages.next().await {
                let page = match page {
                    // a server that ends its list with a refusal has not said that this was all
                    Err(api::Error::Refused { message, .. }) if page_number > 1 => {
                        self.listing.borrow_mut().error = Some(message);
                        return Ok(Ending::Truncated);
                    }
                    other => other.map_err(Stop::Api)?,
                };
                let place = (number, i64::try_from(page_number).unwrap_or(i64::MAX), self.store.page_size);
                step = self.save(place, page, Some(walk)).await?;
                if step != Step::Next {
                    break;
                }
                page_number += 1;
            }
            if walk.pages >= self.store.max_pages {
                let message = format!("stopped after {} pages (max_pages in the configuration)", walk.pages);
                self.listing.borrow_mut().error = Some(message);
                return Ok(Ending::Truncated);
            }
        }
        if step == Step::Prove { self.prove(number, walk).await } else { Ok(Ending::Complete) }
    }

    /// How many full pages the records known so far make: so many may be asked for at once.
    fn expected_pages(&self) -> Result<u64, Stop> {
        Ok(self.db.count_current(&self.store.store_id, self.kind)? / u64::from(self.store.page_size))
    }

    /// Page 1 with larger and larger `per_page`, until a count proves that it is all.
    async fn prove(&self, number: u32, walk: &Walk) -> Result<Ending, Stop> {
        let mut proof = Proof::new(self.store.page_size, walk.first_page.len());
        let mut attempt = 0;
        while let Some(per_page) = proof.next_size() {
            attempt += 1;
            let page = match self.api.list(self.kind, 1, per_page).await {
                Err(api::Error::Refused { message, .. }) => {
                    self.listing.borrow_mut().error = Some(message);
                    return Ok(Ending::Truncated);
                }
                other => other.map_err(Stop::Api)?,
            };
            let count = page.records.len();
            self.save((number, -attempt, per_page), page, None).await?;
            if proof.proven_by(count) {
                return Ok(Ending::Complete);
            }
        }
        Ok(Ending::Truncated)
    }

    /// Saves a page, notes its records, and lets the walk judge it.
    async fn save(&self, place: Place, page: Page, walk: Option<&mut Walk>) -> Result<Step, Stop> {
        if matches!(place, (1, 1, _)) && self.writes() {
            let headers: serde_json::Map<String, serde_json::Value> =
                page.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            self.db.save_headers(self.sync_run_id, &serde_json::Value::Object(headers).to_string())?;
        }
        if page.is_end {
            return Ok(Step::Complete);
        }
        let saved = self.take(place, page).await?;
        self.listing.borrow_mut().pages += 1;
        self.line.page(saved.len());
        let (ids, new_ids) = self.seen.borrow_mut().note(place.0, &saved);
        Ok(walk.map_or(Step::Next, |walk| walk.after(&ids, new_ids)))
    }

    /// Saves a page's records, or compares them. They are read on another thread, so that meanwhile this one writes
    /// what another store has sent.
    async fn take(&self, (number, page_number, per_page): Place, page: Page) -> Result<Vec<SavedRecord>> {
        let noted_at = self.writes().then_some(self.listed_at.as_str());
        let mut received = self.db.receive(&self.store.store_id, self.kind, page.records, noted_at)?;
        if !received.is_read() {
            let reading = tokio::task::spawn_blocking(move || {
                received.read();
                received
            });
            received = reading.await.context("a page's records could not be read")?;
        }
        if !self.writes() {
            return self.db.compare(received);
        }
        let mark = PageMark {
            sync_run_id: self.sync_run_id,
            listing: number,
            page: page_number,
            per_page,
            saved_at: format_instant((self.clock)()),
        };
        self.db.save(received, Some(&mark), &self.listed_at)
    }

    fn writes(&self) -> bool {
        self.options.purpose == Purpose::Ingest
    }

    /// Whether page 1 is another one at the end of a walk over several: what moved may have slipped between two pages.
    async fn first_page_moved(&self, number: u32, walk: &Walk) -> Result<bool, Stop> {
        if walk.pages < 2 {
            return Ok(false);
        }
        let page = match self.api.list(self.kind, 1, self.store.page_size).await {
            Err(api::Error::Refused { .. }) => return Ok(true),
            other => other.map_err(Stop::Api)?,
        };
        let saved = self.take((number, 0, self.store.page_size), page).await?;
        let (ids, _) = self.seen.borrow_mut().note(number, &saved);
        Ok(ids != walk.first_page)
    }

    /// Current records that no walk of this run held.
    fn missing(&self) -> Result<Vec<Missing>, Stop> {
        let seen = self.seen.borrow();
        Ok(self.db.missing(&self.store.store_id, self.kind, |record_id| seen.has(record_id))?)
    }

    /// Rule 4: what two complete walks lacked is removed, unless it is suspiciously much or a record had no usable id.
    fn judge_missing(&self, walk_number: u32, missing: Vec<Missing>) -> Judged {
        let count = missing.len() as u64;
        let seen = self.seen.borrow();
        let mut listing = self.listing.borrow_mut();
        listing.missing = count;
        if !self.writes() {
            let ids = missing.iter().map(|record| record.record_id.clone());
            listing.not_listed = ids.take(DIFFERING_SHOWN).collect();
        }
        if count == 0 || walk_number < 2 || seen.without_id || !self.writes() {
            return Outcome::Complete.into();
        }
        if !self.options.accept_removals && is_suspicious(count, seen.known_before() + count) {
            return Outcome::Suspicious.into();
        }
        listing.missing = 0;
        listing.removed = count;
        Judged { outcome: Outcome::Complete, gone: missing }
    }

    fn finish(self, result: Result<Judged, Stop>) -> Result<Listing> {
        let mut listing = self.listing.into_inner();
        let Judged { outcome, gone } = match result {
            Ok(judged) => judged,
            Err(Stop::Api(error)) => {
                listing.is_hopeless = self.api.is_hopeless(&error);
                let failure = error.into_failure(Code::Store);
                listing.error = Some(failure.message.clone());
                listing.failure = Some(failure);
                Outcome::Failed.into()
            }
            Err(Stop::Internal(error)) => return Err(error),
        };
        listing.outcome = outcome;
        listing.requests = self.api.requests() - self.requests_before;
        listing.counts = self.seen.borrow().counts(u32::try_from(listing.listings).unwrap_or(1));
        if self.options.purpose == Purpose::Verify {
            listing.in_mirror = self.db.count_current(&self.store.store_id, self.kind)?;
            listing.differing = self.seen.borrow().differing(DIFFERING_SHOWN);
            return Ok(listing);
        }
        let finished_at = format_instant((self.clock)());
        let (store_id, kind) = (&self.store.store_id, self.kind);
        self.db.finish_run(self.sync_run_id, store_id, kind, &row(&listing, gone), &self.listed_at, &finished_at)?;
        Ok(listing)
    }
}

/// More than 10 % and more than 20 of the known records, or all of several.
fn is_suspicious(missing: u64, known: u64) -> bool {
    let many = missing > SUSPICIOUS_MISSING && missing * SUSPICIOUS_ONE_IN > known;
    many || (missing == known && known > 1)
}

/// Why a listing ended before its time.
enum Stop {
    Api(api::Error),
    Internal(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

fn row(listing: &Listing, gone: Vec<Missing>) -> RunRow {
    RunRow {
        outcome: listing.outcome.name().to_owned(),
        listings: listing.listings,
        resumed: listing.resumed,
        requests: listing.requests,
        pages: listing.pages,
        received: listing.counts.received,
        new: listing.counts.new,
        changed: listing.counts.changed,
        unchanged: listing.counts.unchanged,
        returned: listing.counts.returned,
        quarantined: listing.counts.quarantined,
        missing: listing.missing,
        gone,
        error: listing.error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_suspicious;

    #[test]
    fn the_brake_is_ten_percent_and_twenty_or_all_of_several() {
        for (missing, known, suspicious) in [
            (21, 209, true),
            (21, 210, false),
            (20, 100, false),
            (25, 250, false),
            (26, 250, true),
            (1, 1, false),
            (2, 2, true),
            (1, 2, false),
        ] {
            assert_eq!(is_suspicious(missing, known), suspicious, "{missing} of {known}");
        }
    }
}
