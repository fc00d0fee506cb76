//! Everyday use: the first steps on a new machine, what is suggested for a slip, examples that run, one JSON object from
//! every command, and nothing wider than a terminal.

use std::fs;

use storemirror::cli::examples::{EXAMPLES, command};
use storemirror::sim::Options;

use crate::support::{Bench, finish, program};

/// What `storemirror` without a command says is next: its name and the first command it gives.
fn next(ran: &crate::support::Ran) -> (String, String) {
    let json = ran.json();
    assert_eq!((ran.exit, &json["exit"]), (0, &0.into()), "{json}");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    (text(&json["next"]), text(&json["commands"][0]["command"]))
}

#[test]
fn a_new_machine_is_led_from_nothing_to_a_configured_store() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| finish(program(home.path()).args(arguments));
    let text = run(&[]).exits(0).stdout;
    for words in ["nothing is set up yet", "storemirror demo", "storemirror connect store us", "storemirror init"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(next(&run(&["--json"])).0, "configure");
    run(&["init"]).exits(0);
    assert_eq!(next(&run(&["--json"])).0, "configure");
    let config = home.path().join(".config/storemirror/config.toml");
    fs::write(&config, "[stores.us]\ndata_center = \"com\"\nclient_id = \"x\"\n").unwrap();
    assert_eq!(next(&run(&["--json"])), ("connect".to_owned(), "storemirror connect store us".to_owned()));
    // a configuration that cannot be read is the next thing to mend
    fs::write(&config, "not toml").unwrap();
    run(&[]).exits(2);
}

#[test]
fn a_connected_machine_is_led_to_a_fresh_mirror_and_a_full_crm() {
    let bench =
        Bench::new(&["us"], Options { subscriptions: 20, transactions: 40, commissions: 30, ..Options::default() });
    let at = |now: &str| next(&bench.run_at(now, &["--json"]));
    let now = crate::support::NOW;
    let program = format!("storemirror --config {}", bench.path("config.toml").display());
    assert_eq!(at(now), ("ingest".to_owned(), format!("{program} ingest")));
    bench.run(&["ingest"]).exits(0);
    assert_eq!(at(now), ("push".to_owned(), format!("{program} push --dry-run")));
    bench.run(&["push"]).exits(0);
    assert_eq!(at(now).0, "none");
    assert_eq!(at("2026-03-02T08:00:00Z").0, "none", "26 hours are not old");
    assert_eq!(at("2026-03-02T08:01:00Z"), ("ingest".to_owned(), format!("{program} sync")));
    let mut without = bench.command(&["--json"]);
    without.env_remove("STOREMIRROR_CRM_REFRESH_TOKEN");
    assert_eq!(next(&finish(&mut without)), ("connect".to_owned(), format!("{program} connect crm")));
}

#[test]
fn init_writes_a_private_file_once() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| finish(program(home.path()).args(arguments));
    let path = home.path().join(".config/storemirror/config.toml");
    let printed = run(&["init", "--print"]).exits(0).stdout;
    assert!(!path.exists());
    let json = run(&["init", "--json"]).exits(0).json();
    assert_eq!(json["config"], path.display().to_string());
    assert_eq!(fs::read_to_string(&path).unwrap(), printed);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
    fs::write(&path, "# mine\n").unwrap();
    let ran = run(&["init"]).exits(2);
    assert!(ran.stderr.contains("is there already"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(&path).unwrap(), "# mine\n");
    let other = home.path().join("new/other.toml").display().to_string();
    run(&["init", "--config", &other]).exits(0);
    assert_eq!(fs::read_to_string(other).unwrap(), printed);
}

