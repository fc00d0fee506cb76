//! Whether a value fits a field: pure, with Zoho's words for what is wrong.
//!
//! It knows nothing of HTTP and of other records, except whether a lookup's target exists, which the caller tells.

use super::fields::Field;
use crate::sim::answer::error_object;
use crate::sim::switches::{CrmSwitches, Unknown};
use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value, json};

/// What a record of a request becomes: values by base name, or Zoho's error object.
pub(super) type Checked = Result<Vec<(String, Value)>, Value>;

/// What is checked against.
pub(super) struct Rules<'a> {
    pub(super) fields: &'a [Field],
    pub(super) switches: &'a CrmSwitches,
    pub(super) is_create: bool,
    /// Whether a module (by base name) has a record.
    pub(super) exists: &'a dyn Fn(&str, u64) -> bool,
}

/// Keys that are no fields of ours but legal in any record.
const ALWAYS_LEGAL: [&str; 5] = ["id", "Layout", "Owner", "Currency", "Tag"];

/// Checks the record at `index` of a request.
pub(super) fn record(rules: &Rules, record: &Map<String, Value>, index: usize) -> Checked {
    let mut values = Vec::new();
    let mut errors = Vec::new();
    for (name, value) in record {
        let known = rules.fields.iter().find(|field| field.seen_name(&rules.switches.prefix) == *name);
        let Some(field) = known else {
            let is_legal = ALWAYS_LEGAL.contains(&name.as_str()) || name.starts_with('$');
            if !is_legal && rules.switches.unknown_field == Unknown::Refused {
                errors.push(wrong(name, index, "the field api name given seems to be invalid", json!({})));
            }
            continue;
        };
        match check(rules, field, value) {
            Ok(value) => values.push((field.api_name.clone(), value)),
            Err(Wrong::Missing) => errors.push(missing(name, index)),
            Err(Wrong::Value(details)) => errors.push(wrong(name, index, "invalid data", details)),
            Err(Wrong::Id(id)) => {
                errors.push(wrong(name, index, "the id given seems to be invalid", json!({"id": id})));
            }
        }
    }
    if rules.is_create {
        for field in rules.fields.iter().filter(|field| field.is_mandatory) {
            let name = field.seen_name(&rules.switches.prefix);
            if !record.contains_key(&name) {
                errors.push(missing(&name, index));
            }
        }
    }
    match errors.len() {
        0 => Ok(values),
        1 => Err(errors.remove(0)),
        _ => Err(error_object(
            "MULTIPLE_OR_MULTI_ERRORS",
            "Multiple errors in the request",
            &json!({ "errors": errors }),
        )),
    }
}

fn path(name: &str, index: usize) -> String {
    format!("$.data[{index}].{name}")
}

fn wrong(name: &str, index: usize, message: &str, mut details: Value) -> Value {
    details["api_name"] = json!(name);
    details["json_path"] = json!(path(name, index));
    error_object("INVALID_DATA", message, &details)
}

/// A mandatory field that is not there.
pub(super) fn missing(name: &str, index: usize) -> Value {
    let details = json!({"api_name": name, "json_path": path(name, index)});
    error_object("MANDATORY_NOT_FOUND", "required field not found", &details)
}

/// What is wrong with one value.
enum Wrong {
    Missing,
    Value(Value),
    Id(String),
}

fn expected(data_type: &str) -> Wrong {
    Wrong::Value(json!({"expected_data_type": data_type}))
}

fn check(rules: &Rules, field: &Field, value: &Value) -> Result<Value, Wrong> {
    if value.is_null() || (field.is_mandatory && value.as_str() == Some("")) {
        return if field.is_mandatory { Err(Wrong::Missing) } else { Ok(Value::Null) };
    }
    let data_type = field.data_type.as_str();
    match data_type {
        "currency" | "double" | "percent" => number(field, value),
        "integer" => match value.as_i64() {
            Some(number) if number.to_string().trim_start_matches('-').len() <= field.length => Ok(value.clone()),
            Some(_) => Err(Wrong::Value(json!({"maximum_length": field.length}))),
            None => Err(expected("integer")),
        },
        "boolean" => value.as_bool().map(Value::Bool).ok_or_else(|| expected("boolean")),
        "lookup" => lookup(rules, field, value),
        _ => {
            let text = value.as_str().ok_or_else(|| expected(data_type))?;
            text_value(rules, field, text)
        }
    }
}

fn text_value(rules: &Rules, field: &Field, text: &str) -> Result<Value, Wrong> {
    let data_type = field.data_type.as_str();
    let fits = match data_type {
        "date" => text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
        "datetime" => text.len() == 25 && DateTime::parse_from_rfc3339(text).is_ok(),
        "email" => is_email(text),
        "bigint" => text.parse::<i64>().is_ok(),
        _ => true,
    };
    if !fits {
        return Err(expected(data_type));
    }
    if text.chars().count() > field.length && !matches!(data_type, "date" | "datetime") {
        return Err(Wrong::Value(json!({"maximum_length": field.length})));
    }
    let is_unknown = data_type == "picklist" && !text.is_empty() && !field.pick_list.iter().any(|known| known == text);
    if is_unknown && rules.switches.unknown_picklist == Unknown::Refused {
        return Err(Wrong::Value(json!({"expected_data_type": "picklist", "supported_values": field.pick_list})));
    }
    // Zoho does not tell an empty text from no value
    Ok(if text.is_empty() { Value::Null } else { json!(text) })
}

/// The shape Zoho's expression asks for: something@host.domain, in characters an address can have.
fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else {
        return false;
    };
    let is_plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !"<>()[],;:@\"".contains(c));
    is_plain(name) && is_plain(host) && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
}

