//! One test binary: everything that drives the real program against the simulator and the real schema.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]
#![expect(clippy::needless_pass_by_value, reason = "json!(…) as an argument reads best")]
#![expect(unreachable_pub, reason = "the tests' own rooms share through pub")]
#![expect(clippy::float_cmp, reason = "amounts in views are exact")]

mod canned; // a server that says what the simulator never does
mod faults; // the machine fails: disk, folder, file, readers, clock
mod given;
mod support;

mod browser; // the dashboard in a real browser
mod chain; // the demo ties; golden files of every report
mod cli; // bad input, exit codes, help, the README's command table
mod connect; // OAuth: connect, disconnect, whoami
mod convergence; // seeded storms: edits, faults and kills, after which the mirror is the store
mod crm; // crm check, link, verify, trace, setup
mod dashboard; // the page as a file: its head, its size, where and how it is written
mod dictionary; // every column explained, and docs/dictionary.md true
#[cfg(unix)]
mod docs; // every command, message and link of README.md and docs/
mod doctor; // what is wrong, and the fix
mod everyday; // first steps, suggestions, examples, --json and widths of every command
mod forget; // a customer forgotten: to the last byte, and for good
mod hostile; // answers that nobody honest gives
mod ingest; // listing: completeness and removal
mod ingest_faults; // every fault and error of the store contract by its name
mod ingest_resume; // runs cut short and taken up again, drift, several stores, pace
mod injection; // text from outside is text: in SQL, sheets, pages, terminals, paths
mod interrupts; // Ctrl-C in the middle of every long command
mod keep; // backup and restore
mod mapping; // payload → row, from fixtures of every kind and variant
mod migrations; // the schema against the declaration, old, new and foreign files
#[cfg(unix)]
mod notify; // notices, to a real script and a real server
mod output; // one JSON object, eighty columns, silence when quiet
mod properties; // drawn inputs for everything that reads what others wrote
mod push; // plan and apply against the simulated CRM
mod push_convergence; // seeded storms of pushes, after which the CRM holds what the mirror expects
mod rebuild; // derived rows made again are the rows ingest made
mod report_files; // every file of queries/: listed, described, runs in the plain shell
mod report_formats; // how an answer looks, where it is written, how it is stopped
mod report_history; // reports over a partner's months: movements, losses and revenue tie
mod report_output; // parameters, a user's own reports, formats, export
mod report_rules; // each rule of each report, by hand
mod report_ties; // reports add up to each other and to the views
mod runs; // what became of the newest runs, in status
#[cfg(unix)]
mod schedule; // timers and crontab lines, on a machine of the test's own
mod sdk; // Zoho's own SDKs as clients of the simulator
mod secrets; // shown and kept nowhere
mod shells; // TAB in real shells, and the manual pages
mod soak; // a year of runs, after which store, mirror and CRM are one
mod statements; // frozen months and what changed since
mod tidy; // the house checks itself
mod tidy_docs; // every dependency has its reason, every promise its test
