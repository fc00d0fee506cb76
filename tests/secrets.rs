//! Secrets are shown nowhere: every command is run at its most talkative against servers that repeat what they were
//! sent, and everything printed and every file left is searched for them.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::hostile::rude::{ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN, Rude, SECRETS, answer, ok};
use crate::support::{Ran, subscription};

/// Every command there is, most of them twice: talking to a person, and to a program.
const COMMANDS: [&[&str]; 25] = [
    &["ingest"],
    &["ingest", "--json"],
    &["ingest", "--no-resume", "--accept-removals"],
    &["verify"],
    &["push"],
    &["push", "--json"],
    &["push", "--dry-run"],
    &["sync"],
    &["sync", "--json"],
    &["crm", "check"],
    &["crm", "setup", "--dry-run"],
    &["crm", "link"],
    &["crm", "verify"],
    &["crm", "trace", "subscriptions", "1"],
    &["doctor"],
    &["doctor", "--json"],
    &["doctor", "--first-contact"],
    &["doctor", "--first-contact", "--json"],
    &["status", "--json"],
    &["whoami"],
    &["report", "data_quality"],
    &["explain", "subscriptions", "1"],
    &["forget", "subscriptions", "1", "--dry-run"],
    &["statement", "2026-01"],
    &["rebuild", "--json"],
];

/// Everything a server could repeat, in every place it could.
fn echo() -> String {
    format!("echo {CLIENT_SECRET} {REFRESH_TOKEN} Zoho-oauthtoken {ACCESS_TOKEN} echo")
}

