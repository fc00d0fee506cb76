//! A reader in a long transaction: it sees the same rows to its end, writers go on meanwhile, and the write-ahead log
//! that grew for it is gone afterwards.

use crate::support::{Bench, NOW, subscription};

#[test]
fn a_reader_that_never_ends_blocks_no_writer_and_its_log_goes_with_it() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=200);
    bench.run(&["ingest"]).exits(0);
    let reader = bench.database();
    reader.execute_batch("begin").unwrap();
    let seen = || reader.query_row("select count(*) from payloads", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(seen(), 200);

    let wal = bench.path("mirror.db-wal");
    let size = || wal.metadata().map_or(0, |found| found.len());
    for round in 1..=3_u64 {
        bench.sim.with(|world| {
            for id in 1..=200 {
                let changed = subscription(id).replace("Company", &format!("Round {round}"));
                world.upsert_record("us", "subscriptions", &id.to_string(), changed);
            }
        });
        let before = size();
        bench.run(&["ingest"]).exits(0);
        assert!(size() > before, "the log cannot be put back while it is read");
        assert_eq!(seen(), 200, "the reader sees what it saw");
        bench.run(&["report", "mrr_by_service"]).exits(0);
    }
    let grown = size();
    drop(reader);
    bench.run_at(NOW, &["ingest"]).exits(0);
    assert!(size() < grown / 2, "{} of {grown} bytes are left", size());
    assert_eq!(bench.value::<i64>("select count(*) from payloads"), 800);
    assert_eq!(bench.value::<String>("select integrity_check from pragma_integrity_check"), "ok");
}

#[test]
fn another_program_that_writes_is_waited_for_and_then_named() {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=5);
    bench.run(&["ingest"]).exits(0);
    let other = bench.database();
    other.execute_batch("begin immediate").unwrap();
    // the program waits half a minute for it
    let ran = bench.run(&["ingest", "--json"]).exits(5);
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "locked");
    assert!(error["message"].as_str().unwrap().contains("another program holds the database"), "{error}");
    drop(other);
    bench.run(&["ingest"]).exits(0);
}
