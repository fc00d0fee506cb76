//! `crm trace`: one record on its way to the CRM: its name, its link, what was acknowledged, what the next push would
//! send, and why it was refused. Asks nobody but the file.

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::config::CrmConfig;
use crate::db::{CrmPlace, CrmRefusal, Db};
use crate::explain;
use crate::model::Kind;
use crate::model::instant::format_instant;
use crate::push::apply::longest_wait;
use crate::push::plan::{self, Decision, Key, One, Rules};
use crate::push::summary::short;
use crate::push::{Options, Push};
use crate::screen;

pub struct Trace {
    kind: Kind,
    store_id: String,
    record_id: String,
    target: String,
    name: String,
    place: Option<CrmPlace>,
    refusal: Option<CrmRefusal>,
    /// None: the mirror has received the record and could not read it.
    next: Option<One>,
    acknowledged: Map<String, Value>,
}

/// Finds `[STORE:]ID` and what a push would do with it.
///
/// # Errors
/// `config` when it is in no store, or in several and none is named.
pub fn trace(
    db: &Db,
    crm: &CrmConfig,
    stores_configured: &[String],
    kind: Kind,
    wanted: &str,
    now: DateTime<Utc>,
) -> Result<Trace> {
    let (store_id, record_id) = explain::find(db, kind, wanted)?;
    let (clock, talk): (_, crate::api::Talk) = (|| now, std::rc::Rc::new(|_: &str| {}));
    let options = Options { dry_run: true, ..Options::default() };
    let mut push = Push::new(db, crm, stores_configured, &options, &clock, &talk)?;
    let target = crm.target(kind);
    let id: i64 = record_id.parse().unwrap_or(0);
    let next = push.decide_one(kind, &store_id, id)?;
    let key = Key { store: push.names.place(&store_id), id };
    let acknowledged = next.as_ref().and_then(|one| one.sent.as_deref());
    Ok(Trace {
        acknowledged: acknowledged.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        place: db.crm_places_of(&store_id, kind, &record_id)?.into_iter().find(|place| place.target == target),
        refusal: db.crm_refusals_of(&store_id, kind, &record_id)?.into_iter().find(|place| place.target == target),
        name: push.names.name(key),
        next,
        kind,
        store_id,
        record_id,
        target,
    })
}

impl Push<'_> {
    /// Plans one record; a parent that is not linked is planned first, because its child waits for it or not.
    fn decide_one(&mut self, kind: Kind, store_id: &str, id: i64) -> Result<Option<One>> {
        let Some(one) = self.plan_one(kind, store_id, id)? else { return Ok(None) };
        if one.unlinked_parents.is_empty() {
            return Ok(Some(one));
        }
        for (parent, id) in one.unlinked_parents {
            let is_made = self.decide_one(parent, store_id, id)?.is_some_and(|one| one.decision == Decision::Create);
            let key = Key { store: self.names.place(store_id), id };
            let blocked = self.parents.blocked.entry(parent).or_default();
            if !is_made {
                blocked.insert(key);
            }
        }
        self.plan_one(kind, store_id, id)
    }

    fn plan_one(&mut self, kind: Kind, store_id: &str, id: i64) -> Result<Option<One>> {
        let Some(push) = self.kinds.iter().find(|push| push.kind == kind) else { return Ok(None) };
        let (now, longest_wait) = (format_instant(self.now), longest_wait(self.now));
        let rules = Rules { now: &now, longest_wait: &longest_wait, retry_rejected: false, show: 1, note_in: None };
        let key = Key { store: self.names.place(store_id), id };
        plan::plan_one(self.db, push.kind, &push.query, &push.mapping, &self.names, &self.parents, &rules, key)
    }
}

