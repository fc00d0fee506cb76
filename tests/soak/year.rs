//! One year: what happens on which day, what must hold after each run, and what must stand at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{DateTime, Datelike as _, Months, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};
use storemirror::sim::{FaultKind, Options, Record, World};

use crate::convergence::mirror::{ALL_TABLES, Mirror};
use crate::convergence::storm::{NAMELESS, random_edit, random_faults};
use crate::support::{Bench, Ran};

/// Shortly before the end of a month, so that a short run freezes one.
const FIRST_DAY: &str = "2026-03-20T06:00:00Z";
/// Days of twelve runs instead of one.
const TWO_HOURLY_EVERY: u32 = 13;
const BACKUP_EVERY: u32 = 7;
const REBUILD_EVERY: u32 = 11;
/// A run of a year asks only about ten times, so a storm's faults must be likelier for it.
const FAULTS_TIMES: u32 = 3;
/// Above the simulator's own ids.
const FIRST_REVERSAL: u64 = 9_000_000_000_000;
/// Bytes of the file per version stored: at the end at most so many times those after the first day. What is not a
/// version (a row per run, free pages) must stay a small part.
const MOST_GROWTH_PER_VERSION: f64 = 1.5;
/// Peak memory: at the end at most so many times that of the beginning. The store's lists grow too.
const MOST_GROWTH_OF_MEMORY: f64 = 1.3;

/// Per kind: module, view, its key, and CRM fields with the view's columns that they show.
type Shown = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);
const SHOWN: [Shown; 3] = [
    (
        "subscriptions",
        "Partner_Subscriptions",
        "subscription_id",
        &[("Status", "iif(removed_at is null, status, 'Un-Tagged')"), ("Plan_Name", "plan_name")],
    ),
    (
        "transactions",
        "Partner_Transactions",
        "transaction_id",
        &[("Amount", "amount"), ("Service_Name", "service_name")],
    ),
    ("commissions", "Partner_Commissions", "commission_id", &[("State", "state"), ("Net_Payout", "net_payout")]),
];

/// A month as it was frozen.
struct Frozen {
    month: String,
    sha256: Value,
    csv: String,
}

#[derive(Default)]
struct Figures {
    runs: BTreeMap<String, u32>,
    kills: u32,
    faults: BTreeMap<FaultKind, u32>,
    /// Day of the year → highest peak of a run's memory, in bytes.
    memory: BTreeMap<u32, u64>,
}

pub struct Year {
    seed: u64,
    random: Rng,
    bench: Bench,
    days: u32,
    day: u32,
    now: DateTime<Utc>,
    /// Records that are in no list now, by kind.
    gone: BTreeMap<&'static str, Vec<Record>>,
    frozen: Vec<Frozen>,
    figures: Figures,
    accepts_removals: bool,
    allows_mass_change: bool,
}

impl Year {
    pub fn new(seed: u64, days: u32) -> Self {
        let now = FIRST_DAY.parse().expect("an instant");
        let options =
            Options { seed, now, subscriptions: 60, transactions: 300, commissions: 250, ..Options::default() };
        let bench = Bench::new(&["us"], options).with("us", "timeout_seconds = 1").with("crm", "timeout_seconds = 1");
        bench.sim.with(|world| world.switches.accounts.throttle = false);
        Self {
            seed,
            random: Rng::with_seed(seed),
            bench,
            days,
            day: 0,
            now,
            gone: BTreeMap::new(),
            frozen: Vec::new(),
            figures: Figures::default(),
            accepts_removals: false,
            allows_mass_change: false,
        }
    }

    pub fn live(mut self) {
        let started = Instant::now();
        self.round();
        self.back_up();
        let files = self.files();
        let at_start = self.size();
        for day in 1..=self.days {
            self.day = day;
            let rounds = if day % TWO_HOURLY_EVERY == 2 { 12 } else { 1 };
            for _ in 0..rounds {
                self.now += TimeDelta::hours(24 / rounds);
                self.bench.sim.with(|world| world.set_now(self.now));
                self.edit();
                self.round();
            }
            self.chores();
        }
        self.calm();
        self.is_one();
        self.stands_still();
        self.statements_are_unchanged();
        assert_eq!(self.files(), files, "seed {}: files that no run took away", self.seed);
        let at_end = self.size();
        self.tell(at_start, at_end, started.elapsed());
        self.grew_no_more_than_it_had_to(at_start, at_end);
        self.everything_happened();
    }