/// Files that hold secrets because they must.
fn is_keeper(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name == "credentials.toml" || (name.starts_with("token-") && path.extension().is_some_and(|it| it == "json"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[track_caller]
fn shows_no_secret(what: &str, ran: &Ran) {
    for secret in SECRETS {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{what}: {secret} in {ran:?}");
    }
    assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
}

#[track_caller]
fn left_no_secret(what: &str, folder: &Path) {
    for path in files(folder).iter().filter(|path| !is_keeper(path)) {
        let bytes = std::fs::read(path).unwrap();
        for secret in SECRETS {
            let found = memchr::memmem::find(&bytes, secret.as_bytes());
            assert!(found.is_none(), "{what}: {secret} in {}", path.display());
        }
    }
}

/// Runs every command on a server of these manners.
#[track_caller]
fn is_silent(what: &str, rude: &Rude) {
    for command in COMMANDS {
        let ran = rude.run(&[command, &["-vv"]].concat());
        shows_no_secret(&format!("{what}: {command:?}"), &ran);
    }
    let path = |name: &str| rude.path(name).display().to_string();
    let (out, copy, page) = (path("out"), path("copy.db"), path("page.html"));
    for command in [&["export", &out][..], &["backup", "--force", &copy], &["dashboard", "-o", &page]] {
        shows_no_secret(what, &rude.run(&[command, &["-vv"]].concat()));
    }
    left_no_secret(what, &rude.folder());
}

#[test]
fn no_refusal_that_repeats_a_secret_shows_or_keeps_it() {
    for status in [302, 400, 401, 403, 404, 413, 429] {
        for json in [false, true] {
            let echo = echo();
            let body = if json {
                format!(
                    r#"{{"code":"{echo}","error":"{echo}","message":"{echo}","status":"error","details":{{"api_name":"{echo}"}}}}"#
                )
            } else {
                echo.clone()
            };
            let headers =
                format!("X-Echo: {echo}\r\nLocation: https://{REFRESH_TOKEN}.example.test/{ACCESS_TOKEN}\r\n");
            is_silent(&format!("{status} {json}"), &Rude::saying(answer(status, &headers, body.as_bytes())));
        }
    }
}

/// The server works, and its records, headers and results repeat what it was sent.
#[test]
fn no_record_header_or_result_that_repeats_a_secret_shows_or_keeps_it() {
    let echo = echo();
    let rude = Rude::serving(move |request, stream| {
        let record = subscription(1).replace("Company 1", &echo).replacen('{', &format!(r#"{{"{echo}":"{echo}","#), 1);
        let body = if request.contains("/settings/fields") {
            format!(r#"{{"fields":[{{"api_name":"Name","field_label":"{echo}","data_type":"text","length":120}}]}}"#)
        } else if request.contains("/settings") || request.contains("/org") {
            format!(r#"{{"org":[{{"company_name":"{echo}"}}],"modules":[{{"id":"1","api_name":"{echo}"}}]}}"#)
        } else if request.contains("/crm/crm/") && !request.starts_with("GET") {
            format!(
                r#"{{"data":[{{"code":"INVALID_DATA","message":"{echo}","status":"error","details":{{"api_name":"Name"}}}}]}}"#
            )
        } else if request.contains("/crm/crm/") {
            return stream.write_all(&answer(204, &format!("X-Echo: {echo}\r\n"), b""));
        } else if request.contains("page=1&") && request.contains("/api/subscriptions") {
            format!("[{record}]")
        } else {
            "[]".to_owned()
        };
        stream.write_all(&answer(200, &format!("X-Echo: {echo}\r\n"), body.as_bytes()))
    });
    rude.run(&["ingest"]).exits(0);
    let kept: String = rude.database().query_row("select body from payloads", [], |row| row.get(0)).unwrap();
    assert!(kept.contains("echo *** *** Zoho-oauthtoken *** echo"), "masked, not lost: {kept}");
    is_silent("records", &rude);
}

#[test]
fn a_token_endpoint_that_repeats_a_secret_shows_none() {
    for status in [200, 400, 401] {
        // what it was sent: it has made no access token yet
        let echo = format!("{CLIENT_SECRET} {REFRESH_TOKEN}");
        let rude = Rude::serving(move |_, stream| {
            let body = format!(r#"{{"error":"{echo}","error_description":"{echo}"}}"#);
            stream.write_all(&answer(status, "", body.as_bytes()))
        });
        let config = std::fs::read_to_string(rude.path("config.toml")).unwrap();
        let accounts = format!("accounts_url = \"{}", rude.url);
        std::fs::write(rude.path("config.toml"), config.replace(&accounts, &format!("{accounts}/rude"))).unwrap();
        for command in [&["ingest", "-vv"][..], &["push", "--json"], &["crm", "check", "-vv"]] {
            shows_no_secret(&format!("{status} {command:?}"), &rude.run(command));
            left_no_secret("token", &rude.folder());
        }
    }
}

/// Runs with words on stdin.
fn told(rude: &Rude, arguments: &[&str], words: &str) -> Ran {
    let mut command = rude.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(words.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { exit: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn a_code_that_is_repeated_and_a_token_that_is_revoked_are_not_shown() {
    let code = "1000.hush-code-5ecre7-0004";
    let rude = Rude::serving(move |request, stream| {
        let sent = if request.contains("revoke") { REFRESH_TOKEN } else { CLIENT_SECRET };
        let body = format!(r#"{{"error":"{code} {sent}"}}"#);
        stream.write_all(&answer(400, "", body.as_bytes()))
    });
    let config = std::fs::read_to_string(rude.path("config.toml")).unwrap();
    let accounts = format!("accounts_url = \"{}", rude.url);
    std::fs::write(rude.path("config.toml"), config.replace(&accounts, &format!("{accounts}/rude"))).unwrap();
    for (arguments, words) in [
        (&["connect", "store", "us", "-vv"][..], format!("{code}\n{code}\n")),
        (&["connect", "crm", "--json"], format!("{code}\n{code}\n")),
        (&["disconnect", "store", "us", "-vv"], String::new()),
        (&["disconnect", "crm", "--json"], String::new()),
    ] {
        let ran = told(&rude, arguments, &words);
        shows_no_secret(&format!("{arguments:?}"), &ran);
        let knows_code = !words.is_empty();
        assert!(!knows_code || (!ran.stdout.contains(code) && !ran.stderr.contains(code)), "{ran:?}");
        left_no_secret("connect", &rude.folder());
    }
}

/// A process listing shows arguments to everyone on the machine.
#[test]
fn no_option_takes_a_secret() {
    let all: [&[&str]; 4] =
        [&["--help"], &["connect", "store", "--help"], &["connect", "crm", "--help"], &["ingest", "--help"]];
    for command in all {
        let help = Rude::saying(Vec::new()).run(command).exits(0).stdout.to_lowercase();
        for word in
            ["--client-secret", "--refresh-token", "--token", "--code", "--password", "--insecure", "--no-verify"]
        {
            assert!(!help.contains(word), "{command:?}: {word}");
        }
    }
}

#[test]
fn a_wrong_credentials_file_is_not_quoted() {
    let rude = Rude::saying(ok(b"[]"));
    let path = rude.path("credentials.toml");
    for text in [
        format!("[stores.us]\nclient_secret = {CLIENT_SECRET}"),
        format!("[stores.us]\nrefresh_tokn = \"{REFRESH_TOKEN}\""),
        format!("stores = \"{CLIENT_SECRET}\""),
        format!("[stores.us]\nclient_secret = [\"{CLIENT_SECRET}\"]"),
    ] {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        for command in [&["ingest", "-vv"][..], &["ingest", "--json"], &["whoami"]] {
            let mut command = rude.command(command);
            command.env_remove("STOREMIRROR_STORES_US_CLIENT_SECRET");
            let ran = crate::support::finish(&mut command);
            assert_eq!(ran.exit, 2, "{ran:?}");
            shows_no_secret("credentials.toml", &ran);
        }
    }
}

/// Not for a moment readable by others: the modes are looked at while a run is under way, under an open umask.
#[test]
fn files_are_private_from_their_creation() {
    use crate::faults::disk::behind;
    let rude = Rude::serving(|request, stream| {
        let record = subscription(1);
        let page = if request.contains("page=1&") { format!("[{record}]") } else { "[]".to_owned() };
        std::thread::sleep(std::time::Duration::from_millis(20));
        stream.write_all(&ok(page.as_bytes()))
    });
    let mut command = behind(&["sh", "-c", "umask 000; exec \"$0\" \"$@\""], &rude.command(&["ingest", "--db"]));
    let data = rude.path("data");
    command.arg(data.join("mirror.db"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let look = |seen: &mut std::collections::BTreeSet<String>| {
        for folder in [&data, &rude.path(".local/state/storemirror")] {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let mode = folder.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o700, "{}", folder.display());
            for entry in entries.flatten() {
                // a file may be gone again
                if let Ok(found) = entry.metadata() {
                    let mode = found.permissions().mode() & 0o777;
                    assert_eq!(mode, 0o600, "{}", entry.path().display());
                    seen.insert(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
    };
    while child.try_wait().unwrap().is_none() {
        look(&mut seen);
    }
    look(&mut seen);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    for name in ["mirror.db", "mirror.db-wal", "mirror.db.lock", "token-", "pace-"] {
        assert!(seen.iter().any(|seen| seen.starts_with(name)), "{name}: {seen:?} {said}");
    }
}

/// The copy made before a migration holds what the mirror holds.
#[test]
fn the_copy_before_a_migration_is_private_too() {
    use crate::faults::disk::behind;
    let rude = Rude::saying(ok(b"[]"));
    crate::migrations::older(&rude.path("mirror.db"), 6);
    let mut command = behind(&["sh", "-c", "umask 000; exec \"$0\" \"$@\""], &rude.command(&["rebuild"]));
    crate::support::finish(&mut command).exits(0);
    for name in ["mirror.db", "mirror.db.v6.backup"] {
        assert_eq!(rude.path(name).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

/// Only https, but for this machine itself; and nothing in an address that would carry a secret along.
#[test]
fn plain_http_to_anywhere_else_is_refused() {
    for (url, word) in [
        ("http://store.zoho.com/api", "loopback"),
        ("http://127.0.0.1.example.test", "loopback"),
        ("http://localhost.example.test", "loopback"),
        ("ftp://127.0.0.1", "https"),
        ("https://user:hush@127.0.0.1", "without user"),
        ("https://127.0.0.1/?token=hush", "query"),
    ] {
        let rude = Rude::saying(ok(b"[]"));
        let config = std::fs::read_to_string(rude.path("config.toml")).unwrap();
        std::fs::write(
            rude.path("config.toml"),
            config.replace(&format!("\"{}/api\"", rude.url), &format!("\"{url}\"")),
        )
        .unwrap();
        let ran = rude.run(&["ingest", "--json"]).exits(2);
        assert!(ran.json()["error"]["message"].as_str().unwrap().contains(word), "{ran:?}");
        assert_eq!(rude.requests("/"), 0);
    }
}

/// A server that speaks TLS with a certificate nobody vouches for is not spoken to.
#[test]
fn an_unverified_certificate_is_no_server() {
    let rude = Rude::saying(ok(b"[]"));
    let config = std::fs::read_to_string(rude.path("config.toml")).unwrap();
    // the token comes over loopback; the store's address is TLS to a server that is none
    let secure = rude.url.replace("http://", "https://");
    std::fs::write(
        rude.path("config.toml"),
        config.replace(&format!("\"{}/crm\"", rude.url), &format!("\"{secure}/crm\"")),
    )
    .unwrap();
    let ran = rude.run(&["crm", "check", "--json"]).exits(1);
    assert!(ran.stdout.contains("\"network\""), "{ran:?}");
    let sources = files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        for word in ["danger_accept", "dangerous()", "set_certificate_verifier"] {
            assert!(!text.contains(word), "{} must not name {word}", path.display());
        }
    }
}

/// A redirect is told and not followed, so that no token travels elsewhere: not by the store, the CRM or the accounts
/// server, and with no status.
#[test]
fn no_redirect_is_followed() {
    let elsewhere = Rude::saying(ok(b"[]"));
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}/elsewhere\r\n", elsewhere.url);
        let rude = Rude::saying(answer(status, &location, b""));
        for command in [&["ingest", "--json"][..], &["crm", "check", "--json"]] {
            let ran = rude.run(command);
            assert_ne!(ran.exit, 0, "{ran:?}");
        }
        let config = std::fs::read_to_string(rude.path("config.toml")).unwrap();
        let accounts = format!("accounts_url = \"{}", rude.url);
        std::fs::write(rude.path("config.toml"), config.replace(&accounts, &format!("{accounts}/rude"))).unwrap();
        let state = rude.path(".local");
        std::fs::remove_dir_all(state).unwrap();
        told(&rude, &["connect", "store", "us", "--json"], "1000.code\n1000.code\n");
    }
    assert_eq!(elsewhere.requests("/"), 0);
}
