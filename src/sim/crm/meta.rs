//! The CRM's settings: modules, fields, organisation, users; and creating modules and fields.

use super::super::answer::{Answer, Call, error_object};
use super::super::switches::CrmSwitches;
use super::fields::{self, Field};
use super::{Crm, Module, invalid_module, someone};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Fields one call may create.
const FIELDS_PER_CALL: usize = 5;
/// Types a field can be created with, and the largest length of each.
const TYPES: [(&str, usize); 16] = [
    ("text", 255),
    ("email", 100),
    ("phone", 30),
    ("website", 450),
    ("integer", 9),
    ("bigint", 18),
    ("percent", 5),
    ("textarea", 50_000),
    ("currency", 16),
    ("double", 18),
    ("picklist", 120),
    ("multiselectpicklist", 120),
    ("date", 20),
    ("datetime", 20),
    ("boolean", 5),
    ("lookup", 18),
];

pub(super) fn organisation() -> Answer {
    let org = json!({
        "id": "4150868000000000777",
        "zgid": "700000777",
        "company_name": "Sample Partner (simulated)",
        "domain_name": "org700000777",
        "type": "production",
        "currency": "US Dollar - USD",
        "iso_code": "USD",
        "time_zone": "Etc/UTC",
        "mc_status": false,
        "license_details": {"paid": true, "paid_type": "enterprise", "users_license_purchased": 10},
    });
    Answer::json(200, &json!({ "org": [org] }))
}

pub(super) fn users() -> Answer {
    let mut user = someone();
    user["email"] = json!("sam@example.test");
    user["status"] = json!("active");
    Answer::json(
        200,
        &json!({"users": [user], "info": {"per_page": 200, "count": 1, "page": 1, "more_records": false}}),
    )
}

pub(super) fn profiles() -> Answer {
    let profile = json!({"id": "4150868000000000888", "name": "Administrator", "display_label": "Administrator"});
    Answer::json(200, &json!({ "profiles": [profile] }))
}

impl Module {
    fn describe(&self, prefix: &str) -> Value {
        json!({
            "id": self.id,
            "api_name": self.seen_name(prefix),
            "module_name": self.seen_name(prefix),
            "singular_label": self.singular,
            "plural_label": self.plural,
            "generated_type": if self.is_custom { "custom" } else { "default" },
            "api_supported": true,
            "creatable": true,
            "editable": true,
            "deletable": true,
            "visible": true,
            "profiles": [{"id": "4150868000000000888", "name": "Administrator"}],
            "modified_time": null,
        })
    }
}

impl Crm {
    pub(super) fn list_modules(&self, switches: &CrmSwitches) -> Answer {
        let modules: Vec<Value> = self.modules.iter().map(|module| module.describe(&switches.prefix)).collect();
        Answer::json(200, &json!({ "modules": modules }))
    }

    pub(super) fn show_module(&self, name: &str, switches: &CrmSwitches) -> Answer {
        let found = self.modules.iter().find(|module| module.seen_name(&switches.prefix) == name || module.id == name);
        match found {
            Some(module) => Answer::json(200, &json!({"modules": [module.describe(&switches.prefix)]})),
            None => Answer::error(
                400,
                "INVALID_MODULE",
                "the module name given seems to be invalid",
                &json!({"resource_path_index": 2}),
            ),
        }
    }

    pub(super) fn list_fields(&self, call: &Call, switches: &CrmSwitches) -> Answer {
        let Some(name) = call.parameter("module") else {
            let details = json!({"param_name": "module", "param": "module"});
            return Answer::error(400, "REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", &details);
        };
        let Some(at) = self.find_module(name, switches) else {
            return invalid_module(call, switches);
        };
        let prefix = &switches.prefix;
        let fields: Vec<Value> = self.modules[at]
            .fields
            .iter()
            .map(|field| {
                let lookup = field.lookup.as_ref().and_then(|target| {
                    let module = self.modules.iter().find(|module| module.api_name == *target)?;
                    let seen = module.seen_name(prefix);
                    Some(json!({"module": {"api_name": seen, "id": module.id}, "display_label": module.plural}))
                });
                field.describe(prefix, lookup)
            })
            .collect();
        Answer::json(200, &json!({ "fields": fields }))
    }

    pub(super) fn create_fields(&mut self, call: &Call, switches: &CrmSwitches) -> Answer {
        let name = call.parameter("module").unwrap_or_default();
        let Some(at) = self.find_module(name, switches) else {
            return invalid_module(call, switches);
        };
        let body = call.json().unwrap_or(Value::Null);
        let wanted = body["fields"].as_array().cloned().unwrap_or_default();
        if wanted.is_empty() || wanted.len() > FIELDS_PER_CALL {
            let details = json!({"api_name": "fields", "limit": FIELDS_PER_CALL});
            return Answer::error(400, "LIMIT_EXCEEDED", "one to five fields can be created at once", &details);
        }
        let items: Vec<Value> = wanted
            .iter()
            .enumerate()
            .map(|(index, wish)| match self.field_from(at, wish, index, switches) {
                Ok(field) => {
                    let id = field.id.clone();
                    self.modules[at].fields.push(field);
                    json!({"code": "SUCCESS", "details": {"id": id}, "message": "field created", "status": "success"})
                }
                Err(error) => error,
            })
            .collect();
        created("fields", &items, switches)
    }

