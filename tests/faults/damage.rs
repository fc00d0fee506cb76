//! A damaged file: bytes flipped in the header or in pages, a write-ahead log cut short or overwritten. Nothing panics,
//! the exit code is right, and where the log alone is lost the next run lists again what it held.

use fastrand::Rng;

use crate::convergence::mirror::Mirror;
use crate::support::{Bench, try_seeds};

const SEEDS: u64 = 24;

fn mirrored() -> Bench {
    let options = storemirror::sim::Options {
        subscriptions: 40,
        transactions: 200,
        commissions: 150,
        ..storemirror::sim::Options::default()
    };
    let bench = Bench::new(&["us"], options);
    bench.run(&["ingest"]).exits(0);
    bench
}

/// Runs what reads and what writes; whatever is left of the file, nothing may panic or hang.
#[track_caller]
fn ends_well(bench: &Bench, what: &str) {
    let out = bench.path("out").display().to_string();
    let commands: [&[&str]; 7] = [
        &["status", "--json"],
        &["report", "data_quality", "--json"],
        &["export", &out, "--json"],
        &["push", "--dry-run", "--json"],
        &["statement", "2026-01", "--json"],
        &["ingest", "--json"],
        &["rebuild", "--json"],
    ];
    for command in commands {
        let ran = bench.run(command);
        let said = format!("{what}: {command:?}: {ran:?}");
        assert!(matches!(ran.exit, 0..=3), "{said}");
        assert!(!ran.stderr.contains("panicked"), "{said}");
        let answer = ran.json();
        if answer["exit"].is_number() {
            assert_eq!(answer["exit"], ran.exit, "{said}");
        }
        if ran.exit == 1 {
            let message = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{said}"));
            assert!(!message.is_empty(), "{said}");
        }
    }
}

#[test]
fn flipped_bytes_end_in_an_error_and_never_in_a_panic() {
    try_seeds("flipped_bytes", SEEDS, |seed| {
        let mut random = Rng::with_seed(seed);
        let bench = mirrored();
        let path = bench.path("mirror.db");
        let mut bytes = std::fs::read(&path).unwrap();
        // the header, the schema's page, anywhere; a byte or a stretch
        let reach = [100, 8_192, bytes.len()][random.usize(..3)];
        for _ in 0..=random.usize(..20) {
            let (at, length) = (random.usize(..reach), 1 + random.usize(..64));
            let until = (at + length).min(bytes.len());
            bytes[at..until].fill_with(|| random.u8(..));
        }
        std::fs::write(&path, bytes).unwrap();
        ends_well(&bench, &format!("seed {seed}"));
    });
}

#[test]
fn a_damaged_page_is_called_damage_with_what_to_do() {
    let bench = mirrored();
    let path = bench.path("mirror.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // the schema stays; everything behind it is noise
    let mut random = Rng::with_seed(1);
    let from = bytes.len() / 4;
    bytes[from..].fill_with(|| random.u8(..));
    std::fs::write(&path, bytes).unwrap();
    let ran = bench.run(&["rebuild", "--json"]).exits(1);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "internal", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("mirror.db") && message.contains("damaged"), "{message}");
    assert!(error["hint"].as_str().unwrap().contains("backup"), "{error}");
}

#[test]
fn an_overwritten_header_is_called_no_database() {
    for (length, by) in [(16, 0_u8), (100, 0xff), (1, b'x')] {
        let bench = mirrored();
        let path = bench.path("mirror.db");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[..length].fill(by);
        std::fs::write(&path, &bytes).unwrap();
        for command in ["status", "ingest"] {
            let ran = bench.run(&[command, "--json"]).exits(2);
            let error = &ran.json()["error"];
            assert!(error["message"].as_str().unwrap().contains("is not a storemirror database"), "{error}");
            assert!(error["hint"].as_str().unwrap().contains("damaged"), "{error}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "it is left as it is");
    }
}

#[test]
fn an_empty_or_cut_file_ends_well() {
    for length in [1, 50, 100, 8_191, 8_192, 40_000, 200_000] {
        let bench = mirrored();
        let file = std::fs::OpenOptions::new().write(true).open(bench.path("mirror.db")).unwrap();
        file.set_len(length).unwrap();
        ends_well(&bench, &format!("{length} bytes"));
    }
    // an empty file is a mirror that was never filled
    let bench = mirrored();
    let count = || bench.value::<i64>("select count(*) from payloads");
    let before = count();
    std::fs::write(bench.path("mirror.db"), "").unwrap();
    bench.run(&["ingest"]).exits(0);
    assert_eq!(count(), before);
}

/// The log is kept by a reader, so that the file itself has not seen what the log holds.
#[test]
fn a_log_cut_short_or_overwritten_costs_only_what_is_listed_again() {
    try_seeds("a_log_cut_short", SEEDS, |seed| {
        let mut random = Rng::with_seed(seed);
        let bench = Bench::empty().with("us", "page_size = 20");
        bench.put_subscriptions(1..=40);
        bench.run(&["ingest"]).exits(0);
        let reader = bench.database();
        reader.execute_batch("begin; select count(*) from payloads").unwrap();
        bench.put_subscriptions(41..=160);
        bench.run(&["ingest"]).exits(0);
        let (path, wal) = (bench.path("mirror.db"), bench.path("mirror.db-wal"));
        let (file, mut log) = (std::fs::read(&path).unwrap(), std::fs::read(&wal).unwrap());
        drop(reader);
        match random.u8(..3) {
            0 => log.truncate(random.usize(..log.len())),
            1 => {
                let at = random.usize(..log.len());
                log[at..].fill_with(|| random.u8(..));
            }
            _ => {
                let at = random.usize(..log.len());
                log[at] ^= 1 << random.u8(..8);
            }
        }
        // as a power cut leaves them: the file, what there is of the log, and no index of it
        let _ = std::fs::remove_file(bench.path("mirror.db-shm"));
        std::fs::write(&path, file).unwrap();
        std::fs::write(&wal, log).unwrap();
        Mirror::open(&path, seed).is_sound();
        bench.run(&["status"]).exits(0);
        bench.run(&["ingest"]).exits(0);
        let mirror = Mirror::open(&path, seed);
        bench.sim.with(|world| mirror.is_the_store(world, &[("us", "subscriptions")]));
        mirror.is_what_a_rebuild_makes(&bench);
    });
}
