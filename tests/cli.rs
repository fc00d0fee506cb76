//! The command line as a person meets it: bad input, exit codes, help, and the README's command table.

use std::fs;

use crate::support::{Bench, NOW, Ran, finish, has_sqlite3, program};

#[track_caller]
fn refused(ran: Ran, names: &[&str]) {
    let ran = ran.exits(2);
    for name in names {
        assert!(ran.stderr.contains(name), "{name:?} is not in: {}", ran.stderr);
    }
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
}

#[test]
fn bad_configuration_names_the_file_the_key_and_the_fix() {
    for (config, names) in [
        ("[stores.us]\ndata_center = \"com\"\nclient_id = \"x\"\ncolour = 1\n", vec!["[stores.us]", "colour"]),
        ("[stores.us]\ndata_center = \"mars\"\nclient_id = \"x\"\n", vec!["[stores.us]", "mars", "com.au"]),
        ("[stores.US]\ndata_center = \"com\"\nclient_id = \"x\"\n", vec!["[stores.US]", "lower-case"]),
        ("[stores.us]\ndata_center = \"com\"\n", vec!["[stores.us]", "client_id"]),
        ("[stores.us]\ndata_center = \"com\"\nclient_id = \"x\"\nclient_secret = \"y\"\n", vec!["client_secret"]),
        (
            "[stores.us]\ndata_center = \"com\"\nclient_id = \"x\"\napi_url = \"http://example.com\"\n",
            vec!["api_url", "loopback"],
        ),
        ("[stores.us]\ndata_center = \"com\"\nclient_id = \"x\"\npage_size = 0\n", vec!["page_size"]),
        (
            "[crm]\ndata_center = \"com\"\nclient_id = \"x\"\n[crm.fields.subscriptions]\nmoon = \"Moon\"\n",
            vec!["crm.fields.subscriptions", "moon", "company_name"],
        ),
        (
            "[crm]\ndata_center = \"com\"\nclient_id = \"x\"\n[crm.modules]\nleads = \"Leads\"\n",
            vec!["crm.modules", "leads"],
        ),
        ("[crm]\ndata_center = \"com\"\nclient_id = \"x\"\ntrigger = [\"all\"]\n", vec!["trigger", "all", "workflow"]),
        ("[crm]\ndata_center = \"com\"\nclient_id = \"x\"\nusd_tolerance = 2\n", vec!["usd_tolerance", "0.01"]),
        (
            "[crm]\ndata_center = \"com\"\nclient_id = \"x\"\n[crm.fields.subscriptions]\nemail = { policy = \"once\" }\n",
            vec!["email.policy", "create_only"],
        ),
        ("[storse.us]\n", vec!["storse"]),
        ("not toml at all", vec!["line 1"]),
    ] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        fs::write(&path, config).unwrap();
        let ran = finish(program(home.path()).args(["ingest", "--config"]).arg(&path));
        refused(ran, &names);
    }
}

#[test]
fn what_is_missing_is_said_with_the_next_step() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| finish(program(home.path()).args(arguments));
    refused(run(&["ingest"]), &["no store is configured", "config.toml", "storemirror demo"]);
    refused(run(&["push"]), &["no CRM is configured"]);
    refused(run(&["--config", "/nowhere/config.toml", "status"]), &["/nowhere/config.toml", "--config"]);
    refused(run(&["report", "freshness"]), &["there is no mirror at", "storemirror ingest"]);
    refused(run(&["export", "out"]), &["there is no mirror at"]);
    refused(run(&["rebuild"]), &["there is no mirror at"]);
    refused(run(&["report", "freshnes"]), &["freshnes", "freshness"]);
    refused(run(&["ingest", "--now", "yesterday"]), &["--now", "2026-03-01T06:00:00Z"]);
}

#[test]
fn unknown_names_are_refused() {
    let bench = Bench::empty();
    refused(bench.run(&["ingest", "invoices"]), &["invoices", "subscriptions, transactions, commissions, leads"]);
    refused(bench.run(&["ingest", "--store", "mars"]), &["mars", "us"]);
    refused(bench.run(&["push", "leads"]), &["leads"]);
    bench.run(&["ingest"]).exits(0);
    refused(bench.run(&["report", "renewals_due", "--param", "within=soon"]), &["within", "whole number"]);
    refused(bench.run(&["report", "renewals_due", "--param", "withn=3"]), &["withn", "within"]);
    refused(bench.run(&["report", "renewals_due", "--as-of", "2026-02-30"]), &["2026-02-30"]);
    refused(bench.run(&["explain", "invoices", "1"]), &["invoices"]);
    bench.run(&["ingst"]).exits(2);
}

#[test]
fn missing_secrets_are_a_configuration_error_that_names_the_variable() {
    let bench = Bench::empty();
    let ran = finish(bench.command(&["ingest", "--json"]).env_remove("STOREMIRROR_STORES_US_REFRESH_TOKEN")).exits(2);
    let error = &ran.json()["listings"][0]["error"];
    assert!(error.as_str().unwrap().contains("refresh_token"), "{error}");
    assert!(ran.json()["error"]["hint"].as_str().unwrap().contains("STOREMIRROR_STORES_US_REFRESH_TOKEN"));
}