    /// A field from its wish, or what is wrong with the wish.
    fn field_from(&mut self, at: usize, wish: &Value, index: usize, switches: &CrmSwitches) -> Result<Field, Value> {
        let path = |name: &str| json!({"api_name": name, "json_path": format!("$.fields[{index}].{name}")});
        let text = |name: &str| wish[name].as_str().filter(|text| !text.is_empty());
        let label = text("field_label")
            .ok_or_else(|| error_object("MANDATORY_NOT_FOUND", "required field not found", &path("field_label")))?;
        let data_type = text("data_type")
            .ok_or_else(|| error_object("MANDATORY_NOT_FOUND", "required field not found", &path("data_type")))?;
        let Some((_, longest)) = TYPES.iter().find(|(name, _)| *name == data_type) else {
            return Err(error_object("INVALID_DATA", "invalid data", &path("data_type")));
        };
        let mut field = Field::new(self.new_id().to_string(), label, data_type);
        field.has_prefix = false;
        let is_taken = |known: &Field| known.label == label || known.seen_name(&switches.prefix) == field.api_name;
        if self.modules[at].fields.iter().any(is_taken) {
            return Err(error_object("DUPLICATE_DATA", "duplicate data", &path("field_label")));
        }
        if let Some(length) = wish["length"].as_u64().and_then(|length| usize::try_from(length).ok()) {
            if length == 0 || length > *longest {
                return Err(error_object("DEPENDENT_MISMATCH", "the length does not fit the type", &path("length")));
            }
            field.length = length;
        }
        self.complete_field(&mut field, wish, switches).map_err(|missing| {
            error_object("EXPECTED_FIELD_MISSING", "a field is missing", &json!({"expected_fields": [path(missing)]}))
        })?;
        Ok(field)
    }

    /// What some types need besides a label; the error is the missing key.
    fn complete_field(&self, field: &mut Field, wish: &Value, switches: &CrmSwitches) -> Result<(), &'static str> {
        field.is_unique = wish["unique"].is_object();
        match field.data_type.as_str() {
            "textarea" => {
                field.length = match wish["textarea"]["type"].as_str() {
                    Some("small") => 2_000,
                    Some("large") => 32_000,
                    Some("rich_text") => 50_000,
                    _ => return Err("textarea"),
                };
            }
            "currency" if !wish["currency"].is_object() => return Err("currency"),
            "picklist" | "multiselectpicklist" => {
                let values = wish["pick_list_values"].as_array().ok_or("pick_list_values")?;
                field.pick_list =
                    values.iter().filter_map(|value| value["actual_value"].as_str().map(str::to_owned)).collect();
            }
            "lookup" => {
                let target = &wish["lookup"]["module"];
                let known = self.modules.iter().find(|module| {
                    target["api_name"].as_str() == Some(&module.seen_name(&switches.prefix))
                        || target["id"].as_str() == Some(&module.id)
                });
                field.lookup = Some(known.ok_or("lookup")?.api_name.clone());
            }
            _ => {}
        }
        if let Some(places) = wish["decimal_place"].as_u64().and_then(|places| usize::try_from(places).ok()) {
            field.decimal_place = Some(places.min(9));
        }
        Ok(())
    }

    pub(super) fn create_modules(&mut self, call: &Call, switches: &CrmSwitches) -> Answer {
        if !switches.can_create_modules {
            let message = "modules cannot be created in this edition";
            return Answer::json(400, &json!({"modules": [error_object("NOT_SUPPORTED", message, &json!({}))]}));
        }
        let body = call.json().unwrap_or(Value::Null);
        let wanted = body["modules"].as_array().cloned().unwrap_or_default();
        let items: Vec<Value> = wanted.iter().map(|wish| self.create_module(wish)).collect();
        created("modules", &items, switches)
    }

    fn create_module(&mut self, wish: &Value) -> Value {
        let text = |name: &str| wish[name].as_str().filter(|text| !text.is_empty());
        let lacks =
            |name: &str| error_object("MANDATORY_NOT_FOUND", "required field not found", &json!({"api_name": name}));
        let Some(plural) = text("plural_label") else {
            return lacks("plural_label");
        };
        let Some(singular) = text("singular_label") else {
            return lacks("singular_label");
        };
        if wish["profiles"].as_array().is_none_or(Vec::is_empty) {
            return error_object(
                "MINIMUM_DATA_NOT_FOUND",
                "at least one profile is needed",
                &json!({"api_name": "profiles"}),
            );
        }
        if plural.chars().count() > 25 || singular.chars().count() > 25 {
            return error_object("INVALID_DATA", "invalid data", &json!({"maximum_length": 25}));
        }
        let api_name = text("api_name").map_or_else(|| plural.replace(' ', "_"), str::to_owned);
        if self.modules.iter().any(|module| module.api_name == api_name || module.plural == plural) {
            return error_object("DUPLICATE_DATA", "duplicate data", &json!({"api_name": "api_name"}));
        }
        let label = wish["display_field"]["field_label"].as_str().unwrap_or("Name");
        let id = self.new_id().to_string();
        let mut name = fields::name_field(self.new_id().to_string(), label);
        "Name".clone_into(&mut name.api_name);
        self.modules.push(Module {
            id: id.clone(),
            api_name,
            singular: singular.to_owned(),
            plural: plural.to_owned(),
            is_custom: true,
            has_prefix: false,
            fields: vec![name],
            records: Vec::new(),
            deleted: Vec::new(),
            index: HashMap::new(),
        });
        json!({"code": "SUCCESS", "details": {"id": id}, "message": "module created successfully", "status": "success"})
    }
}

/// 201 when all were created, 400 when none, 207 between.
fn created(key: &str, items: &[Value], switches: &CrmSwitches) -> Answer {
    let failed = items.iter().filter(|item| item["status"] == "error").count();
    let status = match failed {
        0 => 201,
        all if all == items.len() => 400,
        _ => switches.mixed_status,
    };
    Answer::json(status, &json!({ key: items }))
}
