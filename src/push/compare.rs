//! Whether what the CRM shows of a field is what it acknowledged. Pure.
//!
//! The CRM may show a value in another form than it was sent: decimals are cut to the field's, a date-time stands in
//! the reader's zone, a lookup comes with its name, a list shows the beginning of a rich text alone (CRM contract §3, §7).

use chrono::DateTime;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::model::crm::FieldInfo;
use crate::model::money::parse_decimal;

/// Characters of a rich text that lists show.
const RICH_TEXT_SHOWN: usize = 500;
/// Decimals a number field has that does not say how many.
const MAX_DECIMALS: u32 = 9;

/// `sent` was acknowledged, `found` is what the CRM shows.
pub(super) fn is_same(sent: &Value, found: &Value, field: &FieldInfo) -> bool {
    match (sent, found) {
        (Value::Number(_), _) => {
            let decimals = field.decimal_place.and_then(|places| u32::try_from(places).ok()).unwrap_or(MAX_DECIMALS);
            let cut = |value: &Value| number(value).map(|number| number.trunc_with_scale(decimals).normalize());
            cut(sent).is_some() && cut(sent) == cut(found)
        }
        (Value::Object(sent), Value::Object(found)) => {
            id(sent.get("id")).is_some() && id(sent.get("id")) == id(found.get("id"))
        }
        (Value::String(sent), Value::String(found)) => same_text(sent, found, field),
        _ => sent == found,
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => parse_decimal(&number.to_string()),
        Value::String(text) => parse_decimal(text),
        _ => None,
    }
}

fn id(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn same_text(sent: &str, found: &str, field: &FieldInfo) -> bool {
    if sent == found || plain(sent) == plain(found) {
        return true;
    }
    match field.data_type.as_deref() {
        Some("datetime") => {
            let instant = |text| DateTime::parse_from_rfc3339(text).ok();
            instant(sent).is_some() && instant(sent) == instant(found)
        }
        Some("textarea") => found.chars().count() == RICH_TEXT_SHOWN && sent.starts_with(found),
        // an address is one whatever its case
        Some("email") => sent.eq_ignore_ascii_case(found),
        _ => false,
    }
}

/// Text without what a form adds or takes: white space at its ends, carriage returns.
fn plain(text: &str) -> String {
    text.trim().replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(data_type: &str, decimal_place: Option<u64>) -> FieldInfo {
        FieldInfo { data_type: Some(data_type.to_owned()), decimal_place, ..FieldInfo::default() }
    }

    #[test]
    fn the_form_of_a_value_is_not_a_difference() {
        let long = "x".repeat(600);
        for (sent, found, field) in [
            (json!(12.349), json!(12.34), field("currency", Some(2))),
            (json!(12.5), json!("12.50"), field("double", None)),
            (json!({"id": "7"}), json!({"id": 7, "name": "us:1"}), field("lookup", None)),
            (json!("2026-03-01T06:00:00+00:00"), json!("2026-03-01T11:30:00+05:30"), field("datetime", None)),
            (json!("a \r\nb"), json!("a \nb "), field("text", None)),
            (json!(long), json!("x".repeat(500)), field("textarea", None)),
            (json!("A@b.test"), json!("a@b.test"), field("email", None)),
        ] {
            assert!(is_same(&sent, &found, &field), "{sent} {found}");
        }
    }

    #[test]
    fn another_value_is() {
        for (sent, found, field) in [
            (json!(12.35), json!(12.34), field("currency", Some(2))),
            (json!(12.35), Value::Null, field("currency", Some(2))),
            (json!({"id": "7"}), json!({"id": "8"}), field("lookup", None)),
            (json!({"id": "7"}), Value::Null, field("lookup", None)),
            (json!("active"), json!("Active"), field("picklist", None)),
            (json!("active"), Value::Null, field("picklist", None)),
        ] {
            assert!(!is_same(&sent, &found, &field), "{sent} {found}");
        }
    }
}
