//! Writing a table: one file per format. Every writer takes where to write and returns; what the terminal is like is
//! told to it.

mod csv;
mod json;
mod page;
mod screen;

pub(super) use csv::Writer as CsvWriter;
pub use csv::{Reader, write_csv};
pub(super) use json::{Cell, Rows, parameters_json, write_row};
pub use json::{catalog_json, describe_json, write_json};
pub(crate) use page::markdown;
pub use page::{write_html, write_markdown};
pub use screen::{Screen, catalog_text, describe, write_table};
pub(crate) use screen::{separated, shown};
