//! `crm setup`: makes the fields a push writes to and the CRM lacks, and the modules where that is wanted and possible.
//!
//! Plain fields come first and lookups last, because a lookup needs the module it points to. What is there already,
//! also under an extension's prefix, is never made again, so a second run finds nothing to do.

use anyhow::Result;
use serde_json::{Value, json};

use crate::api::crm::settings::FIELDS_PER_CALL;
use crate::api::{CrmApi, Error};
use crate::config::CrmConfig;
use crate::db::Db;
use crate::failure::{self, Code, Failure};
use crate::model::Kind;
use crate::model::crm::Refusal;
use crate::model::tables::{CrmType, LookupTo};
use crate::push::check::{self, Check, ModuleCheck, PAYLOAD_CHARACTERS, Problem, types_for};
use crate::push::fields::Wanted;
use crate::screen;

#[derive(Clone, Copy, Debug, Default)]
pub struct Wish {
    /// Only tell what would be made.
    pub dry_run: bool,
    pub create_modules: bool,
}

/// One thing to make.
struct Item {
    kind: Kind,
    /// The module's label, or the field's.
    label: String,
    is_module: bool,
    outcome: Outcome,
}

enum Outcome {
    /// A dry run would make it.
    Planned,
    Made,
    /// Nobody asked for it to be made: a person does it.
    ByHand,
    Refused(Refusal),
}

pub struct Setup {
    host: String,
    dry_run: bool,
    items: Vec<Item>,
    config: Vec<String>,
    error: Option<Failure>,
}

/// Makes what is missing.
///
/// # Errors
/// What the file has against it, or a failure when the CRM cannot be asked at all.
pub async fn setup(db: &Db, crm: &CrmConfig, api: &CrmApi, wish: Wish, now: &str) -> Result<Setup> {
    let mut setup =
        Setup { host: crm.host(), dry_run: wish.dry_run, items: Vec::new(), config: Vec::new(), error: None };
    if let Err(error) = setup.run(crm, api, wish).await {
        setup.error = Some(error.into_failure(Code::Crm));
        return Ok(setup);
    }
    if !wish.dry_run && setup.items.iter().any(|item| matches!(item.outcome, Outcome::Made)) {
        // what was made is read back: its API names are the CRM's to choose
        let check = check::check(db, crm, api, now).await?;
        setup.config = check.config_lines();
    }
    Ok(setup)
}

impl Setup {
    async fn run(&mut self, crm: &CrmConfig, api: &CrmApi, wish: Wish) -> Result<(), Error> {
        let mut check = check::look(crm, api).await?;
        let missing: Vec<Kind> =
            check.modules.iter().filter(|module| module.found.is_none()).map(|module| module.kind).collect();
        for kind in missing {
            let outcome = match (wish.create_modules, wish.dry_run) {
                (false, _) => Outcome::ByHand,
                (true, true) => Outcome::Planned,
                (true, false) => made(api.create_module(module_body(kind, crm, &api.profiles().await?)).await?),
            };
            let label = kind.table().module_label.unwrap_or_default().to_owned();
            self.items.push(Item { kind, label, is_module: true, outcome });
        }
        if self.items.iter().any(|item| matches!(item.outcome, Outcome::Made)) {
            check = check::look(crm, api).await?;
        }
        self.config = check.config_lines();
        for lookups in [false, true] {
            for module in &check.modules {
                self.make_fields(&check, module, lookups, crm, api, wish).await?;
            }
        }
        Ok(())
    }

    async fn make_fields(
        &mut self,
        check: &Check,
        module: &ModuleCheck,
        lookups: bool,
        crm: &CrmConfig,
        api: &CrmApi,
        wish: Wish,
    ) -> Result<(), Error> {
        let wanted: Vec<&Wanted> = module.lacking().into_iter().filter(|wanted| is_lookup(wanted) == lookups).collect();
        for part in wanted.chunks(FIELDS_PER_CALL) {
            let outcomes = match &module.found {
                Some(found) if !wish.dry_run => {
                    let bodies: Vec<Value> =
                        part.iter().map(|wanted| field_body(wanted, module.kind, check, crm)).collect();
                    api.create_fields(&found.api_name, &bodies).await?.into_iter().map(made).collect()
                }
                Some(_) => part.iter().map(|_| Outcome::Planned).collect(),
                None if wish.create_modules && wish.dry_run => part.iter().map(|_| Outcome::Planned).collect(),
                None => part.iter().map(|_| Outcome::ByHand).collect::<Vec<_>>(),
            };
            for (wanted, outcome) in part.iter().zip(outcomes) {
                self.items.push(Item { kind: module.kind, label: label_of(wanted), is_module: false, outcome });
            }
        }
        Ok(())
    }
}

impl ModuleCheck {
    /// The fields that are not there; all of them while the module itself is not.
    fn lacking(&self) -> Vec<&Wanted> {
        self.fields
            .iter()
            .filter(|field| field.problems.contains(&Problem::Missing))
            .map(|field| &field.wanted)
            .filter(|wanted| wanted.column.name != "name")
            .collect()
    }
}

fn made(answer: Result<(), Refusal>) -> Outcome {
    answer.map_or_else(Outcome::Refused, |()| Outcome::Made)
}

fn is_lookup(wanted: &Wanted) -> bool {
    matches!(wanted.field.crm_type, CrmType::Lookup(_))
}

