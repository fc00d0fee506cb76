//! TAB in real shells, and the manual in real readers: each says that it is skipped where the tool is missing.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Bench, finish, program};

const PROGRAM: &str = env!("CARGO_BIN_EXE_storemirror");

pub fn has(tool: &str, test: &str) -> bool {
    let found =
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().is_ok_and(|ran| ran.status.success());
    if !found {
        eprintln!("skipped: {test} needs {tool}");
    }
    found
}

/// A home with the completion script of a shell, a configuration with two stores, and a report of the user's own.
fn home(shell: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let script = finish(program(home.path()).args(["completions", shell])).exits(0).stdout;
    std::fs::write(home.path().join("script"), script).unwrap();
    let queries = home.path().join("mine");
    std::fs::create_dir(&queries).unwrap();
    std::fs::write(queries.join("my_own.sql"), "-- Mine\n-- :colour text = 'red'  which\nselect :colour as colour")
        .unwrap();
    let store = |name: &str| format!("[stores.{name}]\ndata_center = \"com\"\nclient_id = \"x\"\n");
    let config = home.path().join("config.toml");
    std::fs::write(config, format!("{}{}", store("us"), store("europe"))).unwrap();
    home
}

/// A command with the program on its PATH.
fn tool(name: &str, home: &Path) -> Command {
    let folder = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env_clear().env("HOME", home).env("PATH", format!("{folder}:{path}")).env("TERM", "dumb").current_dir(home);
    command
}

/// Line up to the cursor → candidates that must be there, and one that must not.
const CASES: [(&str, &[&str], &str); 13] = [
    ("storemirror rep", &["report"], "ingest"),
    ("storemirror report renewals_", &["renewals_due", "renewals_overdue", "renewals_by_month"], "payouts"),
    ("storemirror report ", &["payouts", "freshness"], "--as-of"),
    ("storemirror report --as", &["--as-of"], "payouts"),
    ("storemirror report commissions_missing --param ", &["grace=", "days="], "within="),
    ("storemirror report commissions_missing --param gr", &["grace="], "days="),
    ("storemirror report --queries mine my", &["my_own"], "payouts"),
    ("storemirror report --queries mine my_own --param ", &["colour="], "within="),
    ("storemirror --config config.toml ingest --store ", &["us", "europe"], "--quiet"),
    ("storemirror ingest com", &["commissions"], "transactions"),
    ("storemirror crm trace ", &["subscriptions"], "leads"),
    ("storemirror report payouts --format ", &["csv", "html"], "payouts"),
    ("storemirror connect store new --data-center com", &["com", "com.au", "com.cn"], "eu"),
];

#[test]
fn bash_is_told_what_may_stand_at_the_cursor() {
    if !has("bash", "bash_is_told_what_may_stand_at_the_cursor") {
        return;
    }
    let home = home("bash");
    let ask = |line: &str| {
        // compopt works only while bash itself completes
        let script = "source ./script; compopt() { :; }; COMP_LINE=$1 COMP_POINT=${#1}; _storemirror; printf '%s\\n' \"${COMPREPLY[@]}\"";
        finish(tool("bash", home.path()).args(["--norc", "-c", script, "bash", line])).exits(0).stdout
    };
    for (line, there, not_there) in CASES {
        let stdout = ask(line);
        let words: Vec<&str> = stdout.lines().collect();
        assert!(there.iter().all(|word| words.contains(word)), "{line:?}: {words:?}");
        assert!(!words.contains(&not_there), "{line:?}: {words:?}");
    }
    // bash cuts at =, and puts in only what stands behind it
    assert_eq!(ask("storemirror report renewals_due --param within=").trim(), "90");
    assert_eq!(ask("storemirror report payouts --format=cs").trim(), "csv");
    // files are left to bash
    assert_eq!(ask("storemirror --config ").trim(), "");
}

#[test]
fn fish_is_told_what_may_stand_at_the_cursor() {
    if !has("fish", "fish_is_told_what_may_stand_at_the_cursor") {
        return;
    }
    let home = home("fish");
    for (line, there, not_there) in CASES {
        let script = format!("source ./script; complete -C '{line}'");
        let stdout = finish(tool("fish", home.path()).args(["--no-config", "-c", &script])).exits(0).stdout;
        let words: Vec<&str> = stdout.lines().filter_map(|line| line.split('\t').next()).collect();
        assert!(there.iter().all(|word| words.contains(word)), "{line:?}: {stdout}");
        assert!(!words.contains(&not_there), "{line:?}: {stdout}");
    }
}

