//! Everything the simulated servers know, and the one place where a request meets it.
//!
//! Tests and the demo edit it through [`World`]'s methods while the servers run; the lock is the caller's business.
//! Dates come from `now`, which only [`World::advance`] and [`World::set_now`] move.

use super::accounts::{Accounts, CONNECTIONS, throttled};
use super::answer::{Answer, Call};
use super::crm::{self, Crm, Note};
use super::dress::dressed;
use super::faults::{self, FaultKind};
use super::listing::{Listing, Record};
use super::seed::{Counts, Partner};
use super::store::{self, Asked};
use super::switches::{StoreSwitches, Switches};
use super::{KINDS, Options, control};
use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

/// One store's lists.
struct Store {
    name: &'static str,
    listings: [Listing; KINDS.len()],
    /// Requests per kind since the log was cleared, for scheduled drift.
    asked: BTreeMap<&'static str, u64>,
    recent: Vec<Instant>,
}

/// A store as tests look at it: the records exactly as they are served.
pub struct StoreView<'a> {
    store: &'a Store,
    switches: &'a StoreSwitches,
}

impl StoreView<'_> {
    /// All records of a kind by ascending id, with the text a listing brings.
    pub fn records(&self, kind: &str) -> Vec<Record> {
        let listing = &self.store.listings[place_of(kind)];
        listing.records().iter().map(|record| self.served(kind, record)).collect()
    }

    pub fn record(&self, kind: &str, id: &str) -> Option<Record> {
        self.store.listings[place_of(kind)].find(id).map(|record| self.served(kind, record))
    }

    pub fn count(&self, kind: &str) -> usize {
        self.store.listings[place_of(kind)].len()
    }

    fn served(&self, kind: &str, record: &Record) -> Record {
        Record { id: record.id.clone(), json: dressed(self.switches, kind, record).into_owned() }
    }
}

/// One request as the log keeps it. Token requests are logged without their parameters.
#[derive(Clone, Debug, Serialize)]
pub struct LoggedRequest {
    pub number: u64,
    /// `accounts`, `us`, `eu` or `crm`.
    pub host: String,
    pub method: String,
    pub path: String,
    pub query: String,
    /// The store's kind, for listings.
    pub kind: Option<String>,
    /// 0 when the connection was cut.
    pub status: u16,
    pub fault: Option<FaultKind>,
    /// A CRM call that changes records.
    pub is_write: bool,
    /// Records in a CRM write.
    pub records: usize,
    pub credits: u64,
    /// The `trigger` of a CRM write; none means that every automation ran.
    pub trigger: Option<Value>,
}

/// What the HTTP server has to do.
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) fault: Option<FaultKind>,
}

pub struct World {
    pub now: DateTime<Utc>,
    pub switches: Switches,
    pub crm: Crm,
    stores: [Store; 2],
    accounts: Accounts,
    partner: Partner,
    known_accounts: HashSet<String>,
    log: Vec<LoggedRequest>,
    /// Requests ever, which the fault plan counts by.
    served: u64,
    drawn_faults: u64,
    base: String,
}

impl World {
    pub(super) fn new(options: &Options, base: String) -> Self {
        let counts = Counts {
            subscriptions: options.subscriptions,
            transactions: options.transactions,
            commissions: options.commissions,
        };
        let store = |name| Store { name, listings: Default::default(), asked: BTreeMap::new(), recent: Vec::new() };
        let mut world = Self {
            now: options.now,
            switches: Switches::default(),
            crm: Crm::new(),
            stores: [store("us"), store("eu")],
            accounts: Accounts::new(options.seed),
            partner: Partner::new(options.seed, options.origin_of.unwrap_or(options.now), counts),
            known_accounts: HashSet::new(),
            log: Vec::new(),
            served: 0,
            drawn_faults: 0,
            base,
        };
        world.catch_up();
        world
    }

    /// The object `simulate --json` prints.
    pub(super) fn connection(&self) -> Value {
        let with_url = |name: &str, url: String| {
            let mut object = json!({ "api_url": url });
            if let (Value::Object(object), Value::Object(more)) = (&mut object, self.accounts.credentials(name)) {
                object.extend(more);
            }
            object
        };
        let stores: Map<String, Value> = self
            .stores
            .iter()
            .map(|store| {
                (store.name.to_owned(), with_url(store.name, format!("{}/{}{STORE_ROOT}", self.base, store.name)))
            })
            .collect();
        json!({"accounts_url": self.base, "crm": with_url("crm", self.base.clone()), "stores": stores})
    }

