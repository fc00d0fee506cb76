//! Backup and restore: a backup is a mirror, taken while others write and proven before it has its name; a restore
//! replaces all or nothing, whenever it is killed, and keeps what it replaced.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;
use storemirror::sim::Options;

use crate::support::{Bench, empty_world};

/// Five subscriptions, listed.
fn small() -> Bench {
    let bench = Bench::empty();
    bench.put_subscriptions(1..=5);
    bench.ingest("subscriptions", &[]);
    bench
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Everything that a mirror's tables hold, whatever its pages.
fn contents(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    assert_eq!(connection.query_row("pragma integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
    let sql = "select group_concat(store_id || kind || record_id || version || coalesce(seen_until, '-') || body, '\n')
               from (select * from payloads order by store_id, kind, record_id, version)";
    connection.query_row(sql, [], |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or_default()
}

fn files(bench: &Bench, part: &str) -> Vec<PathBuf> {
    let folder = bench.path("mirror.db").parent().unwrap().to_owned();
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.file_name().unwrap().to_string_lossy().contains(part));
    files.sort();
    files
}

#[test]
fn a_backup_is_one_private_file_that_holds_the_mirror() {
    let bench = small();
    let file = bench.path("backup.db");
    let answer = bench.run(&["backup", &text(&file), "--json"]).exits(0).json();
    assert_eq!((&answer["contents"]["records"], &answer["bytes"]), (&json!(5), &json!(file.metadata().unwrap().len())));
    assert!(answer["checks"].as_array().unwrap().iter().all(|check| check["broken"] == 0), "{answer}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(files(&bench, "backup"), std::slice::from_ref(&file), "nothing beside it");
    assert_eq!(contents(&file), contents(&bench.path("mirror.db")));
    // never over a file that is there
    let before = fs::read(&file).unwrap();
    bench.put_subscriptions([6]);
    bench.ingest("subscriptions", &[]);
    let refused = bench.run(&["backup", &text(&file)]).exits(2);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(fs::read(&file).unwrap(), before);
    bench.run(&["backup", &text(&file), "--force"]).exits(0);
    assert_eq!(contents(&file), contents(&bench.path("mirror.db")));
    bench.run(&["backup", &text(&bench.path("mirror.db")), "--force"]).exits(2);
    bench.run(&["backup", &text(&bench.path("no/such/folder.db"))]).exits(2);
    bench.run(&["--db", "nowhere.db", "backup", &text(&bench.path("other.db"))]).exits(2);
    assert_eq!(files(&bench, "storemirror-backup"), [] as [PathBuf; 0], "nothing half-made is left");
}

#[test]
fn a_backup_taken_while_an_ingest_writes_is_a_mirror() {
    let bench = Bench::new(
        &["us"],
        Options { subscriptions: 300, transactions: 2500, commissions: 2000, ..Options::default() },
    );
    let mut ingest = bench.start(&["ingest"]);
    let mut taken = 0;
    while ingest.try_wait().unwrap().is_none() {
        if !bench.path("mirror.db").exists() {
            continue;
        }
        let file = bench.path(&format!("during-{taken}.db"));
        // the very first moment of a new file holds no schema yet
        if bench.run(&["backup", &text(&file)]).exit == 0 {
            bench.run(&["restore", &text(&file), "--check"]).exits(0);
            taken += 1;
        }
    }
    assert!(ingest.wait().unwrap().success());
    assert!(taken > 0, "no backup was taken in time");
    bench.run(&["verify"]).exits(0);
}

#[test]
fn a_restore_brings_everything_back_and_keeps_what_it_replaced() {
    let bench = small();
    let (mirror, file) = (bench.path("mirror.db"), bench.path("backup.db"));
    bench.run(&["backup", &text(&file)]).exits(0);
    let then = contents(&mirror);
    bench.put_subscriptions([6]);
    bench.ingest("subscriptions", &[]);
    let now = contents(&mirror);
    let refused = bench.run(&["restore", &text(&file)]).exits(2);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(contents(&mirror), now);
    let answer = bench.run(&["restore", &text(&file), "--force", "--json"]).exits(0).json();
    assert_eq!(contents(&mirror), then);
    let kept = PathBuf::from(answer["replaced"].as_str().unwrap());
    assert_eq!(kept, bench.path("mirror.db.replaced-20260301T060000Z"));
    assert_eq!(contents(&kept), now);
    assert_eq!(mirror.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(files(&bench, "restoring"), [] as [PathBuf; 0]);
    // and what is restored goes on as if nothing had been
    bench.ingest("subscriptions", &[]);
    assert_eq!(contents(&mirror).lines().count(), 6);
    bench.run(&["restore", &text(&kept), "--force"]).exits(0);
    assert_eq!(files(&bench, "replaced").len(), 2, "each replaced file has a name of its own");
    // where there is none, nothing is in the way
    fs::remove_file(&mirror).unwrap();
    fs::write(bench.path("mirror.db-wal"), "left by nobody").unwrap();
    bench.run(&["restore", &text(&file)]).exits(0);
    assert_eq!(contents(&mirror), then);
}

#[test]
fn changes_that_are_still_in_the_log_are_in_the_kept_file() {
    let bench = small();
    let (mirror, file) = (bench.path("mirror.db"), bench.path("backup.db"));
    bench.run(&["backup", &text(&file)]).exits(0);
    // a reader that keeps the log from being emptied when the writer leaves
    let reader = Connection::open(&mirror).unwrap();
    reader.execute_batch("begin; select count(*) from payloads").unwrap();
    bench.put_subscriptions([6]);
    bench.ingest("subscriptions", &[]);
    assert!(bench.path("mirror.db-wal").metadata().unwrap().len() > 0);
    let refused = bench.run(&["restore", &text(&file), "--force"]).exits(5);
    assert!(refused.stderr.contains("another program has"), "{}", refused.stderr);
    assert_eq!(files(&bench, "restoring"), [] as [PathBuf; 0]);
    drop(reader);
    let six = contents(&mirror);
    bench.run(&["restore", &text(&file), "--force"]).exits(0);
    assert_eq!(contents(&bench.path("mirror.db.replaced-20260301T060000Z")), six);
    assert_eq!(contents(&mirror).lines().count(), 5);
}

#[test]
fn a_restore_waits_for_no_other_writer() {
    let bench = small();
    let file = bench.path("backup.db");
    bench.run(&["backup", &text(&file)]).exits(0);
    let _lock = bench.writers_lock();
    bench.run(&["restore", &text(&file), "--force"]).exits(5);
    bench.run(&["restore", &text(&file), "--check"]).exits(0);
    bench.run(&["backup", &text(&bench.path("another.db"))]).exits(0);
}

#[test]
fn a_check_proves_and_changes_nothing() {
    let bench = small();
    let file = bench.path("backup.db");
    bench.run(&["backup", &text(&file)]).exits(0);
    let (bytes, mirror) = (fs::read(&file).unwrap(), fs::read(bench.path("mirror.db")).unwrap());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    let answer = bench.run(&["restore", &text(&file), "--check", "--json"]).exits(0).json();
    assert_eq!((&answer["checked_only"], &answer["contents"]["payload_versions"]), (&json!(true), &json!(5)));
    assert_eq!((fs::read(&file).unwrap(), fs::read(bench.path("mirror.db")).unwrap()), (bytes, mirror));
    assert_eq!(files(&bench, "backup.db"), [file]);
    assert_eq!(files(&bench, "check"), [] as [PathBuf; 0]);
}

/// A backup that somebody changed, and what a check says of it.
#[track_caller]
fn spoiled(change: &str, check: &str) {
    let bench = small();
    let file = bench.path("backup.db");
    bench.run(&["backup", &text(&file)]).exits(0);
    Connection::open(&file).unwrap().execute_batch(change).expect(change);
    let answer = bench.run(&["restore", &text(&file), "--check", "--json"]).exits(3).json();
    let broken = answer["checks"].as_array().unwrap().iter().filter(|tie| tie["broken"] != 0);
    let names: Vec<&str> = broken.map(|tie| tie["check"].as_str().unwrap()).collect();
    assert!(names.contains(&check), "{change}: {names:?}");
    if check != "derived" {
        let before = contents(&bench.path("mirror.db"));
        bench.run(&["restore", &text(&file), "--force"]).exits(1);
        assert_eq!(contents(&bench.path("mirror.db")), before);
        assert_eq!(files(&bench, "restoring"), [] as [PathBuf; 0]);
    }
}

#[test]
fn every_tie_is_looked_at() {
    let again = "insert into payloads (store_id, kind, record_id, version, content_sha256, seen_from, body)
                 select store_id, kind, record_id, version + 1, content_sha256, seen_from, body from payloads";
    for (change, check) in [
        ("update payloads set version = 2 where record_id = '3'".to_owned(), "versions"),
        ("update payloads set seen_until = '2026-03-02T00:00:00Z' where record_id = '3'".to_owned(), "rows"),
        (
            format!(
                "drop index payloads_current; {again} where record_id = '3';
                  update payloads set seen_until = '2026-03-02T00:00:00Z' where record_id = '3' and version = 2"
            ),
            "current",
        ),
        ("update coverage set records = 4".to_owned(), "coverage"),
        ("update payloads set body = replace(body, '12.0', '13.0') where record_id = '3'".to_owned(), "contents"),
        ("delete from subscription_records where subscription_id = 3".to_owned(), "records"),
        ("update subscription_records set payload_id = 1".to_owned(), "rows"),
        ("update subscription_records set status = 'inactive' where subscription_id = 3".to_owned(), "derived"),
        (
            "insert into crm_links values ('t', 'us', 'subscriptions', '77', '1', '', '', 'linked', '{}', null)"
                .to_owned(),
            "links",
        ),
        ("insert into statements values ('2026-01', '2026-02-01T00:00:00Z', 3, '')".to_owned(), "statements"),
        ("insert into statements values ('2026-01', '2026-02-01T00:00:00Z', 0, 'another')".to_owned(), "hashes"),
    ] {
        spoiled(&change, check);
    }
}

#[test]
fn what_is_no_sound_mirror_of_ours_is_refused() {
    let bench = small();
    let (mirror, file) = (bench.path("mirror.db"), bench.path("backup.db"));
    bench.run(&["backup", &text(&file)]).exits(0);
    let before = contents(&mirror);
    let refused = |path: &Path, exit: i32, words: &str| {
        for arguments in [&["restore", "--check"][..], &["restore", "--force"]] {
            let ran = bench.run(&[arguments, &[text(path).as_str()]].concat()).exits(exit);
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
        }
        assert_eq!(contents(&mirror), before);
    };
    let other = bench.path("other.db");
    refused(&other, 2, "there is no file");
    fs::write(&other, "not a database ".repeat(1000)).unwrap();
    refused(&other, 2, "is not a storemirror database");
    fs::remove_file(&other).unwrap();
    Connection::open(&other).unwrap().execute_batch("create table theirs (x)").unwrap();
    refused(&other, 2, "is not a storemirror database");
    fs::write(&other, "").unwrap();
    refused(&other, 2, "holds no mirror");
    fs::copy(&file, &other).unwrap();
    let newer =
        "insert into refinery_schema_history (version, name, applied_on, checksum) values (9999, 'x', 'x', '1')";
    Connection::open(&other).unwrap().execute_batch(newer).unwrap();
    refused(&other, 2, "schema version 9999");
    // a file that lost a part in the middle, and one that lost its end
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 8192 * 8192 / 2;
    bytes[middle..middle + 8192].fill(0xAA);
    fs::write(&other, &bytes).unwrap();
    refused(&other, 1, "is damaged");
    bytes.truncate(bytes.len() / 2);
    fs::write(&other, &bytes).unwrap();
    refused(&other, 1, "");
    bench.run(&["restore", &text(&mirror), "--force"]).exits(2);
}

#[test]
fn a_damaged_mirror_can_be_replaced_and_is_kept() {
    let bench = small();
    let (mirror, file) = (bench.path("mirror.db"), bench.path("backup.db"));
    bench.run(&["backup", &text(&file)]).exits(0);
    fs::write(&mirror, "damaged ".repeat(2000)).unwrap();
    fs::write(bench.path("mirror.db-wal"), "and its log").unwrap();
    let ran = bench.run(&["restore", &text(&file), "--force"]).exits(0);
    assert!(ran.stdout.contains("cannot be read"), "{}", ran.stdout);
    assert_eq!(contents(&mirror), contents(&file));
    let kept = bench.path("mirror.db.replaced-20260301T060000Z");
    assert!(fs::read_to_string(&kept).unwrap().starts_with("damaged"));
    assert_eq!(fs::read_to_string(format!("{}-wal", kept.display())).unwrap(), "and its log");
}

#[test]
fn a_killed_restore_leaves_the_old_mirror_or_the_new_one() {
    let bench =
        Bench::new(&["us"], Options { subscriptions: 60, transactions: 400, commissions: 300, ..Options::default() });
    let (mirror, file) = (bench.path("mirror.db"), bench.path("backup.db"));
    bench.run(&["ingest", "subscriptions"]).exits(0);
    bench.run(&["backup", &text(&file)]).exits(0);
    bench.run(&["ingest"]).exits(0);
    let (new, old) = (contents(&file), contents(&mirror));
    let full = bench.path("full.db");
    bench.run(&["backup", &text(&full)]).exits(0);
    let started = std::time::Instant::now();
    bench.run(&["restore", &text(&file), "--force"]).exits(0);
    // the moments of a kill lie evenly over what a restore takes here
    let whole = started.elapsed();
    let mut outcomes = [0, 0];
    for trial in 0..24 {
        bench.run(&["restore", &text(&full), "--force"]).exits(0);
        let mut child = bench.start(&["restore", &text(&file), "--force"]);
        std::thread::sleep(whole * trial / 20);
        // it may be done already
        let _ = child.kill();
        child.wait().unwrap();
        let found = contents(&mirror);
        assert!(found == old || found == new, "killed in trial {trial}: neither");
        outcomes[usize::from(found == new)] += 1;
        bench.run(&["status"]).exits(0);
        for kept in files(&bench, "replaced") {
            fs::remove_file(kept).unwrap();
        }
    }
    assert!(outcomes[0] > 0, "no kill came in time: {outcomes:?}");
}

#[test]
fn an_older_backup_is_brought_up() {
    let bench = Bench::new(&["us"], empty_world());
    let file = bench.path("old.db");
    crate::migrations::older(&file, 6);
    let answer = bench.run(&["restore", &text(&file), "--check", "--json"]).exits(0).json();
    let newest = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
    assert_eq!(answer["contents"]["schema_version"], json!(newest));
    bench.run(&["restore", &text(&file)]).exits(0);
    assert_eq!(bench.value::<i64>("select count(*) from stores"), 1);
    assert_eq!(files(&bench, ".backup"), [] as [PathBuf; 0], "the backup is the copy");
}
