//! Mirrors the records of the file into the CRM: state against state, so that what is equal costs nothing and what was
//! interrupted goes on by itself.
//!
//! The way of a push: survey (plan every kind, parents first; a dry run ends here) → brake → metadata of the modules
//! that something is sent to, and before the first write to one, what stands there under our names → apply kind by kind, planning a kind again when its parents got ids. See `plan` for
//! what is decided, `apply` for how it is sent, `fields` for what a record looks like in the CRM.
//!
//! It deletes nothing, never sends an empty value, and starts no automation.

mod accounts;
mod apply;
mod budget;
pub mod check;
mod compare;
mod fields;
pub mod link;
mod plan;
pub mod setup;
mod summary;
mod tolerance;
pub mod trace;
pub mod verify;

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};

use crate::api::crm::{RECORDS_PER_REQUEST, credits_for};
use crate::api::{CrmApi, Error, Talk};
use crate::config::CrmConfig;
use crate::db::{AccountJoin, Db, PushQuery, QueryRules};
use crate::failure::Failure;
use crate::model::Kind;
use crate::model::instant::format_instant;
use crate::progress::{Progress, Task};
use crate::push::apply::{Sender, Stop, Tally};
use crate::push::budget::Budget;
use crate::push::fields::Mapping;
use crate::push::plan::{Key, Names, Parents, Plan, Rules};
use crate::push::summary::{Brake, KindSummary};
use crate::screen::counted;

pub use summary::{Rejected, Summary};

/// A mass change is one of more than this many records …
const BRAKE_RECORDS: u64 = 500;
/// … and of more than one in so many of those linked: a mistake in the mapping looks like that, a day's business not.
const BRAKE_FRACTION: u64 = 5;
/// How long field metadata is believed: fields change by hand, seldom, and a wrong belief costs a rejection.
const METADATA_HOURS: i64 = 24;
/// The window of the CRM's API credits (CRM contract §6).
const CREDIT_HOURS: i64 = 24;

/// What the command line asks for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Empty: every kind that has a module.
    pub kinds: Vec<Kind>,
    pub dry_run: bool,
    pub max_credits: Option<u64>,
    pub retry_rejected: bool,
    pub allow_mass_change: bool,
    /// How many changes a dry run describes.
    pub show: usize,
}

/// Pushes what differs. `api` is called when something is to be sent, so that nothing else needs credentials.
///
/// # Errors
/// What the file or the configuration has against it; what the CRM has is in the summary.
pub async fn run(
    db: &Db,
    crm: &CrmConfig,
    stores_configured: &[String],
    api: impl FnOnce() -> Result<CrmApi>,
    options: &Options,
    clock: &dyn Fn() -> DateTime<Utc>,
    (talk, progress): (&Talk, &Progress),
) -> Result<Summary> {
    let task = progress.task("push", ("record", "records"));
    task.say("comparing with what the CRM acknowledged");
    let mut push = Push::new(db, crm, stores_configured, options, clock, talk)?;
    push.survey(0)?;
    let mut run_id = None;
    if !options.dry_run && push.may_send()? {
        let api = api()?;
        run_id = Some(db.start_push(&push.summary.host, &push.summary.started_at)?);
        push.send(&api, &task).await?;
    }
    push.finish(run_id)
}

/// What waits for a push.
pub struct Pending {
    /// Records per kind that it would send now or keep waiting for a parent; the refused ones are in `crm_rejections`.
    pub records: Vec<(Kind, u64)>,
    /// It would stop at the brake.
    pub is_braked: bool,
}

/// What a push would do now, without sending anything.
///
/// # Errors
/// When the file cannot be read.
pub fn pending(db: &Db, crm: &CrmConfig, stores_configured: &[String], now: DateTime<Utc>) -> Result<Pending> {
    let (clock, talk): (_, Talk) = (|| now, Rc::new(|_: &str| {}));
    let options = Options { dry_run: true, ..Options::default() };
    let mut push = Push::new(db, crm, stores_configured, &options, &clock, &talk)?;
    push.survey(0)?;
    let count = |plan: &Plan| plan.counts.create + plan.counts.update + plan.counts.waiting;
    let records = push.kinds.iter().map(|push| (push.kind, count(&push.plan))).collect();
    Ok(Pending { records, is_braked: push.brake().is_some() })
}

