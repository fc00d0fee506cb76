//! Writing a table: one file per format. Every writer takes where to write and returns; what the terminal is like is
//! told to it.

mod csv;
mod json;
mod screen;

pub(super) use csv::Writer as CsvWriter;
pub use csv::write_csv;
pub(super) use json::parameters_json;
pub use json::{catalog_json, write_json};
pub use screen::{Screen, catalog_text, describe, write_table};
