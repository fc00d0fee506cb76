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
    let mut most = 0;
    while ingest.try_wait().expect("a child").is_none() {
        most = most.max(std::fs::read_dir(&folder).map_or(0, Iterator::count));
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let requests = bench.sim.with(|world| world.requests().len());
    assert!(requests > 3 * MOST_FILES, "only {requests} requests");
    assert!((4..=MOST_FILES).contains(&most), "{most} files open during {requests} requests");
}
