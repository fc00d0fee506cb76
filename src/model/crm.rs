//! What the CRM says of itself, as plain data shared by the rooms that ask it, keep it and use it.

/// One field of a module, as the module's metadata describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldInfo {
    pub api_name: String,
    pub label: Option<String>,
    pub data_type: Option<String>,
    /// Characters for text, digits for numbers.
    pub length: Option<u64>,
    pub decimal_place: Option<u64>,
    pub read_only: bool,
    pub mandatory: bool,
    /// The API name of the module a lookup points to.
    pub lookup_module: Option<String>,
    /// A JSON array of the values a pick list offers.
    pub pick_list_values: Option<String>,
}

/// One module, as the settings list it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleInfo {
    pub id: String,
    pub api_name: String,
    pub plural: String,
    pub singular: String,
}

/// The organisation behind the CRM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organisation {
    pub edition: Option<String>,
    pub users: Option<u64>,
    /// The ISO code of its home currency.
    pub currency: Option<String>,
    /// production, sandbox or developer.
    pub kind: Option<String>,
    pub time_zone: Option<String>,
}

/// Why the CRM did not take a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    /// The CRM's message with what it says of limits and expectations.
    pub message: String,
    /// The API name of the field at fault.
    pub field: Option<String>,
    /// Where in the request: `$.data[3].Email`.
    pub json_path: Option<String>,
    /// The record that already has the value (`DUPLICATE_DATA`).
    pub duplicate_id: Option<String>,
}

impl Refusal {
    /// The record's own id is not known to the CRM (any more); a lookup's target that is missing names its field.
    pub fn is_unknown_id(&self) -> bool {
        let at_id = self.field.as_deref() == Some("id")
            || self.json_path.as_deref().is_some_and(|path| path.ends_with("].id") || path == "$.id");
        let message = self.message.to_lowercase();
        let says_so = message.contains("id given seems to be invalid") || message.contains("record not found");
        let known = matches!(self.code.as_str(), "INVALID_DATA" | "RECORD_NOT_FOUND" | "RESOURCE_NOT_FOUND");
        known && (at_id || self.code != "INVALID_DATA" || (says_so && self.field.is_none()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_id_is_told_from_a_broken_lookup() {
        let refusal = |field: Option<&str>, path: Option<&str>| Refusal {
            code: "INVALID_DATA".to_owned(),
            message: "the id given seems to be invalid".to_owned(),
            field: field.map(str::to_owned),
            json_path: path.map(str::to_owned),
            ..Refusal::default()
        };
        assert!(refusal(Some("id"), Some("$.data[3].id")).is_unknown_id());
        assert!(refusal(None, Some("$.data[3].id")).is_unknown_id());
        assert!(refusal(None, None).is_unknown_id());
        assert!(!refusal(Some("Subscription"), Some("$.data[3].Subscription")).is_unknown_id());
        assert!(!Refusal { field: None, message: "invalid data".to_owned(), ..refusal(None, None) }.is_unknown_id());
    }
}
