//! `crm link`: finds what stands in the CRM under our records' names already, so that users of the partner extension
//! keep their records. Runs by itself before the first push to a module that nothing is linked to.
//!
//! It reads id and name of every record and changes nothing in the CRM. A name that several CRM records bear is
//! *ambiguous*: told, and held back. Our record is not sent, because an upsert by that name would write over whichever
//! of them the CRM meets first; it is looked for again when a refused record would be sent again, and by `crm link`.

use std::collections::HashMap;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::api::{CrmApi, Error};
use crate::config::CrmConfig;
use crate::db::{Batch, Db, FoundLink, Rejection};
use crate::failure::{self, Code, Failure};
use crate::model::Kind;
use crate::model::instant::format_instant;
use crate::progress::Progress;
use crate::push::apply::retry_at;
use crate::push::fields::Mapping;
use crate::push::plan::{Key, Names};
use crate::screen::{self, counted};

/// The code of a record whose name several of the CRM's records bear.
pub(super) const AMBIGUOUS: &str = "AMBIGUOUS_NAME";
/// Ambiguous names shown to a person; `--json` has them all.
const SHOWN: usize = 20;

/// What was found in one module.
#[derive(Default)]
pub(super) struct Linked {
    /// Records the CRM listed.
    pub(super) listed: u64,
    pub(super) linked: u64,
    /// Our records' names that several CRM records bear, with the ids.
    pub(super) ambiguous: Vec<(String, Vec<String>)>,
    /// Names whose CRM record another of our records already has, with the id.
    pub(super) taken: Vec<(String, String)>,
    /// The CRM did not list all it has.
    pub(super) is_cut: bool,
    /// Records are held or free that were not before.
    pub(super) holds_changed: bool,
}

pub struct LinkSummary {
    host: String,
    kinds: Vec<(Kind, String, Linked)>,
    error: Option<Failure>,
}

/// Links the kinds named (all when none is).
///
/// # Errors
/// What the file has against it; what the CRM has is in the summary.
pub async fn link(
    db: &Db,
    crm: &CrmConfig,
    stores_configured: &[String],
    api: &CrmApi,
    kinds: &[Kind],
    now: DateTime<Utc>,
    progress: &Progress,
) -> Result<LinkSummary> {
    let mut names = Names::new(db.record_names()?, stores_configured);
    let mut summary = LinkSummary { host: crm.host(), kinds: Vec::new(), error: None };
    for kind in Kind::pushed().filter(|kind| kinds.is_empty() || kinds.contains(kind)) {
        let mapping = Mapping::new(kind, crm, &[]);
        let _task = progress.task(&format!("reading {}", crm.module(kind)), ("record", "records"));
        match link_kind(db, crm, &mut names, api, (kind, mapping.name_field()), now).await? {
            Ok(linked) => summary.kinds.push((kind, crm.module(kind).to_owned(), linked)),
            Err(error) => {
                summary.error = Some(error.into_failure(Code::Crm));
                break;
            }
        }
    }
    Ok(summary)
}

/// Links one kind. Nothing is saved before the module was read to its end, so that a killed run begins anew.
pub(super) async fn link_kind(
    db: &Db,
    crm: &CrmConfig,
    names: &mut Names,
    api: &CrmApi,
    (kind, name_field): (Kind, &str),
    now: DateTime<Utc>,
) -> Result<Result<Linked, Error>> {
    let target = crm.target(kind);
    let mut found = Linked::default();
    let by_name = match list(api, crm.module(kind), name_field, &mut found).await {
        Ok(by_name) => by_name,
        Err(error) => return Ok(Err(error)),
    };
    let mut matches: Vec<(Key, &[String])> = Vec::new();
    db.unlinked(kind, &target, |store_id, id| {
        let key = Key { store: names.place(store_id), id };
        if let Some(ids) = by_name.get(&names.name(key)) {
            matches.push((key, ids));
        }
    })?;
    let mut links = Vec::new();
    let mut linked = Vec::new();
    let mut held = Vec::new();
    for (key, ids) in matches {
        let [crm_id] = ids else {
            found.ambiguous.push((names.name(key), ids.to_vec()));
            held.push(ambiguous(names, key, ids, name_field));
            continue;
        };
        let record_id = key.id.to_string();
        let store_id = names.store_id(key).to_owned();
        let other = db.owner_of(&target, crm_id)?;
        if other.is_some_and(|owner| (&owner.store_id, &owner.record_id) != (&store_id, &record_id)) {
            found.taken.push((names.name(key), crm_id.clone()));
            continue;
        }
        links.push(FoundLink { store_id, record_id, crm_id: crm_id.clone() });
        linked.push(key);
    }
    // before the links, which say that the module was looked through
    found.holds_changed = hold(db, &target, crm, kind, &held, now)?;
    // the names by which records were found must not change afterwards
    for (store_id, template) in names.decide(linked.into_iter()) {
        db.save_record_name(&store_id, &template)?;
    }
    db.save_links(&target, kind, &links, &format_instant(now))?;
    found.linked = links.len() as u64;
    Ok(Ok(found))
}

