//! What commands print: one JSON object each, in success and in failure; nothing wider than a terminal; nothing at all
//! when all is well and `-q` was given.

use std::collections::BTreeSet;

use storemirror::cli::examples::command;
use storemirror::sim::Options;

use crate::support::{Bench, Ran, finish};

/// Command → arguments that succeed, and arguments that fail by themselves (each command also fails by a flag that is
/// none). `ID` becomes a subscription's.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("", "", "--now yesterday"),
    ("ingest", "", "invoices"),
    ("push", "", "leads"),
    ("sync", "", "--config /nowhere.toml"),
    ("crm check", "", "--config /nowhere.toml"),
    ("crm setup", "--dry-run", "--config /nowhere.toml"),
    ("crm link", "", "leads"),
    ("crm verify", "", "leads"),
    ("crm trace", "subscriptions us:ID", "subscriptions us:1"),
    ("report", "renewals_due", "nothing"),
    ("export", "out", "/dev/null/x"),
    ("dashboard", "-o page.html", "-o /dev/null/page.html"),
    ("statement", "2026-01", "2026-13"),
    ("dictionary", "", "--format xml"),
    ("status", "", "--config /nowhere.toml"),
    ("verify", "", "invoices"),
    ("rebuild", "", "--db /nowhere/mirror.db"),
    ("explain", "subscriptions us:ID", "subscriptions us:1"),
    ("whoami", "", "--config /nowhere.toml"),
    ("backup", "copy.db", "/nowhere/copy.db"),
    ("restore", "copy.db --check", "/nowhere.db"),
    ("forget", "subscriptions us:ID --dry-run", "subscriptions us:1"),
    ("doctor", "--offline", "--first-contact --store mars"),
    ("init", "--config new.toml", "--config config.toml"),
    ("completions", "bash", "tcsh"),
    ("man", "", "/dev/null/x"),
    ("connect store", "STDIN store us", "mars --data-center moon"),
    ("connect crm", "STDIN crm", "--data-center moon"),
    ("disconnect store", "us", "mars"),
    ("disconnect crm", "", "--config /nowhere.toml"),
    ("schedule install", "MACHINE", "--at 25:99"),
    ("schedule show", "MACHINE", "--config /nowhere.toml"),
    ("schedule remove", "MACHINE", "--config /nowhere.toml"),
    ("notify", "MACHINE", "--config /nowhere.toml"),
    ("demo", "LONG", "config.toml"),
    ("simulate", "ENDLESS", "--switches /nowhere.json"),
];

/// Every command's path without those that only group others.
fn leaves() -> BTreeSet<String> {
    fn visit(command: &clap::Command, path: &str, leaves: &mut BTreeSet<String>) {
        let subcommands: Vec<_> = command.get_subcommands().filter(|one| one.get_name() != "help").collect();
        for subcommand in &subcommands {
            visit(subcommand, format!("{path} {}", subcommand.get_name()).trim(), leaves);
        }
        if subcommands.is_empty() || path.is_empty() {
            leaves.insert(path.to_owned());
        }
    }
    let mut leaves = BTreeSet::new();
    visit(&command(), "", &mut leaves);
    leaves
}

/// A small partner, ingested and pushed.
fn bench() -> (Bench, String) {
    let small = Options { subscriptions: 40, transactions: 120, commissions: 90, ..Options::default() };
    let bench = Bench::new(&["us", "eu"], small);
    bench.run(&["ingest"]).exits(0);
    let id: String =
        bench.value("select subscription_id || '' from subscription_records where store_id = 'us' limit 1");
    (bench, id)
}

fn run(bench: &Bench, line: &str) -> Ran {
    let arguments: Vec<&str> = line.split_whitespace().collect();
    finish(bench.command(&arguments).current_dir(bench.path("")))
}

