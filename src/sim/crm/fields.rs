//! The modules the simulated CRM starts with: Accounts and the three of the partner extension, field by field.
//!
//! Terms: a *base name* is an API name without the extension's prefix; records and fields are stored under base names
//! and the prefix is put on and taken off at the door.

use serde_json::{Value, json};

/// One field of a module.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub id: String,
    /// Without the extension's prefix.
    pub api_name: String,
    pub label: String,
    /// Zoho's name of the type: text, email, picklist, currency, double, date, datetime, textarea, lookup, …
    pub data_type: String,
    /// Characters for text, digits for numbers.
    pub length: usize,
    pub decimal_place: Option<usize>,
    /// Base name of the module a lookup points to.
    pub lookup: Option<String>,
    pub pick_list: Vec<String>,
    pub is_mandatory: bool,
    pub is_unique: bool,
    /// Whether the extension's prefix stands before its API name.
    pub has_prefix: bool,
}

impl Field {
    pub(super) fn new(id: String, label: &str, data_type: &str) -> Self {
        let (length, decimal_place) = match data_type {
            "email" => (100, None),
            "picklist" => (120, None),
            "currency" => (16, Some(2)),
            "double" => (16, Some(9)),
            "date" | "datetime" => (20, None),
            "textarea" => (32_000, None),
            "integer" => (9, None),
            "bigint" | "lookup" => (18, None),
            "boolean" => (5, None),
            _ => (255, None),
        };
        Self {
            id,
            api_name: label.replace(' ', "_"),
            label: label.to_owned(),
            data_type: data_type.to_owned(),
            length,
            decimal_place,
            lookup: None,
            pick_list: Vec::new(),
            is_mandatory: false,
            is_unique: false,
            has_prefix: true,
        }
    }

    /// The API name a caller sees.
    pub(super) fn seen_name(&self, prefix: &str) -> String {
        if self.has_prefix { format!("{prefix}{}", self.api_name) } else { self.api_name.clone() }
    }

    /// The field as `settings/fields` shows it.
    pub(super) fn describe(&self, prefix: &str, lookup: Option<Value>) -> Value {
        let picks: Vec<Value> = self
            .pick_list
            .iter()
            .map(|value| json!({"display_value": value, "actual_value": value, "type": "used"}))
            .collect();
        let textarea = match (self.data_type.as_str(), self.length) {
            ("textarea", ..=2_000) => json!({"type": "small"}),
            ("textarea", _) => json!({"type": "large"}),
            _ => Value::Null,
        };
        let json_type = match self.data_type.as_str() {
            "currency" | "double" => "double",
            "integer" => "integer",
            "boolean" => "boolean",
            "lookup" => "jsonobject",
            _ => "string",
        };
        json!({
            "id": self.id,
            "api_name": self.seen_name(prefix),
            "field_label": self.label,
            "data_type": self.data_type,
            "json_type": json_type,
            "length": self.length,
            "decimal_place": self.decimal_place,
            "system_mandatory": self.is_mandatory,
            "read_only": false,
            "field_read_only": false,
            "operation_type": {"web_create": true, "web_update": true, "api_create": true, "api_update": true},
            "unique": if self.is_unique { json!({"case_sensitive": false}) } else { json!({}) },
            "external": null,
            "lookup": lookup.unwrap_or_else(|| json!({})),
            "pick_list_values": picks,
            "textarea": textarea,
            "virtual_field": false,
            "custom_field": !self.is_mandatory,
            "created_source": if self.is_mandatory { "default" } else { "extension" },
            "visible": true,
        })
    }
}

/// One line of a module's declaration: label, type, and pick list or lookup target where the type needs them.
type Line = (&'static str, &'static str, &'static [&'static str]);

const FREQUENCIES: &[&str] = &["monthly", "quarterly", "half_yearly", "yearly"];
const PRICINGS: &[&str] = &["partner_price", "list_price"];
const TRANSACTION_TYPES: &[&str] = &[
    "signup",
    "reactivate",
    "cancel",
    "upgrade",
    "downgrade",
    "recurring_failure",
    "recurring",
    "card_change",
    "refund",
    "data_sync",
    "one_time_payment",
    "offline_to_online",
    "past_due",
    "skip_month",
    "scheduled_cancel",
    "subscription_resumed",
    "one_time_charge",
];