fn ambiguous(names: &Names, key: Key, ids: &[String], name_field: &str) -> Rejection {
    let name = names.name(key);
    Rejection {
        store_id: names.store_id(key).to_owned(),
        record_id: key.id.to_string(),
        code: AMBIGUOUS.to_owned(),
        message: format!(
            "several records in the CRM are called {name}: {}; leave one of them that name, then run `storemirror crm link`",
            ids.join(", ")
        ),
        field: Some(name_field.to_owned()),
        value: Some(name),
        fields_sha256: String::new(),
        gone: false,
    }
}

/// Notes which records are held back for their names, and frees the others; returns whether there is any.
fn hold(db: &Db, target: &str, crm: &CrmConfig, kind: Kind, held: &[Rejection], now: DateTime<Utc>) -> Result<bool> {
    let freed = db.clear_code(target, kind, AMBIGUOUS, held)?;
    if !held.is_empty() {
        let (host, at) = (crm.host(), format_instant(now));
        let batch = Batch { target, host: &host, kind, now: &at, credits: 0, acknowledged: &[], rejected: held };
        db.save_push(&batch, |attempts| retry_at(now, attempts))?;
    }
    Ok(freed || !held.is_empty())
}

/// The ids of all records of a module by their name.
async fn list(
    api: &CrmApi,
    module: &str,
    name_field: &str,
    found: &mut Linked,
) -> Result<HashMap<String, Vec<String>>, Error> {
    let mut by_name: HashMap<String, Vec<String>> = HashMap::new();
    let mut next: Option<String> = None;
    loop {
        let page = api.page(module, &[name_field], next.as_deref()).await?;
        for record in &page.records {
            found.listed += 1;
            if let (Some(id), Some(name)) = (record["id"].as_str(), record[name_field].as_str()) {
                let ids = by_name.entry(name.trim().to_owned()).or_default();
                // a page asked for again may bring a record twice
                if ids.iter().all(|known| known != id) {
                    ids.push(id.to_owned());
                }
            }
        }
        found.is_cut |= page.is_cut;
        next = page.next;
        if next.is_none() {
            return Ok(by_name);
        }
    }
}

impl Linked {
    pub(super) fn notes(&self, module: &str) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, ids) in self.ambiguous.iter().take(SHOWN) {
            notes.push(format!(
                "{module}: several records are called {}: {}; ours is held back",
                screen::plain(name),
                ids.join(", ")
            ));
        }
        if self.ambiguous.len() > SHOWN {
            notes.push(format!("… and {} more names like that", self.ambiguous.len() - SHOWN));
        }
        for (name, crm_id) in self.taken.iter().take(SHOWN) {
            notes.push(format!("{module}: {} is linked to another of our records: {crm_id}", screen::plain(name)));
        }
        if self.is_cut {
            notes.push(format!(
                "{module} has more records than the CRM lists; the rest is found by name when it is first sent"
            ));
        }
        notes
    }
}

impl LinkSummary {
    pub fn exit(&self) -> u8 {
        let left = self.kinds.iter().any(|(_, _, linked)| !linked.ambiguous.is_empty() || !linked.taken.is_empty());
        self.error.as_ref().map_or(3 * u8::from(left), |error| error.code.exit())
    }

    pub fn json(&self) -> Value {
        let kinds = self.kinds.iter().map(|(kind, module, linked)| {
            json!({
                "kind": kind.name(), "module": module, "listed": linked.listed, "linked": linked.linked,
                "complete": !linked.is_cut,
                "ambiguous": linked.ambiguous.iter().map(|(name, ids)| json!({"name": name, "crm_ids": ids})).collect::<Vec<_>>(),
                "taken": linked.taken.iter().map(|(name, id)| json!({"name": name, "crm_id": id})).collect::<Vec<_>>(),
            })
        });
        json!({
            "command": "crm link", "version": env!("CARGO_PKG_VERSION"), "exit": self.exit(), "target": self.host,
            "kinds": kinds.collect::<Vec<_>>(), "error": self.error.as_ref().map(failure::json),
        })
    }

    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for (kind, module, linked) in &self.kinds {
            lines.push(format!(
                "{kind}: {} in {module}, {} linked",
                counted(linked.listed, "record", "records"),
                linked.linked
            ));
            lines.extend(linked.notes(module));
        }
        if let Some(error) = &self.error {
            lines.push(format!("stopped: {}", screen::plain(&error.message)));
            lines.extend(error.hint.as_ref().map(|hint| format!("  {hint}")));
        }
        lines.join("\n")
    }
}
