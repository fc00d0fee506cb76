//! Whose a record is, and the same record without what tells it. Which fields are personal is said where the columns are
//! declared; a field that no declaration knows counts as personal too, because nobody can say what stands in it.
//!
//! What is left of a record is a function of the record alone: a store that lists it again brings the same.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::value::RawValue;

use crate::model::Table;
use crate::model::json::{Members, Scalar};
use crate::model::mapping::{Node, customer_id, is_placeholder, layout};
use crate::model::tables::{Personal, Source, ValueType};

/// What every pseudonym begins with.
pub const PSEUDONYM_PREFIX: &str = "forgotten-";

/// What a record says of whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// By the definition of `customer_id`, without a look at other records.
    pub customer: Option<String>,
    /// In lower case.
    pub email: Option<String>,
    pub subscription_id: Option<String>,
}

/// Reads whose a record is; what cannot be read is nobody's.
pub fn owner(table: &'static Table, body: &str) -> Owner {
    let text = |name: &str| value_of(table, name, body);
    let email = text("email").map(|email| email.trim().to_lowercase());
    let customer = customer_id(text("org_id").as_deref(), email.as_deref(), text("profile_id").as_deref());
    // a transaction's payment profile alone is not how its customer is called
    let customer = customer.filter(|_| table.columns().any(|column| column.name == "email"));
    Owner { customer, email, subscription_id: text("subscription_id") }
}

/// The text of one column's field.
fn value_of(table: &'static Table, name: &str, body: &str) -> Option<String> {
    let column = table.columns().find(|column| column.name == name)?;
    let pointer = match column.source {
        Source::Json(pointer) => pointer,
        Source::Key(pointers) => pointers.first()?,
        _ => return None,
    };
    let mut text = body;
    for part in pointer.split('/').skip(1) {
        let Members(members) = serde_json::from_str(text).ok()?;
        text = members.into_iter().rev().find(|(key, _)| key == part)?.1.get();
    }
    plain(text).map(|text| if column.value == ValueType::Text { decoded(&text) } else { text })
}

/// A scalar that says something, as text.
fn plain(text: &str) -> Option<String> {
    match Scalar::of_text(text) {
        Scalar::Text(text) if !is_placeholder(&text) => Some(text.into_owned()),
        Scalar::Number(text) => Some(text.to_owned()),
        _ => None,
    }
}

/// As it stands in a column: entities decoded once.
fn decoded(text: &str) -> String {
    htmlize::unescape(text).into_owned()
}

/// The record without what tells whose it is: personal fields and unknown ones are null, identifiers of the customer the
/// pseudonym. What says nothing stays as it is, and so does a field that is the record's key. None: there was nothing.
pub fn redacted(table: &'static Table, record_id: Option<&str>, body: &str, pseudonym: &str) -> Option<String> {
    let mut cut = Cut { body, record_id, key: table.key_pointers(), pseudonym, edits: Vec::new() };
    let layout = layout(table.kind);
    cut.object(table, &layout.root, &layout.addon, body, "");
    if cut.edits.is_empty() {
        return None;
    }
    let (mut left, mut place) = (String::with_capacity(body.len()), 0);
    for Edit { from, to, value } in cut.edits {
        left.push_str(&body[place..from]);
        left.push_str(&value);
        place = to;
    }
    left.push_str(&body[place..]);
    Some(left)
}

/// The texts that [`redacted`] takes from a record, as received and as they stand in a column: what copies of them
/// elsewhere are found by.
pub fn personal_values(table: &'static Table, record_id: Option<&str>, body: &str) -> BTreeSet<String> {
    let mut cut = Cut { body, record_id, key: table.key_pointers(), pseudonym: "", edits: Vec::new() };
    let layout = layout(table.kind);
    cut.object(table, &layout.root, &layout.addon, body, "");
    let taken = cut.edits.iter().filter_map(|edit| plain(&body[edit.from..edit.to]));
    taken.flat_map(|text| [decoded(&text), text]).filter(|text| !text.trim().is_empty()).collect()
}

struct Edit {
    from: usize,
    to: usize,
    value: Cow<'static, str>,
}

struct Cut<'a> {
    body: &'a str,
    record_id: Option<&'a str>,
    key: &'static [&'static str],
    pseudonym: &'a str,
    edits: Vec<Edit>,
}

