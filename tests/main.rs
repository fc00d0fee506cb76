//! One test binary: everything that drives the real program against the simulator and the real schema.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]
#![expect(clippy::needless_pass_by_value, reason = "json!(…) as an argument reads best")]
#![expect(unreachable_pub, reason = "the tests' own rooms share through pub")]
#![expect(clippy::float_cmp, reason = "amounts in views are exact")]

mod given;
mod support;

mod ingest; // listing: completeness, removal, drift, resume, faults
mod mapping; // payload → row, from fixtures of every kind and variant
mod migrations; // the schema against the declaration, old, new and foreign files
mod report_files; // the bundle's files: listed, readable by the plain shell, without a scan of payloads
mod report_output; // what reports print, in every format
mod report_rules; // a hand-made case for every rule
mod report_ties; // reports add up to each other and to the views
mod tidy; // the house checks itself
