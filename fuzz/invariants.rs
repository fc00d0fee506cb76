//! What must hold for any bytes at all, whoever sends them: said once, for the fuzz targets beside it and for the
//! property tests in `tests/properties.rs`. A function panics when something does not hold.

use std::collections::BTreeMap;

use storemirror::api::crm::Write;
use storemirror::model::json::{content_sha256, flatten};
use storemirror::model::{Kind, Value};
use storemirror::untrusted;

/// Any JSON value, of which nothing is kept.
type Ignored = Box<serde_json::value::RawValue>;

/// As many as the mapping keeps of one record.
const MAX_FINDINGS: usize = 100;

/// A payload of any kind becomes a row of its table, or an error that names a field; twice the same.
pub fn payload(bytes: &[u8]) {
    let Ok(body) = std::str::from_utf8(bytes) else { return };
    let sha256 = content_sha256(body);
    assert_eq!(sha256.len(), 64);
    let is_json = serde_json::from_str::<Ignored>(body).is_ok();
    if is_json {
        flatten(body);
    }
    for kind in Kind::ALL {
        let Some(mapped) = untrusted::record(kind, body) else { continue };
        assert!(mapped.findings.len() <= MAX_FINDINGS);
        assert!(mapped.findings.iter().all(|finding| finding.pointer.chars().count() <= 200));
        let again = untrusted::content(kind, body).expect("it had an id");
        assert_eq!(again.sha256, sha256);
        let again = again.mapped;
        assert_eq!((&mapped.row, &mapped.addons, &mapped.findings), (&again.row, &again.addons, &again.findings));
        match &mapped.row {
            Ok(row) => {
                assert_eq!(row.len(), kind.table().stored().count());
                row.iter().chain(mapped.addons.iter().flatten()).for_each(is_storable);
                days_are_days(kind, row);
            }
            Err(error) => assert!(!error.reason.is_empty() && error.reason.len() < 1_000, "{error:?}"),
        }
    }
}

/// SQLite has no NaN: it would become NULL in silence.
fn is_storable(value: &Value) {
    if let Value::Real(number) = value {
        assert!(number.is_finite(), "{number}");
    }
}

/// Days and instants are compared as texts, which holds for years of four digits.
fn days_are_days(kind: Kind, row: &[Value]) {
    for (column, value) in kind.table().stored().zip(row) {
        let name = column.stored_name().unwrap_or_default();
        if let (true, Value::Text(text)) = (name.ends_with("_date") || name.ends_with("_day"), value) {
            assert!(text.len() >= 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-', "{name}: {text:?}");
        }
    }
}

/// A page's records are exact slices of it, in their order, each a whole JSON value.
pub fn page(bytes: &[u8]) {
    for kind in ["subscriptions", "leads"] {
        let Some(records) = untrusted::page(kind, bytes) else { continue };
        let mut rest = std::str::from_utf8(bytes).expect("a list of records is UTF-8");
        for record in &records {
            assert!(serde_json::from_str::<Ignored>(record).is_ok(), "{record:?}");
            let at = rest.find(record.as_str()).expect("a slice of the page, behind the one before");
            rest = &rest[at + record.len()..];
        }
    }
}

/// A configuration is read, or the error says in which file; what is read holds its own rules.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match untrusted::config(text) {
        Ok(config) => {
            let addresses = config.stores.iter().flat_map(|store| [&store.api_url, &store.accounts_url]);
            for url in addresses.chain(config.crm.iter().flat_map(|crm| [&crm.api_url, &crm.accounts_url])) {
                let is_loopback = storemirror::config::is_loopback(url);
                assert!(url.scheme() == "https" || (url.scheme() == "http" && is_loopback), "{url}");
                assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none(), "{url}");
            }
            for store in &config.stores {
                assert!(storemirror::config::is_store_id(&store.store_id));
                assert!(store.requests_per_minute > 0 && (1..=20_000).contains(&store.page_size));
            }
        }
        Err(error) => assert!(error.to_string().contains("config.toml"), "{error:#}"),
    }
}

/// A report's header is read, or the error names a line of the file.
pub fn report_header(bytes: &[u8]) {
    let Ok(sql) = std::str::from_utf8(bytes) else { return };
    match untrusted::report_header(sql) {
        Ok((_, _, parameters)) => {
            for parameter in parameters {
                assert!(!parameter.name.is_empty() && parameter.name.is_ascii());
                parameter.default.iter().for_each(is_storable);
            }
        }
        Err((line, message)) => {
            assert!((1..=sql.lines().count()).contains(&line) && !message.is_empty(), "line {line}: {message}");
        }
    }
}

/// An answer to a write says something about every record sent, or nothing about any. The first two bytes say how many
/// were sent and with which status the answer came.
pub fn crm_answer(bytes: &[u8]) {
    let [records, status, body @ ..] = bytes else { return };
    let records = usize::from(*records % 101);
    let status = [200, 201, 202, 207, 400, 404, 413, 500][usize::from(*status) % 8];
    if let Some(Write::Items(items)) = untrusted::crm_write(records, status, body) {
        assert_eq!(items.len(), records);
        let accepted: BTreeMap<&str, usize> =
            items.iter().flatten().map(|accepted| (accepted.crm_id.as_str(), 1)).collect();
        assert!(accepted.keys().all(|crm_id| !crm_id.is_empty()), "an empty id links to nothing");
    }
}