/// Refuses kinds that the CRM has no module for, before anything is opened.
///
/// # Errors
/// `config` naming the kind and those that are pushed.
pub fn check_kinds(kinds: &[Kind]) -> Result<()> {
    let Some(kind) = kinds.iter().find(|kind| Kind::pushed().all(|pushed| pushed != **kind)) else { return Ok(()) };
    let known: Vec<&str> = Kind::pushed().map(Kind::name).collect();
    Err(Failure::config(format!("{kind} have no module in the CRM"))
        .hint(format!("the kinds that are pushed are {}", known.join(", ")))
        .into())
}

struct Push<'a> {
    db: &'a Db,
    crm: &'a CrmConfig,
    options: &'a Options,
    clock: &'a dyn Fn() -> DateTime<Utc>,
    talk: &'a Talk,
    now: DateTime<Utc>,
    names: Names,
    parents: Parents,
    budget: Budget,
    /// Parents first.
    kinds: Vec<KindPush>,
    summary: Summary,
}

/// One kind on its way.
struct KindPush {
    kind: Kind,
    target: String,
    mapping: Mapping,
    query: PushQuery,
    accounts: Option<AccountJoin>,
    /// When the metadata behind the mapping was read.
    fetched_at: Option<String>,
    plan: Plan,
    tally: Tally,
    /// Records that were to be sent when sending began.
    credits_planned: u64,
}

impl<'a> Push<'a> {
    fn new(
        db: &'a Db,
        crm: &'a CrmConfig,
        stores_configured: &[String],
        options: &'a Options,
        clock: &'a dyn Fn() -> DateTime<Utc>,
        talk: &'a Talk,
    ) -> Result<Self> {
        let now = clock();
        let names = Names::new(db.record_names()?, stores_configured);
        let kinds = Kind::pushed()
            .filter(|kind| options.kinds.is_empty() || options.kinds.contains(kind))
            .map(|kind| KindPush::new(db, crm, &names, kind))
            .collect::<Result<Vec<_>>>()?;
        let host = crm.host();
        let before = db.credits_since(&host, &format_instant(now - Duration::hours(CREDIT_HOURS)))?;
        Ok(Self {
            db,
            crm,
            options,
            clock,
            talk,
            now,
            names,
            parents: Parents::default(),
            budget: Budget::new(before, crm.daily_credits, options.max_credits),
            kinds,
            summary: Summary {
                host,
                started_at: format_instant(now),
                dry_run: options.dry_run,
                budget: crm.daily_credits,
                ..Summary::default()
            },
        })
    }

    /// Plans the kinds from the given one on. What an earlier plan of them found is forgotten.
    fn survey(&mut self, first: usize) -> Result<()> {
        if self.options.dry_run {
            // an ingest may be writing meanwhile: the plans are of one moment
            return self.db.read(|| self.plan(first));
        }
        self.plan(first)
    }

    fn plan(&mut self, first: usize) -> Result<()> {
        let now = format_instant(self.now);
        let mut room = if self.options.dry_run { self.options.show } else { 0 };
        for push in &mut self.kinds[first..] {
            let note_in = (!self.options.dry_run).then_some(push.target.as_str());
            let rules = Rules { now: &now, retry_rejected: self.options.retry_rejected, show: room, note_in };
            push.plan =
                plan::plan(self.db, push.kind, &push.query, &push.mapping, &mut self.names, &self.parents, &rules)?;
            room -= push.plan.changes.len();
            push.credits_planned = push.plan.credits();
            self.parents.blocked.insert(push.kind, std::mem::take(&mut push.plan.blocked));
        }
        Ok(())
    }

