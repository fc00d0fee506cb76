//! OAuth: a code becomes a stored refresh token and goes again, against the simulator, with the code on stdin.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Bench, Ran, program};
use storemirror::sim::{FaultKind, NextFault};

const SECRETS: [&str; 6] =
    ["sim-secret-us", "sim-secret-crm", "code-us", "code-crm", "1000.sim-refresh-us", "wrong-secret"];

/// Runs a command with lines on stdin; nothing secret may be said, whatever happens.
#[track_caller]
fn ask(mut command: Command, stdin: &str) -> Ran {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    // a program that refuses before it reads has closed its end
    let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    let ran = Ran {
        exit: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    };
    for secret in SECRETS {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{secret} was said: {ran:?}");
    }
    ran
}

/// The program on a bench's configuration, without secrets in the environment.
fn bare(bench: &Bench, arguments: &[&str]) -> Command {
    let mut command = bench.command(arguments);
    for owner in ["STORES_US", "STORES_EU", "CRM"] {
        for key in ["CLIENT_SECRET", "REFRESH_TOKEN"] {
            command.env_remove(format!("STOREMIRROR_{owner}_{key}"));
        }
    }
    command
}

#[track_caller]
fn connect_us(bench: &Bench) -> Ran {
    ask(bare(bench, &["connect", "store", "us", "--json"]), "sim-secret-us\ncode-us\n").exits(0)
}

fn text(bench: &Bench, name: &str) -> String {
    std::fs::read_to_string(bench.path(name)).unwrap_or_default()
}

/// Credentials that only their owner can read, as a test wants them.
fn put_credentials(bench: &Bench, text: &str) {
    storemirror::files::write_atomically(&bench.path("credentials.toml"), text.as_bytes(), true).unwrap();
}

fn queue(bench: &Bench, path: &str, kinds: &[FaultKind]) {
    let faults = kinds.iter().map(|kind| NextFault { path: path.to_owned(), kind: *kind });
    bench.sim.with(|world| world.switches.next_faults.extend(faults));
}

/// Paths asked for since the log was cleared.
fn asked(bench: &Bench) -> Vec<String> {
    bench.sim.with(|world| world.requests().iter().map(|request| request.path.clone()).collect())
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777
}

#[test]
fn a_code_on_stdin_connects_a_configured_store_and_proves_it() {
    let bench = Bench::empty().with("us", "# mine");
    bench.put_subscriptions([1, 2, 3]);
    let before = text(&bench, "config.toml");
    let ran = connect_us(&bench);
    let answer = ran.json();
    for (key, value) in [("command", json!("connect")), ("exit", json!(0)), ("store_id", json!("us"))] {
        assert_eq!(answer[key], value, "{answer}");
    }
    assert_eq!((&answer["received"], &answer["config_changed"]), (&json!(1), &json!(false)), "{answer}");
    assert_eq!(answer["warnings"], json!([]));
    assert_eq!(text(&bench, "config.toml"), before, "a configured store's table stays as it is");
    assert_eq!(asked(&bench), ["/oauth/v2/token", "/us/api/v1/partner/subscriptions"], "one request proves it");
    let listing = ask(bare(&bench, &["ingest", "subscriptions", "--json"]), "").exits(0).json();
    assert_eq!(listing["totals"]["received"], 3, "the stored secrets are enough");
}

