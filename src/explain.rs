//! `explain`: one record's versions field by field, its parents and children, its CRM link and rejections.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use crate::db::{CrmPlace, CrmRefusal, Db, PayloadVersion, Relatives};
use crate::failure::Failure;
use crate::model::Kind;
use crate::model::json::flatten;

pub struct Explanation {
    store_id: String,
    kind: Kind,
    record_id: String,
    versions: Vec<PayloadVersion>,
    quarantine: Option<(String, String)>,
    forgotten_at: Option<String>,
    relatives: Vec<Relatives>,
    places: Vec<CrmPlace>,
    refusals: Vec<CrmRefusal>,
}

/// One field that a version has otherwise than the version before.
struct Change {
    field: String,
    from: Option<String>,
    to: Option<String>,
}

/// Finds the record; `[STORE:]ID`.
///
/// # Errors
/// `config` when it is in no store, or in several and none is named.
pub fn read(db: &Db, kind: Kind, wanted: &str) -> Result<Explanation> {
    let (store_id, record_id) = find(db, kind, wanted)?;
    Ok(Explanation {
        versions: db.versions_of(&store_id, kind, &record_id)?,
        quarantine: db.quarantine_of(&store_id, kind, &record_id)?,
        forgotten_at: db.forgotten_at(&store_id, kind, &record_id)?,
        relatives: db.relatives_of(&store_id, kind, &record_id)?,
        places: db.crm_places_of(&store_id, kind, &record_id)?,
        refusals: db.crm_refusals_of(&store_id, kind, &record_id)?,
        store_id,
        kind,
        record_id,
    })
}

/// The store and the id that `[STORE:]ID` means.
///
/// # Errors
/// As for [`read`].
pub fn find(db: &Db, kind: Kind, wanted: &str) -> Result<(String, String)> {
    if let Some((store, id)) = wanted.split_once(':')
        && db.stores_holding(kind, id)?.iter().any(|holding| holding == store)
    {
        return Ok((store.to_owned(), id.to_owned()));
    }
    let mut stores = db.stores_holding(kind, wanted)?;
    match stores.len() {
        1 => Ok((stores.remove(0), wanted.to_owned())),
        0 => Err(Failure::config(format!("no record {wanted} in {kind}"))
            .hint("ids are those of the store; name the store with STORE:ID")
            .into()),
        _ => Err(Failure::config(format!("{kind} {wanted} is in several stores: {}", stores.join(", ")))
            .hint(format!("name one: {}:{wanted}", stores[0]))
            .into()),
    }
}

fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Change> {
    let fields: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    fields
        .into_iter()
        .filter(|field| before.get(*field) != after.get(*field))
        .map(|field| Change { field: field.clone(), from: before.get(field).cloned(), to: after.get(field).cloned() })
        .collect()
}

impl Explanation {
    /// Each version with what it changed; the first one has all its fields.
    fn history(&self) -> Vec<(&PayloadVersion, Vec<Change>)> {
        let mut before = BTreeMap::new();
        self.versions
            .iter()
            .map(|version| {
                let after = flatten(&version.body);
                let changed = changes(&before, &after);
                before = after;
                (version, changed)
            })
            .collect()
    }

    pub fn json(&self) -> Value {
        let raw = |text: &Option<String>| {
            text.as_deref().map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or_else(|_| text.into()))
        };
        json!({
            "command": "explain", "exit": 0, "store_id": self.store_id, "kind": self.kind.name(), "record_id": self.record_id,
            "versions": self.history().into_iter().map(|(version, changed)| json!({
                "version": version.version, "seen_from": version.seen_from, "seen_until": version.seen_until,
                "changes": changed.iter().map(|change| json!({
                    "field": change.field, "from": raw(&change.from), "to": raw(&change.to),
                })).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "quarantine": self.quarantine.as_ref().map(|(pointer, reason)| json!({ "pointer": pointer, "reason": reason })),
            "forgotten_at": self.forgotten_at,
            "parents": self.related(true), "children": self.related(false),
            "crm": self.places.iter().map(|place| json!({
                "target": place.target, "crm_id": place.crm_id, "state": place.state, "acknowledged_at": place.acknowledged_at,
            })).collect::<Vec<_>>(),
            "rejections": self.refusals.iter().map(|refusal| json!({
                "target": refusal.target, "code": refusal.code, "message": refusal.message, "field": refusal.field,
                "attempts": refusal.attempts, "last_at": refusal.last_at, "next_at": refusal.next_at,
            })).collect::<Vec<_>>(),
            "error": null,
        })
    }

    fn related(&self, is_parent: bool) -> Vec<Value> {
        let wanted = self.relatives.iter().filter(|relatives| relatives.is_parent == is_parent);
        wanted
            .map(|relatives| {
                let ids =
                    relatives.ids.iter().map(|(id, in_mirror)| json!({ "record_id": id, "in_mirror": in_mirror }));
                json!({ "kind": relatives.kind.name(), "count": relatives.count, "records": ids.collect::<Vec<_>>() })
            })
            .collect()
    }

    pub fn text(&self) -> String {
        let mut lines = vec![format!("{} {}:{}", self.kind, self.store_id, self.record_id)];
        for (version, changed) in self.history() {
            let until = version.seen_until.as_ref().map_or_else(|| "now".to_owned(), Clone::clone);
            lines.push(format!("\nversion {}, {} to {until}", version.version, version.seen_from));
            for change in changed {
                let to = crate::screen::plain(change.to.as_deref().unwrap_or("(gone)"));
                lines.push(match change.from {
                    Some(from) => format!("  {}: {} → {to}", change.field, crate::screen::plain(&from)),
                    None => format!("  {}: {to}", change.field),
                });
            }
        }
        if let Some((pointer, reason)) = &self.quarantine {
            lines.push(format!("\nquarantined: {pointer}: {}", crate::screen::plain(reason)));
        }
        if let Some(at) = &self.forgotten_at {
            lines.push(format!("\nits customer was forgotten {at}; see docs/personal-data.md"));
        }
        for relatives in &self.relatives {
            let ids = relatives
                .ids
                .iter()
                .map(|(id, in_mirror)| if *in_mirror { id.clone() } else { format!("{id} (not in the mirror)") });
            let more = relatives.count - relatives.ids.len() as u64;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let word = if relatives.is_parent { "belongs to" } else { "has" };
            lines.push(format!("\n{word} {}: {}{more}", relatives.kind, ids.collect::<Vec<_>>().join(", ")));
        }
        for place in &self.places {
            lines.push(format!(
                "\nin the CRM: {} {} ({}), accepted {}",
                place.target, place.crm_id, place.state, place.acknowledged_at
            ));
        }
        for refusal in &self.refusals {
            let message = crate::screen::plain(refusal.message.as_deref().unwrap_or_default());
            let field = refusal.field.as_deref().map(|field| format!(" in {field}")).unwrap_or_default();
            lines.push(format!(
                "\nrefused by {}: {}{field} {message}; next try {}",
                refusal.target, refusal.code, refusal.next_at
            ));
        }
        lines.join("\n")
    }
}