    fn operations(&self) -> usize {
        self.kinds.iter().map(|push| push.plan.operations()).sum()
    }

    /// Whether there is anything to send, and nothing that stops it before it begins.
    fn may_send(&mut self) -> Result<bool> {
        let looks_for_names = self.kinds.iter().any(|push| push.plan.looks_for_names);
        if self.brakes() || (self.operations() == 0 && !looks_for_names && !self.has_unknown_accounts()?) {
            return Ok(false);
        }
        if self.budget.room() == 0 {
            self.summary.stop(Stop::Credits);
            return Ok(false);
        }
        Ok(true)
    }

    fn brakes(&mut self) -> bool {
        let brake = self.brake().filter(|_| !self.options.allow_mass_change);
        if brake.is_some() {
            self.summary.stopped = Some("brake");
        }
        self.summary.brake = brake;
        self.summary.brake.is_some()
    }

    fn brake(&self) -> Option<Brake> {
        // what was found by its name is written for the first time: that is a beginning, not a change of what we wrote
        let sum = |of: fn(&Plan) -> u64| self.kinds.iter().map(|push| of(&push.plan)).sum::<u64>();
        let updates = sum(|plan| plan.counts.update - plan.adoptions);
        let linked = sum(|plan| plan.linked.saturating_sub(plan.adoptions));
        if updates <= BRAKE_RECORDS || updates * BRAKE_FRACTION <= linked {
            return None;
        }
        let mut fields: BTreeMap<&str, u64> = BTreeMap::new();
        for (field, records) in self.kinds.iter().flat_map(|push| &push.plan.differing) {
            *fields.entry(field).or_default() += records;
        }
        let mut fields: Vec<(String, u64)> =
            fields.into_iter().map(|(field, records)| (field.to_owned(), records)).collect();
        fields.sort_by_key(|(_, records)| std::cmp::Reverse(*records));
        Some(Brake { updates, linked, fields })
    }

    async fn send(&mut self, api: &CrmApi, task: &Task) -> Result<()> {
        task.say("reading the CRM's modules");
        let found = match self.find_accounts(api).await? {
            Refreshed::Stopped(error) => {
                self.summary.stop(Stop::Api(error));
                return Ok(());
            }
            found => found,
        };
        if matches!(found, Refreshed::Changed) {
            self.survey(0)?;
        }
        let changed = match found.and(self.refresh_metadata(api).await?) {
            Refreshed::Stopped(error) => Refreshed::Stopped(error),
            refreshed => refreshed.and(self.link_first(api, task).await?),
        };
        match changed {
            Refreshed::Same => {}
            Refreshed::Changed => {
                self.survey(0)?;
                if self.brakes() {
                    return Ok(());
                }
            }
            Refreshed::Stopped(error) => {
                self.summary.stop(Stop::Api(error));
                return Ok(());
            }
        }
        task.expect(self.budget.affordable(self.operations()));
        for place in 0..self.kinds.len() {
            task.say(self.kinds[place].kind.name());
            let (stop, links_changed) = self.apply(place, api, task).await?;
            if links_changed && place + 1 < self.kinds.len() {
                self.survey(place + 1)?;
            }
            if let Some(stop) = stop {
                self.summary.stop(stop);
                break;
            }
        }
        Ok(())
    }

    /// Sends one kind; says why it stopped, and whether its children's lookups may be others now.
    async fn apply(&mut self, place: usize, api: &CrmApi, task: &Task) -> Result<(Option<Stop>, bool)> {
        let push = &mut self.kinds[place];
        let keys: HashSet<u32> = push.plan.keys().map(|key| key.store).collect();
        for (store_id, template) in self.names.decide(keys.into_iter().map(|store| Key { store, id: 0 })) {
            self.db.save_record_name(&store_id, &template)?;
        }
        let sender = Sender {
            db: self.db,
            api,
            kind: push.kind,
            module: self.crm.module(push.kind),
            target: &push.target,
            host: &self.summary.host,
            query: &push.query,
            mapping: &push.mapping,
            names: &self.names,
            parents: &self.parents,
            clock: self.clock,
            task,
        };
        let stop = sender.apply(&mut push.plan, &mut self.budget, &mut push.tally).await?;
        let tally = &push.tally;
        let links_changed = tally.created + tally.adopted > 0 || !tally.rejected.is_empty();
        let refused = std::mem::take(&mut push.plan.blocked);
        self.parents.blocked.entry(push.kind).or_default().extend(refused);
        Ok((stop, links_changed))
    }

