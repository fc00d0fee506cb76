//! Where a page is played: a fresh folder with a partner's stores and CRM behind it, and what its reader would do
//! between the lines (type a code, paste what `crm check` prints).

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use storemirror::sim::Options;

use crate::support::{Bench, subscription};

/// When the mirror of a page was first filled, and when its lines are run: in between, the stores went on.
const BEFORE: &str = "2026-03-01T06:00:00Z";
const NOW: &str = "2026-03-11T06:00:00Z";
const TODAY: &str = "2026-03-11";
const DAYS_BETWEEN: u32 = 10;

/// The customer of whom the pages speak.
const SOMEBODY: (u64, &str) = (2_000_000_000_001, "ann@example.com");

/// Large enough that every recipe finds something, small enough for one world per page.
fn partner() -> Options {
    Options { subscriptions: 240, transactions: 1_600, commissions: 1_300, ..Options::default() }
}

pub struct Stage {
    bench: Bench,
}

impl Stage {
    pub fn of(name: &str, text: &str) -> Self {
        let is_migration = name.ends_with("migration.md");
        let begins = text.contains("\nstoremirror connect ");
        let stores: &[&'static str] = if is_migration || begins { &["us"] } else { &["us", "eu"] };
        let stage = Self { bench: Bench::new(stores, partner()) };
        stage.furnish();
        stage.bench.sim.with(|world| {
            let (id, address) = SOMEBODY;
            let record = subscription(id).replace(&format!("c{id}@example.test"), address);
            world.upsert_record("us", "subscriptions", &id.to_string(), record);
        });
        if is_migration {
            stage.let_the_extension_work();
        }
        if begins {
            fs::remove_file(stage.bench.path("credentials.toml")).unwrap();
        } else {
            stage.fill();
        }
        stage
    }

    /// Secrets, reports and programs of the folder.
    fn furnish(&self) {
        let connection = self.bench.sim.connection();
        let mut secrets = String::new();
        let known = [("stores.us", &connection["stores"]["us"]), ("stores.eu", &connection["stores"]["eu"])];
        for (table, known) in known.into_iter().chain([("crm", &connection["crm"])]) {
            secrets += &format!(
                "[{table}]\nclient_secret = {}\nrefresh_token = {}\n",
                known["client_secret"], known["refresh_token"]
            );
        }
        storemirror::files::write_atomically(&self.bench.path("credentials.toml"), secrets.as_bytes(), true).unwrap();
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("queries"), self.bench.path("queries")).unwrap();
        fs::create_dir(self.bench.path("bin")).unwrap();
        for (name, text) in [("crontab", crate::schedule::CRONTAB), ("systemctl", "#!/bin/sh\nexit 1\n")] {
            let path = self.bench.path("bin").join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        self.add_to_config("[notify]\ncommand = \"true\"\n");
    }

    /// Records of a month ago, and what became of them.
    fn fill(&self) {
        let ingest = |now| {
            let (exit, said) = self.shell("storemirror ingest --quiet", now);
            assert_eq!(exit, 0, "{said}");
        };
        ingest(BEFORE);
        self.bench.sim.with(|world| world.advance(DAYS_BETWEEN));
        ingest(NOW);
    }

    /// Modules and fields under prefixed names, with records whose Name is the id.
    fn let_the_extension_work(&self) {
        self.bench.sim.with(|world| {
            let switches = json!({ "crm": { "prefix": "zpartner__", "unknown_field": "refused" } });
            world.switches.merge(&switches).expect("a known switch");
            let now = world.now;
            for (kind, module) in [
                ("subscriptions", "Partner_Subscriptions"),
                ("transactions", "Partner_Transactions"),
                ("commissions", "Partner_Commissions"),
            ] {
                let ids: Vec<String> = world.store("us").records(kind).into_iter().map(|record| record.id).collect();
                for id in ids.iter().take(100) {
                    world.crm.add_record(module, json!({ "Name": id }).as_object().unwrap().clone(), now);
                }
            }
        });
    }

    fn add_to_config(&self, lines: &str) {
        let path = self.bench.path("config.toml");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{}\n{lines}\n", config.trim_end())).unwrap();
    }

    /// Runs a line as a shell does; a sentence when it ends with another code or a query finds nothing.
    pub fn run(&self, line: &str, code: i32) -> Result<(), String> {
        if line.starts_with("storemirror connect ") {
            let connection = if line.contains("connect crm") { "crm" } else { "us" };
            self.bench.sim.with(|world| world.offer_code(connection, &format!("code-{connection}")));
        }
        let (exit, said) = self.shell(line, NOW);
        if exit != code {
            return Err(format!("ended with {exit}, not {code}: {said}"));
        }
        if line.starts_with("sqlite3 ") && said.trim().is_empty() {
            return Err("found nothing".to_owned());
        }
        if line.starts_with("storemirror crm check") && code == 3 {
            self.paste_what_crm_check_prints();
        }
        Ok(())
    }

    /// What a line prints on stdout.
    pub fn output(&self, line: &str) -> String {
        let output = self.command(line, NOW).stdin(Stdio::null()).output().expect("a shell");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn paste_what_crm_check_prints(&self) {
        let check: serde_json::Value =
            serde_json::from_slice(&self.command("storemirror crm check --json", NOW).output().unwrap().stdout)
                .unwrap();
        let lines = check["config"].as_array().unwrap().iter().filter_map(|line| line.as_str());
        self.add_to_config(&lines.collect::<Vec<_>>().join("\n"));
    }

    /// The exit code, and everything said.
    fn shell(&self, line: &str, now: &str) -> (i32, String) {
        let mut child = self
            .command(line, now)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let typed = match line {
            line if line.contains(" connect store us") => "sim-secret-us\ncode-us\n",
            line if line.contains(" connect crm") => "sim-secret-crm\ncode-crm\n",
            _ => "",
        };
        // a program that reads nothing has closed its end
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        let output = child.wait_with_output().expect("the line ends");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// A shell in the folder, with this program, a crontab and no systemd; `'now'` is the test's day.
    fn command(&self, line: &str, now: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_storemirror")).parent().unwrap().display().to_string();
        let folder = self.bench.path("");
        let mut command = Command::new("sh");
        command
            .args(["-c", &line.replace("'now'", &format!("'{TODAY}'"))])
            .current_dir(&folder)
            .env_clear()
            .env("HOME", &folder)
            .env("USER", "me")
            .env("PATH", format!("{}:{program}:/usr/bin:/bin", self.bench.path("bin").display()))
            .env("STOREMIRROR_CONFIG", self.bench.path("config.toml"))
            .env("STOREMIRROR_NOW", now);
        command
    }
}