#[test]
fn the_way_is_told_with_page_scopes_and_time() {
    let bench = Bench::empty();
    let ran = ask(bare(&bench, &["connect", "store", "us"]), "").exits(2);
    let scopes = "ZohoPayments.subscriptions.READ,ZohoPayments.transactions.READ,ZohoPayments.commissions.READ\n";
    for part in ["https://api-console.zoho.com/", scopes, "ZohoPayments.fullaccess.READ", "minutes"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    assert!(ran.stderr.contains("no client secret was given"), "{}", ran.stderr);
    let bench = Bench::empty().with("us", "leads = true");
    let ran = ask(bare(&bench, &["connect", "store", "us"]), "sim-secret-us\n").exits(2);
    assert!(ran.stderr.contains("commissions.READ,ZohoPayments.leads.READ\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no code was given"), "{}", ran.stderr);
}

#[test]
fn the_crm_connects_and_keeps_the_others_secrets() {
    let bench = Bench::empty();
    put_credentials(&bench, "# from the safe\n[stores.us]\nrefresh_token = \"1000.sim-refresh-us\" # old\n");
    let answer = ask(bare(&bench, &["connect", "crm", "--json"]), "sim-secret-crm\ncode-crm\n").exits(0).json();
    assert_eq!((&answer["connection"], &answer["received"]), (&json!("crm"), &json!(1)), "{answer}");
    let credentials = text(&bench, "credentials.toml");
    assert!(credentials.starts_with("# from the safe\n[stores.us]\nrefresh_token = \"1000.sim-refresh-us\" # old\n"));
    assert!(credentials.contains("\n[crm]\nclient_secret = \"sim-secret-crm\"\nrefresh_token = \"1000."));
}

#[cfg(unix)]
#[test]
fn secrets_are_their_owners_alone() {
    let bench = Bench::empty();
    connect_us(&bench);
    assert_eq!(mode(&bench.path("credentials.toml")), 0o600);
    let state = bench.path(".local/state/storemirror");
    assert_eq!(mode(&state), 0o700);
    for entry in std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with("token-")) {
            assert_eq!(mode(&entry), 0o600, "{}", entry.display());
        }
    }
    std::fs::set_permissions(bench.path("credentials.toml"), std::os::unix::fs::PermissionsExt::from_mode(0o640))
        .unwrap();
    for arguments in [&["connect", "store", "us"][..], &["disconnect", "store", "us"], &["whoami"]] {
        let ran = ask(bare(&bench, arguments), "code-us\n").exits(2);
        assert!(ran.stderr.contains("can be read by others"), "{}", ran.stderr);
    }
}

#[test]
fn a_secret_that_is_there_is_not_asked_for() {
    let bench = Bench::empty();
    let mut command = bare(&bench, &["connect", "store", "us", "--json"]);
    command.env("STOREMIRROR_STORES_US_CLIENT_SECRET", "sim-secret-us");
    ask(command, "code-us\n").exits(0);
    bench.sim.with(|world| world.offer_code("us", "code-us"));
    ask(bare(&bench, &["connect", "store", "us"]), "code-us\n").exits(0);
    put_credentials(&bench, "[stores.us]\nclient_secret = \"wrong-secret\"\n");
    bench.sim.with(|world| world.offer_code("us", "code-us"));
    let ran = ask(bare(&bench, &["connect", "store", "us"]), "code-us\n").exits(4);
    assert!(ran.stderr.contains("invalid_client") && ran.stderr.contains("--new-secret"), "{}", ran.stderr);
    ask(bare(&bench, &["connect", "store", "us", "--new-secret"]), "sim-secret-us\ncode-us\n").exits(0);
}

#[test]
fn a_variable_that_hides_what_was_stored_is_named() {
    let bench = Bench::empty();
    let mut command = bare(&bench, &["connect", "store", "us", "--json"]);
    command.env("STOREMIRROR_STORES_US_REFRESH_TOKEN", "1000.sim-refresh-us");
    let warnings = ask(command, "sim-secret-us\ncode-us\n").exits(0).json()["warnings"].to_string();
    assert!(warnings.contains("STOREMIRROR_STORES_US_REFRESH_TOKEN is set"), "{warnings}");
}

