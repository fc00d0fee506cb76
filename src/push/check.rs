//! `crm check`: whether the CRM has what a push writes to. Changes nothing there; keeps the field metadata it read.
//!
//! A module or field that is not there under the configured API name is looked for by its label, and by its default API
//! name behind an extension's prefix (`zpartner__Status`); the configuration lines that name it so are part of the answer.

mod accounts;

use anyhow::Result;
use serde_json::{Value, json};

use crate::api::{CrmApi, Error};
use crate::config::CrmConfig;
use crate::db::Db;
use crate::failure::{Code, Failure};
use crate::model::Kind;
use crate::model::crm::{FieldInfo, ModuleInfo, Organisation};
use crate::model::tables::{CrmType, LookupTo};
use crate::push::check::accounts::AccountCheck;
use crate::push::fields::{Wanted, wanted};
use crate::screen::{self, counted};

/// What a payload's text area should hold: the large kind. Many payloads are longer than the small one (CRM contract §11).
pub(super) const PAYLOAD_CHARACTERS: u64 = 32_000;
const MODULE_HINT: &str = "`storemirror crm setup` lists how to make it";

/// What the CRM has for each kind.
pub struct Check {
    pub(super) host: String,
    pub(super) organisation: Option<Organisation>,
    pub(super) modules: Vec<ModuleCheck>,
    /// None when accounts are not looked up.
    pub(super) accounts: Option<AccountCheck>,
    /// Something could not be read for want of a scope.
    pub(super) refused: Option<Failure>,
}

pub(super) struct ModuleCheck {
    pub(super) kind: Kind,
    pub(super) configured: String,
    pub(super) found: Option<ModuleInfo>,
    /// Several could be meant.
    pub(super) candidates: Vec<String>,
    pub(super) fields: Vec<FieldCheck>,
    /// The module's fields as the CRM describes them.
    pub(super) known: Vec<FieldInfo>,
}

pub(super) struct FieldCheck {
    pub(super) wanted: Wanted,
    pub(super) found: Option<FieldInfo>,
    pub(super) problems: Vec<Problem>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    Missing,
    Renamed,
    ReadOnly,
    WrongType {
        expected: &'static str,
        found: String,
    },
    TooShort {
        length: u64,
        needed: u64,
        records: u64,
    },
    /// Values the pick list does not offer.
    Values(Vec<&'static str>),
}

/// Reads the CRM's metadata and compares it with the mapping.
///
/// # Errors
/// What the file has against it, or a failure when the CRM cannot be asked at all.
pub async fn check(db: &Db, crm: &CrmConfig, api: &CrmApi, now: &str) -> Result<Check> {
    let mut check = look(crm, api).await.map_err(|error| error.into_failure(Code::Crm))?;
    for module in &mut check.modules {
        if let Some(found) = &module.found {
            db.save_crm_fields(&format!("{}/{}", check.host, found.api_name), &module.known, now)?;
        }
        module.measure(db)?;
    }
    match accounts::look(crm, api).await {
        Ok(accounts) => check.accounts = accounts,
        // querying is a scope of its own
        Err(error @ Error::Credentials { .. }) => {
            check.refused.get_or_insert(error.into_failure(Code::Crm));
        }
        Err(error) => return Err(error.into_failure(Code::Crm).into()),
    }
    Ok(check)
}

/// The same without keeping what was read; with a mirror, its texts are measured too.
///
/// # Errors
/// As for [`check`].
pub async fn inspect(db: Option<&Db>, crm: &CrmConfig, api: &CrmApi) -> Result<Check> {
    let mut check = look(crm, api).await.map_err(|error| error.into_failure(Code::Crm))?;
    if let Some(db) = db {
        check.modules.iter_mut().try_for_each(|module| module.measure(db))?;
    }
    Ok(check)
}

/// What the CRM has, without a look at the mirror.
pub(super) async fn look(crm: &CrmConfig, api: &CrmApi) -> Result<Check, Error> {
    let (organisation, refused) = match api.organisation().await {
        Ok(organisation) => (Some(organisation), None),
        // its scope is one of its own: the rest can still be told
        Err(error @ Error::Credentials { .. }) => (None, Some(error.into_failure(Code::Crm))),
        Err(error) => return Err(error),
    };
    let all_modules = api.modules().await?;
    let mut modules = Vec::new();
    for kind in Kind::pushed() {
        let mut module = ModuleCheck::find(kind, crm, &all_modules);
        if let Some(found) = &module.found {
            module.known = api.fields(&found.api_name).await?;
        }
        modules.push(module);
    }
    let names: Vec<(Kind, String)> =
        modules.iter().filter_map(|module| Some((module.kind, module.found.as_ref()?.api_name.clone()))).collect();
    for module in &mut modules {
        module.judge(crm, &names);
    }
    Ok(Check { host: crm.host(), organisation, modules, accounts: None, refused })
}

impl ModuleCheck {
    fn find(kind: Kind, crm: &CrmConfig, all: &[ModuleInfo]) -> Self {
        let configured = crm.module(kind).to_owned();
        let label = kind.table().module_label.unwrap_or_default();
        let matching = |test: &dyn Fn(&ModuleInfo) -> bool| -> Vec<&ModuleInfo> {
            all.iter().filter(|module| test(module)).collect()
        };
        let default = label.replace(' ', "_");
        let tests: [&dyn Fn(&ModuleInfo) -> bool; 3] = [
            &|module| module.api_name == configured,
            &|module| module.plural.eq_ignore_ascii_case(label) || module.api_name == default,
            &|module| has_prefixed(&module.api_name, &default),
        ];
        let candidates = tests.iter().map(|test| matching(test)).find(|found| !found.is_empty()).unwrap_or_default();
        let found = match candidates.as_slice() {
            [only] => Some((*only).clone()),
            _ => None,
        };
        let candidates = if found.is_some() { Vec::new() } else { candidates };
        let candidates = candidates.into_iter().map(|module| module.api_name.clone()).collect();
        Self { kind, configured, found, candidates, fields: Vec::new(), known: Vec::new() }
    }

