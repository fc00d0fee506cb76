//! `schedule` on a machine of the test's own: real files, and scripts that stand for `systemctl`, `loginctl` and
//! `crontab`. What it writes is given to the real `systemd-analyze` and to a real shell.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Bench, Ran, finish};

/// Keeps what is enabled as empty files, and writes down what it is asked.
const SYSTEMCTL: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/asked"
[ -e "$here/no-bus" ] && { echo "Failed to connect to bus: No medium found" >&2; exit 1; }
shift
case "$1" in
show-environment) echo "HOME=/home/x"; cat "$here/manager-environment" 2>/dev/null; exit 0 ;;
is-enabled | is-active) [ -e "$here/on-$3" ] ;;
enable) shift 2; for unit; do : > "$here/on-$unit"; done ;;
disable) shift 2; for unit; do rm -f "$here/on-$unit"; done ;;
show)
  case "$2" in
  *.timer)
    [ -e "$here/on-$2" ] && echo "ActiveState=active" || echo "ActiveState=inactive"
    echo "UnitFileState=enabled"
    echo "NextElapseUSecRealtime=Mon 2026-03-02 06:12:33 UTC" ;;
  *) echo "Result=success"; echo "ExecMainStatus=$(cat "$here/status" 2>/dev/null || echo 0)" ;;
  esac ;;
esac
"#;

pub const CRONTAB: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$1" in
-l) [ -e "$here/crontab.txt" ] || { echo "no crontab for me" >&2; exit 1; }; cat "$here/crontab.txt" ;;
-) cat > "$here/crontab.new"; mv "$here/crontab.new" "$here/crontab.txt" ;;
esac
"#;

const LOGINCTL: &str = "#!/bin/sh\necho Linger=no\n";

/// A person's machine.
struct Desk {
    bench: Bench,
    folder: PathBuf,
}