#[test]
fn what_zoho_refuses_is_not_stored() {
    let cases = [
        (200, "sim-secret-us\nwrong\n", "invalid_code"),
        (400, "sim-secret-us\nwrong\n", "invalid_code"),
        (401, "wrong-secret\ncode-us\n", "invalid_client"),
    ];
    for (status, stdin, word) in cases {
        let bench = Bench::empty();
        bench.sim.with(|world| world.switches.accounts.error_status = status);
        let answer = ask(bare(&bench, &["connect", "store", "us", "--json"]), stdin).exits(4).json();
        assert_eq!(answer["error"]["code"], "credentials");
        assert!(answer["error"]["message"].as_str().unwrap().contains(word), "{answer}");
        assert!(!bench.path("credentials.toml").exists());
    }
}

#[test]
fn a_code_works_once() {
    let bench = Bench::empty();
    connect_us(&bench);
    let stored = text(&bench, "credentials.toml");
    let ran = ask(bare(&bench, &["connect", "store", "us"]), "code-us\n").exits(4);
    assert!(ran.stderr.contains("invalid_code") && ran.stderr.contains("works once"), "{}", ran.stderr);
    assert_eq!(text(&bench, "credentials.toml"), stored, "the connection before it stays");
}

#[test]
fn a_throttle_is_one_with_either_status() {
    for status in [200, 400] {
        let bench = Bench::empty();
        bench.sim.with(|world| world.switches.accounts.throttle_status = status);
        queue(&bench, "/oauth/v2/token", &[FaultKind::TokenThrottle]);
        let answer =
            ask(bare(&bench, &["connect", "store", "us", "--json"]), "sim-secret-us\ncode-us\n").exits(1).json();
        assert_eq!(answer["error"]["code"], "network", "{answer}");
        assert!(answer["error"]["hint"].as_str().unwrap().contains("ten minutes"), "{answer}");
        connect_us(&bench);
    }
}

#[test]
fn a_connection_that_proves_nothing_is_kept_and_said() {
    let bench = Bench::empty();
    queue(&bench, "/subscriptions", &[FaultKind::InvalidToken, FaultKind::InvalidToken]);
    let ran = ask(bare(&bench, &["connect", "store", "us"]), "sim-secret-us\ncode-us\n").exits(4);
    assert!(ran.stderr.contains("is stored, but its first request failed"), "{}", ran.stderr);
    assert!(text(&bench, "credentials.toml").contains("refresh_token"));
}

/// An accounts server that gives one answer, for replies the simulator never gives. Returns its address.
fn one_answer(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut request = BufReader::new(&stream);
        let mut length = 0;
        let mut line = String::new();
        while request.read_line(&mut line).unwrap() > 2 {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        std::io::copy(&mut request.take(length), &mut std::io::sink()).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        (&stream).write_all((head + body).as_bytes()).unwrap();
    });
    address
}

/// Connects the store `us` of a configuration with that accounts server.
#[track_caller]
fn connect_at(accounts_url: &str) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config.toml");
    let table = "[stores.us]\ndata_center = \"com\"\nclient_id = \"1000.SIMUS\"\n";
    std::fs::write(&config, format!("{table}accounts_url = \"{accounts_url}\"\napi_url = \"{accounts_url}\"\n"))
        .unwrap();
    let mut command = program(home.path());
    command.env("STOREMIRROR_CONFIG", config).args(["connect", "store", "us", "--json"]);
    let ran = ask(command, "sim-secret-us\ncode-us\n");
    assert!(!home.path().join("credentials.toml").exists());
    ran
}

