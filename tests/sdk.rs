//! Zoho's official SDKs as independent clients of the simulator (issue 5, point 13): what they can read, a program
//! written against Zoho can read. Nothing is installed here; what is not there is skipped and says so.
//!
//! `STOREMIRROR_SDK_PYTHON` names a Python that has `zohocrmsdk8_0` (default: `python3`), `STOREMIRROR_SDK_NODE` the
//! folder in which `npm install @zohocrm/nodejs-sdk-8.0` was run.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::Bench;

/// Steps that each script reports.
const STEPS: usize = 15;

fn script(name: &str) -> String {
    format!("{}/tests/sdk/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs a script against a fresh simulator that it is told of on its stdin.
fn run(command: &mut Command) {
    let bench = Bench::empty();
    // the SDKs leave caches and logs where temporary files go
    let folder = bench.path("sdk");
    std::fs::create_dir(&folder).unwrap();
    let mut child = command
        .env("TMPDIR", &folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the SDK's script starts");
    writeln!(child.stdin.take().unwrap(), "{}", bench.sim.connection()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), STEPS, "{said}");
    // it was the servers that it talked to
    let writes = bench.sim.with(|world| world.requests().iter().filter(|request| request.is_write).count());
    assert!(writes > 20, "{writes}");
}

#[test]
fn the_python_sdk_works_with_the_simulator() {
    let python = std::env::var("STOREMIRROR_SDK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_it = Command::new(&python).args(["-c", "import zohocrmsdk"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {python} has no zohocrmsdk8_0; name one that has in STOREMIRROR_SDK_PYTHON");
        return;
    }
    run(Command::new(python).arg(script("client.py")));
}

#[test]
fn the_node_sdk_works_with_the_simulator() {
    let folder = std::env::var("STOREMIRROR_SDK_NODE").unwrap_or_default();
    let has_it = Path::new(&folder).join("node_modules/@zohocrm/nodejs-sdk-8.0").is_dir();
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_it || !has_node {
        eprintln!("skipped: needs node, and a folder with @zohocrm/nodejs-sdk-8.0 named in STOREMIRROR_SDK_NODE");
        return;
    }
    run(Command::new("node").arg(script("client.mjs")).arg(folder));
}
