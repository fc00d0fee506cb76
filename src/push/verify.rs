//! `crm verify`: reads what is linked back from the CRM and tells which fields were edited there and which records are
//! gone. Writes nothing, unless `--repair` lets the links say what the CRM really holds; the push that follows then
//! sends ours again and makes anew what is gone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::api::crm::RECORDS_PER_REQUEST;
use crate::api::crm::records::FIELDS_PER_READ;
use crate::api::{CrmApi, Error};
use crate::config::CrmConfig;
use crate::db::{Db, KnownLink, Repair};
use crate::failure::{self, Code, Failure, worst};
use crate::model::Kind;
use crate::model::crm::FieldInfo;
use crate::progress::{Progress, Task};
use crate::push::Summary as PushSummary;
use crate::push::compare::is_same;
use crate::push::fields::wanted;
use crate::screen::{self, counted};

/// Differences shown to a person; `--json` has them all.
const SHOWN: usize = 20;
const SHOWN_CHARACTERS: usize = 50;

/// One kind, compared.
struct Compared {
    kind: Kind,
    module: String,
    linked: u64,
    differences: Vec<Difference>,
}

struct Difference {
    link: KnownLink,
    what: What,
}

enum What {
    /// Field → (acknowledged, found).
    Edited(BTreeMap<String, (Value, Value)>),
    Deleted,
    /// It was gone, and is there again with these values differing.
    Returned(BTreeMap<String, (Value, Value)>),
}

pub struct Verification {
    host: String,
    kinds: Vec<Compared>,
    requests: u64,
    error: Option<Failure>,
    /// What the push of `--repair` did.
    repaired: Option<PushSummary>,
}

/// Compares the kinds named (all when none is).
///
/// # Errors
/// What the file has against it; what the CRM has is in the result.
pub async fn verify(
    db: &Db,
    crm: &CrmConfig,
    api: &CrmApi,
    kinds: &[Kind],
    progress: &Progress,
) -> Result<Verification> {
    let mut verification =
        Verification { host: crm.host(), kinds: Vec::new(), requests: 0, error: None, repaired: None };
    for kind in Kind::pushed().filter(|kind| kinds.is_empty() || kinds.contains(kind)) {
        let links = db.links_of(kind, &crm.target(kind))?;
        let task = progress.task(&format!("reading {}", crm.module(kind)), ("record", "records"));
        match compare(crm, api, kind, links, &task).await {
            Ok(compared) => verification.kinds.push(compared),
            Err(error) => {
                verification.error = Some(error.into_failure(Code::Crm));
                break;
            }
        }
    }
    verification.requests = api.requests();
    Ok(verification)
}

async fn compare(
    crm: &CrmConfig,
    api: &CrmApi,
    kind: Kind,
    links: HashMap<String, KnownLink>,
    task: &Task,
) -> Result<Compared, Error> {
    let module = crm.module(kind);
    let mut compared =
        Compared { kind, module: module.to_owned(), linked: links.len() as u64, differences: Vec::new() };
    if links.is_empty() {
        return Ok(compared);
    }
    let sent: HashMap<&str, Map<String, Value>> = links
        .iter()
        .map(|(id, link)| (id.as_str(), serde_json::from_str(&link.fields_sent).unwrap_or_default()))
        .collect();
    let fields = fields_to_read(crm, api, kind, &sent).await?;
    let mut comparing = Comparing { fields: &fields, sent: &sent, seen: HashSet::new(), edits: BTreeMap::new() };
    let names: Vec<&str> = fields.keys().map(String::as_str).collect();
    let parts = names.chunks(FIELDS_PER_READ);
    task.expect((links.len() * parts.len()) as u64);
    for part in parts {
        comparing.read_all(api, module, part, task).await?;
    }
    let Comparing { seen, mut edits, .. } = comparing;
    let mut ids: Vec<&String> = links.keys().collect();
    ids.sort();
    for id in ids {
        let link = &links[id];
        // the rest that the store removed is left alone, also by this
        if link.removed && (!kind.table().pushes_removed || !seen.contains(id.as_str())) {
            continue;
        }
        let edited = edits.remove(id.as_str());
        let what = match (seen.contains(id.as_str()), edited) {
            (false, _) => What::Deleted,
            (true, edited) if link.gone => What::Returned(edited.unwrap_or_default()),
            (true, Some(edited)) => What::Edited(edited),
            (true, None) => continue,
        };
        compared.differences.push(Difference { link: link.clone(), what });
    }
    Ok(compared)
}

