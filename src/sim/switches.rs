//! How the servers behave where the contract is silent: plain data, merged from JSON by name.
//!
//! Every UNKNOWN and INFERRED point of the two contract files has a switch here. The defaults are the likeliest
//! reading. Nothing in this file acts; the rooms that answer read it.

use super::faults::{Faults, NextFault};
use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// All switches; `stores` has one entry per store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    pub stores: BTreeMap<String, StoreSwitches>,
    pub accounts: AccountsSwitches,
    pub crm: CrmSwitches,
    pub faults: Faults,
    /// Faults that hit the next requests whose path contains the text, oldest first.
    pub next_faults: Vec<NextFault>,
}

impl Default for Switches {
    fn default() -> Self {
        let stores = ["us", "eu"].into_iter().map(|name| (name.to_owned(), StoreSwitches::default())).collect();
        Self {
            stores,
            accounts: AccountsSwitches::default(),
            crm: CrmSwitches::default(),
            faults: Faults::default(),
            next_faults: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSwitches {
    /// False: every page is page 1.
    pub honour_page: bool,
    /// Largest `per_page` that is honoured; null honours any.
    pub per_page_cap: Option<usize>,
    /// `per_page` is ignored and every page has this many records.
    pub fixed_page_size: Option<usize>,
    /// Page 1 is the whole list, whatever was asked.
    pub whole_list: bool,
    pub end: EndOfList,
    pub body: BodyShape,
    /// The key of a wrapped body; empty means the kind's name.
    pub wrap_key: String,
    /// Header name → template with `{page}`, `{per_page}`, `{total}` and `{more}`.
    pub headers: BTreeMap<String, String>,
    pub order: ListOrder,
    /// Edits that happen just before the n-th request of a kind.
    pub drift: Vec<Drift>,
    /// Every n-th record (by id) carries a value no enumeration knows; 0 is none.
    pub unknown_values_every: u64,
    /// Every n-th record (by id) carries a field no contract knows; 0 is none.
    pub extra_fields_every: u64,
    pub generations: Generations,
    /// More requests than this within a minute are answered 429.
    pub requests_per_minute: Option<usize>,
}

impl Default for StoreSwitches {
    fn default() -> Self {
        let headers = [("X-Page-Context", "page={page};per_page={per_page};total={total};has_more={more}")];
        Self {
            honour_page: true,
            per_page_cap: Some(200),
            fixed_page_size: None,
            whole_list: false,
            end: EndOfList::EmptyArray,
            body: BodyShape::Array,
            wrap_key: String::new(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            order: ListOrder::Ascending,
            drift: Vec::new(),
            unknown_values_every: 0,
            extra_fields_every: 0,
            generations: Generations::Mixed,
            requests_per_minute: None,
        }
    }
}

/// What a page behind the last one looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndOfList {
    EmptyArray,
    NoContent,
    EmptyBody,
    RepeatLast,
    RepeatFirst,
    BadRequest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyShape {
    Array,
    Wrapped,
    NumericKeys,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListOrder {
    Ascending,
    Descending,
    /// An order without sense that stays the same from request to request.
    Shuffled,
}

/// Whether old commissions only lack the newer fields, or all do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generations {
    Mixed,
    FirstOnly,
}

/// An edit just before the `before_request`-th request (counted from 1) of a kind since the log was last cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    pub kind: String,
    pub before_request: u64,
    #[serde(default)]
    pub put: Vec<Put>,
    #[serde(default)]
    pub remove: Vec<String>,
}

/// A record to put into a list: its id and its exact JSON text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Put {
    pub id: String,
    pub json: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsSwitches {
    /// HTTP status of `invalid_code` and its like.
    pub error_status: u16,
    pub wrong_secret_error: String,
    /// Whether the limits below are kept.
    pub throttle: bool,
    pub throttle_status: u16,
    pub tokens_per_window: usize,
    pub window_seconds: u64,
    pub active_tokens: usize,
    pub expires_in: u64,
}

impl Default for AccountsSwitches {
    fn default() -> Self {
        Self {
            error_status: 200,
            wrong_secret_error: "invalid_client".to_owned(),
            throttle: true,
            throttle_status: 400,
            tokens_per_window: 10,
            window_seconds: 600,
            active_tokens: 15,
            expires_in: 3_600,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrmSwitches {
    /// HTTP status when some records of a write failed: 207, in older versions 200 or 202.
    pub mixed_status: u16,
    pub invalid_module: InvalidModule,
    pub too_many_requests: TooManyBody,
    pub coql_max: usize,
    pub unknown_field: Unknown,
    pub unknown_picklist: Unknown,
    pub payload: Payload,
    /// Put before the API names of the extension's modules and fields, for example `zpartner__`.
    pub prefix: String,
    /// Credits that writes may spend in 24 hours.
    pub daily_limit: Option<u64>,
    /// Whether a null clears a field.
    pub null_clears: bool,
    /// Date-times are read back in the user's zone: its distance from UTC in minutes.
    pub user_offset_minutes: i32,
    /// Whether modules can be created through the API (an edition's matter).
    pub can_create_modules: bool,
}

impl Default for CrmSwitches {
    fn default() -> Self {
        Self {
            mixed_status: 207,
            invalid_module: InvalidModule::Flat,
            too_many_requests: TooManyBody::Plain,
            coql_max: 200,
            unknown_field: Unknown::Accepted,
            unknown_picklist: Unknown::Accepted,
            payload: Payload::Large,
            prefix: String::new(),
            daily_limit: None,
            null_clears: true,
            user_offset_minutes: 0,
            can_create_modules: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvalidModule {
    Flat,
    Wrapped,
}

/// The three bodies of a CRM 429 that are in circulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TooManyBody {
    Plain,
    RetryAfter,
    Old,
}

/// What happens to a name or value the CRM does not know; an accepted field is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    Accepted,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    Small,
    Large,
}

impl Payload {
    pub(super) fn length(self) -> usize {
        match self {
            Self::Small => 2_000,
            Self::Large => 32_000,
        }
    }
}

/// Objects with free keys: their contents replace what was there instead of being merged name by name.
const FREE_KEYS: [&str; 2] = ["headers", "per_mille"];

impl Switches {
    /// Merges a JSON object into the switches. `{"stores":{"*":{…}}}` sets every store. Nothing changes on an error,
    /// and an unknown name is answered with the known ones.
    pub fn merge(&mut self, patch: &Value) -> anyhow::Result<()> {
        let mut merged = serde_json::to_value(&*self)?;
        merge_into(&mut merged, patch, "")?;
        *self = serde_json::from_value(merged).context("a switch has a value of the wrong kind")?;
        Ok(())
    }
}

fn merge_into(target: &mut Value, patch: &Value, path: &str) -> anyhow::Result<()> {
    let name = path.rsplit('.').next().unwrap_or_default();
    let (Value::Object(target), Value::Object(patch)) = (&mut *target, patch) else {
        if path.is_empty() {
            bail!("the switches must be a JSON object");
        }
        *target = patch.clone();
        return Ok(());
    };
    if FREE_KEYS.contains(&name) {
        target.clone_from(patch);
        return Ok(());
    }
    for (key, value) in patch {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if path == "stores" && key == "*" {
            for (store, switches) in target.iter_mut() {
                merge_into(switches, value, &format!("stores.{store}"))?;
            }
        } else if let Some(known) = target.get_mut(key) {
            merge_into(known, value, &below)?;
        } else {
            bail!("unknown switch {below}; known: {}", known_names(target, path));
        }
    }
    Ok(())
}

fn known_names(known: &Map<String, Value>, path: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    known.keys().map(|key| format!("{path}{dot}{key}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_merge_changes_only_what_it_names() {
        let mut switches = Switches::default();
        switches.merge(&json!({"stores": {"us": {"end": "no_content"}, "*": {"per_page_cap": null}}})).unwrap();
        assert_eq!(switches.stores["us"].end, EndOfList::NoContent);
        assert_eq!(switches.stores["eu"].end, EndOfList::EmptyArray);
        assert_eq!(switches.stores["eu"].per_page_cap, None);
    }

    #[test]
    fn an_unknown_switch_is_refused_with_the_known_ones() {
        let mut switches = Switches::default();
        let error = switches.merge(&json!({"crm": {"coql_maxx": 1}})).unwrap_err().to_string();
        assert!(error.contains("unknown switch crm.coql_maxx") && error.contains("crm.coql_max,"), "{error}");
        assert_eq!(switches, Switches::default());
    }

    #[test]
    fn free_keys_replace_their_object() {
        let mut switches = Switches::default();
        let patch = json!({"faults": {"per_mille": {"reset": 5}}, "stores": {"us": {"headers": {"page": "{page}"}}}});
        switches.merge(&patch).unwrap();
        assert_eq!(switches.stores["us"].headers.len(), 1);
        assert_eq!(switches.faults.per_mille.len(), 1);
    }
}