    /// Compares every mapped field. `modules` are the modules found, for the lookups between them.
    fn judge(&mut self, crm: &CrmConfig, modules: &[(Kind, String)]) {
        for wanted in wanted(self.kind, crm) {
            let found = find_field(&self.known, &wanted);
            let problems = match &found {
                None => vec![Problem::Missing],
                Some(found) => problems(&wanted, found, modules),
            };
            self.fields.push(FieldCheck { wanted, found, problems });
        }
    }

    /// Finds the fields that are too short for what the mirror holds.
    fn measure(&mut self, db: &Db) -> Result<()> {
        let measured: Vec<(usize, u64)> = self
            .fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.wanted.is_measured())
            .filter_map(|(place, field)| Some((place, field.found.as_ref()?.length?)))
            .collect();
        let columns: Vec<_> =
            measured.iter().map(|(place, length)| (self.fields[*place].wanted.column, *length)).collect();
        let lengths = db.text_lengths(self.kind, &columns)?;
        for ((place, length), (longest, records)) in measured.into_iter().zip(lengths) {
            let field = &mut self.fields[place];
            let least = if field.wanted.field.crm_type == CrmType::Textarea { PAYLOAD_CHARACTERS } else { 0 };
            // the CRM has no larger text area than the largest, so a longer payload is no fault of the field's
            let needed = if least > 0 { least } else { longest };
            if length < needed {
                field.problems.push(Problem::TooShort { length, needed: needed.max(longest), records });
            }
        }
        Ok(())
    }

    pub(super) fn fits(&self) -> bool {
        self.is_as_configured() && self.fields.iter().all(|field| field.problems.is_empty())
    }

    fn is_as_configured(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.api_name == self.configured)
    }
}

/// Whether a name is the default one behind an extension's prefix.
fn has_prefixed(api_name: &str, default: &str) -> bool {
    api_name.strip_suffix(default).is_some_and(|prefix| prefix.ends_with("__"))
}

fn find_field(known: &[FieldInfo], wanted: &Wanted) -> Option<FieldInfo> {
    let default = wanted.field.api_name();
    let by_label =
        |field: &&FieldInfo| field.label.as_deref().is_some_and(|label| label.eq_ignore_ascii_case(wanted.field.label));
    let find = |test: &dyn Fn(&&FieldInfo) -> bool| known.iter().find(|field| test(field));
    find(&|field| field.api_name == wanted.api_name)
        .or_else(|| find(&by_label))
        .or_else(|| find(&|field| has_prefixed(&field.api_name, &default)))
        .cloned()
}

