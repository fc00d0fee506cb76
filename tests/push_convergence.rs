//! Convergence of the push: whatever the store does between pushes, however the CRM behaves and answers, and at whatever
//! moment a push is killed, the CRM ends with the values the mirror expects, one record per name, and the next push
//! sends nothing (issue 5, "How it is proved").
//!
//! Each seed is one trial with a random store, random switches of the CRM, faults and kills of the real binary. Then the
//! weather clears. `STOREMIRROR_SEEDS=N` runs N seeds instead of 30, `STOREMIRROR_SEED=K` replays one.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Map, Value, json};
use storemirror::sim::{FaultKind, Faults, Options};

use crate::push::desk::{commission, transaction, with};
use crate::support::{Bench, NOW, Ran, finish, subscription, try_seeds};

const SEEDS: u64 = 30;
const KINDS: [(&str, &str); 3] = [
    ("subscriptions", "Partner_Subscriptions"),
    ("transactions", "Partner_Transactions"),
    ("commissions", "Partner_Commissions"),
];
/// Faults a push can meet at the CRM and the accounts server.
const FAULTS: [FaultKind; 12] = [
    FaultKind::TooManyRequests,
    FaultKind::TooManyRequestsRetryAfter,
    FaultKind::InternalError,
    FaultKind::BadGateway,
    FaultKind::InvalidToken,
    FaultKind::Reset,
    FaultKind::Stall,
    FaultKind::Truncated,
    FaultKind::BadJson,
    FaultKind::SlowBody,
    FaultKind::TokenThrottle,
    FaultKind::LostAnswer,
];

#[test]
fn every_storm_ends_with_the_mirrors_values_in_the_crm() {
    try_seeds("push_convergence", SEEDS, |seed| Trial::new(seed).run());
}

