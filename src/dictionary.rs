//! The data dictionary as a command prints it: every table and view with its columns, their meaning and unit, the field
//! of the store's API they come from and the CRM field they go to. It tells what this program makes; no file is read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::model::object_meanings::place_and_meaning;
use crate::model::objects::{Entry, dictionary};
use crate::report::markdown;

const INTRODUCTION: &str = "# Data dictionary

Every table and view of `mirror.db`, and what their columns mean; `select * from data_dictionary` says the same in the
file itself. The views for people come first: plain numbers and readable columns. In tables money stands in whole
millionths (`*_micros`) and rates in ten-thousandths (`*_basis_points`), so that sums are exact. *API field* is the JSON
pointer into the store's record, *CRM field* the default API name of the field that is pushed.

This file is what `storemirror dictionary --format markdown` prints.
";

/// A table or view.
struct Object {
    name: String,
    meaning: &'static str,
    columns: Vec<Entry>,
}

/// The objects in the order in which a reader meets them.
fn objects() -> Vec<Object> {
    let mut objects: BTreeMap<(usize, String), Object> = BTreeMap::new();
    for entry in dictionary() {
        let (place, meaning) = place_and_meaning(&entry.object).unwrap_or((usize::MAX, ""));
        let object = objects.entry((place, entry.object.clone()));
        object
            .or_insert_with(|| Object { name: entry.object.clone(), meaning, columns: Vec::new() })
            .columns
            .push(entry);
    }
    objects.into_values().collect()
}

/// The cells of a column after its name.
fn facts(entry: &Entry) -> [&str; 5] {
    [
        entry.sql_type,
        entry.unit.as_deref().unwrap_or_default(),
        entry.api_field.as_deref().unwrap_or_default(),
        entry.crm_field.as_deref().unwrap_or_default(),
        &entry.meaning,
    ]
}

pub fn text() -> String {
    let objects = objects().into_iter().map(|object| {
        let width = object.columns.iter().map(|entry| entry.column.len()).max().unwrap_or(0);
        let columns = object.columns.iter().map(|entry| format!("\n  {:width$}  {}", entry.column, described(entry)));
        format!("{}: {}{}", object.name, object.meaning, columns.collect::<String>())
    });
    objects.collect::<Vec<_>>().join("\n\n")
}

/// What a column means, then its type and unit, where it comes from and where it goes.
fn described(entry: &Entry) -> String {
    let [sql_type, unit, api_field, crm_field, meaning] = facts(entry);
    let named = |name: &str, value: &str| if value.is_empty() { String::new() } else { format!("; {name}{value}") };
    let facts = format!("{sql_type}{}{}{}", named("", unit), named("API ", api_field), named("CRM ", crm_field));
    if meaning.is_empty() { format!("[{facts}]") } else { format!("{meaning} [{facts}]") }
}

pub fn markdown_text() -> String {
    let mut text = INTRODUCTION.to_owned();
    for object in objects() {
        text.push_str(&format!("\n## {}\n\n", object.name));
        if !object.meaning.is_empty() {
            text.push_str(&format!("{}.\n\n", object.meaning));
        }
        text.push_str("| column | type | unit | API field | CRM field | meaning |\n|---|---|---|---|---|---|\n");
        for entry in &object.columns {
            let [sql_type, unit, api_field, crm_field, meaning] = facts(entry);
            let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
            text.push_str(&format!(
                "| `{}` | {sql_type} | {} | {} | {} | {} |\n",
                entry.column,
                markdown(unit),
                code(api_field),
                code(crm_field),
                markdown(meaning)
            ));
        }
    }
    text
}

pub fn json() -> Value {
    let objects: Vec<Value> = objects()
        .into_iter()
        .map(|object| {
            let columns: Vec<Value> = object
                .columns
                .iter()
                .map(|entry| {
                    json!({ "column": entry.column, "type": entry.sql_type, "unit": entry.unit,
                            "api_field": entry.api_field, "crm_field": entry.crm_field, "meaning": entry.meaning })
                })
                .collect();
            json!({ "object": object.name, "meaning": object.meaning, "columns": columns })
        })
        .collect();
    json!({ "command": "dictionary", "exit": 0, "objects": objects, "error": null })
}
