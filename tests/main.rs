//! One test binary: everything that drives the real program against the simulator and the real schema.

mod canned; // a server that says what the simulator never does
mod support;

mod convergence; // seeded storms: edits, faults and kills, after which the mirror is the store
mod ingest; // listing: completeness and removal
mod ingest_faults; // every fault and error of the store contract by its name
mod ingest_resume; // runs cut short and taken up again, drift, several stores, pace
mod mapping; // payload → row, from fixtures of every kind and variant
mod migrations; // the schema against the declaration, old, new and foreign files
mod rebuild; // derived rows made again are the rows ingest made
mod tidy; // the house checks itself