struct Trial {
    seed: u64,
    random: Rng,
    bench: Bench,
    now: DateTime<Utc>,
    /// What the store lists: kind → id → body.
    records: [BTreeMap<u64, String>; 3],
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let options = Options { seed, subscriptions: 0, transactions: 0, commissions: 0, ..Options::default() };
        let mut lines = String::from("timeout_seconds = 1\n");
        if random.bool() {
            lines += "account_match = \"Org_ID\"\n";
        }
        let is_written_once = random.u8(..3) == 0;
        let bench = Bench::new(&["us"], options).with("crm", &lines);
        bench.run(&["ingest"]).exits(0);
        let now = NOW.parse().expect("an instant");
        let mut trial = Self { seed, random, bench, now, records: Default::default() };
        trial.set_switches();
        let fields = trial.names_in_the_crm(is_written_once);
        trial.bench = trial.bench.with("crm", &fields);
        trial.grow(60);
        trial.stand_there_already();
        trial
    }

    fn run(mut self) {
        for _ in 0..2 + self.random.usize(..3) {
            self.edit();
            self.run_once(&["ingest"], None).expect("no kill").exits(0);
            self.disturbed_push();
            let minutes = [0, 5, 60 * 25][self.random.usize(..3)];
            self.now += TimeDelta::minutes(minutes);
        }
        self.calm();
        self.settle();
        self.crm_is_as_expected();
        self.sends_nothing_more();
    }

    /// A CRM of one kind or another: every switch of contract §13 that a push can meet.
    fn set_switches(&mut self) {
        let random = &mut self.random;
        let one = |random: &mut Rng, values: &[Value]| values[random.usize(..values.len())].clone();
        let patch = json!({
            "mixed_status": one(random, &[json!(207), json!(200), json!(202)]),
            "unknown_field": one(random, &[json!("accepted"), json!("refused")]),
            "unknown_picklist": one(random, &[json!("accepted"), json!("refused")]),
            "prefix": one(random, &[json!(""), json!("zpartner__")]),
            "payload": one(random, &[json!("small"), json!("large")]),
            "invalid_module": one(random, &[json!("flat"), json!("wrapped")]),
            "too_many_requests": one(random, &[json!("plain"), json!("retry_after"), json!("old")]),
            "user_offset_minutes": one(random, &[json!(0), json!(330)]),
        });
        let lacks = random.u8(..3) == 0;
        self.bench.sim.with(|world| {
            world.switches.accounts.throttle = false;
            world.switches.merge(&json!({ "crm": patch })).expect("known switches");
            if lacks {
                world.crm.remove_field("Partner_Subscriptions", "Plan_Name");
            }
            for org in 0..20 {
                let fields = json!({ "Account_Name": format!("Account {org}"), "Org_ID": format!("7{org}") });
                let now = world.now;
                world.crm.add_record("Accounts", fields.as_object().expect("fields").clone(), now);
            }
        });
    }

    /// The configuration's lines for the modules and fields: those that `crm check` prints for an extension's prefix.
    fn names_in_the_crm(&self, is_written_once: bool) -> String {
        let has_prefix = self.bench.sim.with(|world| !world.switches.crm.prefix.is_empty());
        let once = |field: &str| format!("company_name = {{ field = \"{field}\", policy = \"create_only\" }}");
        if !has_prefix {
            let line = once("Company_Name");
            return if is_written_once { format!("[crm.fields.subscriptions]\n{line}\n") } else { String::new() };
        }
        let check = self.run_once(&["crm", "check"], None).expect("no kill").exits(3).json();
        let lines = check["config"].as_array().expect("lines").iter().map(|line| line.as_str().expect("a line"));
        let field = "zpartner__Company_Name";
        let line = |line: &str| match line {
            _ if is_written_once && line == format!("company_name = \"{field}\"") => once(field),
            _ => line.to_owned(),
        };
        lines.map(|text| line(text) + "\n").collect()
    }

    /// New records of every kind, each pointing to one before.
    fn grow(&mut self, count: u64) {
        for _ in 0..count {
            let id = self.records[0].len() as u64 + 1;
            let place = self.random.usize(..3);
            let (key, body) = match place {
                0 => (id, subscription(id)),
                1 => {
                    let key = 1_000 + self.records[1].len() as u64;
                    // sometimes a parent that the store never lists
                    (key, transaction(key, self.random.u64(1..=id + 1)))
                }
                _ => {
                    let key = 5_000 + self.records[2].len() as u64;
                    (key, commission(key, self.random.u64(1..=id), 1_000 + self.random.u64(..=id)))
                }
            };
            self.put(place, key, body);
        }
    }

    fn put(&mut self, place: usize, id: u64, body: String) {
        self.bench.sim.with(|world| world.upsert_record("us", KINDS[place].0, &id.to_string(), body.clone()));
        self.records[place].insert(id, body);
    }

    /// Some of the records an extension made before.
    fn stand_there_already(&mut self) {
        for id in self.records[0].keys().copied().collect::<Vec<_>>() {
            if self.random.u8(..6) == 0 {
                let fields = json!({ "Name": id.to_string(), "Company_Name": "Before" });
                self.bench.sim.with(|world| {
                    let now = world.now;
                    world.crm.add_record(KINDS[0].1, fields.as_object().expect("fields").clone(), now);
                });
            }
        }
    }

    fn edit(&mut self) {
        let more = self.random.u64(..12);
        self.grow(more);
        for _ in 0..self.random.usize(..15) {
            let place = self.random.usize(..3);
            let ids: Vec<u64> = self.records[place].keys().copied().collect();
            if ids.is_empty() {
                continue;
            }
            let id = ids[self.random.usize(..ids.len())];
            let body = self.records[place][&id].clone();
            match self.random.u8(..11) {
                // a value that no pick list offers: refused by a strict CRM
                10 if place == 0 => self.put(place, id, with(&body, &json!({ "billing_frequency": "weekly" }))),
                0 => {
                    self.records[place].remove(&id);
                    self.bench.sim.with(|world| world.remove_record("us", KINDS[place].0, &id.to_string()));
                }
                1 if place == 0 => self.put(place, id, with(&body, &json!({ "email_id": "nobody" }))),
                2 if place == 0 => {
                    self.put(place, id, with(&body, &json!({ "license_description": "x".repeat(2_100) })));
                }
                _ => {
                    let changes = self.changes(place);
                    self.put(place, id, with(&body, &changes));
                }
            }
        }
    }

    fn changes(&mut self, place: usize) -> Value {
        let amount = format!("{}.5", self.random.u16(1..900));
        let word = format!("Word {}", self.random.u8(..20));
        match (place, self.random.bool()) {
            (0, true) => {
                json!({ "status": if self.random.bool() { "active" } else { "inactive" }, "email_id": "a@b.test" })
            }
            (0, false) => json!({ "customer_company_name": word, "next_recurring_amount": amount }),
            (1, true) => json!({ "description": word }),
            (1, false) => json!({ "amount": amount, "usd_amount": amount }),
            (_, true) => json!({ "status": "requested" }),
            (_, false) => json!({ "balance_commission": amount }),
        }
    }

    /// A push with faults, a spent day, expired tokens, and perhaps a kill.
    fn disturbed_push(&mut self) {
        let mut per_mille = BTreeMap::new();
        for _ in 0..self.random.usize(..4) {
            per_mille.insert(FAULTS[self.random.usize(..FAULTS.len())], 30 + self.random.u32(..150));
        }
        let faults = Faults {
            seed: self.random.u64(..),
            per_mille,
            limit: Some(1 + self.random.u64(..3)),
            stall_ms: 1_200,
            retry_after_seconds: 0,
            slow_body_ms: 60,
            path: String::new(),
        };
        let (expires, spent) = (self.random.u8(..4) == 0, self.random.u8(..6) == 0);
        self.bench.sim.with(|world| {
            world.clear_requests();
            world.switches.faults = faults;
            world.switches.crm.daily_limit = spent.then(|| world.credits_of_the_day() + 3);
            if expires {
                world.expire_tokens();
            }
        });
        let kill = match self.random.u8(..10) {
            0..4 => None,
            4..8 => Some(Kill::Requests(1 + self.random.usize(..12))),
            _ => Some(Kill::After(Duration::from_millis(self.random.u64(5..200)))),
        };
        let max = self.random.u8(1..9).to_string();
        let mut arguments = vec!["push"];
        if self.random.u8(..4) == 0 {
            arguments.extend(["--max-credits", &max]);
        }
        if let Some(ran) = self.run_once(&arguments, kill) {
            assert!([0, 1, 3, 4].contains(&ran.exit), "seed {}: {ran:?}", self.seed);
        }
        // a push that was killed early met few of them, and they are not meant for the ingest that follows
        self.bench.sim.with(|world| world.switches.faults.per_mille.clear());
        self.one_record_per_name();
    }

    fn run_once(&self, arguments: &[&str], kill: Option<Kill>) -> Option<Ran> {
        let mut command = self.bench.command(arguments);
        command.arg("--json").env("STOREMIRROR_NOW", self.now.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let Some(kill) = kill else { return Some(finish(&mut command)) };
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        let started = Instant::now();
        while child.try_wait().expect("a child").is_none() {
            let is_due = match kill {
                Kill::Requests(count) => self.bench.sim.with(|world| world.requests().len()) >= count,
                Kill::After(wait) => started.elapsed() >= wait,
            };
            if is_due {
                child.kill().expect("a kill");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        child.wait().expect("it ends");
        // its last request may still be under way, and would be met by whatever comes next
        self.bench.sim.finish_requests().expect("the simulator answers");
        None
    }

    fn calm(&mut self) {
        self.bench.sim.with(|world| {
            world.switches.faults.per_mille.clear();
            world.switches.crm.daily_limit = None;
            world.clear_requests();
        });
        // what the store lists wrongly is put right, or it would be refused for ever
        for (id, body) in self.records[0].clone() {
            if body.contains("nobody") || body.contains("weekly") {
                self.put(0, id, body.replace("nobody", "somebody@b.test").replace("weekly", "monthly"));
            }
        }
        self.now += TimeDelta::days(8);
        self.run_once(&["ingest"], None).expect("no kill").exits(0);
    }

    fn settle(&mut self) {
        let push = self.run_once(&["push"], None).expect("no kill").exits(0).json();
        let (used, planned) = (&push["credits"]["used"], &push["credits"]["planned"]);
        let sum: u64 = self.bench.sim.with(|world| {
            let writes = world.requests().iter().filter(|request| request.is_write);
            writes.map(|request| request.records.div_ceil(10) as u64).sum()
        });
        assert_eq!(*used, sum, "seed {}: credits are one per ten records of a request: {push}", self.seed);
        assert_eq!(used, planned, "seed {}: {push}", self.seed);
    }

    fn one_record_per_name(&self) {
        for (_, module) in KINDS {
            let names: Vec<Value> = self
                .bench
                .sim
                .with(|world| world.crm.records(module).iter().map(|record| record.fields["Name"].clone()).collect());
            let distinct: std::collections::HashSet<String> = names.iter().map(Value::to_string).collect();
            assert_eq!(names.len(), distinct.len(), "seed {}: a name twice in {module}", self.seed);
        }
    }

    /// The CRM against the store's own words, not against what the program noted.
    fn crm_is_as_expected(&self) {
        self.one_record_per_name();
        for (place, (kind, module)) in KINDS.into_iter().enumerate() {
            for (id, body) in &self.records[place] {
                let fields = self.bench.sim.with(|world| {
                    let record = world.crm.record_named(module, &id.to_string());
                    record.unwrap_or_else(|| panic!("seed {}: no {kind} {id} in the CRM", self.seed)).fields.clone()
                });
                self.record_is(kind, body, &fields);
            }
        }
        let shared: i64 = self.bench.value("select count(*) - count(distinct target || crm_id) from crm_links");
        assert_eq!(shared, 0, "seed {}", self.seed);
        let verified = self.run_once(&["crm", "verify"], None).expect("no kill");
        assert_eq!(verified.exit, 0, "seed {}: {verified:?}", self.seed);
    }

    fn record_is(&self, kind: &str, body: &str, fields: &Map<String, Value>) {
        let record: Value = serde_json::from_str(body).expect("a record");
        let number =
            |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok()).map(|number| json!(number));
        let expected: Vec<(&str, Option<Value>)> = match kind {
            "subscriptions" => vec![
                ("Status", Some(record["status"].clone())),
                ("Email", Some(record["email_id"].clone())),
                ("Next_Recurring_Amount", number(&record["next_recurring_amount"])),
            ],
            "transactions" => {
                vec![("Description", Some(record["description"].clone())), ("Amount", number(&record["amount"]))]
            }
            _ => vec![("Status", Some(record["status"].clone())), ("Balance", number(&record["balance_commission"]))],
        };
        for (field, value) in expected {
            let found = fields.get(field).unwrap_or(&Value::Null);
            let is_same = match (value.as_ref().and_then(Value::as_f64), found.as_f64()) {
                (Some(wanted), Some(found)) => (wanted - found).abs() < 1e-9,
                _ => value.as_ref() == Some(found),
            };
            assert!(is_same, "seed {}: {field} is {found}, not {value:?}: {body}", self.seed);
        }
    }

    fn sends_nothing_more(&self) {
        self.bench.sim.with(storemirror::sim::World::clear_requests);
        let push = self.run_once(&["push"], None).expect("no kill").exits(0).json();
        assert_eq!(push["requests"], 0, "seed {}: {push}", self.seed);
        let asked = self.bench.sim.with(|world| world.requests().len());
        assert_eq!(asked, 0, "seed {}: nothing changed, nothing asked", self.seed);
    }
}

/// When a push is killed.
#[derive(Clone, Copy)]
enum Kill {
    Requests(usize),
    After(Duration),
}
