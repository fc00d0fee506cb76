//! One test binary: everything that drives the real program against the simulator and the real schema.

mod support;

mod convergence; // seeded storms: edits, faults and kills, after which the mirror is the store
mod ingest; // listing: completeness, removal, drift, resume, faults
mod mapping; // payload → row, from fixtures of every kind and variant
mod migrations; // the schema against the declaration, old, new and foreign files
mod rebuild; // derived rows made again are the rows ingest made
mod tidy; // the house checks itself
