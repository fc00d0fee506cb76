//! One trial: the store it happens to, the runs it goes through, and what must hold after each and at the end.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::Value;
use storemirror::sim::{FaultKind, KINDS, Options, Record, StoreSwitches, World};

use super::mirror::{self, Mirror};
use super::pager::{honest, is_provable, pick, random_pager};
use super::storm::{Edit, Kill, NAMELESS, as_drift, random_edit, random_faults, random_kill};
use crate::support::{Bench, NOW, Ran};

/// A calm mirror has this many runs to become the store.
const RUNS_TO_SETTLE: usize = 3;

pub struct Trial {
    seed: u64,
    random: Rng,
    bench: Bench,
    stores: Vec<&'static str>,
    leads: bool,
    page_size: BTreeMap<&'static str, usize>,
    now: DateTime<Utc>,
    /// Records that are in no list now, by store and kind.
    gone: BTreeMap<(&'static str, &'static str), Vec<Record>>,
}

impl Trial {
    pub fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let stores: Vec<&'static str> = if random.u8(..3) == 0 { vec!["eu", "us"] } else { vec!["us"] };
        let options = Options { seed, subscriptions: 120, transactions: 280, commissions: 240, ..Options::default() };
        let leads = random.bool();
        let mut bench = Bench::new(&stores, options);
        let mut page_size = BTreeMap::new();
        for store in &stores {
            let size = 7 + random.usize(..34);
            page_size.insert(*store, size);
            bench = bench.with(store, &format!("page_size = {size}\ntimeout_seconds = 1\nleads = {leads}"));
        }
        let now = NOW.parse().expect("an instant");
        let mut trial = Self { seed, random, bench, stores, leads, page_size, now, gone: BTreeMap::new() };
        trial.shrink();
        trial.set_pagers(|random, _| random_pager(random));
        trial
    }

    pub fn run(mut self) {
        for _ in 0..3 + self.random.usize(..5) {
            self.edit();
            self.disturbed_run();
            self.let_time_pass();
            if self.random.u8(..6) == 0 {
                self.set_pagers(|random, _| random_pager(random));
            }
        }
        self.calm();
        // first behind whatever pager there is: nothing may be claimed that it cannot prove …
        self.settle();
        self.cut_short_and_go_on();
        // … then behind one that leads to every record: nothing may be lacking
        self.set_pagers(|_, switches| honest(switches));
        self.settle();
        let mirror = self.mirror();
        self.bench.sim.with(|world| mirror.is_the_store(world, &self.lists()));
        self.writes_nothing_more(&mirror);
        mirror.is_what_a_rebuild_makes(&self.bench);
        self.equals_a_fresh_mirror(&mirror);
    }

    fn mirror(&self) -> Mirror {
        Mirror::open(&self.bench.path("mirror.db"), self.seed)
    }

    fn kinds(&self) -> Vec<&'static str> {
        KINDS.into_iter().filter(|kind| *kind != "leads" || self.leads).collect()
    }

    fn lists(&self) -> Vec<(&'static str, &'static str)> {
        self.stores.iter().flat_map(|store| self.kinds().into_iter().map(|kind| (*store, kind))).collect()
    }

    /// Cuts every list to a size at which pagers differ; what is taken out may come in later.
    fn shrink(&mut self) {
        for (store, kind) in self.lists() {
            let mut records = self.bench.sim.with(|world| world.store(store).records(kind));
            let page = self.page_size[store];
            let any = self.random.usize(..=records.len());
            let size = pick(&mut self.random, &[0, 1, page, 3 * page, 100, any, any, any, any]).min(records.len());
            self.random.shuffle(&mut records);
            let gone = records.split_off(size);
            self.apply(store, kind, &Edit { put: Vec::new(), remove: gone.iter().map(|it| it.id.clone()).collect() });
            self.gone.insert((store, kind), gone);
        }
    }

    fn set_pagers(&mut self, draw: impl Fn(&mut Rng, &StoreSwitches) -> StoreSwitches) {
        let random = &mut self.random;
        self.bench.sim.with(|world| {
            for switches in world.switches.stores.values_mut() {
                *switches = draw(random, switches);
            }
        });
    }

    /// Edits between two runs.
    fn edit(&mut self) {
        for (store, kind) in self.lists() {
            if self.random.bool() {
                let current = self.bench.sim.with(|world| world.store(store).records(kind));
                let gone = self.gone.entry((store, kind)).or_default();
                let edit = random_edit(&mut self.random, kind, &current, gone);
                self.apply(store, kind, &edit);
            }
        }
    }

    fn apply(&self, store: &str, kind: &str, edit: &Edit) {
        self.bench.sim.with(|world| {
            for put in &edit.put {
                world.upsert_record(store, kind, &put.id, put.json.clone());
            }
            for id in &edit.remove {
                world.remove_record(store, kind, id);
            }
        });
    }

    fn let_time_pass(&mut self) {
        let minutes = pick(&mut self.random, &[0, 0, 0, 1, 20, 59, 61, 24 * 60, 40 * 24 * 60]);
        self.now += TimeDelta::minutes(minutes);
    }

    /// Schedules edits during the next run; true when there are any.
    fn schedule_drift(&mut self) -> bool {
        let mut drifts = false;
        for (store, kind) in self.lists() {
            let mut drift = Vec::new();
            let current = self.bench.sim.with(|world| world.store(store).records(kind));
            let requests = (current.len() / self.page_size[store]) as u64 + 6;
            for _ in 0..self.random.usize(..6).saturating_sub(3) {
                let gone = self.gone.entry((store, kind)).or_default();
                let edit = random_edit(&mut self.random, kind, &current, gone);
                drift.push(as_drift(&mut self.random, kind, requests, edit));
            }
            drifts |= !drift.is_empty();
            self.bench.sim.with(|world| stores(world, store).drift.append(&mut drift));
        }
        drifts
    }

    /// A run with drift, faults and perhaps a kill; what it says of itself must be true.
    fn disturbed_run(&mut self) {
        self.bench.sim.with(World::clear_requests);
        let drifts = self.random.bool() && self.schedule_drift();
        let faults = random_faults(&mut self.random);
        let kill = random_kill(&mut self.random);
        let expires = self.random.u8(..4) == 0;
        self.bench.sim.with(|world| {
            world.switches.faults = faults;
            world.switches.accounts.throttle = false;
            if expires {
                world.expire_tokens();
            }
        });
        let mut arguments = vec!["ingest", "--json"];
        if self.random.u8(..4) == 0 {
            let kinds = self.kinds();
            arguments.push(pick(&mut self.random, &kinds));
        }
        if self.random.u8(..8) == 0 {
            arguments.push("--no-resume");
        }
        let ran = self.run_until(kill, &arguments);
        let mirror = self.mirror();
        mirror.is_sound();
        if let Some(ran) = ran {
            assert!([0, 1, 3, 4].contains(&ran.exit), "seed {}: {ran:?}", self.seed);
            // a listing taken up again may be of two moments: of before the last edits and after
            let moved = |listing: &Value| drifts || listing["resumed"] == true;
            self.says_the_truth(&mirror, &ran.json(), moved);
        }
        self.calm_weather();
    }

    fn calm_weather(&self) {
        self.bench.sim.with(|world| {
            world.switches.faults.per_mille.clear();
            world.switches.stores.values_mut().for_each(|switches| switches.drift.clear());
        });
    }

    /// The end of the storm. The record without an id goes: while it is listed, nothing may be removed.
    fn calm(&mut self) {
        self.calm_weather();
        for (store, kind) in self.lists() {
            self.apply(store, kind, &Edit { put: Vec::new(), remove: vec![NAMELESS.to_owned()] });
        }
        self.now += TimeDelta::minutes(1);
    }

    /// Runs the program and kills it as planned; None when it was killed.
    fn run_until(&self, kill: Kill, arguments: &[&str]) -> Option<Ran> {
        let mut command = self.bench.command(arguments);
        command.env("STOREMIRROR_NOW", self.now.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let started = Instant::now();
        let is_due = || match kill {
            Kill::Never => false,
            Kill::AfterRequests(requests) => self.bench.sim.with(|world| world.requests().len()) >= requests,
            Kill::AfterMilliseconds(milliseconds) => started.elapsed() >= Duration::from_millis(milliseconds),
        };
        while !matches!(kill, Kill::Never) && child.try_wait().expect("a child").is_none() {
            if is_due() {
                child.kill().expect("a kill");
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let output = child.wait_with_output().expect("the program ends");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let exit = output.status.code()?;
        Some(Ran { exit, stdout: text(output.stdout), stderr: text(output.stderr) })
    }

    /// Whether a finished run's answer, `sync_runs` and `coverage` agree with each other and with the store.
    /// `moved` tells the listings during which the store was another one.
    fn says_the_truth(&self, mirror: &Mirror, answer: &Value, moved: impl Fn(&Value) -> bool) {
        for listing in answer["listings"].as_array().expect("listings") {
            mirror.knows_of(listing);
            let outcome = listing["outcome"].as_str().expect("an outcome");
            if moved(listing) || !matches!(outcome, "complete" | "possibly_truncated") {
                continue;
            }
            let (store, kind) = self.list_of(listing);
            let (switches, count) =
                self.bench.sim.with(|world| (stores(world, store).clone(), world.store(store).count(kind)));
            let provable = is_provable(&switches, count, self.page_size[store]);
            assert_eq!(outcome == "complete", provable, "seed {}: {count} records, {listing}, {switches:?}", self.seed);
            if outcome == "complete" {
                self.bench.sim.with(|world| mirror.holds(world, store, kind));
            }
        }
    }

    fn list_of(&self, listing: &Value) -> (&'static str, &'static str) {
        let is = |(store, kind): &(&str, &str)| listing["store_id"] == *store && listing["kind"] == *kind;
        self.lists().into_iter().find(is).expect("a configured list")
    }

    /// At most three undisturbed runs until one finds nothing to write.
    fn settle(&mut self) {
        for run in 1..=RUNS_TO_SETTLE {
            let ran = self.run_until(Kill::Never, &["ingest", "--json", "--accept-removals"]).expect("no kill");
            assert!([0, 3].contains(&ran.exit), "seed {}: {ran:?}", self.seed);
            let answer = ran.json();
            self.mirror().is_sound();
            self.says_the_truth(&self.mirror(), &answer, |listing| listing["resumed"] == true);
            let written: u64 = WRITTEN.iter().map(|count| answer["totals"][count].as_u64().unwrap_or(0)).sum();
            let resumed = answer["listings"].as_array().into_iter().flatten().any(|listing| listing["resumed"] == true);
            if written == 0 && !resumed && run > 1 {
                return;
            }
        }
    }

    /// Kills of a run over a store that stands still: what the last one resumes and completes is all there is.
    fn cut_short_and_go_on(&mut self) {
        self.edit();
        self.calm();
        for _ in 0..=self.random.usize(..3) {
            let kill = Kill::AfterRequests(1 + self.random.usize(..40));
            self.bench.sim.with(World::clear_requests);
            self.run_until(kill, &["ingest", "--json"]);
            self.mirror().is_sound();
            self.now += TimeDelta::minutes(pick(&mut self.random, &[0, 1, 50]));
        }
        let ran = self.run_until(Kill::Never, &["ingest", "--json"]).expect("no kill");
        assert!([0, 3].contains(&ran.exit), "seed {}: {ran:?}", self.seed);
        self.says_the_truth(&self.mirror(), &ran.json(), |_| false);
    }

    /// One more run: it finds nothing and writes nothing.
    fn writes_nothing_more(&mut self, mirror: &Mirror) {
        let before = mirror.dump(mirror::ALL_TABLES);
        self.now += TimeDelta::days(1);
        let ran = self.run_until(Kill::Never, &["ingest", "--json"]).expect("no kill");
        let answer = ran.json();
        for count in WRITTEN {
            assert_eq!(answer["totals"][count], 0, "seed {}: {count} of {answer}", self.seed);
        }
        mirror.is_unchanged(&before, &mirror.dump(mirror::ALL_TABLES), "the next run wrote");
        let quarantined = answer["totals"]["quarantined"].as_u64() > Some(0);
        assert_eq!(ran.exit, if quarantined { 3 } else { 0 }, "seed {}: {answer}", self.seed);
    }

    /// What a mirror made today from nothing has, this one has: the storm left no trace but history.
    fn equals_a_fresh_mirror(&self, mirror: &Mirror) {
        let path = self.bench.path("fresh.db");
        let ran = self
            .run_until(Kill::Never, &["ingest", "--json", "--db", path.to_str().expect("a path")])
            .expect("no kill");
        assert!([0, 3].contains(&ran.exit), "seed {}: {ran:?}", self.seed);
        mirror.has_the_rows_of(&Mirror::open(&path, self.seed));
    }
}

/// Counts of an ingest that stand for rows written.
const WRITTEN: [&str; 4] = ["new", "changed", "returned", "removed"];

fn stores<'a>(world: &'a mut World, store: &str) -> &'a mut StoreSwitches {
    world.switches.stores.get_mut(store).expect("a store")
}

/// Every kind of fault can be drawn: a new one in the simulator must not be forgotten here.
#[test]
fn the_storm_knows_every_fault() {
    let mut random = Rng::with_seed(3);
    let drawn: std::collections::BTreeSet<FaultKind> =
        (0..500).flat_map(|_| random_faults(&mut random).per_mille.into_keys()).collect();
    assert_eq!(drawn.len(), FaultKind::ALL.len());
}