#[test]
fn a_slip_gets_the_nearest_name() {
    let bench = Bench::empty();
    bench.run(&["ingest"]).exits(0);
    for (arguments, meant) in [
        (&["ingst"][..], "did you mean ingest?"),
        (&["crm", "chek"], "did you mean check?"),
        (&["ingest", "--no-resum"], "did you mean --no-resume?"),
        (&["report", "payouts", "--format", "cvs"], "did you mean csv?"),
        (&["report", "payout"], "did you mean payouts?"),
        (&["report", "renewals_due", "--param", "witin=3"], "did you mean within?"),
        (&["export", "out", "--only", "payout"], "did you mean payouts?"),
        (&["ingest", "comissions"], "did you mean commissions?"),
        (&["explain", "Subscription", "1"], "did you mean subscriptions?"),
        (&["completions", "bsh"], "did you mean bash?"),
    ] {
        for extra in [&[][..], &["--json"]] {
            let ran = bench.run(&[arguments, extra].concat()).exits(2);
            let said = if extra.is_empty() { ran.stderr } else { ran.json()["error"].to_string() };
            assert!(said.contains(meant), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn a_slip_in_the_configuration_gets_the_nearest_key() {
    let store = "[stores.main]\ndata_center = \"com\"\nclient_id = \"x\"\n";
    let crm = "[crm]\ndata_center = \"com\"\nclient_id = \"x\"\n";
    for (config, meant) in [
        ("[store.us]\n".to_owned(), "did you mean stores?"),
        (format!("{store}page_sise = 5\n"), "did you mean page_size?"),
        (store.replace("\"com\"", "\"com_au\""), "did you mean com.au?"),
        (format!("{crm}daily_credit = 5\n"), "did you mean daily_credits?"),
        (format!("{crm}[crm.modules]\nsubscription = \"X\"\n"), "did you mean subscriptions?"),
        (format!("{crm}[crm.fields.commissions]\nstat = false\n"), "did you mean state?"),
        (format!("{crm}[crm.fields.commissions]\nrate = {{ fields = \"R\" }}\n"), "did you mean field?"),
        (format!("{crm}trigger = [\"workflows\"]\n"), "did you mean workflow?"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        fs::write(&path, &config).unwrap();
        let ran = finish(program(home.path()).args(["status", "--config"]).arg(&path)).exits(2);
        assert!(ran.stderr.contains(meant), "{config}: {}", ran.stderr);
    }
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config.toml");
    fs::write(&path, store).unwrap();
    let ran = finish(program(home.path()).args(["ingest", "--store", "mian", "--config"]).arg(&path)).exits(2);
    assert!(ran.stderr.contains("did you mean main?"), "{}", ran.stderr);
}

/// Every command's path, such as `crm check`.
fn paths() -> Vec<String> {
    fn visit(command: &clap::Command, path: &str, paths: &mut Vec<String>) {
        for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
            let path = format!("{path} {}", subcommand.get_name()).trim().to_owned();
            visit(subcommand, &path, paths);
            paths.push(path);
        }
    }
    let mut paths = vec![String::new()];
    visit(&command(), "", &mut paths);
    paths
}

#[test]
fn every_help_begins_with_examples_and_fits_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    for path in paths() {
        let mut arguments: Vec<&str> = path.split_whitespace().collect();
        arguments.push("--help");
        let help = finish(program(home.path()).args(&arguments)).exits(0).stdout;
        let examples = help.find("Examples:").unwrap_or_else(|| panic!("{path}: {help}"));
        assert!(examples < help.find("Usage:").unwrap(), "{path}: {help}");
        fits(&help, &path);
    }
}

#[track_caller]
fn fits(text: &str, what: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{what}: {} columns: {line}", line.chars().count());
    }
}

/// Every example is typed into a shell in an ingested bench; the few that need a person or never end are named here.
#[test]
fn the_examples_run() {
    const NOT_RUN: [&str; 7] = [
        "demo",                       // takes half a minute; tests/chain.rs runs it
        "demo /tmp/try",              // as that
        "simulate",                   // until Ctrl-C; tests/cli.rs runs it
        "simulate --port 0 --seed 7", // as that
        "connect store us",           // asks a person; tests/connect.rs runs it
        "connect store eu --data-center eu",
        "connect crm",
    ];
    let bench = Bench::new(
        &["us", "eu"],
        Options { subscriptions: 20, transactions: 40, commissions: 30, ..Options::default() },
    );
    bench.run(&["ingest"]).exits(0);
    let id: String =
        bench.value("select subscription_id || '' from subscription_records where store_id = 'us' limit 1");
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_storemirror")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut ran = 0;
    // those that take a connection away come last
    let mut lines: Vec<&str> =
        EXAMPLES.iter().flat_map(|(_, examples)| examples.iter().map(|(line, _)| *line)).collect();
    lines.sort_by_key(|line| line.starts_with("disconnect"));
    lines.dedup();
    // what writes to the machine itself runs on machines of tests/schedule.rs and tests/notify.rs
    let is_run = |line: &&str| !NOT_RUN.contains(line) && !line.starts_with("schedule") && !line.starts_with("notify");
    for line in lines.into_iter().filter(is_run) {
        let needs_man = line.contains("| man");
        let typed = format!("storemirror {}", line.replace("4000000001", &id));
        let typed = if needs_man { typed.replace("| man -l -", "| cat") } else { typed };
        let mut shell = std::process::Command::new("sh");
        let template = bench.command(&[]);
        shell.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.args(["-c", &typed]).env("PATH", &path).current_dir(bench.path(""));
        if line.starts_with("init") {
            shell.env("STOREMIRROR_CONFIG", bench.path("new.toml"));
        }
        let result = finish(&mut shell);
        // a CRM without its fields, or a token that came from the environment, is an answer too
        // and so is a machine on which something could be better
        let good: &[i32] = match line.split(' ').next() {
            Some("crm" | "disconnect") => &[0, 3],
            Some("doctor") => &[0, 1, 3],
            _ => &[0],
        };
        assert!(good.contains(&result.exit), "{typed}: {result:?}");
        ran += 1;
    }
    assert!(ran > 40, "{ran}");
    let with_examples: Vec<&str> = EXAMPLES.iter().map(|(path, _)| *path).collect();
    for path in paths() {
        assert!(with_examples.contains(&path.as_str()), "{path} has no examples");
    }
}