/// The CRM makes the API name from the label: a configured name must come out of it.
fn label_of(wanted: &Wanted) -> String {
    if wanted.api_name == wanted.field.api_name() {
        wanted.field.label.to_owned()
    } else {
        wanted.api_name.replace('_', " ")
    }
}

fn module_body(kind: Kind, crm: &CrmConfig, profiles: &[String]) -> Value {
    let plural = kind.table().module_label.unwrap_or_default();
    json!({
        "plural_label": plural, "singular_label": plural.trim_end_matches('s'), "api_name": crm.module(kind),
        "profiles": profiles.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
        "display_field": { "field_label": "Name", "data_type": "text" },
    })
}

/// What each type needs besides a label (CRM contract §5).
fn field_body(wanted: &Wanted, kind: Kind, check: &Check, crm: &CrmConfig) -> Value {
    let (data_type, _) = types_for(wanted.field.crm_type);
    let mut body = json!({ "field_label": label_of(wanted), "data_type": data_type });
    let more = match wanted.field.crm_type {
        CrmType::Text => json!({ "length": 255 }),
        CrmType::Email => json!({ "length": 100 }),
        CrmType::Date | CrmType::DateTime => json!({}),
        CrmType::Currency => json!({
            "length": 16, "decimal_place": 2, "currency": { "rounding_option": "normal", "precision": 0 },
        }),
        CrmType::Decimal => json!({ "length": 16, "decimal_place": 9 }),
        CrmType::Textarea => json!({ "length": PAYLOAD_CHARACTERS, "textarea": { "type": "large" } }),
        CrmType::Picklist => {
            let untagged = (wanted.column.name == "status" && kind.table().pushes_removed)
                .then_some(crm.rules.untagged_status.as_str());
            let values = wanted.column.known.iter().copied().chain(untagged);
            let values = values.map(|value| json!({ "display_value": value, "actual_value": value }));
            json!({ "pick_list_values": values.collect::<Vec<_>>() })
        }
        CrmType::Lookup(to) => {
            let module = match to {
                LookupTo::Accounts => json!({ "api_name": "Accounts" }),
                LookupTo::Kind(parent) => {
                    let found = check.modules.iter().find(|module| module.kind == parent);
                    let found = found.and_then(|module| module.found.as_ref());
                    json!({ "api_name": found.map(|found| &found.api_name), "id": found.map(|found| &found.id) })
                }
            };
            json!({ "lookup": { "module": module, "display_label": kind.table().module_label } })
        }
    };
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Made => "created",
            Self::ByHand => "by_hand",
            Self::Refused(_) => "refused",
        }
    }
}

impl Setup {
    pub fn exit(&self) -> u8 {
        if let Some(error) = &self.error {
            return error.code.exit();
        }
        let left = self.items.iter().any(|item| matches!(item.outcome, Outcome::ByHand | Outcome::Refused(_)));
        3 * u8::from(left && !self.dry_run)
    }

    pub fn json(&self) -> Value {
        let items = |modules: bool| -> Vec<Value> {
            let wanted = self.items.iter().filter(|item| item.is_module == modules);
            wanted
                .map(|item| {
                    let error = match &item.outcome {
                        Outcome::Refused(refusal) => json!({ "code": refusal.code, "message": refusal.message }),
                        _ => Value::Null,
                    };
                    json!({ "kind": item.kind.name(), "label": item.label, "outcome": item.outcome.name(), "error": error })
                })
                .collect()
        };
        json!({
            "command": "crm setup", "version": env!("CARGO_PKG_VERSION"), "exit": self.exit(), "dry_run": self.dry_run,
            "target": self.host, "modules": items(true), "fields": items(false), "config": self.config,
            "error": self.error.as_ref().map(failure::json),
        })
    }

    pub fn text(&self) -> String {
        let mut lines: Vec<String> = self.items.iter().flat_map(Item::lines).collect();
        if self.items.is_empty() && self.error.is_none() {
            lines.push("nothing is missing".to_owned());
        }
        if !self.config.is_empty() {
            lines.push("\nwrite this into the configuration:".to_owned());
            lines.extend(self.config.iter().cloned());
        }
        if let Some(error) = &self.error {
            lines.push(format!("stopped: {}", screen::plain(&error.message)));
            lines.extend(error.hint.as_ref().map(|hint| format!("  {hint}")));
        }
        lines.join("\n")
    }
}

impl Item {
    fn lines(&self) -> Vec<String> {
        let what = if self.is_module { "module" } else { "field" };
        let line = |said: &str| format!("{}: {what} {}: {said}", self.kind, self.label);
        match &self.outcome {
            Outcome::Planned => vec![line("would be created")],
            Outcome::Made => vec![line("created")],
            Outcome::Refused(refusal) => {
                vec![line(&format!("refused: {} {}", refusal.code, screen::plain(&refusal.message)))]
            }
            Outcome::ByHand if self.is_module => self.steps(),
            Outcome::ByHand => vec![line("waits for its module")],
        }
    }

    /// What a person clicks to make the module.
    fn steps(&self) -> Vec<String> {
        let singular = self.label.trim_end_matches('s');
        vec![
            format!(
                "{}: module {} is not there; make it, or use --create-modules (Enterprise and above):",
                self.kind, self.label
            ),
            "  1. CRM: Setup → Customization → Modules and Fields → Create New Module".to_owned(),
            format!("  2. name it {} (singular {singular}), with the field Name as single line", self.label),
            "  3. save it and run `storemirror crm setup` again: it makes the fields".to_owned(),
        ]
    }
}