#[test]
fn a_reply_without_a_refresh_token_says_why() {
    let answer = connect_at(&one_answer(r#"{"access_token":"1000.a","expires_in":3600}"#)).exits(4).json();
    assert!(answer["error"]["message"].as_str().unwrap().contains("no refresh token"), "{answer}");
    assert!(answer["error"]["hint"].as_str().unwrap().contains("not offline"), "{answer}");
}

#[test]
fn a_server_cannot_steer_the_terminal_nor_repeat_a_secret() {
    let ran = connect_at(&one_answer("{\"error\":\"\\u001b[2Jno code-us with sim-secret-us\"}")).exits(4);
    let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(!message.contains('\u{1b}') && message.contains("no *** with ***"), "{message}");
}

#[test]
fn wrong_wishes_are_refused_before_anything_is_asked() {
    let bench = Bench::empty();
    let cases = [
        (&["connect", "store", "us", "--data-center", "eu"][..], "already has data_center = \"com\""),
        (&["connect", "store", "us", "--client-id", "1000.X"], "already has client_id"),
        (&["connect", "store", "Not A Name"], "a store's name is"),
        (&["connect", "store", "new", "--data-center", "de"], "no data centre \"de\""),
        (&["connect", "store", "new", "--data-center", "eu", "--find-data-center"], "cannot be used with"),
        (&["disconnect", "store", "new"], "no [stores.new]"),
    ];
    for (arguments, message) in cases {
        let ran = ask(bare(&bench, arguments), "sim-secret-us\ncode-us\n").exits(2);
        assert!(ran.stderr.contains(message), "{message}: {}", ran.stderr);
    }
    assert!(asked(&bench).is_empty());
}

/// The program for a new store, with every way out closed: a proxy that nobody serves.
fn cut_off(home: &Path, arguments: &[&str]) -> Command {
    let mut command = program(home);
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("STOREMIRROR_CONFIG", home.join("new/config.toml"));
    command.args(arguments);
    command
}

#[test]
fn a_new_store_asks_for_what_is_missing_and_writes_nothing_before_it_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    let ran = ask(cut_off(home.path(), &["connect", "store", "eu"]), "eu\n").exits(2);
    assert!(ran.stderr.contains("https://api-console.zoho.eu/"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no client id was given"), "{}", ran.stderr);
    let ran = ask(cut_off(home.path(), &["connect", "store", "eu"]), "de\n").exits(2);
    assert!(ran.stderr.contains("--find-data-center"), "{}", ran.stderr);
    assert!(!home.path().join("new/config.toml").exists());
}

#[test]
fn a_search_tries_every_data_centre_the_main_ones_first() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["connect", "store", "new", "--find-data-center", "--client-id", "1000.X", "--json"];
    let answer = ask(cut_off(home.path(), &arguments), "a-secret\na-code\n").exits(1).json();
    let message = answer["error"]["message"].as_str().unwrap();
    let tried: Vec<&str> = message
        .split_once("the code: ")
        .unwrap()
        .1
        .split("; ")
        .map(|part| part.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(tried, ["com", "eu", "in", "com.au", "com.cn", "jp", "ca", "sa", "uk"], "{message}");
    assert!(!home.path().join("new/config.toml").exists());
}

#[test]
fn a_search_takes_an_overridden_address_as_it_is() {
    let bench = Bench::empty();
    let arguments = ["connect", "store", "us", "--find-data-center", "--json"];
    let answer = ask(bare(&bench, &arguments), "sim-secret-us\ncode-us\n").exits(0).json();
    assert_eq!((&answer["data_center"], &answer["config_changed"]), (&json!("com"), &json!(false)));
}

#[test]
fn disconnecting_revokes_and_forgets_one_connection() {
    let bench = Bench::empty();
    put_credentials(&bench, "# from the safe\n[crm]\nrefresh_token = \"kept\"\n");
    connect_us(&bench);
    let token = text(&bench, "credentials.toml").lines().last().unwrap().to_owned();
    let answer = ask(bare(&bench, &["disconnect", "store", "us", "--json"]), "").exits(0).json();
    assert_eq!((&answer["command"], &answer["revoked"]), (&json!("disconnect"), &json!(true)), "{answer}");
    let credentials = text(&bench, "credentials.toml");
    assert!(credentials.starts_with("# from the safe\n[crm]\nrefresh_token = \"kept\"\n"), "{credentials}");
    assert!(credentials.contains("client_secret = \"sim-secret-us\"") && !credentials.contains(&token));
    assert_eq!(token_files(&bench), 0);
    put_credentials(&bench, &format!("[stores.us]\nclient_secret = \"sim-secret-us\"\n{token}\n"));
    ask(bare(&bench, &["ingest", "subscriptions"]), "").exits(4);
}

fn token_files(bench: &Bench) -> usize {
    let folder = std::fs::read_dir(bench.path(".local/state/storemirror")).unwrap();
    folder.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "json")).count()
}

#[test]
fn a_token_that_zoho_does_not_revoke_is_forgotten_all_the_same() {
    for fault in [FaultKind::TokenThrottle, FaultKind::LoginPage] {
        let bench = Bench::empty();
        connect_us(&bench);
        queue(&bench, "/revoke", &[fault]);
        let answer = ask(bare(&bench, &["disconnect", "store", "us", "--json"]), "").exits(1).json();
        assert_eq!(answer["error"]["code"], "network");
        assert!(answer["error"]["message"].as_str().unwrap().contains("forgotten here but not revoked"), "{answer}");
        assert!(!text(&bench, "credentials.toml").contains("refresh_token"));
        assert_eq!(token_files(&bench), 0);
    }
}

#[test]
fn disconnecting_what_is_not_connected_is_no_error() {
    let bench = Bench::empty();
    let answer = ask(bare(&bench, &["disconnect", "crm", "--json"]), "").exits(0).json();
    assert_eq!((&answer["was_connected"], &answer["revoked"]), (&json!(false), &json!(false)));
    put_credentials(&bench, "[crm]\nrefresh_token = \"revoked-long-ago\"\n");
    let answer = ask(bare(&bench, &["disconnect", "crm", "--json"]), "").exits(0).json();
    assert_eq!((&answer["was_connected"], &answer["revoked"]), (&json!(true), &json!(false)));
    assert!(answer["warnings"][0].as_str().unwrap().contains("does not know the token"), "{answer}");
    let mut command = bare(&bench, &["disconnect", "store", "us", "--json"]);
    command.env("STOREMIRROR_STORES_US_REFRESH_TOKEN", "1000.sim-refresh-us");
    let answer = ask(command, "").exits(0).json();
    assert_eq!(answer["revoked"], true);
    assert!(answer["warnings"][0].as_str().unwrap().contains("still set in the environment"), "{answer}");
}

#[test]
fn whoami_tells_offline_what_is_there() {
    let bench = Bench::empty();
    let before = ask(bare(&bench, &["whoami", "--json"]), "").exits(0).json();
    assert_eq!(before["connections"][0]["store_id"], "us");
    assert_eq!(before["connections"][0]["refresh_token_from"], "missing");
    assert_eq!(before["connections"][1]["connection"], "crm");
    connect_us(&bench);
    bench.sim.with(storemirror::sim::World::clear_requests);
    let mut command = bare(&bench, &["whoami", "--json"]);
    command.env("STOREMIRROR_CRM_CLIENT_SECRET", "sim-secret-crm");
    let after = ask(command, "").exits(0).json();
    let us = &after["connections"][0];
    assert_eq!(us["client_secret_from"], "credentials.toml");
    assert_eq!((&us["data_center"], &us["client_id"]), (&json!("com"), &json!("1000.SIMUS")));
    assert_eq!(us["access_token"]["is_valid"], true, "{us}");
    assert!(us["access_token"]["expires_at"].as_str().unwrap().ends_with('Z'), "{us}");
    assert_eq!(after["connections"][1]["client_secret_from"], "environment");
    assert!(asked(&bench).is_empty(), "nobody was asked");
    let shown = ask(bare(&bench, &["whoami"]), "").exits(0).stdout;
    assert!(shown.contains("refresh token  credentials.toml") && shown.contains("valid until"), "{shown}");
}

#[test]
fn whoami_without_a_configuration_says_where_to_begin() {
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path());
    command.arg("whoami");
    let ran = ask(command, "").exits(0);
    assert!(ran.stdout.contains("connect store NAME"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");
}