/// The fields that were ever acknowledged, are still there, and are still ours to say.
async fn fields_to_read(
    crm: &CrmConfig,
    api: &CrmApi,
    kind: Kind,
    sent: &HashMap<&str, Map<String, Value>>,
) -> Result<BTreeMap<String, FieldInfo>, Error> {
    let wanted = wanted(kind, crm);
    let given_up: BTreeSet<&str> =
        wanted.iter().filter(|wanted| wanted.create_only).map(|wanted| wanted.api_name.as_str()).collect();
    let known: HashMap<String, FieldInfo> =
        api.fields(crm.module(kind)).await?.into_iter().map(|field| (field.api_name.clone(), field)).collect();
    let names: BTreeSet<&String> = sent.values().flat_map(Map::keys).collect();
    let mut fields: BTreeMap<String, FieldInfo> = names
        .into_iter()
        .filter(|name| !given_up.contains(name.as_str()))
        .filter_map(|name| Some((name.clone(), known.get(name)?.clone())))
        .collect();
    if fields.is_empty() {
        fields.insert("id".to_owned(), FieldInfo::default());
    }
    Ok(fields)
}

struct Comparing<'a> {
    fields: &'a BTreeMap<String, FieldInfo>,
    sent: &'a HashMap<&'a str, Map<String, Value>>,
    seen: HashSet<String>,
    edits: BTreeMap<String, BTreeMap<String, (Value, Value)>>,
}

impl Comparing<'_> {
    /// Reads some fields of every record; what the lists do not show is asked for by its id.
    async fn read_all(&mut self, api: &CrmApi, module: &str, names: &[&str], task: &Task) -> Result<(), Error> {
        let mut listed = HashSet::new();
        let mut next: Option<String> = None;
        loop {
            let page = api.page(module, names, next.as_deref()).await?;
            let before = listed.len();
            page.records.iter().for_each(|record| self.compare(record, names, &mut listed));
            task.add((listed.len() - before) as u64);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        let mut unseen: Vec<&str> = self.sent.keys().copied().filter(|id| !listed.contains(*id)).collect();
        unseen.sort_unstable();
        for ids in unseen.chunks(RECORDS_PER_REQUEST) {
            for record in api.by_ids(module, names, ids).await? {
                self.compare(&record, names, &mut listed);
            }
        }
        self.seen.extend(listed);
        Ok(())
    }

    fn compare(&mut self, record: &Value, names: &[&str], listed: &mut HashSet<String>) {
        let Some((id, sent)) = record["id"].as_str().and_then(|id| Some((id, self.sent.get(id)?))) else { return };
        listed.insert(id.to_owned());
        for name in names {
            let (Some(ours), Some(field)) = (sent.get(*name), self.fields.get(*name)) else { continue };
            let found = record.get(*name).unwrap_or(&Value::Null);
            if !is_same(ours, found, field) {
                let edits = self.edits.entry(id.to_owned()).or_default();
                edits.insert((*name).to_owned(), (ours.clone(), found.clone()));
            }
        }
    }
}

impl Difference {
    fn repair(&self) -> Repair<'_> {
        match &self.what {
            What::Deleted => Repair::Forget(&self.link),
            What::Edited(edits) | What::Returned(edits) => {
                let mut fields: Map<String, Value> = serde_json::from_str(&self.link.fields_sent).unwrap_or_default();
                for (name, (_, found)) in edits {
                    if found.is_null() {
                        fields.shift_remove(name);
                    } else {
                        fields.insert(name.clone(), found.clone());
                    }
                }
                Repair::Holds { link: &self.link, fields: Value::Object(fields).to_string() }
            }
        }
    }

    fn edits(&self) -> Option<&BTreeMap<String, (Value, Value)>> {
        match &self.what {
            What::Edited(edits) | What::Returned(edits) => Some(edits),
            What::Deleted => None,
        }
    }

    fn problem(&self) -> &'static str {
        match &self.what {
            What::Edited(_) => "edited",
            What::Deleted => "deleted",
            What::Returned(_) => "returned",
        }
    }
}

