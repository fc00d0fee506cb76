//! Soak: a partner's year with the real binary, day after day, and what it must have come to (issue 6, point 9).
//!
//! Each seed is one year of [`year::Year`]: ingests and pushes, statements, backups and rebuilds, while the store's
//! records change, answers are spoiled and runs are killed. Here it lasts as many days as show every kind of event;
//! `STOREMIRROR_SOAK_DAYS=365` makes it a year, whose figures stand in `docs/soak.md`. `STOREMIRROR_SEEDS=N` runs N
//! seeds, `STOREMIRROR_SEED=K` replays one.

mod year;

use crate::support::try_seeds;

/// From 2026-03-20 over the end of March: a statement, two days of two-hourly runs, three backups, two rebuilds.
const SHORT_DAYS: u32 = 18;

#[test]
fn after_a_year_store_mirror_and_crm_are_one() {
    let asked = std::env::var("STOREMIRROR_SOAK_DAYS").ok();
    let days = asked.map(|text| text.parse().expect("STOREMIRROR_SOAK_DAYS is a number of days"));
    try_seeds("soak", 1, |seed| year::Year::new(seed, days.unwrap_or(SHORT_DAYS)).live());
}

/// A leak of one file or socket per request would be a hundred of them here.
#[cfg(target_os = "linux")]
#[test]
fn a_run_of_many_requests_keeps_few_files_open() {
    use storemirror::sim::{FaultKind, Faults, Options};

    use crate::support::Bench;

    /// Standard streams, runtime, database with log and lock, pooled connections: about twenty.
    const MOST_FILES: usize = 40;

    let options = Options { subscriptions: 60, transactions: 300, commissions: 240, ..Options::default() };
    let bench = Bench::new(&["us"], options).with("us", "page_size = 3");
    bench.sim.with(|world| {
        let per_mille = [(FaultKind::Reset, 60), (FaultKind::Truncated, 60)].into();
        world.switches.faults = Faults { per_mille, limit: Some(4), ..Faults::default() };
    });
    let mut ingest = bench.start(&["ingest"]);
    let folder = format!("/proc/{}/fd", ingest.id());
    // until it is the program, it is a copy of this process with all that the tests beside this one have open
    while ingest.try_wait().expect("a child").is_none() && bench.sim.with(|world| world.requests().is_empty()) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let mut most = 0;
    while ingest.try_wait().expect("a child").is_none() {
        most = most.max(std::fs::read_dir(&folder).map_or(0, Iterator::count));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let requests = bench.sim.with(|world| world.requests().len());
    assert!(requests > 3 * MOST_FILES, "only {requests} requests");
    assert!((4..=MOST_FILES).contains(&most), "{most} files open during {requests} requests");
}

#[test]
fn what_a_killed_run_left_beside_the_token_is_taken_over() {
    use crate::support::Bench;

    let bench = Bench::empty();
    bench.put_subscriptions([1]);
    bench.run(&["ingest", "subscriptions"]).exits(0);
    let state = bench.path(".local/state/storemirror");
    let names = || -> std::collections::BTreeSet<_> {
        let entries = std::fs::read_dir(&state).expect("the state folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let before = names();
    let is_token = |path: &&std::path::PathBuf| path.extension().is_some_and(|extension| extension == "json");
    for file in before.iter().filter(is_token) {
        std::fs::write(file.with_extension("new"), "half of a tok").expect("a left-over");
    }
    assert!(names().len() > before.len());
    bench.sim.with(storemirror::sim::World::expire_tokens);
    bench.run(&["ingest", "subscriptions"]).exits(0);
    assert_eq!(names(), before);
}