pub(super) const SUBSCRIPTIONS: &[Line] = &[
    // the extension ships the pricing types here, a misprint of its own; the values that really come are added
    ("Type", "picklist", &["online", "offline", "partner_price", "list_price"]),
    ("Subscription ID", "text", &[]),
    ("Subscription Start", "date", &[]),
    ("Subscription End", "date", &[]),
    ("Status", "picklist", &["active", "inactive", "Un-Tagged"]),
    ("Email", "email", &[]),
    ("Account", "lookup", &["Accounts"]),
    ("Company Name", "text", &[]),
    ("Billing Frequency", "picklist", FREQUENCIES),
    ("Next Recurring Amount", "currency", &[]),
    ("Next Recurring Date", "date", &[]),
    ("Next Recurring USD", "double", &[]),
    ("Org ID", "text", &[]),
    ("Plan ID", "text", &[]),
    ("Plan Name", "text", &[]),
    ("Pricing Type", "picklist", PRICINGS),
    ("Profile ID", "text", &[]),
    ("Service ID", "text", &[]),
    ("Service Name", "text", &[]),
    ("Payload", "textarea", &[]),
];

pub(super) const TRANSACTIONS: &[Line] = &[
    ("Type", "picklist", TRANSACTION_TYPES),
    ("Transaction ID", "text", &[]),
    ("Transaction Time", "datetime", &[]),
    ("Amount", "currency", &[]),
    ("Amount USD", "double", &[]),
    ("Billing Frequency", "text", &[]),
    ("Description", "text", &[]),
    ("Pricing Type", "picklist", PRICINGS),
    ("Plan ID", "text", &[]),
    ("Plan Name", "text", &[]),
    ("Profile ID", "text", &[]),
    ("Service ID", "text", &[]),
    ("Service Name", "text", &[]),
    ("Subscription", "lookup", &["Partner_Subscriptions"]),
    ("Subscription ID", "text", &[]),
    ("Subscription Type", "text", &[]),
    ("Payload", "textarea", &[]),
];

pub(super) const COMMISSIONS: &[Line] = &[
    ("Type", "picklist", &["commission", "commission_reversal"]),
    ("Commission ID", "text", &[]),
    ("Commission Type", "picklist", &["Base"]),
    ("Status", "picklist", &["open", "requested", "closed"]),
    ("State", "picklist", &["active", "requested", "paid", "offset", "removed"]),
    ("Commission Date", "date", &[]),
    ("Payout ID", "text", &[]),
    ("Entity", "text", &[]),
    ("Currency Code", "text", &[]),
    ("Payout Currency", "text", &[]),
    ("Exchange Rate", "double", &[]),
    ("Commission", "currency", &[]),
    ("Commission USD", "double", &[]),
    ("Net Payout", "double", &[]),
    ("Balance", "double", &[]),
    ("Eligible Amount", "double", &[]),
    ("Rate", "double", &[]),
    ("Subscription", "lookup", &["Partner_Subscriptions"]),
    ("Transaction", "lookup", &["Partner_Transactions"]),
    ("Payload", "textarea", &[]),
];

/// The mandatory first field: `Name`, or `Account_Name` in Accounts.
pub(super) fn name_field(id: String, label: &str) -> Field {
    let mut field = Field::new(id, label, "text");
    field.is_mandatory = true;
    field.has_prefix = false;
    field
}

pub(super) fn field_of(id: String, line: &Line) -> Field {
    let (label, data_type, extra) = *line;
    let mut field = Field::new(id, label, data_type);
    match data_type {
        "lookup" => field.lookup = extra.first().map(|module| (*module).to_owned()),
        "picklist" => field.pick_list = extra.iter().map(|value| (*value).to_owned()).collect(),
        _ => {}
    }
    field
}
