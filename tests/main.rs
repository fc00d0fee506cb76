//! One test binary: everything that drives the real program against the simulator and the real schema.

mod support;

mod ingest; // listing: completeness, removal, drift, resume, faults
mod mapping; // payload → row, from fixtures of every kind and variant
mod migrations; // the schema against the declaration, old, new and foreign files
mod rebuild; // derived rows made again are the rows ingest made
mod tidy; // the house checks itself