impl Trace {
    fn next_word(&self) -> &'static str {
        match self.next.as_ref().map(|one| one.decision) {
            None => "unreadable",
            Some(Decision::Skip) => "nothing",
            Some(Decision::Create) => "create",
            Some(Decision::Update) => "update",
            Some(Decision::Unchanged) => "unchanged",
            Some(Decision::Waiting) => "waiting",
            Some(Decision::Held) => "held",
        }
    }

    fn changes(&self) -> &[(String, String, String)] {
        self.next.as_ref().map_or(&[], |one| one.change.fields.as_slice())
    }

    pub fn json(&self) -> Value {
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        let fields: Map<String, Value> = self
            .changes()
            .iter()
            .map(|(field, from, to)| (field.clone(), json!({"from": value(from), "to": value(to)})))
            .collect();
        json!({
            "command": "crm trace", "version": env!("CARGO_PKG_VERSION"), "exit": 0, "target": self.target,
            "store_id": self.store_id, "kind": self.kind.name(), "record_id": self.record_id, "name": self.name,
            "link": self.place.as_ref().map(|place| json!({
                "crm_id": place.crm_id, "state": place.state, "acknowledged_at": place.acknowledged_at,
            })),
            "acknowledged": self.acknowledged, "next": self.next_word(), "fields": fields,
            "payload_left_out": self.next.as_ref().is_some_and(|one| one.payload_left_out),
            "rejection": self.refusal.as_ref().map(|refusal| json!({
                "code": refusal.code, "message": refusal.message, "field": refusal.field, "value": refusal.value,
                "attempts": refusal.attempts, "first_at": refusal.first_at, "last_at": refusal.last_at,
                "next_at": refusal.next_at,
            })),
            "error": null,
        })
    }

    pub fn text(&self) -> String {
        let mut lines =
            vec![format!("{} {}:{} is {} in {}", self.kind, self.store_id, self.record_id, self.name, self.target)];
        lines.push(match &self.place {
            Some(place) => {
                format!("linked to {} ({}), last accepted {}", place.crm_id, place.state, place.acknowledged_at)
            }
            None => "not linked".to_owned(),
        });
        if let Some(refusal) = &self.refusal {
            lines.extend(refusal_lines(refusal));
        }
        lines.push(self.next_line());
        for (field, from, to) in self.changes() {
            lines.push(format!("  {field}: {} → {}", short(from), short(to)));
        }
        if self.next.as_ref().is_some_and(|one| one.payload_left_out) {
            lines.push("  the payload is too long for its field and is left out".to_owned());
        }
        if !self.acknowledged.is_empty() {
            lines.push("acknowledged:".to_owned());
            lines.extend(
                self.acknowledged.iter().map(|(field, value)| format!("  {field}: {}", short(&value.to_string()))),
            );
        }
        lines.join("\n")
    }

    fn next_line(&self) -> String {
        match self.next_word() {
            "unreadable" => "the mirror could not read it: see quarantine",
            "nothing" => "removed by the store: left alone",
            "create" => "the next push makes it:",
            "update" => "the next push updates it:",
            "unchanged" => "nothing to send",
            "waiting" => "waits for its parent, which was refused or waits itself:",
            _ => match &self.place {
                Some(place) if place.state == "gone" => {
                    "deleted in the CRM; `storemirror crm verify --repair` makes it again"
                }
                _ => "held until it changes, its next try comes, or `storemirror push --retry-rejected`:",
            },
        }
        .to_owned()
    }
}

fn refusal_lines(refusal: &CrmRefusal) -> Vec<String> {
    let field = refusal.field.as_deref().map_or_else(String::new, |field| format!(" in {field}"));
    let message = screen::plain(refusal.message.as_deref().unwrap_or_default());
    let mut lines = vec![format!("refused: {}{field}: {message}", refusal.code)];
    lines.extend(refusal.value.as_deref().map(|value| format!("  sent: {}", short(&json!(value).to_string()))));
    lines.push(format!(
        "  {} since {}, last {}, next try {}",
        screen::counted(refusal.attempts.unsigned_abs(), "try", "tries"),
        refusal.first_at,
        refusal.last_at,
        refusal.next_at
    ));
    lines
}
