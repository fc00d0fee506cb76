//! Everything that reads what others wrote, one door each: for the fuzz targets in `fuzz/` and for the property tests,
//! which both hand in any bytes at all. Nothing else uses this room, and it decides nothing.

use std::path::PathBuf;

use crate::config::{Config, NotifyConfig, Paths};
use crate::model::{Content, Kind, Mapped, map_record, read_content, record_id};

pub use crate::api::crm::read_write_answer as crm_write;
pub use crate::api::store::records_of as page;
pub use crate::report::read_header as report_header;

/// A record of any kind as an ingest reads it; None without a usable id.
pub fn record(kind: Kind, body: &str) -> Option<Mapped> {
    let id = record_id(kind.table(), body)?;
    Some(map_record(kind.table(), &id, body))
}

/// The same with what its content is told apart by, read in one go as a saved page is.
pub fn content(kind: Kind, body: &str) -> Option<Content> {
    let id = record_id(kind.table(), body)?;
    Some(read_content(kind.table(), &id, body))
}

/// The text of a configuration file, validated.
///
/// # Errors
/// What is wrong with it.
pub fn config(text: &str) -> anyhow::Result<Config> {
    let at = |name: &str| PathBuf::from("/home/someone").join(name);
    let paths = Paths {
        config: at("config.toml"),
        config_folder: at(""),
        credentials: at("credentials.toml"),
        state: at("state"),
        database: at("mirror.db"),
        queries: at("queries"),
    };
    Config { paths, stores: Vec::new(), crm: None, notify: NotifyConfig::default(), found: false }.with_text(text)
}