#[test]
fn every_command_prints_one_json_object_in_success_and_in_failure() {
    let (bench, id) = bench();
    let known: BTreeSet<String> = COMMANDS.iter().map(|(path, ..)| (*path).to_owned()).collect();
    assert_eq!(known, leaves(), "each command has its line in COMMANDS");
    for (path, good, bad) in COMMANDS {
        // these need a person's answers, half a minute, a machine of their own, or never end; their own tests parse what
        // they print
        if !["STDIN", "LONG", "MACHINE", "ENDLESS"].iter().any(|reason| good.starts_with(reason)) {
            let ran = run(&bench, &format!("{path} {} --json", good.replace("ID", &id)));
            assert!([0, 3].contains(&ran.exit), "{path}: {ran:?}");
            let json = ran.json();
            assert!(json.is_object(), "{path}: {json}");
            assert!(json.get("exit").is_none_or(|exit| *exit == ran.exit), "{path}: {json}");
        }
        for bad in [bad, "--nonsense"] {
            let line = format!("{path} {bad} --json");
            let ran = run(&bench, &line);
            assert!([1, 2].contains(&ran.exit), "{line}: {ran:?}");
            let json = ran.json();
            assert_eq!(json["exit"], ran.exit, "{line}: {json}");
            let message =
                json["error"]["message"].as_str().or(json["listings"][0]["error"].as_str()).unwrap_or_default();
            assert!(!message.is_empty(), "{line}: {json}");
            assert!(!message.ends_with('.') && !message.starts_with("error"), "{line}: {message}");
        }
    }
}

/// The lines that are too wide; an address or a path that is longer than a line cannot be broken.
fn wide(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.chars().count() > 80 && line.trim_start().contains(' '))
}

/// Texts for people only: CSV, JSON and the dictionary's Markdown are for programs, and a report's table without a
/// terminal is as wide as its data.
#[test]
fn what_is_said_to_a_person_fits_eighty_columns() {
    let (bench, id) = bench();
    let mut too_wide = Vec::new();
    for line in [
        "",
        "status",
        "push --dry-run",
        "push",
        "push",
        "ingest",
        "sync",
        "crm check",
        "crm setup --dry-run",
        "crm setup",
        "crm check",
        "crm link",
        "crm verify",
        "crm trace subscriptions us:ID",
        "explain subscriptions us:ID",
        "verify",
        "rebuild",
        "backup copy.db",
        "restore copy.db --check",
        "forget subscriptions us:ID --dry-run",
        "doctor --offline",
        "whoami",
        "report",
        "report commissions_missing --describe",
        "export out",
        "dictionary",
        "doctor --first-contact",
        "init --print",
        "man pages",
        "report nothing",
        "report renewals_due --param x=1",
        "ingest invoices",
        "ingest --store mars",
        "explain subscriptions us:1",
        "connect store new --data-center moon",
        "statement 2026-13",
        "nonsense",
        "explain",
        "--config /nowhere.toml status",
        "--db /nowhere.db rebuild",
    ] {
        let ran = run(&bench, &line.replace("ID", &id));
        // a failure keeps to one line where it goes to a log; on a screen it is broken, see below
        let said = if [0, 3].contains(&ran.exit) { format!("{}\n{}", ran.stdout, ran.stderr) } else { ran.stdout };
        too_wide.extend(wide(&said).map(|wide| format!("{line} ({}): {wide}", wide.chars().count())));
    }
    assert!(too_wide.is_empty(), "{}", too_wide.join("\n"));
}

#[test]
fn quiet_and_well_is_silent() {
    let (bench, _) = bench();
    run(&bench, "crm setup").exits(0);
    run(&bench, "push").exits(0);
    for line in [
        "",
        "ingest",
        "push",
        "sync",
        "verify",
        "rebuild",
        "export out",
        "crm check",
        "crm setup",
        "crm link",
        "crm verify",
        "status",
        "statement 2026-01 -o month.csv",
        "report payouts --format csv -o payouts.csv",
        "init --config new.toml",
        "man pages",
    ] {
        let ran = run(&bench, &format!("{line} -q")).exits(0);
        assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn a_failure_is_broken_into_lines_on_a_screen() {
    let bench = Bench::empty();
    if !crate::shells::has("script", "a_failure_is_broken_into_lines_on_a_screen") {
        return;
    }
    let template = bench.command(&[]);
    let typed = format!("stty rows 24 cols 60; {} ingest invoices", env!("CARGO_BIN_EXE_storemirror"));
    let mut screen = std::process::Command::new("script");
    screen.args(["-qec", &typed, "/dev/null"]).env_clear();
    screen.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    let said = finish(screen.stdin(std::process::Stdio::null())).stdout;
    assert!(said.contains("subscriptions, transactions, commissions"), "{said}");
    for line in said.lines() {
        assert!(line.trim_end().chars().count() <= 60, "{said}");
    }
}