impl Cut<'_> {
    fn object(&mut self, table: &'static Table, node: &Node, addon: &Node, text: &str, prefix: &str) {
        let Ok(Members(members)) = serde_json::from_str::<Members>(text) else { return };
        for (key, raw) in members {
            let pointer = format!("{prefix}/{key}");
            match node.children.get(key.as_ref()) {
                None => self.replace(raw, Personal::Removed),
                Some(_) if table.addons == Some(pointer.as_str()) => self.addons(table, addon, raw),
                Some(child) if !child.children.is_empty() => match Scalar::of(raw) {
                    Scalar::Object(text) => self.object(table, child, addon, text, &pointer),
                    _ => self.replace(raw, Personal::Removed),
                },
                Some(child) => {
                    let is_key = self.key.contains(&pointer.as_str()) && self.is_record_id(raw);
                    let column = child.column.map(|(_, column)| column);
                    let is_nested = matches!(Scalar::of(raw), Scalar::Object(_) | Scalar::Array(_))
                        && column.is_none_or(|column| column.value != ValueType::Json);
                    match column.map_or(Personal::No, |column| column.personal) {
                        _ if is_key => {}
                        // where one value should stand, many can hold anything
                        Personal::No if is_nested => self.replace(raw, Personal::Removed),
                        Personal::No => {}
                        personal => self.replace(raw, personal),
                    }
                }
            }
        }
    }

    fn addons(&mut self, table: &'static Table, addon: &Node, raw: &RawValue) {
        let Scalar::Array(text) = Scalar::of(raw) else { return self.replace(raw, Personal::Removed) };
        for item in serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default() {
            match Scalar::of(item) {
                Scalar::Object(text) => self.object(table, addon, &Node::default(), text, "/addons/*"),
                _ => self.replace(item, Personal::Removed),
            }
        }
    }

    fn is_record_id(&self, raw: &RawValue) -> bool {
        let text = plain(raw.get());
        text.is_some() && text.as_deref().map(str::trim) == self.record_id.map(str::trim)
    }

    fn replace(&mut self, raw: &RawValue, how: Personal) {
        let says_nothing = match Scalar::of(raw) {
            Scalar::Null => true,
            Scalar::Text(text) => is_placeholder(&text) || matches!(text.trim(), "0" | "-1"),
            Scalar::Number(text) => matches!(text, "0" | "-1"),
            _ => false,
        };
        if says_nothing {
            return;
        }
        // the value is a slice of the body: its place is known by where it lies
        let from = raw.get().as_ptr().addr() - self.body.as_ptr().addr();
        let to = from + raw.get().len();
        let value = match how {
            Personal::Pseudonym => Cow::Owned(format!("\"{}\"", self.pseudonym)),
            _ => Cow::Borrowed("null"),
        };
        if self.body[from..to] != *value {
            self.edits.push(Edit { from, to, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, map_record};

    const SUBSCRIPTION: &str = r#"{"id": 5,"subscription_id":5,"profile_id":"RP1","email_id":"Ann@Example.test","zuid":"-1",
        "org_id":"77","customer_address":{"address":"1 Road &amp; Co","country":"Norway","phone":"-"},"status":"active",
        "hobby":{"name":"chess"},"addons":[{"addon_name":"Users","value":"3","addon_id":"1","note":"for Ann"}],
        "next_recurring_amount":"12.0"}"#;

    fn forgotten(kind: Kind, id: &str, body: &str) -> String {
        redacted(kind.table(), Some(id), body, "forgotten-1").unwrap_or_else(|| body.to_owned())
    }

    #[test]
    fn what_is_personal_goes_and_the_rest_stays() {
        let left = forgotten(Kind::Subscriptions, "5", SUBSCRIPTION);
        let expected = SUBSCRIPTION
            .replace("\"RP1\"", "\"forgotten-1\"")
            .replace("\"77\"", "\"forgotten-1\"")
            .replace("\"Ann@Example.test\"", "null")
            .replace("\"1 Road &amp; Co\"", "null")
            .replace("{\"name\":\"chess\"}", "null")
            .replace("\"for Ann\"", "null");
        assert_eq!(left, expected);
        assert_eq!(redacted(Kind::Subscriptions.table(), Some("5"), &left, "forgotten-1"), None, "nothing is left");
        let mapped = map_record(Kind::Subscriptions.table(), "5", &left);
        assert_eq!(mapped.value(Kind::Subscriptions.table(), "customer_id").as_text(), Some("forgotten-1"));
        assert_eq!(mapped.value(Kind::Subscriptions.table(), "country").as_text(), Some("Norway"));
        assert_eq!(
            mapped.value(Kind::Subscriptions.table(), "next_recurring_amount_micros").as_integer(),
            Some(12_000_000)
        );
    }

    #[test]
    fn a_value_where_an_object_should_be_is_personal_and_a_key_is_not() {
        let body = r#"{"profile_id":"RP1","customer_address":"1 Road","plan_name":["Ann"],"service_name":"CRM"}"#;
        let expected = r#"{"profile_id":"RP1","customer_address":null,"plan_name":null,"service_name":"CRM"}"#;
        assert_eq!(forgotten(Kind::Leads, "RP1", body), expected);
        let body = r#"{"transaction_id":1,"profile_id":"RP1","description":"for Ann","amount":"1.0"}"#;
        let expected = r#"{"transaction_id":1,"profile_id":"forgotten-1","description":null,"amount":"1.0"}"#;
        assert_eq!(forgotten(Kind::Transactions, "1", body), expected);
    }

    #[test]
    fn whose_a_record_is() {
        let own = owner(Kind::Subscriptions.table(), SUBSCRIPTION);
        assert_eq!(own.customer.as_deref(), Some("77"));
        assert_eq!(own.email.as_deref(), Some("ann@example.test"));
        let commission = r#"{"commission_id":9,"subscription":{"subscription_id":5,"email_id":"Ann@Example.test","profile_id":"RP1"}}"#;
        let own = owner(Kind::Commissions.table(), commission);
        assert_eq!((own.customer.as_deref(), own.subscription_id.as_deref()), (Some("ann@example.test"), Some("5")));
        let own = owner(Kind::Transactions.table(), r#"{"transaction_id":1,"subscription_id":5,"profile_id":"RP1"}"#);
        assert_eq!((own.customer, own.subscription_id.as_deref()), (None, Some("5")));
        assert_eq!(owner(Kind::Subscriptions.table(), "[1]"), Owner::default());
    }

    #[test]
    fn the_values_taken_are_known_as_received_and_as_shown() {
        let values = personal_values(Kind::Subscriptions.table(), Some("5"), SUBSCRIPTION);
        for value in ["77", "RP1", "Ann@Example.test", "1 Road &amp; Co", "1 Road & Co", "for Ann"] {
            assert!(values.contains(value), "{value}");
        }
        assert!(!values.contains("Norway") && !values.contains("5"));
    }
}
