//! A disk that is full at any moment: by a limit on the size of files, drawn per command, and by a file system of a few
//! hundred kilobytes. The failed command says so, and the same command with room again ends as if nothing had happened.

use std::process::Command;

use fastrand::Rng;
use serde_json::Value;

use crate::convergence::mirror::Mirror;
use crate::migrations::older;
use crate::support::{Bench, Ran, finish, program, try_seeds};

const SEEDS: u64 = 12;
const LISTS: [(&str, &str); 3] = [("us", "subscriptions"), ("us", "transactions"), ("us", "commissions")];

/// The same program, arguments and environment behind other words: a shell that limits it first.
pub fn behind(words: &[&str], command: &Command) -> Command {
    let mut behind = Command::new(words[0]);
    behind.env_clear().args(&words[1..]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        behind.env(name, value.unwrap_or_default());
    }
    behind
}

/// Runs it where no file may grow beyond so many half kibibytes; the signal for it is ignored, so that writing fails.
fn limited(command: &Command, blocks: u64) -> Ran {
    finish(&mut behind(&["sh", "-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &blocks.to_string()], command))
}

fn partner(seed: u64) -> Bench {
    let options = storemirror::sim::Options {
        seed,
        subscriptions: 60,
        transactions: 400,
        commissions: 300,
        ..storemirror::sim::Options::default()
    };
    Bench::new(&["us"], options).with("us", "page_size = 50")
}

/// A command that met the limit says so, in words and in the exit code; else it ended as it does.
#[track_caller]
fn says_so(command: &[&str], ran: &Ran) -> bool {
    let said = format!("{command:?}: {ran:?}");
    assert!(matches!(ran.exit, 0 | 1 | 3), "{said}");
    assert!(!ran.stderr.contains("panicked"), "{said}");
    if ran.exit == 1 {
        let answer: Value = ran.json();
        assert_eq!(answer["exit"], 1, "{said}");
        let message = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{said}"));
        let is_told =
            ["the disk is full", "File too large", "No space left"].iter().any(|words| message.contains(words));
        assert!(is_told, "{said}");
    }
    ran.exit == 1
}

#[test]
fn a_disk_full_at_any_moment_loses_nothing() {
    try_seeds("a_disk_full_at_any_moment", SEEDS, |seed| {
        let mut random = Rng::with_seed(seed);
        let bench = partner(seed);
        let out = bench.path("out").display().to_string();
        let (copy, page) = (bench.path("copy.db").display().to_string(), bench.path("page.html").display().to_string());
        let commands: [&[&str]; 8] = [
            &["ingest", "--json"],
            &["push", "--json"],
            &["statement", "2026-01", "--json"],
            &["export", &out, "--json"],
            &["backup", "--force", &copy, "--json"],
            &["dashboard", "-o", &page, "--json"],
            &["rebuild", "--json"],
            &["ingest", "--json"],
        ];
        for command in commands {
            // a few of each size, from a single block up to more than the whole mirror
            for _ in 0..3 {
                let blocks = 1 << random.u32(..14);
                if !says_so(command, &limited(&bench.command(command), blocks + random.u64(..blocks))) {
                    break;
                }
                if bench.path("mirror.db").exists() {
                    Mirror::open(&bench.path("mirror.db"), seed).is_sound();
                }
            }
            let ran = bench.run(command);
            assert_eq!(ran.exit, 0, "seed {seed}: {command:?}: {ran:?}");
        }
        let mirror = Mirror::open(&bench.path("mirror.db"), seed);
        bench.sim.with(|world| mirror.is_the_store(world, &LISTS));
        mirror.is_what_a_rebuild_makes(&bench);
        let again = bench.run(&["push", "--json"]).exits(0).json();
        assert_eq!(again["requests"], 0, "seed {seed}: {again}");
        let crm = bench.run(&["crm", "verify", "--json"]).exits(0);
        assert_eq!(crm.json()["exit"], 0);
    });
}

#[test]
fn a_migration_without_room_leaves_the_file_as_it_was() {
    for blocks in [1, 64, 300, 700, 1_000, 1_400] {
        let bench = Bench::empty();
        let path = bench.path("mirror.db");
        older(&path, 6);
        let version = || bench.value::<i64>("select max(version) from refinery_schema_history");
        let ran = limited(&bench.command(&["rebuild", "--json"]), blocks);
        let newest =
            i64::try_from(std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count());
        if says_so(&["rebuild"], &ran) {
            assert!([6, newest.unwrap()].contains(&version()), "{blocks}: all migrations or none");
        }
        bench.run(&["rebuild"]).exits(0);
        assert_eq!(bench.value::<i64>("select count(*) from stores"), 1);
        assert!(version() > 6 && bench.path("mirror.db.v6.backup").exists());
    }
}

#[test]
fn a_report_that_does_not_fit_leaves_the_old_file() {
    let bench = partner(1);
    bench.run(&["ingest"]).exits(0);
    let queries = bench.path("queries");
    std::fs::create_dir(&queries).unwrap();
    let long = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 20000) select x from n";
    std::fs::write(queries.join("long.sql"), long).unwrap();
    let file = bench.path("report.csv");
    std::fs::write(&file, "the old one\n").unwrap();
    let (queries, output) = (queries.display().to_string(), file.display().to_string());
    let arguments = ["report", "long", "--queries", &queries, "--format", "csv", "-o", &output];
    // room for the index of the log that a reader makes, and not for the report
    let ran = limited(&bench.command(&arguments), 100);
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.stderr.contains("report.csv") && ran.stderr.contains("make room"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "the old one\n");
    let left =
        std::fs::read_dir(bench.path("")).unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let left: Vec<String> = left.filter(|name| name.starts_with(".tmp")).collect();
    assert_eq!(left, Vec::<String>::new());
}

/// Whether a file system of our own can be mounted, unseen by others; says that a test is skipped where it cannot.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn can_mount(test: &str) -> bool {
    let can = ["true"]
        .iter()
        .all(|word| Command::new("unshare").args(["-rm", word]).output().is_ok_and(|output| output.status.success()));
    if !can {
        eprintln!("skipped: {test} needs `unshare -rm`");
    }
    can
}

#[test]
fn a_small_file_system_fills_up_and_the_same_run_goes_on_with_more_room() {
    if !can_mount("a_small_file_system_fills_up_and_the_same_run_goes_on_with_more_room") {
        return;
    }
    let bench = partner(2);
    let (disk, kept) = (bench.path("disk"), bench.path("kept.db"));
    std::fs::create_dir(&disk).unwrap();
    // fills at every size from too small for the schema to nearly enough; the last run has room
    let script = "mount -t tmpfs -o size=100k none $D || exit 99
        for size in 300k 700k 1m 1500k 2m 3m; do
          mount -o remount,size=$size none $D
          \"$@\" ingest --json --db $D/mirror.db; echo \"exit $?\"
        done
        mount -o remount,size=100m none $D
        \"$@\" ingest --db $D/mirror.db --json; echo \"exit $?\"
        \"$@\" export $D/out --db $D/mirror.db --json >/dev/null; echo \"exit $?\"
        cp $D/mirror.db $KEPT";
    let mut command = behind(&["unshare", "-rm", "sh", "-c", script, "sh"], &bench.command(&[]));
    let ran = finish(command.env("D", &disk).env("KEPT", &kept));
    let exits: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("exit ")).collect();
    assert_eq!(exits[0], "exit 1", "{ran:?}");
    assert_eq!(exits[exits.len() - 2..], ["exit 0", "exit 0"], "{ran:?}");
    for line in ran.stdout.lines().filter(|line| line.starts_with('{')) {
        let answer: Value = serde_json::from_str(line).unwrap();
        if answer["exit"] == 1 {
            let message = answer["error"]["message"].as_str().unwrap();
            assert!(message.contains("full") || message.contains("No space left"), "{message}");
        }
    }
    let mirror = Mirror::open(&kept, 2);
    mirror.is_sound();
    bench.sim.with(|world| mirror.is_the_store(world, &LISTS));
    drop(program(&disk));
}