    /// Reads the metadata of the modules that something will be sent to, where it is missing or old.
    async fn refresh_metadata(&mut self, api: &CrmApi) -> Result<Refreshed> {
        let oldest = format_instant(self.now - Duration::hours(METADATA_HOURS));
        let mut refreshed = Refreshed::Same;
        for push in &mut self.kinds {
            if push.plan.operations() == 0 || push.fetched_at.as_ref().is_some_and(|fetched_at| *fetched_at > oldest) {
                continue;
            }
            let module = self.crm.module(push.kind);
            let fields = match api.fields(module).await {
                Ok(fields) => fields,
                Err(error @ (Error::Network(_) | Error::Throttled(_) | Error::DayLimit(_))) => {
                    return Ok(Refreshed::Stopped(error));
                }
                // reading settings is a scope of its own: without it the records still go
                Err(error) => {
                    (self.talk)(&format!("{module}: field lengths are unknown ({error})"));
                    continue;
                }
            };
            self.db.save_crm_fields(&push.target, &fields, &format_instant((self.clock)()))?;
            let mapping = Mapping::new(push.kind, self.crm, &fields);
            if !mapping.same_as(&push.mapping) {
                refreshed = Refreshed::Changed;
            }
            push.set_mapping(mapping, self.crm, &self.names);
        }
        let lacking = |push: &&KindPush| push.plan.operations() > 0 && !push.mapping.missing.is_empty();
        for push in self.kinds.iter().filter(lacking) {
            (self.talk)(&format!(
                "{} has no field {}; not sent until `storemirror crm setup` makes it",
                self.crm.module(push.kind),
                push.mapping.missing.join(", ")
            ));
        }
        Ok(refreshed)
    }

    /// Before the first write to a module, and when a name that several records bear is due: finds what stands there
    /// under our names already.
    async fn link_first(&mut self, api: &CrmApi, task: &Task) -> Result<Refreshed> {
        let mut refreshed = Refreshed::Same;
        for push in &self.kinds {
            let is_first = push.plan.operations() > 0 && !self.db.has_links(&push.target)?;
            if !is_first && !push.plan.looks_for_names {
                continue;
            }
            let (module, name_field) = (self.crm.module(push.kind), push.mapping.name_field());
            let now = (self.clock)();
            task.say(&format!("finding our records in {module}"));
            let what = (push.kind, name_field);
            match link::link_kind(self.db, self.crm, &mut self.names, api, what, now).await? {
                Ok(linked) => {
                    linked.notes(module).iter().for_each(|note| (self.talk)(note));
                    if linked.linked > 0 {
                        (self.talk)(&format!(
                            "{module}: {} found by name and linked",
                            counted(linked.linked, "record", "records")
                        ));
                    }
                    if linked.linked > 0 || linked.holds_changed {
                        refreshed = Refreshed::Changed;
                    }
                }
                Err(error @ (Error::Network(_) | Error::Throttled(_) | Error::DayLimit(_))) => {
                    return Ok(Refreshed::Stopped(error));
                }
                // an upsert finds a record by its name too; reading may be a scope that the token lacks
                Err(error) => (self.talk)(&format!("{module}: its records cannot be listed ({error})")),
            }
        }
        Ok(refreshed)
    }