impl Desk {
    /// Everything is in a folder of this name; secrets are in `credentials.toml`.
    fn new(folder: &str) -> Self {
        let bench = Bench::empty();
        let folder = bench.path(folder);
        fs::create_dir_all(folder.join("bin")).unwrap();
        fs::copy(bench.path("config.toml"), folder.join("config.toml")).unwrap();
        let desk = Self { bench, folder };
        for (name, text) in [("systemctl", SYSTEMCTL), ("crontab", CRONTAB), ("loginctl", LOGINCTL)] {
            desk.write(&format!("bin/{name}"), text, 0o755);
        }
        desk.keep_secrets();
        desk
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn keep_secrets(&self) {
        let connection = self.bench.sim.connection();
        let table = |name: &str, known: &serde_json::Value| {
            format!(
                "[{name}]\nclient_secret = {}\nrefresh_token = {}\n",
                known["client_secret"], known["refresh_token"]
            )
        };
        let text = table("stores.us", &connection["stores"]["us"]) + &table("crm", &connection["crm"]);
        self.write("credentials.toml", &text, 0o600);
    }

    /// The program without any secret in its environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        for key in ["STORES_US_CLIENT_SECRET", "STORES_US_REFRESH_TOKEN", "CRM_CLIENT_SECRET", "CRM_REFRESH_TOKEN"] {
            command.env_remove(format!("STOREMIRROR_{key}"));
        }
        command
            .env("STOREMIRROR_CONFIG", self.folder.join("config.toml"))
            .env("XDG_CONFIG_HOME", self.folder.join("xdg"))
            .env("USER", "me")
            .env("PATH", format!("{}:/usr/bin:/bin", self.folder.join("bin").display()));
        command
    }

    /// The same with a copy of the program at another path.
    fn command_of(&self, program: &Path) -> Command {
        // by another process: a file that this one has written may still be open in a child of another test
        assert!(Command::new("cp").arg(env!("CARGO_BIN_EXE_storemirror")).arg(program).status().unwrap().success());
        let template = self.command(&[]);
        let mut command = Command::new(program);
        command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    fn schedule(&self, words: &str) -> Ran {
        let arguments: Vec<&str> = std::iter::once("schedule").chain(words.split_whitespace()).collect();
        finish(&mut self.command(&arguments))
    }

    /// Units by name, in order.
    fn units(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.join("xdg/systemd/user")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn unit(&self, ending: &str) -> String {
        let name =
            self.units().into_iter().find(|name| name.ends_with(ending)).unwrap_or_else(|| panic!("no {ending}"));
        fs::read_to_string(self.folder.join("xdg/systemd/user").join(name)).unwrap()
    }

    fn crontab(&self) -> Vec<u8> {
        fs::read(self.folder.join("bin/crontab.txt")).unwrap_or_default()
    }

    /// What `systemctl` was asked to change.
    fn deeds(&self) -> Vec<String> {
        let asked = fs::read_to_string(self.folder.join("bin/asked")).unwrap_or_default();
        let is_deed = |line: &&str| {
            ["enable", "disable", "daemon-reload", "restart"]
                .iter()
                .any(|verb| line.contains(&format!("--user {verb}")))
        };
        asked.lines().filter(is_deed).map(str::to_owned).collect()
    }

    fn without_systemd(self) -> Self {
        self.write("bin/no-bus", "", 0o644);
        self
    }
}

#[test]
fn a_schedule_is_installed_once_and_shown_and_removed() {
    let desk = Desk::new("home");
    let ran = desk.schedule("install --at 05:30 --json").exits(0);
    assert_eq!(ran.json()["changed"], true);
    assert_eq!(ran.json()["jobs"][0]["when"], "daily at 05:30");
    assert!(ran.json()["hints"][0].as_str().unwrap().contains("loginctl enable-linger"), "{ran:?}");
    let units = desk.units();
    assert_eq!(units.len(), 2, "{units:?}");
    let (service, timer) = (desk.unit(".service"), desk.unit(".timer"));
    let program = env!("CARGO_BIN_EXE_storemirror");
    let folder = desk.folder.display();
    let expected =
        format!("ExecStart={program} --config {folder}/config.toml --db {folder}/mirror.db sync --quiet --wait 60\n");
    assert!(service.contains(&expected), "{service}");
    for line in
        ["OnCalendar=*-*-* 05:30:00\n", "Persistent=true\n", "RandomizedDelaySec=30min\n", "WantedBy=timers.target\n"]
    {
        assert!(timer.contains(line), "{line} in {timer}");
    }
    let timer_name = units[1].clone();
    assert_eq!(desk.deeds(), ["--user daemon-reload".to_owned(), format!("--user enable --now {timer_name}")]);

    let again = desk.schedule("install --at 05:30").exits(0);
    assert!(again.stdout.starts_with("nothing to change"), "{}", again.stdout);
    assert_eq!(desk.deeds().len(), 2, "the second install asked for nothing");

    finish(&mut desk.command(&["sync", "-q"])).exits(0);
    let shown = desk.schedule("show --json").exits(0).json();
    assert_eq!(shown["jobs"][0]["next_run_at"], "2026-03-02T06:12:33Z");
    assert_eq!(shown["jobs"][0]["last_run"]["exit"], 0);
    assert_eq!((&shown["jobs"][0]["trouble"], &shown["jobs"][0]["run"]), (&serde_json::Value::Null, &"sync".into()));
    let text = desk.schedule("show").exits(0).stdout;
    assert!(text.contains("daily at 05:30") && text.contains("just now, exit 0"), "{text}");

    fs::write(desk.folder.join("xdg/systemd/user/other.timer"), "[Timer]\n").unwrap();
    desk.schedule("remove").exits(0);
    assert_eq!(desk.units(), ["other.timer"]);
    assert!(desk.deeds().contains(&format!("--user disable --now {timer_name}")));
    assert!(desk.schedule("remove").exits(0).stdout.starts_with("nothing is scheduled"));
    assert!(desk.schedule("show").exits(0).stdout.starts_with("nothing is scheduled"));
}

#[test]
fn another_wish_replaces_what_was_installed() {
    let desk = Desk::new("home");
    desk.schedule("install --transactions 2h --push never").exits(0);
    assert_eq!(desk.units().len(), 4);
    assert!(desk.unit("ingest.service").contains(" ingest --except transactions --quiet "), "{:?}", desk.units());
    assert!(desk.unit("transactions.timer").contains("OnCalendar=*-*-* 00,02,04,06,08,10,12,14,16,18,20,22:00:00\n"));
    desk.schedule("install --ingest 1h --push daily").exits(0);
    let units = desk.units();
    let endings = ["ingest.service", "ingest.timer", "push.service", "push.timer"];
    assert!(units.len() == 4 && units.iter().zip(endings).all(|(unit, ending)| unit.ends_with(ending)), "{units:?}");
    assert!(desk.unit("ingest.timer").contains("OnCalendar=*-*-* *:00:00\n"));
    assert!(desk.unit("push.timer").contains("OnCalendar=*-*-* 07:00:00\n"));
    let deeds = desk.deeds();
    assert!(
        deeds.iter().any(|deed| deed.contains("disable --now") && deed.contains("transactions.timer")),
        "{deeds:?}"
    );
    assert!(deeds.iter().any(|deed| deed.contains("restart") && deed.contains("ingest.timer")), "{deeds:?}");
    // a timer that somebody switched off is switched on again
    fs::remove_file(desk.folder.join(format!("bin/on-{}", units[1]))).unwrap();
    let shown = desk.schedule("show --json").json();
    assert_eq!(shown["jobs"][0]["trouble"], "its timer is switched off");
    assert_eq!(desk.schedule("install --ingest 1h --push daily --json").json()["changed"], true);
}

#[test]
fn a_dry_run_prints_the_files_and_writes_nothing() {
    let desk = Desk::new("home");
    let dry = desk.schedule("install --dry-run --json").exits(0).json();
    let text = desk.schedule("install --dry-run").exits(0).stdout;
    assert_eq!((desk.units().len(), desk.deeds().len(), desk.crontab().len()), (0, 0, 0));
    desk.schedule("install").exits(0);
    for file in dry["files"].as_array().unwrap() {
        let written = fs::read_to_string(file["path"].as_str().unwrap()).unwrap();
        assert_eq!(file["text"], written.as_str());
        assert!(text.contains(&written), "{text}");
    }
    assert_eq!(dry["files"].as_array().unwrap().len(), 2);
    let dry = desk.schedule("remove --dry-run").exits(0).stdout;
    assert!(dry.contains("remove: "), "{dry}");
    assert_eq!(desk.units().len(), 2);
}

#[test]
fn without_systemd_the_crontab_gets_a_block_and_keeps_the_rest() {
    let desk = Desk::new("a b 100% it's $HOME").without_systemd();
    let theirs = b"MAILTO=me@example.test\n\n# \xff not UTF-8\n0 5 * * *  backup   --all\n".to_vec();
    fs::write(desk.folder.join("bin/crontab.txt"), &theirs).unwrap();
    let ran = desk.schedule("install --transactions 2h").exits(0);
    assert!(ran.stdout.contains("installed with cron"), "{}", ran.stdout);
    let installed = desk.crontab();
    assert!(installed.starts_with(&theirs));
    assert!(desk.units().is_empty());
    assert!(desk.schedule("install --transactions 2h").exits(0).stdout.starts_with("nothing to change"));
    assert_eq!(desk.crontab(), installed);

    // what cron does with a line: `\%` is `%`, and the rest is the shell's
    let text = String::from_utf8_lossy(&installed[theirs.len()..]).into_owned();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 2, "{text}");
    for line in lines {
        let command = line.splitn(6, ' ').last().unwrap().replace("\\%", "%");
        let run = finish(Command::new("/bin/sh").arg("-c").arg(command).env_clear().env("HOME", desk.bench.path("")));
        assert_eq!((run.exit, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    }
    assert!(desk.folder.join("mirror.db").exists());
    let shown = desk.schedule("show --json").exits(0).json();
    assert_eq!(shown["scheduler"], "cron");
    for job in shown["jobs"].as_array().unwrap() {
        assert_eq!(job["last_run"]["exit"], 0, "{job}");
        assert!(job["next_run_at"].as_str().unwrap() > crate::support::NOW, "{job}");
    }
    assert_eq!(shown["hints"].as_array().unwrap().len(), 0, "{shown}");

    desk.schedule("remove").exits(0);
    assert_eq!(desk.crontab(), theirs);
}

#[test]
fn going_over_to_cron_takes_the_timers_along() {
    let desk = Desk::new("home");
    desk.schedule("install").exits(0);
    desk.schedule("install --with cron").exits(0);
    assert!(desk.units().is_empty());
    assert!(!desk.crontab().is_empty());
    desk.schedule("install --with systemd").exits(0);
    assert_eq!((desk.units().len(), desk.crontab().len()), (2, 0));
}

#[test]
fn two_configurations_have_two_schedules() {
    let desk = Desk::new("home");
    desk.schedule("install").exits(0);
    fs::copy(desk.folder.join("config.toml"), desk.folder.join("second.toml")).unwrap();
    let second = desk.folder.join("second.toml");
    finish(desk.command(&["schedule", "install"]).env("STOREMIRROR_CONFIG", &second)).exits(0);
    assert_eq!(desk.units().len(), 4);
    desk.schedule("remove").exits(0);
    assert_eq!(desk.units().len(), 2);
    assert!(desk.unit(".service").contains("second.toml"));
}

#[test]
fn secrets_that_only_the_shell_knows_are_refused_with_the_fix() {
    let desk = Desk::new("home");
    fs::remove_file(desk.folder.join("credentials.toml")).unwrap();
    let run = |arguments: &[&str]| {
        let connection = desk.bench.sim.connection();
        let mut command = desk.command(arguments);
        command
            .env("STOREMIRROR_STORES_US_CLIENT_SECRET", connection["stores"]["us"]["client_secret"].as_str().unwrap());
        command
            .env("STOREMIRROR_STORES_US_REFRESH_TOKEN", connection["stores"]["us"]["refresh_token"].as_str().unwrap());
        finish(&mut command)
    };
    let ran = run(&["schedule", "install", "--push", "never"]).exits(2);
    for name in ["STOREMIRROR_STORES_US_REFRESH_TOKEN", "credentials.toml", "[stores.us]", "connect store us", "0600"] {
        assert!(ran.stderr.contains(name), "{name} in {}", ran.stderr);
    }
    assert!(!ran.stderr.contains("connect crm"), "{}", ran.stderr);
    assert!(desk.units().is_empty());
    let dry = run(&["schedule", "install", "--dry-run"]).exits(0);
    assert!(
        dry.stdout.contains("note: scheduled runs do not see") && dry.stdout.contains("connect crm"),
        "{}",
        dry.stdout
    );
    // what the user's systemd hands to every job is there
    let known = "STOREMIRROR_STORES_US_CLIENT_SECRET=hidden-word\nSTOREMIRROR_STORES_US_REFRESH_TOKEN=hidden-word\n";
    desk.write("bin/manager-environment", known, 0o644);
    let ran = run(&["schedule", "install", "--push", "never"]).exits(0);
    assert!(!format!("{}{}{}", ran.stdout, ran.stderr, desk.unit(".service")).contains("hidden-word"));
}

#[test]
fn no_secret_stands_in_a_unit() {
    let desk = Desk::new("home");
    finish(&mut desk.bench.command(&["--version"])).exits(0);
    desk.schedule("install").exits(0);
    let connection = desk.bench.sim.connection();
    for known in [&connection["stores"]["us"], &connection["crm"]] {
        for key in ["client_secret", "refresh_token"] {
            assert!(!desk.unit(".service").contains(known[key].as_str().unwrap()));
        }
    }
}

#[test]
fn what_cannot_be_scheduled_is_refused_with_the_fix() {
    let desk = Desk::new("home");
    for (words, names) in [
        ("install --ingest 5h", vec!["5h", "daily"]),
        ("install --at noon", vec!["noon", "06:30"]),
        ("install --ingest disabled --push never", vec!["nothing to schedule", "schedule remove"]),
    ] {
        let ran = desk.schedule(words).exits(2);
        assert!(names.iter().all(|name| ran.stderr.contains(name)), "{}", ran.stderr);
    }
    let alone = finish(desk.command(&["schedule", "install", "--json"]).env("PATH", desk.folder.join("nowhere")));
    assert!(alone.exits(2).json()["error"]["hint"].as_str().unwrap().contains("docs/schedule.md"));
    assert!(desk.units().is_empty());
}

#[test]
fn paths_that_a_scheduler_cannot_name_are_refused() {
    let desk = Desk::new("back\\slash");
    let refusal = desk.schedule("install --with cron").exits(2).stderr;
    assert!(refusal.contains("cannot name") && refusal.contains("another folder"), "{refusal}");
    desk.schedule("install --with systemd").exits(0);
    let mut command = desk.command_of(&desk.bench.path("it's"));
    let refusal = finish(command.args(["schedule", "install", "--with", "systemd"])).exits(2).stderr;
    assert!(refusal.contains("cannot name"), "{refusal}");
}

#[test]
fn systemd_finds_no_fault_in_the_units() {
    let real = Path::new("/usr/bin/systemd-analyze");
    if !real.exists() {
        eprintln!("skipped: systemd_finds_no_fault_in_the_units needs systemd-analyze");
        return;
    }
    let desk = Desk::new("a b 100% \"it's\" $HOME \\x");
    // the program's own path is as odd as systemd allows
    let odd = desk.bench.path("a b 100% $HOME");
    fs::create_dir(&odd).unwrap();
    let mut command = desk.command_of(&odd.join("store mirror"));
    command.env("XDG_STATE_HOME", desk.folder.join("state"));
    finish(command.args(["schedule", "install", "--transactions", "1h", "--commissions", "4h", "--push", "daily"]))
        .exits(0);
    assert_eq!(desk.units().len(), 8);
    let folder = desk.folder.join("xdg/systemd/user");
    let paths = desk.units().into_iter().map(|name| folder.join(name));
    let output = Command::new(real)
        .args(["--user", "--man=no", "--recursive-errors=no", "verify"])
        .args(paths)
        .env("XDG_RUNTIME_DIR", desk.bench.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_run_waits_for_its_turn_when_told_to() {
    let bench = Bench::empty();
    bench.run(&["ingest"]).exits(0);
    let lock = bench.writers_lock();
    bench.run(&["ingest"]).exits(5);
    let mut child =
        bench.command(&["sync", "--wait", "5"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("another storemirror process is writing") && said.contains("waiting"), "{said}");
    drop(lock);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_sync_lists_the_kinds_it_is_asked_for_and_pushes() {
    let bench = Bench::empty();
    bench.put_subscriptions([1, 2]);
    let kinds = |arguments: &[&str]| {
        let json = bench.run(&[arguments, &["--json"]].concat()).exits(0).json();
        let listings = json.get("ingest").unwrap_or(&json)["listings"].as_array().unwrap();
        listings.iter().map(|listing| listing["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&["sync", "transactions"]), ["transactions"]);
    assert_eq!(kinds(&["ingest", "--except", "subscriptions", "transactions"]), ["commissions"]);
    assert_eq!(bench.value::<i64>("select count(*) from crm_links"), 0);
    assert_eq!(kinds(&["sync", "--except", "transactions"]), ["subscriptions", "commissions"]);
    assert_eq!(bench.value::<i64>("select count(*) from crm_links"), 2);
    bench.run(&["sync", "transactions", "--except", "leads"]).exits(2);
    bench.run(&["sync", "invoices"]).exits(2);
}

/// Every `storemirror …` line of the page's shell blocks runs as it stands there.
#[test]
fn the_pages_commands_run() {
    let desk = Desk::new("home");
    let mut ran = 0;
    let mut in_shell = false;
    for line in include_str!("../docs/schedule.md").lines() {
        if line.starts_with("```") {
            in_shell = line == "```sh";
        } else if let (true, Some(arguments)) = (in_shell, line.strip_prefix("storemirror schedule ")) {
            desk.schedule(arguments).exits(0);
            ran += 1;
        }
    }
    assert!(ran >= 7, "only {ran} commands");
}