/// A number with at most 16 digits before the point; decimals beyond the field's are cut off, as Zoho does it.
fn number(field: &Field, value: &Value) -> Result<Value, Wrong> {
    let Value::Number(number) = value else {
        return Err(expected(&field.data_type));
    };
    let text = number.to_string();
    if text.contains(['e', 'E']) {
        return Err(expected(&field.data_type));
    }
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    if whole.trim_start_matches('-').len() > field.length {
        return Err(Wrong::Value(json!({"maximum_length": field.length})));
    }
    let places = field.decimal_place.unwrap_or(9);
    if rest.len() <= places {
        return Ok(value.clone());
    }
    let cut = format!("{whole}.{}", &rest[..places]);
    Ok(cut.parse::<f64>().map_or(Value::Null, |number| json!(number)))
}

fn lookup(rules: &Rules, field: &Field, value: &Value) -> Result<Value, Wrong> {
    let Some(object) = value.as_object() else {
        return Err(expected("jsonobject"));
    };
    let id = match object.get("id") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(expected("bigint")),
    };
    let target = field.lookup.as_deref().unwrap_or_default();
    match id.parse() {
        Ok(number) if (rules.exists)(target, number) => Ok(json!({"id": id})),
        _ => Err(Wrong::Id(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::{COMMISSIONS, SUBSCRIPTIONS, field_of, name_field};
    use super::*;

    fn fields() -> Vec<Field> {
        let mut fields = vec![name_field("1".to_owned(), "Name")];
        fields.extend(SUBSCRIPTIONS.iter().map(|line| field_of("2".to_owned(), line)));
        fields
    }

    fn checked(value: &Value, switches: &CrmSwitches) -> Checked {
        let fields = fields();
        let rules =
            Rules { fields: &fields, switches, is_create: true, exists: &|module, id| module == "Accounts" && id == 7 };
        record(&rules, value.as_object().unwrap(), 3)
    }

    fn error_of(field: &str, value: Value) -> Value {
        let mut object = json!({"Name": "x"});
        object[field] = value;
        checked(&object, &CrmSwitches::default()).unwrap_err()
    }

    #[test]
    fn good_values_of_every_type_pass() {
        let good = json!({"Name": "us:1", "Email": "a@example.test", "Status": "active", "Next_Recurring_Amount": 12.5,
            "Subscription_Start": "2026-02-28", "Account": {"id": 7}, "Payload": "{}", "Company_Name": null});
        let values = checked(&good, &CrmSwitches::default()).unwrap();
        assert_eq!(values.len(), 8);
        assert!(values.contains(&("Account".to_owned(), json!({"id": "7"}))));
    }

    #[test]
    fn every_wrong_value_is_named_with_what_was_expected() {
        let cases = [
            ("Email", json!("nobody"), json!({"expected_data_type": "email"})),
            ("Next_Recurring_Amount", json!("12.5"), json!({"expected_data_type": "currency"})),
            ("Subscription_Start", json!("28.02.2026"), json!({"expected_data_type": "date"})),
            ("Subscription_Start", json!("2026-02-30"), json!({"expected_data_type": "date"})),
            ("Company_Name", json!("x".repeat(256)), json!({"maximum_length": 255})),
            ("Company_Name", json!(5), json!({"expected_data_type": "text"})),
            ("Account", json!("7"), json!({"expected_data_type": "jsonobject"})),
            ("Payload", json!("x".repeat(32_001)), json!({"maximum_length": 32_000})),
        ];
        for (field, value, mut details) in cases {
            let error = error_of(field, value);
            details["api_name"] = json!(field);
            details["json_path"] = json!(format!("$.data[3].{field}"));
            assert_eq!(error["code"], "INVALID_DATA");
            assert_eq!(error["details"], details, "{field}");
        }
        assert_eq!(error_of("Account", json!({"id": "8"}))["message"], "the id given seems to be invalid");
    }

    #[test]
    fn a_record_without_name_and_one_with_two_mistakes() {
        let switches = CrmSwitches::default();
        assert_eq!(checked(&json!({"Org_ID": "1"}), &switches).unwrap_err()["code"], "MANDATORY_NOT_FOUND");
        let two = checked(&json!({"Name": "x", "Email": "?", "Org_ID": 1}), &switches).unwrap_err();
        assert_eq!(two["code"], "MULTIPLE_OR_MULTI_ERRORS");
        assert_eq!(two["details"]["errors"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn unknown_fields_and_pick_list_values_follow_their_switches() {
        let strange = json!({"Name": "x", "Nonsense": 1, "Status": "napping"});
        assert_eq!(checked(&strange, &CrmSwitches::default()).unwrap().len(), 2);
        let strict = CrmSwitches { unknown_field: Unknown::Refused, ..CrmSwitches::default() };
        assert_eq!(checked(&strange, &strict).unwrap_err()["details"]["api_name"], "Nonsense");
        let strict = CrmSwitches { unknown_picklist: Unknown::Refused, ..CrmSwitches::default() };
        assert_eq!(checked(&strange, &strict).unwrap_err()["details"]["api_name"], "Status");
    }

    #[test]
    fn a_prefix_belongs_to_the_extensions_fields_only() {
        let switches = CrmSwitches { prefix: "zp__".to_owned(), ..CrmSwitches::default() };
        let values = checked(&json!({"Name": "x", "zp__Org_ID": "1"}), &switches).unwrap();
        assert_eq!(values[1], ("Org_ID".to_owned(), json!("1")));
    }

    #[test]
    fn decimals_beyond_the_field_are_cut() {
        let field = field_of(String::new(), &COMMISSIONS[11]);
        assert_eq!(number(&field, &json!(12.349)).ok(), Some(json!(12.34)));
    }
}