    fn finish(mut self, run_id: Option<i64>) -> Result<Summary> {
        self.count_accounts()?;
        if self.options.dry_run {
            self.summary.brake = self.brake().filter(|_| !self.options.allow_mass_change);
        }
        for push in self.kinds {
            if !self.options.dry_run {
                let settled: Vec<(String, String)> = push
                    .plan
                    .settled
                    .iter()
                    .map(|key| (self.names.store_id(*key).to_owned(), key.id.to_string()))
                    .collect();
                self.db.clear_rejections(&push.target, push.kind, &settled)?;
            }
            self.summary.requests += push.tally.requests;
            self.summary.credits_planned += push.credits_planned;
            let (kind, rejections) = push.summary(self.crm, self.options.dry_run);
            self.summary.kinds.push(kind);
            self.summary.rejections.extend(rejections);
        }
        self.summary.credits_used = self.budget.used;
        self.summary.credits_24h = self.budget.used_24h();
        self.summary.finished_at = format_instant((self.clock)());
        if !self.options.dry_run {
            self.db.finish_push(run_id, &self.summary.run())?;
        }
        Ok(self.summary)
    }
}

enum Refreshed {
    Same,
    /// The plans rest on other fields now.
    Changed,
    Stopped(Error),
}

fn query(kind: Kind, mapping: &Mapping, crm: &CrmConfig, names: &Names, accounts: Option<&AccountJoin>) -> PushQuery {
    let basis = mapping.basis(&names.basis());
    let target = |kind| crm.target(kind);
    let rules = QueryRules { target: &target, untagged: &crm.rules.untagged_status, accounts, basis: &basis };
    PushQuery::new(kind, &mapping.columns, &rules)
}

impl Refreshed {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (first, Self::Same) | (first @ Self::Stopped(_), _) => first,
            (_, other) => other,
        }
    }
}

impl KindPush {
    fn new(db: &Db, crm: &CrmConfig, names: &Names, kind: Kind) -> Result<Self> {
        let target = crm.target(kind);
        let (known, fetched_at) = match db.crm_fields(&target)? {
            Some((known, fetched_at)) => (known, Some(fetched_at)),
            None => (Vec::new(), None),
        };
        let mapping = Mapping::new(kind, crm, &known);
        let accounts = accounts::join_of(kind, crm);
        Ok(Self {
            query: query(kind, &mapping, crm, names, accounts.as_ref()),
            accounts,
            kind,
            target,
            mapping,
            fetched_at,
            plan: Plan::default(),
            tally: Tally::default(),
            credits_planned: 0,
        })
    }

    fn set_mapping(&mut self, mapping: Mapping, crm: &CrmConfig, names: &Names) {
        self.query = query(self.kind, &mapping, crm, names, self.accounts.as_ref());
        self.mapping = mapping;
    }

    fn summary(self, crm: &CrmConfig, dry_run: bool) -> (KindSummary, Vec<Rejected>) {
        let Tally { created, updated, adopted, rejected, .. } = self.tally;
        let planned = self.plan.counts;
        let refused = rejected.len() as u64;
        let left = (planned.create + planned.update).saturating_sub(created + updated + adopted + refused);
        let summary = KindSummary {
            kind: self.kind,
            module: crm.module(self.kind).to_owned(),
            created,
            updated,
            adopted,
            rejected: refused,
            left: if dry_run { 0 } else { left },
            planned,
            without_payload: self.plan.without_payload,
            changes: self.plan.changes,
        };
        (summary, rejected)
    }
}

impl Plan {
    fn keys(&self) -> impl Iterator<Item = Key> {
        self.creates.iter().chain(&self.updates).copied()
    }

    /// Σ over requests: creates and updates travel apart, a hundred at a time.
    fn credits(&self) -> u64 {
        let of = |records: usize| {
            let full = (records / RECORDS_PER_REQUEST) as u64;
            full * credits_for(RECORDS_PER_REQUEST) + credits_for(records % RECORDS_PER_REQUEST)
        };
        of(self.creates.len()) + of(self.updates.len())
    }
}