    /// A store by name. Panics on an unknown one: it is the tests' typo.
    pub fn store(&self, name: &str) -> StoreView<'_> {
        let store = self.stores.iter().find(|store| store.name == name);
        let store = store.unwrap_or_else(|| panic!("the simulator has no store {name}"));
        StoreView { store, switches: &self.switches.stores[name] }
    }

    fn listing(&mut self, store: &str, kind: &str) -> &mut Listing {
        let found = self.stores.iter_mut().find(|known| known.name == store);
        &mut found.unwrap_or_else(|| panic!("the simulator has no store {store}")).listings[place_of(kind)]
    }

    /// Puts a record into a list, or replaces its text.
    pub fn upsert_record(&mut self, store: &str, kind: &str, id: &str, json: impl Into<String>) {
        self.listing(store, kind).put(id, json.into());
    }

    /// Takes a record out of a list; false when it was not there.
    pub fn remove_record(&mut self, store: &str, kind: &str, id: &str) -> bool {
        self.listing(store, kind).remove(id)
    }

    /// Lets days pass: the partner's business goes on.
    pub fn advance(&mut self, days: u32) {
        self.set_now(self.now + Duration::days(i64::from(days)));
    }

    /// Moves the clock; the business goes on up to it. Moving back changes the clock only.
    pub fn set_now(&mut self, now: DateTime<Utc>) {
        self.now = now;
        self.catch_up();
    }

    fn catch_up(&mut self) {
        for change in self.partner.advance_to(self.now) {
            let id = change.id.to_string();
            match change.json {
                Some(json) => self.upsert_record(change.store, change.kind, &id, json),
                None => {
                    self.remove_record(change.store, change.kind, &id);
                }
            }
        }
        self.add_accounts();
    }

    /// About one account per customer: now and then none or two, because real ones are like that.
    fn add_accounts(&mut self) {
        for (number, account) in self.partner.accounts().enumerate() {
            if !self.known_accounts.insert(account.org_id.clone()) || number % 25 == 24 {
                continue;
            }
            let copies = if number % 40 == 39 { 2 } else { 1 };
            let name = account.name.replace("&amp;amp;", "&").replace("&amp;", "&");
            for _ in 0..copies {
                let mut fields = Map::new();
                fields.insert("Account_Name".to_owned(), json!(name));
                fields.insert("Org_ID".to_owned(), json!(account.org_id));
                self.crm.add_record("Accounts", fields, self.now);
            }
        }
    }

    /// The requests since the log was last cleared; looking and editing under `/_sim` is not logged.
    pub fn requests(&self) -> &[LoggedRequest] {
        &self.log
    }

    pub fn clear_requests(&mut self) {
        self.log.clear();
        self.drawn_faults = 0;
        for store in &mut self.stores {
            store.asked.clear();
        }
    }

    /// CRM writes in the log.
    pub fn writes(&self) -> usize {
        self.log.iter().filter(|request| request.is_write).count()
    }

    /// Credits that the writes in the log cost.
    pub fn write_credits(&self) -> u64 {
        self.log.iter().map(|request| request.credits).sum()
    }

    /// Credits spent in the last 24 hours by the world's clock.
    pub fn credits_of_the_day(&self) -> u64 {
        self.crm.spent(self.now)
    }

    /// Every access token stops working.
    pub fn expire_tokens(&mut self) {
        self.accounts.expire_all();
    }

    /// Makes a one-use authorization code valid for `us`, `eu` or `crm`.
    pub fn offer_code(&mut self, connection: &str, code: &str) {
        self.accounts.offer_code(connection, code);
    }

    /// Answers a request, or says which fault hits it.
    pub(super) fn reply(&mut self, call: &Call) -> Reply {
        if call.path.starts_with("/_sim") {
            return Reply { answer: control::answer(self, call), fault: None };
        }
        self.served += 1;
        let host = host_of(&call.path);
        let fault = self.fault_for(call, host);
        let (answer, kind, note) = match fault {
            Some(fault) if !fault.comes_after() => (self.spoiled(fault, host), None, Note::default()),
            _ => self.answer(call, host),
        };
        let cut = matches!(fault, Some(FaultKind::Reset | FaultKind::Stall | FaultKind::LostAnswer));
        self.log.push(LoggedRequest {
            number: self.served,
            host: host.to_owned(),
            method: call.method.clone(),
            path: call.path.clone(),
            query: if host == "accounts" { String::new() } else { call.query_text.clone() },
            kind: kind.map(str::to_owned),
            status: if cut { 0 } else { answer.status },
            fault,
            is_write: note.is_write,
            records: note.records,
            credits: note.credits,
            trigger: note.trigger,
        });
        Reply { answer, fault }
    }

    fn fault_for(&mut self, call: &Call, host: &str) -> Option<FaultKind> {
        if let Some(kind) = faults::queued(&mut self.switches.next_faults, &call.path) {
            return Some(kind);
        }
        let plan = &self.switches.faults;
        if plan.limit.is_some_and(|limit| self.drawn_faults >= limit) {
            return None;
        }
        let fault = faults::drawn(plan, self.served, &call.path, host == "accounts");
        self.drawn_faults += u64::from(fault.is_some());
        fault
    }

    /// The answer of a fault that comes before the request is carried out.
    fn spoiled(&self, fault: FaultKind, host: &str) -> Answer {
        let seconds = self.switches.faults.retry_after_seconds;
        let too_many = |seconds| crm::too_many_requests(self.switches.crm.too_many_requests, seconds);
        match fault {
            FaultKind::TooManyRequests => too_many(None),
            FaultKind::TooManyRequestsRetryAfter => too_many(Some(seconds)),
            FaultKind::InternalError => Answer::error(500, "INTERNAL_ERROR", "Internal Server Error", &json!({})),
            FaultKind::BadGateway => Answer::html(502, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
            FaultKind::InvalidToken if host == "crm" => crm::refused(&super::accounts::Refusal::Invalid),
            FaultKind::InvalidToken => store::refused(&super::accounts::Refusal::Invalid),
            FaultKind::LoginPage => Answer::html(200, LOGIN_PAGE),
            FaultKind::TokenThrottle => throttled(self.switches.accounts.throttle_status),
            _ => Answer::empty(500),
        }
    }

    fn answer(&mut self, call: &Call, host: &'static str) -> (Answer, Option<&'static str>, Note) {
        let now = Instant::now();
        match host {
            "crm" => {
                if let Err(refusal) = self.accounts.admit(call, "crm", now) {
                    return (crm::refused(&refusal), None, Note::default());
                }
                let (answer, note) = self.crm.answer(call, &self.switches.crm, self.now);
                (answer, None, note)
            }
            "us" | "eu" => {
                let (answer, kind) = self.answer_store(call, host, now);
                (answer, kind, Note::default())
            }
            _ => {
                let base = self.base.clone();
                (self.accounts.answer(call, &self.switches.accounts, &base, now), None, Note::default())
            }
        }
    }

    fn answer_store(&mut self, call: &Call, name: &'static str, now: Instant) -> (Answer, Option<&'static str>) {
        let rest = call.path[name.len() + 1..].strip_prefix(STORE_ROOT).unwrap_or_default();
        let kind = match store::asked(rest) {
            Asked::List(kind) => kind,
            Asked::ByStatus => return (store::bad_request("Invalid input"), None),
            Asked::Nothing => return (store::not_found(), None),
        };
        if let Err(refusal) = self.accounts.admit(call, name, now) {
            return (store::refused(&refusal), Some(kind));
        }
        if call.method != "GET" {
            return (store::bad_request("only GET is supported"), Some(kind));
        }
        if self.is_too_fast(name, now) {
            return (crm::too_many_requests(self.switches.crm.too_many_requests, None), Some(kind));
        }
        self.drift(name, kind);
        let switches = self.switches.stores[name].clone();
        (store::list(call, kind, self.listing(name, kind), &switches), Some(kind))
    }

    fn is_too_fast(&mut self, name: &str, now: Instant) -> bool {
        let Some(limit) = self.switches.stores[name].requests_per_minute else {
            return false;
        };
        let Some(store) = self.stores.iter_mut().find(|store| store.name == name) else {
            return false;
        };
        store.recent.retain(|at| now.duration_since(*at).as_secs() < 60);
        store.recent.push(now);
        store.recent.len() > limit
    }

    /// Carries out the edits scheduled before this request.
    fn drift(&mut self, name: &'static str, kind: &'static str) {
        let Some(store) = self.stores.iter_mut().find(|store| store.name == name) else {
            return;
        };
        let number = store.asked.entry(kind).or_default();
        *number += 1;
        let number = *number;
        let Some(switches) = self.switches.stores.get_mut(name) else {
            return;
        };
        let all = std::mem::take(&mut switches.drift);
        let (due, later) = all.into_iter().partition(|edit| edit.kind == kind && edit.before_request <= number);
        switches.drift = later;
        for edit in due {
            for put in edit.put {
                self.upsert_record(name, kind, &put.id, put.json);
            }
            for id in edit.remove {
                self.remove_record(name, kind, &id);
            }
        }
    }
}

const STORE_ROOT: &str = "/api/v1/partner";
const LOGIN_PAGE: &str = "<!DOCTYPE html><html><head><title>Accounts - Sign in</title></head><body><form \
                          action=\"/signin\"><input name=\"LOGIN_ID\"></form></body></html>";

fn host_of(path: &str) -> &'static str {
    if path.starts_with("/crm/") {
        return "crm";
    }
    let store = CONNECTIONS.into_iter().find(|name| {
        *name != "crm" && path.strip_prefix('/').and_then(|path| path.strip_prefix(name)).is_some_and(is_end_of_part)
    });
    store.unwrap_or("accounts")
}

fn is_end_of_part(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

fn place_of(kind: &str) -> usize {
    let found = KINDS.iter().position(|known| *known == kind);
    found.unwrap_or_else(|| panic!("the simulator has no kind {kind}"))
}