impl Verification {
    /// Whether there is anything to send again.
    pub fn differs(&self) -> bool {
        self.kinds.iter().any(|kind| !kind.differences.is_empty())
    }

    /// Lets the links say what the CRM holds; a push then sends what differs.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn repair(&self, db: &Db, crm: &CrmConfig) -> Result<()> {
        for compared in self.kinds.iter().filter(|kind| !kind.differences.is_empty()) {
            let repairs: Vec<Repair> = compared.differences.iter().map(Difference::repair).collect();
            db.repair_links(&crm.target(compared.kind), compared.kind, &repairs)?;
        }
        Ok(())
    }

    /// Notes what the push after the repair did.
    pub fn repaired(&mut self, push: PushSummary) {
        self.repaired = Some(push);
    }

    pub fn exit(&self) -> u8 {
        let differs = match &self.repaired {
            Some(push) => push.exit(),
            None => 3 * u8::from(self.differs()),
        };
        worst([differs, self.error.as_ref().map_or(0, |error| error.code.exit())])
    }

    pub fn json(&self) -> Value {
        let count = |kind: &Compared, problem: &str| {
            kind.differences.iter().filter(|difference| difference.problem() == problem).count()
        };
        json!({
            "command": "crm verify", "version": env!("CARGO_PKG_VERSION"), "exit": self.exit(), "target": self.host,
            "kinds": self.kinds.iter().map(|kind| json!({
                "kind": kind.kind.name(), "module": kind.module, "linked": kind.linked,
                "edited": count(kind, "edited"), "deleted": count(kind, "deleted"), "returned": count(kind, "returned"),
            })).collect::<Vec<_>>(),
            "differences": self.kinds.iter().flat_map(|kind| {
                kind.differences.iter().map(|difference| difference_json(kind.kind, difference))
            }).collect::<Vec<_>>(),
            "requests": self.requests,
            "push": self.repaired.as_ref().map(PushSummary::json),
            "error": self.error.as_ref().map(failure::json),
        })
    }

    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for kind in &self.kinds {
            let linked = counted(kind.linked, "linked record", "linked records");
            lines.push(format!("{}: {linked}, {} differ", kind.kind, kind.differences.len()));
        }
        let all: Vec<(Kind, &Difference)> = self
            .kinds
            .iter()
            .flat_map(|kind| kind.differences.iter().map(|difference| (kind.kind, difference)))
            .collect();
        for (kind, difference) in all.iter().take(SHOWN) {
            let KnownLink { store_id, record_id, crm_id, .. } = &difference.link;
            lines.push(format!("{}: {kind} {store_id}:{record_id} ({crm_id})", difference.problem()));
            for (field, (ours, found)) in difference.edits().into_iter().flatten() {
                lines.push(format!("  {field}: {} → {}", short(ours), short(found)));
            }
        }
        if all.len() > SHOWN {
            lines.push(format!("… and {} more; --json shows them all", all.len() - SHOWN));
        }
        if let Some(error) = &self.error {
            lines.push(format!("stopped: {}", screen::plain(&error.message)));
            lines.extend(error.hint.as_ref().map(|hint| format!("  {hint}")));
        }
        match &self.repaired {
            Some(push) => lines.push(format!("\n{}", push.text().trim_end())),
            None if self.differs() => lines.push("`storemirror crm verify --repair` sends ours again".to_owned()),
            None => {}
        }
        lines.join("\n")
    }
}

fn difference_json(kind: Kind, difference: &Difference) -> Value {
    let link = &difference.link;
    let fields: Map<String, Value> = difference
        .edits()
        .into_iter()
        .flatten()
        .map(|(field, (ours, found))| (field.clone(), json!({"expected": ours, "found": found})))
        .collect();
    json!({
        "store_id": link.store_id, "kind": kind.name(), "record_id": link.record_id, "crm_id": link.crm_id,
        "problem": difference.problem(), "fields": fields,
    })
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => return "(nothing)".to_owned(),
        Value::String(text) => screen::plain(text),
        other => other.to_string(),
    };
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