fn problems(wanted: &Wanted, found: &FieldInfo, modules: &[(Kind, String)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if found.api_name != wanted.api_name {
        problems.push(Problem::Renamed);
    }
    if found.read_only {
        problems.push(Problem::ReadOnly);
    }
    let (expected, accepted) = types_for(wanted.field.crm_type);
    let data_type = found.data_type.as_deref().unwrap_or_default();
    if !accepted.contains(&data_type) {
        problems.push(Problem::WrongType { expected, found: data_type.to_owned() });
    } else if let (CrmType::Lookup(to), Some(target)) = (wanted.field.crm_type, &found.lookup_module) {
        let right = match to {
            LookupTo::Accounts => target == "Accounts",
            LookupTo::Kind(kind) => modules.iter().any(|(known, module)| *known == kind && module == target),
        };
        if !right {
            problems.push(Problem::WrongType { expected, found: format!("lookup to {target}") });
        }
    }
    if data_type == "picklist" {
        let offered: Vec<String> =
            found.pick_list_values.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let lacking: Vec<&'static str> =
            wanted.column.known.iter().copied().filter(|value| !offered.iter().any(|have| have == value)).collect();
        if !lacking.is_empty() {
            problems.push(Problem::Values(lacking));
        }
    }
    problems
}

/// Zoho's name of the type, and the types that take the same values.
pub(super) fn types_for(crm_type: CrmType) -> (&'static str, &'static [&'static str]) {
    match crm_type {
        CrmType::Text => ("text", &["text", "textarea", "picklist"]),
        CrmType::Email => ("email", &["email", "text"]),
        CrmType::Picklist => ("picklist", &["picklist", "text"]),
        CrmType::Date => ("date", &["date"]),
        CrmType::DateTime => ("datetime", &["datetime"]),
        CrmType::Currency => ("currency", &["currency", "double"]),
        CrmType::Decimal => ("double", &["double", "currency"]),
        CrmType::Textarea => ("textarea", &["textarea"]),
        CrmType::Lookup(_) => ("lookup", &["lookup"]),
    }
}

impl Problem {
    fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Renamed => "renamed",
            Self::ReadOnly => "read_only",
            Self::WrongType { .. } => "wrong_type",
            Self::TooShort { .. } => "too_short",
            Self::Values(_) => "values_missing",
        }
    }

    fn text(&self, field: &FieldCheck) -> String {
        match self {
            Self::Missing => format!(
                "missing; `storemirror crm setup` makes it, or leave it out with {} = false",
                field.wanted.column.name
            ),
            Self::Renamed => {
                format!("is called {} here", field.found.as_ref().map_or("", |found| &found.api_name))
            }
            Self::ReadOnly => "cannot be written".to_owned(),
            Self::WrongType { expected, found } => format!("is of type {found}, not {expected}"),
            Self::TooShort { length, needed, records } => {
                let what = if field.wanted.field.crm_type == CrmType::Textarea {
                    "are sent without it"
                } else {
                    "would be refused"
                };
                let records = counted(*records, "record", "records");
                format!("holds {length} characters, {needed} are needed; {records} {what} now")
            }
            Self::Values(values) => format!("does not offer {}", values.join(", ")),
        }
    }
}

impl Check {
    fn fits(&self) -> bool {
        self.modules.iter().all(ModuleCheck::fits) && self.accounts.as_ref().is_none_or(AccountCheck::fits)
    }

    pub fn exit(&self) -> u8 {
        match &self.refused {
            Some(refused) => refused.code.exit(),
            None => 3 * u8::from(!self.fits()),
        }
    }

    /// Modules that are not there under their name, and fields that do not fit.
    pub fn misfits(&self) -> (usize, usize) {
        let modules = self.modules.iter().filter(|module| !module.is_as_configured()).count();
        let fields = self.modules.iter().flat_map(|module| &module.fields).filter(|field| !field.problems.is_empty());
        (modules, fields.count())
    }

