//! What the benchmarks share: a simulator in a process of its own, the real binary, and what a process cost.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use wait4::Wait4;

/// What one process cost.
#[derive(Clone, Copy)]
pub struct Figures {
    pub wall: f64,
    pub cpu: f64,
    pub peak_mib: f64,
}

pub fn median(mut runs: Vec<Figures>) -> Figures {
    runs.sort_by(|left, right| left.wall.total_cmp(&right.wall));
    runs[runs.len() / 2]
}

pub fn measure(child: std::io::Result<Child>) -> Figures {
    let started = Instant::now();
    let result = child.expect("the process starts").wait4().expect("the process ends");
    assert!(result.status.success(), "{:?}", result.status);
    let usage = result.rusage;
    Figures {
        wall: started.elapsed().as_secs_f64(),
        cpu: (usage.utime + usage.stime).as_secs_f64(),
        peak_mib: usage.maxrss as f64 / 1_048_576.0,
    }
}

pub struct Simulator {
    child: Child,
    connection: Value,
    http: tokio::runtime::Runtime,
}

impl Simulator {
    pub fn start(records: [u64; 3]) -> Self {
        let [subscriptions, transactions, commissions] = records.map(|count| count.to_string());
        let mut child = Command::new(env!("CARGO_BIN_EXE_storemirror"))
            .args(["simulate", "--json", "--port", "0", "--now", "2026-03-01T06:00:00Z"])
            .args(["--subscriptions", &subscriptions, "--transactions", &transactions, "--commissions", &commissions])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("its line");
        let connection = serde_json::from_str(&line).expect("its JSON");
        let http = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let simulator = Self { child, connection, http };
        simulator.forget();
        simulator
    }

    pub fn base(&self) -> &str {
        self.connection["accounts_url"].as_str().expect("an address")
    }

    /// Forgets the log and lets tokens be made as often as the benchmark needs them.
    pub fn forget(&self) {
        let http = client();
        let base = self.base();
        self.http.block_on(async {
            http.delete(format!("{base}/_sim/log")).send().await.expect("the log is cleared");
            let patch = r#"{"accounts":{"throttle":false}}"#;
            http.put(format!("{base}/_sim/switches")).body(patch).send().await.expect("the switch is set");
        });
    }

    pub fn requests(&self) -> u64 {
        let text = self
            .http
            .block_on(async { client().get(format!("{}/_sim/log", self.base())).send().await?.text().await })
            .expect("the log");
        let log: Value = serde_json::from_str(&text).expect("the log's JSON");
        let entries = log.as_array().or_else(|| log["requests"].as_array()).expect("a list");
        entries.iter().filter(|entry| entry["host"] != "accounts").count() as u64
    }

    /// One access token per store, separated by commas.
    pub fn tokens(&mut self) -> String {
        self.forget();
        let ask = |store: &str| {
            let known = &self.connection["stores"][store];
            let form = [
                ("grant_type", "refresh_token"),
                ("client_id", known["client_id"].as_str().unwrap_or_default()),
                ("client_secret", known["client_secret"].as_str().unwrap_or_default()),
                ("refresh_token", known["refresh_token"].as_str().unwrap_or_default()),
            ];
            let reply = self.http.block_on(async {
                client().post(format!("{}/oauth/v2/token", self.base())).form(&form).send().await?.text().await
            });
            let reply: Value = serde_json::from_str(&reply.expect("a reply")).expect("JSON");
            reply["access_token"].as_str().expect("a token").to_owned()
        };
        format!("{},{}", ask("us"), ask("eu"))
    }

    pub fn write_config(&self, folder: &Path) -> std::path::PathBuf {
        let base = self.base();
        let mut config = String::from("[database]\npath = \"mirror.db\"\n");
        for (store, center) in [("us", "com"), ("eu", "eu")] {
            let known = &self.connection["stores"][store];
            config += &format!(
                "[stores.{store}]\ndata_center = \"{center}\"\nclient_id = {}\napi_url = {}\naccounts_url = \"{base}\"\nrequests_per_minute = 1000000\n",
                known["client_id"], known["api_url"]
            );
        }
        let path = folder.join("config.toml");
        std::fs::write(&path, config).expect("the configuration is written");
        path
    }

    pub fn storemirror(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_storemirror"));
        command.env("XDG_STATE_HOME", folder).stdout(Stdio::null());
        for store in ["us", "eu"] {
            for key in ["client_secret", "refresh_token"] {
                let name = format!("STOREMIRROR_STORES_{}_{}", store.to_uppercase(), key.to_uppercase());
                command.env(name, self.connection["stores"][store][key].as_str().unwrap_or_default());
            }
        }
        command
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // it has nothing to save
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}