    /// Ingest and push, sometimes through a storm.
    fn round(&mut self) {
        let mut ingest = vec!["ingest", "--json"];
        if std::mem::take(&mut self.accepts_removals) {
            ingest.push("--accept-removals");
        }
        if let Some(ran) = self.disturbed(&ingest) {
            let answer = ran.json();
            let listings = answer["listings"].as_array().expect("listings");
            self.accepts_removals = listings.iter().any(|listing| listing["outcome"] == "suspicious");
        }
        let mut push = vec!["push", "--json"];
        if std::mem::take(&mut self.allows_mass_change) {
            push.push("--allow-mass-change");
        }
        if let Some(ran) = self.disturbed(&push) {
            self.allows_mass_change = ran.json()["stopped"] == "brake";
        }
    }

    /// One run: one in four meets faults, one in nine is killed, one in ten finds its tokens expired.
    fn disturbed(&mut self, arguments: &[&str]) -> Option<Ran> {
        let mut faults = (self.random.u8(..4) == 0).then(|| random_faults(&mut self.random));
        for share in faults.iter_mut().flat_map(|faults| faults.per_mille.values_mut()) {
            *share = (*share * FAULTS_TIMES).min(1_000);
        }
        let expires = self.random.u8(..10) == 0;
        let kill = (self.random.u8(..9) == 0).then(|| 1 + self.random.usize(..9));
        let is_calm = faults.is_none();
        self.bench.sim.with(|world| {
            world.switches.faults = faults.unwrap_or_default();
            if expires {
                world.expire_tokens();
            }
        });
        let ran = self.run(arguments, kill);
        self.bench.sim.with(|world| world.switches.faults.per_mille.clear());
        if let Some(ran) = &ran {
            let expected: &[i32] = if is_calm { &[0, 3] } else { &[0, 1, 3, 4] };
            assert!(expected.contains(&ran.exit), "seed {}, day {}: {arguments:?}: {ran:?}", self.seed, self.day);
        }
        self.mirror().is_sound();
        ran
    }

    /// Runs the program, and kills it once the simulator has seen so many requests; None when that came first.
    fn run(&mut self, arguments: &[&str], kill: Option<usize>) -> Option<Ran> {
        self.bench.sim.with(World::clear_requests);
        let mut command = self.bench.command(arguments);
        let (mut data, mut talk) = (tempfile::tempfile().expect("a file"), tempfile::tempfile().expect("a file"));
        command.env("STOREMIRROR_NOW", self.instant()).stdout(data.try_clone().expect("its handle"));
        command.stderr(talk.try_clone().expect("its handle"));
        let mut child = command.spawn().expect("the program starts");
        *self.figures.runs.entry(arguments[0].to_owned()).or_default() += 1;
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            let peak = self.figures.memory.entry(self.day).or_default();
            *peak = (*peak).max(peak_memory(child.id()));
            if kill.is_some_and(|requests| self.bench.sim.with(|world| world.requests().len()) >= requests) {
                // it may end just now
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let exit = status.code();
        if exit.is_none() {
            self.figures.kills += 1;
            // its last request may still be under way, and would be met by whatever comes next
            self.bench.sim.finish_requests().expect("the simulator answers");
        }
        for fault in self.bench.sim.with(|world| world.requests().iter().filter_map(|it| it.fault).collect::<Vec<_>>())
        {
            *self.figures.faults.entry(fault).or_default() += 1;
        }
        let [stdout, stderr] = [&mut data, &mut talk].map(|file| {
            let mut text = String::new();
            file.rewind().and_then(|()| file.read_to_string(&mut text)).expect("UTF-8");
            text
        });
        Some(Ran { exit: exit?, stdout, stderr })
    }

    /// A run in calm weather.
    #[track_caller]
    fn calmly(&mut self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments, None).expect("no kill");
        assert_eq!(ran.exit, 0, "seed {}, day {}: {arguments:?}: {ran:?}", self.seed, self.day);
        ran
    }