/// Types into an interactive shell on a terminal of its own; gives what the screen showed.
fn typed(shell: &str, arguments: &str, home: &Path, keys: &str) -> String {
    let mut child = tool("script", home)
        .args(["-qec", &format!("{shell} {arguments}"), "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

/// What TAB must make of a line for it to run: a report's name, a parameter and its default, a store.
const TABBED: &str = "storemirror report renewals_d\t --param wi\t\t --describe > one\nstoremirror report --queries mine my_\t--sql > two\n\
                      storemirror --config con\t whoami > three\nexit\n";

fn check_tabbed(home: &Path, screen: &str) {
    let read = |name: &str| std::fs::read_to_string(home.join(name)).unwrap_or_else(|_| panic!("{name}: {screen}"));
    assert!(read("one").starts_with("renewals_due"), "{}", read("one"));
    assert!(read("two").contains("select :colour"), "{}", read("two"));
    assert!(read("three").contains("europe"), "{}", read("three"));
}

#[test]
fn tab_completes_a_line_in_bash() {
    if !has("script", "tab_completes_a_line_in_bash") || !has("bash", "tab_completes_a_line_in_bash") {
        return;
    }
    let home = home("bash");
    let screen = typed("bash", "--norc -i", home.path(), &format!("source ./script\n{TABBED}"));
    check_tabbed(home.path(), &screen);
}

#[test]
fn tab_completes_a_line_in_zsh() {
    if !has("script", "tab_completes_a_line_in_zsh") || !has("zsh", "tab_completes_a_line_in_zsh") {
        return;
    }
    let home = home("zsh");
    // as an installed file of $fpath, which must answer the very first TAB too
    std::fs::create_dir(home.path().join("functions")).unwrap();
    std::fs::rename(home.path().join("script"), home.path().join("functions/_storemirror")).unwrap();
    let setup = "fpath=($PWD/functions $fpath); autoload -U compinit; compinit -u -D\n";
    let screen = typed("zsh", "-f -i", home.path(), &format!("{setup}{TABBED}"));
    check_tabbed(home.path(), &screen);
}

#[test]
fn powershell_and_elvish_get_their_scripts() {
    let home = tempfile::tempdir().unwrap();
    for (shell, word) in [("powershell", "Register-ArgumentCompleter"), ("elvish", "edit:completion:arg-completer")] {
        let script = finish(program(home.path()).args(["completions", shell])).exits(0).stdout;
        assert!(script.contains(word) && script.contains("STOREMIRROR_COMPLETE"), "{script}");
        // as these scripts ask
        let mut ask = program(home.path());
        ask.env("STOREMIRROR_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", "2").args([
            "--",
            "storemirror",
            "report",
            "payo",
        ]);
        assert_eq!(finish(&mut ask).exits(0).stdout.trim().split('\t').next(), Some("payouts"), "{shell}");
    }
}

#[test]
fn completing_never_speaks_of_its_errors() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config.toml"), "not toml").unwrap();
    let mut ask = program(home.path());
    ask.env("STOREMIRROR_COMPLETE", "fish").current_dir(home.path());
    let ran = finish(ask.args(["--", "storemirror", "--config", "config.toml", "ingest", "--store", ""])).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let mut ask = program(home.path());
    let ran = finish(ask.env("STOREMIRROR_COMPLETE", "bash")).exits(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn every_command_has_a_manual_page_without_fault() {
    let bench = Bench::empty();
    let folder = bench.path("man");
    let json = bench.run(&["man", &folder.display().to_string(), "--json"]).exits(0).json();
    let pages: Vec<String> =
        json["pages"].as_array().unwrap().iter().map(|page| page.as_str().unwrap().to_owned()).collect();
    for name in ["storemirror.1", "storemirror-ingest.1", "storemirror-crm-check.1", "storemirror-connect-store.1"] {
        assert!(pages.contains(&name.to_owned()), "{name}: {pages:?}");
    }
    let main = bench.run(&["man"]).exits(0).stdout;
    assert_eq!(std::fs::read_to_string(folder.join("storemirror.1")).unwrap(), main);
    for word in ["EXIT STATUS", "credentials.toml", "STOREMIRROR_CRM_CLIENT_SECRET", "storemirror demo"] {
        assert!(main.replace('\\', "").contains(word), "{word}: {main}");
    }
    for page in &pages {
        let path = folder.join(page);
        if has("groff", "every_command_has_a_manual_page_without_fault") {
            let ran = finish(Command::new("groff").args(["-man", "-Tutf8", "-ww", "-z"]).arg(&path)).exits(0);
            assert_eq!(ran.stderr, "", "{page}");
        }
        if has("mandoc", "every_command_has_a_manual_page_without_fault") {
            let ran = finish(Command::new("mandoc").args(["-T", "lint", "-W", "warning,stop"]).arg(&path));
            // the pages carry no date, so that the same version makes the same bytes; spacing around a list of values
            // is clap_mangen's and harmless
            let faults: Vec<&str> = ran
                .stdout
                .lines()
                .filter(|line| !line.contains("missing date") && !line.contains("skipping paragraph macro"))
                .collect();
            assert!(faults.is_empty(), "{page}: {faults:#?}");
        }
    }
}
