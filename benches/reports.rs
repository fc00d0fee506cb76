//! Every report's time, as a person waits for it: the program started, the report run, its CSV written.
//!
//! `cargo bench --bench reports` measures a real partner (6,000 transactions, 5,000 commissions) and a very large one
//! (1,000,000 and 800,000); `STOREMIRROR_BENCH_PERCENT=10` makes the large one a tenth of that.

#![expect(unreachable_pub, reason = "the benchmarks share through pub")]
#![expect(clippy::print_stdout, reason = "the figures are the answer")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]
#![expect(dead_code, reason = "not every benchmark uses all that is shared")]

mod common;

use crate::common::{Simulator, measure, median};

/// (name, subscriptions, transactions, commissions, runs per report)
const PARTNERS: [(&str, [u64; 3], usize); 2] =
    [("a real partner", [600, 6_000, 5_000], 5), ("a very large one", [60_000, 1_000_000, 800_000], 3)];

fn main() {
    let percent: u64 =
        std::env::var("STOREMIRROR_BENCH_PERCENT").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    for (position, (name, records, runs)) in PARTNERS.into_iter().enumerate() {
        let records = if position == 0 { records } else { records.map(|count| count * percent / 100) };
        let folder = tempfile::tempdir().expect("a folder");
        let simulator = Simulator::start(records);
        let config = simulator.write_config(folder.path());
        let run = |arguments: &[&str]| {
            let mut command = simulator.storemirror(folder.path());
            command.args(["--now", "2026-03-01T06:00:00Z", "--quiet", "--config"]).arg(&config).args(arguments);
            measure(command.spawn())
        };
        run(&["ingest"]);
        println!(
            "\n{name}: {records:?} subscriptions, transactions, commissions\n{:<28}{:>9}{:>9}{:>10}",
            "report", "wall s", "cpu s", "peak MiB"
        );
        for report in reports() {
            let figures = median((0..runs).map(|_| run(&["report", &report, "--format", "csv"])).collect());
            println!("{report:<28}{:>9.3}{:>9.3}{:>10.1}", figures.wall, figures.cpu, figures.peak_mib);
        }
    }
}

fn reports() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/queries");
    let files = std::fs::read_dir(folder).expect("the bundle");
    let mut names: Vec<String> = files
        .map(|file| file.expect("a file").path().file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