    fn instant(&self) -> String {
        self.now.format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    fn mirror(&self) -> Mirror {
        Mirror::open(&self.bench.path("mirror.db"), self.seed)
    }

    /// Edits beside the partner's own business, which `set_now` moves on: any record may change, go or come back.
    fn edit(&mut self) {
        for (kind, ..) in SHOWN {
            if self.random.u8(..3) > 0 {
                continue;
            }
            let current = self.bench.sim.with(|world| world.store("us").records(kind));
            let edit = random_edit(&mut self.random, kind, &current, self.gone.entry(kind).or_default());
            self.bench.sim.with(|world| {
                for put in &edit.put {
                    world.upsert_record("us", kind, &put.id, put.json.clone());
                }
                for id in &edit.remove {
                    world.remove_record("us", kind, id);
                }
            });
        }
    }

    /// What a firm does besides, each on its day.
    fn chores(&mut self) {
        if self.day.is_multiple_of(BACKUP_EVERY) {
            self.back_up();
            self.reverse();
            self.complete();
        }
        if self.day % REBUILD_EVERY == 5 {
            let ran = self.run(&["rebuild", "--json"], None).expect("no kill");
            // 3 while a listed record is in quarantine
            assert!([0, 3].contains(&ran.exit), "seed {}, day {}: {ran:?}", self.seed, self.day);
            assert_eq!(ran.json()["changed"], json!([]), "seed {}, day {}: {ran:?}", self.seed, self.day);
        }
        if self.now.day() == 1 {
            self.freeze();
            self.statements_are_unchanged();
        }
    }

    /// A commission is taken back, which happens too seldom by itself among so few.
    fn reverse(&mut self) {
        let commissions = self.bench.sim.with(|world| world.store("us").records("commissions"));
        let taken_back = &commissions[self.random.usize(..commissions.len())];
        let mut body: Value = serde_json::from_str(&taken_back.json).expect("JSON");
        let id = FIRST_REVERSAL + u64::from(self.day);
        body["commission_id"] = json!(id);
        body["type"] = json!("commission_reversal");
        self.bench.sim.with(|world| world.upsert_record("us", "commissions", &id.to_string(), body.to_string()));
    }

    /// A commission is paid out.
    fn complete(&mut self) {
        self.bench.sim.with(|world| {
            for record in world.store("us").records("commissions") {
                let mut body: Value = serde_json::from_str(&record.json).expect("JSON");
                if body["status"] == "open" && body["type"] == "commission" {
                    body["status"] = json!("closed");
                    body["payout_id"] = json!(7_000 + self.day);
                    return world.upsert_record("us", "commissions", &record.id, body.to_string());
                }
            }
        });
    }

    fn back_up(&mut self) {
        let file = self.bench.path("backup.db");
        let file = file.to_str().expect("a path");
        self.calmly(&["backup", file, "--force"]);
        self.calmly(&["restore", file, "--check"]);
    }

    fn freeze(&mut self) {
        let month = (self.now - Months::new(1)).format("%Y-%m").to_string();
        let answer = self.calmly(&["statement", &month, "--json"]).json();
        assert_eq!(answer["newly_frozen"], true, "seed {}: {answer}", self.seed);
        let csv = self.calmly(&["statement", &month]).stdout;
        let sha256 = answer["sha256"].clone();
        assert_eq!(sha256, hex::encode(<sha2::Sha256 as sha2::Digest>::digest(csv.as_bytes())), "seed {}", self.seed);
        self.frozen.push(Frozen { month, sha256, csv });
    }

    fn statements_are_unchanged(&mut self) {
        for Frozen { month, sha256, csv } in std::mem::take(&mut self.frozen) {
            let answer = self.calmly(&["statement", &month, "--json"]).json();
            assert_eq!((&answer["newly_frozen"], &answer["sha256"]), (&json!(false), &sha256), "seed {}", self.seed);
            assert_eq!(self.calmly(&["statement", &month]).stdout, csv, "seed {}: {month}", self.seed);
            self.frozen.push(Frozen { month, sha256, csv });
        }
    }

    /// The end of the storms. What the store lists wrongly is put right, or it would stay in quarantine.
    fn calm(&mut self) {
        self.bench.sim.with(|world| {
            for (kind, ..) in SHOWN {
                world.remove_record("us", kind, NAMELESS);
                for record in world.store("us").records(kind) {
                    let mut body: Value = serde_json::from_str(&record.json).expect("JSON");
                    let broken =
                        body.as_object_mut().expect("a record").values_mut().find(|value| **value == unreadable());
                    if let Some(value) = broken {
                        *value = json!("2026-03-15");
                        world.upsert_record("us", kind, &record.id, body.to_string());
                    }
                }
            }
        });
        self.now += TimeDelta::days(8);
        self.calmly(&["ingest", "--json", "--accept-removals"]);
        self.calmly(&["push", "--json", "--allow-mass-change", "--retry-rejected"]);
    }

    /// Mirror = store, CRM = mirror.
    fn is_one(&mut self) {
        let mirror = self.mirror();
        let lists = SHOWN.map(|(kind, ..)| ("us", kind));
        self.bench.sim.with(|world| mirror.is_the_store(world, &lists));
        mirror.is_sound();
        mirror.is_what_a_rebuild_makes(&self.bench);
        for (kind, module, key, fields) in SHOWN {
            self.crm_shows(kind, module, key, fields);
        }
        self.calmly(&["crm", "verify", "--json"]);
        let doctor = self.calmly(&["doctor", "--offline", "--json"]).json();
        assert_eq!(doctor["counts"]["broken"], 0, "seed {}: {doctor}", self.seed);
    }

    fn crm_shows(&self, kind: &str, module: &str, key: &str, fields: &[(&str, &str)]) {
        let mut records: BTreeMap<String, _> = BTreeMap::new();
        for record in self
            .bench
            .sim
            .with(|world| world.crm.records(module).iter().map(|it| it.fields.clone()).collect::<Vec<_>>())
        {
            let name = record["Name"].as_str().expect("a name").to_owned();
            assert!(records.insert(name.clone(), record).is_none(), "seed {}: {kind} {name} twice", self.seed);
        }
        let listed = self.bench.sim.with(|world| world.store("us").records(kind));
        for record in &listed {
            assert!(records.contains_key(&record.id), "seed {}: no {kind} {} in the CRM", self.seed, record.id);
        }
        let columns: Vec<&str> = fields.iter().map(|(_, column)| *column).collect();
        let database = self.bench.database();
        for (name, record) in &records {
            let sql = format!("select json_array({}, removed_at) from {kind} where {key} = ?1", columns.join(", "));
            let row: String = database
                .query_row(&sql, [name.parse::<i64>().expect("an id")], |row| row.get(0))
                .unwrap_or_else(|error| panic!("seed {}: {kind} {name} is in the CRM alone: {error}", self.seed));
            let mut row: Vec<Value> = serde_json::from_str(&row).expect("values");
            // a removed subscription is un-tagged; any other removed record is left as it was
            if row.pop() != Some(Value::Null) && kind != "subscriptions" {
                continue;
            }
            for ((field, _), expected) in fields.iter().zip(row) {
                let found = &record.get(*field).cloned().unwrap_or_default();
                let is_same = match (expected.as_f64(), found.as_f64()) {
                    (Some(expected), Some(found)) => (expected - found).abs() < 1e-6,
                    // what was sent once stays when the store has no value any more
                    _ => expected.is_null() || expected == *found,
                };
                assert!(is_same, "seed {}: {kind} {name}: {field} is {found}, not {expected}", self.seed);
            }
        }
    }

    /// The next ingest writes nothing, the next push sends nothing.
    fn stands_still(&mut self) {
        let mirror = self.mirror();
        let before = mirror.dump(ALL_TABLES);
        self.now += TimeDelta::hours(1);
        let answer = self.calmly(&["ingest", "--json"]).json();
        for count in ["new", "changed", "returned", "removed", "quarantined"] {
            assert_eq!(answer["totals"][count], 0, "seed {}: {count} of {answer}", self.seed);
        }
        mirror.is_unchanged(&before, &mirror.dump(ALL_TABLES), "the next run wrote");
        let push = self.calmly(&["push", "--json"]).json();
        assert_eq!(push["requests"], 0, "seed {}: {push}", self.seed);
        assert_eq!(self.bench.sim.with(|world| world.requests().len()), 0, "seed {}: nothing to ask", self.seed);
    }

    /// Every file of the bench by its name, but for what a killed run left for the next one to take over.
    fn files(&self) -> BTreeSet<PathBuf> {
        fn walk(folder: &Path, files: &mut BTreeSet<PathBuf>) {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    walk(&path, files);
                } else if path.extension().is_none_or(|extension| extension != "new") {
                    files.insert(path);
                }
            }
        }
        let mut files = BTreeSet::new();
        walk(&self.bench.path(""), &mut files);
        files
    }

    /// Bytes of the file with its log, and versions in it.
    fn size(&self) -> (u64, u64) {
        let length = |name| fs::metadata(self.bench.path(name)).map_or(0, |found| found.len());
        let bytes = ["mirror.db", "mirror.db-wal", "mirror.db-shm"].into_iter().map(length).sum();
        (bytes, self.bench.value("select count(*) from payloads"))
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes")]
    fn grew_no_more_than_it_had_to(&self, at_start: (u64, u64), at_end: (u64, u64)) {
        let per_version = |(bytes, versions): (u64, u64)| bytes as f64 / versions as f64;
        let growth = per_version(at_end) / per_version(at_start);
        assert!(growth <= MOST_GROWTH_PER_VERSION, "seed {}: {growth} times: {at_start:?}, {at_end:?}", self.seed);
        let (first, last) = self.memory();
        // where there is no /proc, nothing was measured
        let growth = last as f64 / (first as f64).max(1.0);
        assert!(growth <= MOST_GROWTH_OF_MEMORY, "seed {}: memory grew {growth} times: {first}, {last}", self.seed);
    }

    /// Highest peak of the first and of the last month, or of the halves of a shorter time, in bytes.
    fn memory(&self) -> (u64, u64) {
        let month = (self.days / 2).min(30);
        let highest =
            |days: std::ops::RangeInclusive<u32>| self.figures.memory.range(days).map(|(_, peak)| *peak).max();
        (highest(0..=month).expect("runs"), highest(self.days - month..=self.days).expect("runs"))
    }

    /// A year in which something never happened proves nothing about it.
    fn everything_happened(&self) {
        let Figures { runs, kills, faults, .. } = &self.figures;
        for command in ["ingest", "push", "statement", "backup", "restore", "rebuild"] {
            assert!(runs.contains_key(command), "seed {}: no {command}: {runs:?}", self.seed);
        }
        assert!(*kills > 0 && !faults.is_empty() && !self.frozen.is_empty(), "seed {}: {faults:?}", self.seed);
        for count in ["new", "changed", "returned", "removed"] {
            let records: i64 = self.bench.value(&format!("select sum({count}) from sync_runs"));
            assert!(records > 0, "seed {}: nothing {count}", self.seed);
        }
        let reversals = "select count(*) from commissions where type = 'commission_reversal'";
        assert!(self.bench.value::<i64>(reversals) > 0, "seed {}: no reversal", self.seed);
        let closed = "select count(*) from commission_versions v join commission_versions n
                        using (store_id, commission_id)
                      where n.version = v.version + 1 and n.state in ('paid', 'offset') and v.state <> n.state";
        assert!(self.bench.value::<i64>(closed) > 0, "seed {}: no commission was completed", self.seed);
    }

    /// The figures of `docs/soak.md`; seen with `--nocapture`.
    fn tell(&self, at_start: (u64, u64), at_end: (u64, u64), took: Duration) {
        let Figures { runs, kills, faults, .. } = &self.figures;
        let (first, last) = self.memory();
        eprintln!(
            "seed {}, {} days in {} s: {} statements; runs {runs:?}; {kills} kills; faults {faults:?}; \
             bytes and versions {at_start:?} → {at_end:?}; peak memory {} → {} KiB",
            self.seed,
            self.days,
            took.as_secs(),
            self.frozen.len(),
            first / 1024,
            last / 1024
        );
    }
}

/// Peak memory of a running process, in bytes; 0 where there is no `/proc`. Not what `wait4` tells: its peak begins with
/// the memory of the process that started it, which here is the simulator's.
fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    // between fork and exec it is still a copy of this one
    let name = status.lines().next().and_then(|line| line.strip_prefix("Name:"));
    if name.map(str::trim) != Some("storemirror") {
        return 0;
    }
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// What [`random_edit`] puts in a date's place.
fn unreadable() -> Value {
    json!({ "day": 15 })
}
