//! A folder or a file system that may not be written to: readers go on, writers say so.

use super::disk::{behind, can_mount};
use crate::support::{Bench, Ran, finish};

/// Runs it where the bench's folder is mounted read-only.
fn read_only(bench: &Bench, arguments: &[&str]) -> Ran {
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec \"$@\"";
    let folder = bench.path("").display().to_string();
    finish(&mut behind(&["unshare", "-rm", "sh", "-c", script, &folder], &bench.command(arguments)))
}

#[test]
fn readers_go_on_in_a_read_only_folder() {
    if !can_mount("readers_go_on_in_a_read_only_folder") {
        return;
    }
    let bench = Bench::empty();
    bench.put_subscriptions(1..=5);
    bench.run(&["ingest"]).exits(0);
    // the log is put back and gone when the last one closes the file, as after every ingest
    drop(bench.database().execute_batch("pragma wal_checkpoint(truncate)"));
    assert!(!bench.path("mirror.db-wal").exists());
    for command in [&["status"][..], &["report", "mrr_by_service"], &["explain", "subscriptions", "3"], &["whoami"]] {
        // first without a log beside the file, then with the empty one that a reader leaves
        let first = read_only(&bench, command);
        let before = bench.run(command);
        assert_eq!((first.exit, &first.stdout), (before.exit, &before.stdout), "{command:?}: {}", first.stderr);
        let again = read_only(&bench, command);
        assert_eq!((again.exit, again.stdout), (before.exit, before.stdout), "{command:?}: {}", again.stderr);
        bench.database().execute_batch("select 1").unwrap();
    }
}

#[test]
fn writers_are_told_that_they_may_not() {
    if !can_mount("writers_are_told_that_they_may_not") {
        return;
    }
    let bench = Bench::empty();
    bench.put_subscriptions(1..=5);
    let nothing_yet = read_only(&bench, &["ingest", "--json"]).exits(2).json();
    assert!(nothing_yet["error"]["message"].as_str().unwrap().contains("ead-only"), "{nothing_yet}");
    bench.run(&["ingest"]).exits(0);
    for command in [&["ingest", "--json"][..], &["rebuild", "--json"], &["statement", "2026-01", "--json"]] {
        let ran = read_only(&bench, command).exits(2);
        let error = &ran.json()["error"];
        assert_eq!(error["code"], "config", "{ran:?}");
        assert!(error["message"].as_str().unwrap().contains("ead-only"), "{ran:?}");
        assert!(error["hint"].as_str().unwrap().contains("writable"), "{ran:?}");
    }
    let file = bench.path("report.csv").display().to_string();
    let ran = read_only(&bench, &["report", "mrr_by_service", "-o", &file]).exits(2);
    assert!(ran.stderr.contains("report.csv") && ran.stderr.contains("ead-only"), "{ran:?}");
    bench.run(&["ingest"]).exits(0);
}