#[cfg(unix)]
#[test]
fn credentials_that_others_can_read_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::empty();
    let path = bench.path("credentials.toml");
    fs::write(&path, "[stores.us]\nclient_secret = \"hidden-word\"\nrefresh_token = \"hidden-word\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = bench.run(&["ingest"]).exits(2);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("chmod 600") || said.contains("can be read by others"), "{said}");
    assert!(!said.contains("hidden-word"), "{said}");
}

#[test]
fn json_is_one_object_also_on_failure() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [
        &["ingest", "--json"][..],
        &["push", "--json"],
        &["report", "nothing", "--json"],
        &["nonsense", "--json"],
        &["explain", "--json"],
    ] {
        let ran = finish(program(home.path()).args(arguments));
        let json = ran.json();
        assert_eq!(json["exit"], 2, "{arguments:?}: {json}");
        assert_eq!(json["error"]["code"], "config", "{arguments:?}: {json}");
        assert_eq!(ran.exit, 2);
    }
}

#[test]
fn a_demo_folder_that_is_not_ours_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "mine").unwrap();
    refused(finish(program(home.path()).arg("demo").arg(&file)), &["is a file"]);
    let folder = home.path().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("letter.txt"), "mine").unwrap();
    refused(finish(program(home.path()).arg("demo").arg(&folder)), &["not empty", "storemirror demo DIR"]);
    assert_eq!(fs::read_to_string(folder.join("letter.txt")).unwrap(), "mine");
}

#[test]
fn a_database_that_is_not_ours_is_refused() {
    let bench = Bench::empty();
    let path = bench.path("other.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("create table theirs (x)").unwrap();
    let path = path.display().to_string();
    refused(bench.run(&["ingest", "--db", &path]), &["is not a storemirror database", "--db"]);
    refused(bench.run(&["report", "freshness", "--db", &path]), &["is not a storemirror database"]);
}

#[test]
fn the_readme_names_every_command_and_report() {
    let readme = include_str!("../README.md");
    let home = tempfile::tempdir().unwrap();
    let help = finish(program(home.path()).arg("--help")).exits(0).stdout;
    let commands =
        help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    for line in commands {
        let Some(name) = line
            .strip_prefix("  ")
            .and_then(|line| line.split_whitespace().next())
            .filter(|_| !line.starts_with("   "))
        else {
            continue;
        };
        if name != "help" {
            assert!(readme.contains(&format!("storemirror {name}")), "README does not name {name}");
            count += 1;
        }
    }
    assert!(count >= 10, "{help}");
    for report in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/queries")).unwrap() {
        let name = report.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(readme.contains(&format!("`{name}`")), "README does not name the report {name}");
    }
}

#[test]
fn the_readmes_sqlite3_line_runs_a_report_unchanged() {
    if !has_sqlite3("the_readmes_sqlite3_line_runs_a_report_unchanged") {
        return;
    }
    let bench = Bench::new(&["us"], storemirror::sim::Options::default());
    bench.run(&["ingest"]).exits(0);
    let ours = bench.run(&["report", "renewals_due", "--as-of", "2026-03-01", "--format", "csv"]).exits(0).stdout;
    let output = std::process::Command::new("sqlite3")
        .args(["-csv", "-header"])
        .arg(bench.path("mirror.db"))
        .arg(".parameter set :as_of \"'2026-03-01'\"")
        .arg(format!(".read {}/queries/renewals_due.sql", env!("CARGO_MANIFEST_DIR")))
        .output()
        .unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(ours.lines().count() > 10);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let bench = Bench::new(&["us"], storemirror::sim::Options::default());
    bench.run(&["ingest"]).exits(0);
    let mut child =
        bench.command(&["report", "renewals_due", "--json"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_simulator_takes_switches_at_its_start() {
    use std::io::{BufRead, BufReader};
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("switches.json");
    let simulate = |text: &str| {
        fs::write(&file, text).unwrap();
        let mut command = program(home.path());
        command.args(["simulate", "--json", "--port", "0", "--subscriptions", "5", "--switches"]).arg(&file);
        command
    };
    let refusal = finish(&mut simulate("{\"moon\": 1}")).exits(2).stdout;
    assert!(refusal.contains("switches.json") && refusal.contains("moon"), "{refusal}");
    let mut child =
        simulate("{\"accounts\": {\"expires_in\": 77}}").stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let connection: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(connection["stores"]["eu"]["refresh_token"].is_string());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn quiet_is_silent_in_success_alone() {
    let bench = Bench::empty();
    let ran = bench.run(&["ingest", "-q"]).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = finish(bench.command(&["ingest", "-q"]).env("STOREMIRROR_STORES_US_REFRESH_TOKEN", "wrong")).exits(4);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("us subscriptions: store us"), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("refuses the refresh token").count(), 1, "{}", ran.stderr);
}

#[test]
fn no_secret_is_ever_printed() {
    let bench = Bench::empty();
    let connection = bench.sim.connection();
    let secret = connection["stores"]["us"]["refresh_token"].as_str().unwrap();
    for arguments in [&["ingest", "-vv"][..], &["ingest", "--json"], &["status"], &["push", "--dry-run"], &["push"]] {
        let ran = bench.run(arguments);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(secret), "{arguments:?}");
    }
    let database = fs::read(bench.path("mirror.db")).unwrap();
    assert!(!String::from_utf8_lossy(&database).contains(secret));
    assert!(NOW.ends_with('Z'));
}