    /// The configuration lines under which everything that was found is found by name.
    pub(super) fn config_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for module in &self.modules {
            if let Some(found) = module.found.as_ref().filter(|_| !module.is_as_configured()) {
                if lines.is_empty() {
                    lines.push("[crm.modules]".to_owned());
                }
                lines.push(format!("{} = \"{}\"", module.kind, found.api_name));
            }
        }
        for module in &self.modules {
            let renamed: Vec<&FieldCheck> =
                module.fields.iter().filter(|field| field.problems.contains(&Problem::Renamed)).collect();
            if !renamed.is_empty() {
                lines.push(format!("[crm.fields.{}]", module.kind));
            }
            lines.extend(renamed.into_iter().filter_map(|field| {
                let (column, name) = (field.wanted.column.name, &field.found.as_ref()?.api_name);
                Some(if field.wanted.create_only {
                    format!("{column} = {{ field = \"{name}\", policy = \"create_only\" }}")
                } else {
                    format!("{column} = \"{name}\"")
                })
            }));
        }
        lines
    }

    pub fn json(&self) -> Value {
        let organisation = self.organisation.as_ref().map(|organisation| {
            json!({
                "edition": organisation.edition, "users": organisation.users, "currency": organisation.currency,
                "type": organisation.kind, "time_zone": organisation.time_zone,
            })
        });
        json!({
            "command": "crm check", "version": env!("CARGO_PKG_VERSION"), "exit": self.exit(), "target": self.host,
            "organisation": organisation,
            "modules": self.modules.iter().map(ModuleCheck::json).collect::<Vec<_>>(),
            "accounts": self.accounts.as_ref().map(AccountCheck::json),
            "config": self.config_lines(),
            "error": self.refused.as_ref().map(crate::failure::json),
        })
    }

    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        if let Some(organisation) = &self.organisation {
            lines.push(organisation_line(organisation));
        }
        for module in &self.modules {
            lines.extend(module.lines());
        }
        lines.extend(self.accounts.as_ref().map(AccountCheck::line));
        let config = self.config_lines();
        if !config.is_empty() {
            lines.push("\nwrite this into the configuration:".to_owned());
            lines.extend(config);
        }
        if let Some(refused) = &self.refused {
            lines.push(format!("\nnot readable: {}", screen::plain(&refused.message)));
            lines.extend(refused.hint.as_ref().map(|hint| format!("  {hint}")));
        } else if self.exit() == 0 {
            lines.push("everything fits".to_owned());
        }
        lines.join("\n")
    }
}

fn organisation_line(organisation: &Organisation) -> String {
    let or = |text: &Option<String>| text.as_deref().map_or_else(|| "unknown".to_owned(), screen::plain);
    let users = organisation.users.map_or_else(String::new, |users| format!(", {}", counted(users, "user", "users")));
    format!(
        "organisation: {} edition{users}, home currency {}, {}",
        or(&organisation.edition),
        or(&organisation.currency),
        or(&organisation.kind)
    )
}

impl ModuleCheck {
    fn json(&self) -> Value {
        json!({
            "kind": self.kind.name(), "configured": self.configured,
            "api_name": self.found.as_ref().map(|found| &found.api_name),
            "candidates": self.candidates, "fits": self.fits(),
            "fields": self.fields.iter().map(FieldCheck::json).collect::<Vec<_>>(),
        })
    }

    fn lines(&self) -> Vec<String> {
        let Some(found) = &self.found else {
            let which = if self.candidates.is_empty() {
                format!("no module {}; {MODULE_HINT}", self.configured)
            } else {
                format!("no module {}, and several could be meant: {}", self.configured, self.candidates.join(", "))
            };
            return vec![format!("{}: {which}", self.kind)];
        };
        let good = self.fields.iter().filter(|field| field.problems.is_empty()).count();
        let mut lines =
            vec![format!("{}: module {}, {good} of {} fields fit", self.kind, found.api_name, self.fields.len())];
        for field in &self.fields {
            for problem in &field.problems {
                lines.push(format!("  {}: {}", field.wanted.api_name, problem.text(field)));
            }
        }
        lines
    }
}

impl FieldCheck {
    fn json(&self) -> Value {
        let found = self.found.as_ref();
        json!({
            "column": self.wanted.column.name, "label": self.wanted.field.label, "configured": self.wanted.api_name,
            "api_name": found.map(|found| &found.api_name),
            "type": found.and_then(|found| found.data_type.as_ref()),
            "length": found.and_then(|found| found.length),
            "fits": self.problems.is_empty(),
            "problems": self.problems.iter().map(|problem| json!({
                "problem": problem.name(), "message": problem.text(self),
            })).collect::<Vec<_>>(),
        })
    }
}
