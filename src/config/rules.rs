//! What `[crm]` says of how a push behaves besides addresses and names: whom a record belongs to, what is written once,
//! what is too small to send, and which automation may start.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use crate::model::Kind;
use crate::model::money::parse_decimal;
use crate::model::nearest::choices;

/// What may start automation in the CRM (CRM contract §2).
const TRIGGERS: [&str; 5] = ["workflow", "approval", "blueprint", "pathfinder", "orchestration"];
/// The largest sensible tolerance: above it, changes that matter would stay behind.
const MAX_TOLERANCE: i64 = 1;
const MAX_STATUS_CHARACTERS: usize = 120;

/// How the account of a customer is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccountMatch {
    /// The account field is left alone.
    #[default]
    None,
    /// By the account's name.
    Name,
    /// By the Accounts field of this API name, which holds the organisation's id.
    Field(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrmRules {
    pub account_match: AccountMatch,
    /// A change of US dollar equivalents or exchange rates alone below this fraction is not sent.
    pub usd_tolerance: Decimal,
    /// The status of a subscription that the store no longer lists.
    pub untagged_status: String,
    /// Automation that a write starts; empty: none.
    pub trigger: Vec<String>,
    /// Kind → columns that are written when a record is made and left to the CRM's users from then on.
    pub create_only: BTreeMap<Kind, BTreeSet<String>>,
}

impl Default for CrmRules {
    fn default() -> Self {
        Self {
            account_match: AccountMatch::None,
            usd_tolerance: Decimal::new(1, 2),
            untagged_status: "Un-Tagged".to_owned(),
            trigger: Vec::new(),
            create_only: BTreeMap::new(),
        }
    }
}

impl CrmRules {
    pub fn is_create_only(&self, kind: Kind, column: &str) -> bool {
        self.create_only.get(&kind).is_some_and(|columns| columns.contains(column))
    }
}

/// The keys of `[crm]` that are rules, as they stand in the file.
pub(super) struct Keys {
    pub(super) account_match: Option<String>,
    pub(super) usd_tolerance: Option<toml::Value>,
    pub(super) untagged_status: Option<String>,
    pub(super) trigger: Vec<String>,
}

pub(super) fn read(keys: Keys) -> Result<CrmRules, String> {
    let account_match = match keys.account_match.as_deref() {
        None | Some("none") => AccountMatch::None,
        Some("name") => AccountMatch::Name,
        Some(field) if super::is_api_name(field) => AccountMatch::Field(field.to_owned()),
        Some(other) => {
            return Err(format!("account_match {other:?}: \"none\", \"name\" or the API name of an Accounts field"));
        }
    };
    let mut rules = CrmRules { account_match, ..CrmRules::default() };
    if let Some(value) = keys.usd_tolerance {
        let fraction = parse_decimal(&value.to_string());
        let allowed = |fraction: &Decimal| !fraction.is_sign_negative() && *fraction < Decimal::from(MAX_TOLERANCE);
        rules.usd_tolerance = fraction
            .filter(allowed)
            .ok_or_else(|| format!("usd_tolerance {value}: a fraction from 0 to below 1 is expected, such as 0.01"))?;
    }
    if let Some(status) = keys.untagged_status {
        if status.trim().is_empty() || status.chars().count() > MAX_STATUS_CHARACTERS {
            return Err(format!("untagged_status must have 1 to {MAX_STATUS_CHARACTERS} characters"));
        }
        rules.untagged_status = status;
    }
    if let Some(unknown) = keys.trigger.iter().find(|trigger| !TRIGGERS.contains(&trigger.as_str())) {
        return Err(format!(
            "trigger: unknown automation {unknown:?}; {}",
            choices(unknown, "the values are", &TRIGGERS)
        ));
    }
    rules.trigger = keys.trigger;
    Ok(rules)
}

/// What one line of `[crm.fields.…]` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Override {
    pub(super) name: FieldName,
    pub(super) create_only: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum FieldName {
    /// That of the label.
    Default,
    Named(String),
    LeftOut,
}

/// `"API_Name"`, `false`, or `{ field = "API_Name", policy = "create_only" }` with either key left out.
pub(super) fn field_override(column: &str, value: toml::Value) -> Result<Override, String> {
    match value {
        toml::Value::String(name) if super::is_api_name(&name) => {
            Ok(Override { name: FieldName::Named(name), create_only: false })
        }
        toml::Value::Boolean(false) => Ok(Override { name: FieldName::LeftOut, create_only: false }),
        toml::Value::Table(table) => field_table(column, table),
        other => Err(format!("{column}: an API name, false or {{ field, policy }} is expected, not {other}")),
    }
}

fn field_table(column: &str, table: toml::Table) -> Result<Override, String> {
    let mut line = Override { name: FieldName::Default, create_only: false };
    for (key, value) in table {
        match (key.as_str(), value.as_str()) {
            ("field", Some(name)) if super::is_api_name(name) => line.name = FieldName::Named(name.to_owned()),
            ("field", _) => return Err(format!("{column}.field: an API name is expected, not {value}")),
            ("policy", Some("always")) => line.create_only = false,
            ("policy", Some("create_only")) if column != "name" => line.create_only = true,
            ("policy", Some("create_only")) => {
                return Err("name.policy: a record is found by its name, so it is always written".to_owned());
            }
            ("policy", _) => return Err(format!("{column}.policy: \"always\" or \"create_only\", not {value}")),
            _ => {
                let known = choices(&key, "the keys are", &["field", "policy"]);
                return Err(format!("{column}: unknown key {key:?}; {known}"));
            }
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys { account_match: None, usd_tolerance: None, untagged_status: None, trigger: Vec::new() }
    }

    #[test]
    fn defaults_touch_no_account_and_start_nothing() {
        let rules = read(keys()).unwrap();
        assert_eq!(rules, CrmRules::default());
        assert_eq!((rules.usd_tolerance.to_string(), rules.trigger.len()), ("0.01".to_owned(), 0));
    }

    #[test]
    fn each_key_is_checked() {
        let field = Keys { account_match: Some("Org_ID".to_owned()), ..keys() };
        assert_eq!(read(field).unwrap().account_match, AccountMatch::Field("Org_ID".to_owned()));
        assert!(read(Keys { account_match: Some("Org ID".to_owned()), ..keys() }).unwrap_err().contains("Org ID"));
        for (value, good) in [(0.05.into(), true), (0.into(), true), (1.into(), false), ("x".into(), false)] {
            assert_eq!(read(Keys { usd_tolerance: Some(value), ..keys() }).is_ok(), good);
        }
        let trigger = |value: &str| read(Keys { trigger: vec![value.to_owned()], ..keys() });
        assert!(trigger("workflow").is_ok());
        assert!(trigger("everything").unwrap_err().contains("pathfinder"));
        assert!(read(Keys { untagged_status: Some(" ".to_owned()), ..keys() }).is_err());
    }

    #[test]
    fn a_field_has_a_name_a_policy_or_both() {
        let read = |text: &str| {
            let table: toml::Table = toml::from_str(&format!("column = {text}")).unwrap();
            field_override("email", table["column"].clone()).map(|line| (line.name, line.create_only))
        };
        assert_eq!(read("\"Mail\""), Ok((FieldName::Named("Mail".to_owned()), false)));
        assert_eq!(read("false"), Ok((FieldName::LeftOut, false)));
        let both = "{ field = \"Mail\", policy = \"create_only\" }";
        assert_eq!(read(both), Ok((FieldName::Named("Mail".to_owned()), true)));
        assert_eq!(read("{ policy = \"create_only\" }"), Ok((FieldName::Default, true)));
        for wrong in ["true", "{ policy = \"never\" }", "{ name = \"Mail\" }", "{ field = 5 }"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
