//! What a push would do: every record of a kind against what the CRM acknowledged → create, update, unchanged, held or
//! waiting. The decision is pure; nothing is sent or saved here.
//!
//! *Held*: refused before and not due, or gone from the CRM. *Waiting*: its parent was refused, or waits itself. A
//! parent that this push will make is *pending*: its child is planned now and planned again when the parent's id is
//! known. A plan keeps keys, not texts: a record's fields are read again when its batch is sent.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;

use crate::db::{Db, Known, NOTHING_SENT, PushQuery, PushRow};
use crate::model::Kind;
use crate::model::json::sha256_hex;
use crate::push::fields::{Lookup, Mapping, difference, is_final, lookup_of, record_name, unchanged};
use crate::push::link::AMBIGUOUS;

/// A record within its kind: the place of its store in [`Names`], and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) store: u32,
    pub(super) id: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Not the push's business: removed, and never pushed or left as it is.
    Skip,
    Create,
    Update,
    Unchanged,
    Waiting,
    Held,
}

/// The stores and the names their records have in the CRM.
pub(super) struct Names {
    stores: Vec<Store>,
}

struct Store {
    id: String,
    template: String,
    decided: bool,
}

/// What this push will have made or tried of the parents' kinds.
#[derive(Default)]
pub(super) struct Parents {
    /// Kinds this push sends → the records of it that stay unlinked.
    pub(super) blocked: HashMap<Kind, HashSet<Key>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) create: u64,
    pub(super) update: u64,
    pub(super) unchanged: u64,
    pub(super) waiting: u64,
    pub(super) held: u64,
}

/// One change of a dry run.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) store_id: String,
    pub(super) record_id: String,
    pub(super) name: String,
    pub(super) operation: &'static str,
    /// Field → (JSON text before, JSON text after).
    pub(super) fields: Vec<(String, String, String)>,
}

#[derive(Default)]
pub(super) struct Plan {
    pub(super) counts: Counts,
    pub(super) creates: Vec<Key>,
    pub(super) updates: Vec<Key>,
    /// Records that stand in the CRM because of us.
    pub(super) linked: u64,
    /// Updates of records that were found in the CRM by name: nothing of ours was ever acknowledged there.
    pub(super) adoptions: u64,
    /// Unlinked records that this push will not link.
    pub(super) blocked: HashSet<Key>,
    /// Refused once, with nothing to send any more.
    pub(super) settled: Vec<Key>,
    /// Field → records whose update would change it.
    pub(super) differing: BTreeMap<String, u64>,
    /// Records held for their names are due to be looked for again.
    pub(super) looks_for_names: bool,
    /// Planned records whose payload does not fit its field.
    pub(super) without_payload: u64,
    pub(super) changes: Vec<Change>,
}

impl Plan {
    pub(super) fn operations(&self) -> usize {
        self.creates.len() + self.updates.len()
    }
}

/// What a decision rests on besides the record.
pub(super) struct Rules<'a> {
    pub(super) now: &'a str,
    /// Nothing refused until now waits beyond this instant: what does was refused while the clock was ahead.
    pub(super) longest_wait: &'a str,
    pub(super) retry_rejected: bool,
    /// How many changes to describe.
    pub(super) show: usize,
    /// The module's key of links, to note there which records need no look next time; None: nothing is written.
    pub(super) note_in: Option<&'a str>,
}

impl Names {
    /// What the names are made of.
    pub(super) fn basis(&self) -> String {
        self.stores.iter().map(|store| format!("{:?}={:?};", store.id, store.template)).collect()
    }

    /// `stored` holds every store with its template, if decided; `configured` the stores of the configuration.
    pub(super) fn new(stored: Vec<(String, Option<String>)>, configured: &[String]) -> Self {
        let fresh = stored.iter().all(|(_, template)| template.is_none());
        let stores = stored
            .into_iter()
            .map(|(store_id, template)| {
                let decided = template.is_some();
                // the one store of a firm needs no prefix; a second one always gets it (design, "CRM names and fields")
                let alone = fresh && configured.len() == 1 && configured[0] == store_id;
                let default = if alone { "{id}" } else { "{store}:{id}" };
                Store { id: store_id, template: template.unwrap_or_else(|| default.to_owned()), decided }
            })
            .collect();
        Self { stores }
    }

    /// The place of a store; one that is not registered gets a place of its own.
    pub(super) fn place(&mut self, store_id: &str) -> u32 {
        let place = self.stores.iter().position(|store| store.id == store_id).unwrap_or_else(|| {
            self.stores.push(Store { id: store_id.to_owned(), template: "{store}:{id}".to_owned(), decided: false });
            self.stores.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX)
    }

    /// The place of a store that has one.
    pub(super) fn find(&self, store_id: &str) -> Option<u32> {
        self.stores.iter().position(|store| store.id == store_id).and_then(|place| u32::try_from(place).ok())
    }

    pub(super) fn store_id(&self, key: Key) -> &str {
        &self.stores[key.store as usize].id
    }

    pub(super) fn name(&self, key: Key) -> String {
        let store = &self.stores[key.store as usize];
        record_name(&store.template, &store.id, key.id)
    }

    /// Decides the names of the stores that are about to be sent; returns those that were not decided before.
    pub(super) fn decide(&mut self, keys: impl Iterator<Item = Key>) -> Vec<(String, String)> {
        let mut fresh = Vec::new();
        for key in keys {
            let store = &mut self.stores[key.store as usize];
            if !store.decided {
                store.decided = true;
                fresh.push((store.id.clone(), store.template.clone()));
            }
        }
        fresh
    }
}

impl Parents {
    fn is_pending(&self, kind: Kind, key: Key) -> bool {
        self.blocked.get(&kind).is_some_and(|blocked| !blocked.contains(&key))
    }

    pub(super) fn lookups<'a>(&self, kind: Kind, mapping: &Mapping, row: &PushRow<'a>, store: u32) -> Vec<Lookup<'a>> {
        let lookup = |(place, parent): (usize, Kind)| {
            if !mapping.sends_parent(place) {
                return Lookup::None;
            }
            lookup_of(&row.parents[place], |id| self.is_pending(parent, Key { store, id }))
        };
        kind.table().parents().enumerate().map(lookup).collect()
    }
}

/// Records that are noted at a time: so many are kept in memory.
const NOTED_AT_ONCE: usize = 10_000;

/// Plans one kind. Records known to be unchanged by their fingerprint are counted and not read.
pub(super) fn plan(
    db: &Db,
    kind: Kind,
    query: &PushQuery,
    mapping: &Mapping,
    names: &mut Names,
    parents: &Parents,
    rules: &Rules,
) -> Result<Plan> {
    let mut plan = Plan::default();
    let mut fields = String::new();
    let mut known = Vec::new();
    let unread = db.push_rows(query, |row| {
        let key = Key { store: names.place(row.store_id), id: row.id };
        let lookups = parents.lookups(kind, mapping, row, key.store);
        let left_out = mapping.write(row, &names.name(key), &lookups, &mut fields)?;
        let decision = decide(kind.table().pushes_removed, row, &lookups, &fields, rules);
        let decision = calmed(decision, kind, mapping, row, &lookups, &fields);
        plan.count(key, row, decision, left_out);
        plan.looks_for_names |= decision == Decision::Held && is_held_for_name(row) && is_due(row, rules);
        if let (Some(target), true) = (rules.note_in, is_known(row, decision, &lookups)) {
            known.push(Known { store_id: row.store_id.to_owned(), id: row.id, fingerprint: row.fingerprint });
            if known.len() == NOTED_AT_ONCE {
                db.save_fingerprints(target, kind, &std::mem::take(&mut known))?;
            }
        }
        let is_adoption = row.link.as_ref().is_some_and(|link| link.fields_sent == NOTHING_SENT);
        if decision == Decision::Update && is_adoption {
            plan.adoptions += 1;
        } else if decision == Decision::Update {
            plan.note_differences(row, mapping, &lookups, &fields)?;
        }
        if matches!(decision, Decision::Create | Decision::Update) && plan.changes.len() < rules.show {
            let change = describe(key, names, row, mapping, &lookups, &fields)?;
            plan.changes.push(change);
        }
        Ok(())
    })?;
    plan.counts.unchanged += unread;
    plan.linked += unread;
    if let (Some(target), false) = (rules.note_in, known.is_empty()) {
        db.save_fingerprints(target, kind, &known)?;
    }
    Ok(plan)
}

/// Whether nothing is to be done about a record until one of the values it is made of is another.
fn is_known(row: &PushRow, decision: Decision, lookups: &[Lookup]) -> bool {
    let is_linked = row.link.as_ref().is_some_and(|link| !link.gone);
    decision == Decision::Unchanged && is_linked && row.rejection.is_none() && is_final(lookups)
}

/// What a push would do with one record.
pub(super) struct One {
    pub(super) decision: Decision,
    /// The fields that differ from what was acknowledged.
    pub(super) change: Change,
    pub(super) sent: Option<String>,
    pub(super) payload_left_out: bool,
    /// Parents in the mirror that are not in the CRM: what becomes of them decides for the child.
    pub(super) unlinked_parents: Vec<(Kind, i64)>,
}

/// Plans one record; None when the mirror has none.
#[expect(clippy::too_many_arguments, reason = "the same as for a whole plan, and which record")]
pub(super) fn plan_one(
    db: &Db,
    kind: Kind,
    query: &PushQuery,
    mapping: &Mapping,
    names: &Names,
    parents: &Parents,
    rules: &Rules,
    key: Key,
) -> Result<Option<One>> {
    db.push_row(query, names.store_id(key), key.id, |row| {
        let lookups = parents.lookups(kind, mapping, row, key.store);
        let mut fields = String::new();
        let payload_left_out = mapping.write(row, &names.name(key), &lookups, &mut fields)?;
        let above = kind.table().parents().zip(&row.parents);
        let decision = decide(kind.table().pushes_removed, row, &lookups, &fields, rules);
        Ok(One {
            decision: calmed(decision, kind, mapping, row, &lookups, &fields),
            change: describe(key, names, row, mapping, &lookups, &fields)?,
            sent: row.link.as_ref().map(|link| link.fields_sent.to_owned()),
            payload_left_out,
            unlinked_parents: above
                .filter(|(_, parent)| parent.crm_id.is_none() && parent.in_mirror && !parent.removed)
                .filter_map(|(kind, parent)| Some((kind, parent.id?)))
                .collect(),
        })
    })
}

/// The one place that decides what happens to a record.
fn decide(pushes_removed: bool, row: &PushRow, lookups: &[Lookup], fields: &str, rules: &Rules) -> Decision {
    let Some(link) = &row.link else {
        return if row.removed {
            Decision::Skip
        } else if lookups.contains(&Lookup::Waiting) {
            Decision::Waiting
        } else {
            due(row, lookups, fields, rules, Decision::Create)
        };
    };
    if row.removed && !pushes_removed {
        return if link.gone { Decision::Skip } else { Decision::Unchanged };
    }
    if link.gone {
        return if row.removed { Decision::Skip } else { Decision::Held };
    }
    if lookups.contains(&Lookup::Waiting) {
        return Decision::Waiting;
    }
    if link.unanswered.is_none() && !lookups.contains(&Lookup::Pending) && unchanged(link.fields_sent, fields) {
        return Decision::Unchanged;
    }
    due(row, lookups, fields, rules, Decision::Update)
}

/// An update that would only follow the day's exchange rates is none.
fn calmed(
    decision: Decision,
    kind: Kind,
    mapping: &Mapping,
    row: &PushRow,
    lookups: &[Lookup],
    fields: &str,
) -> Decision {
    let answered = row.link.as_ref().filter(|link| link.unanswered.is_none());
    match (decision, answered.map(|link| link.fields_sent)) {
        (Decision::Update, Some(sent))
            if !lookups.contains(&Lookup::Pending) && mapping.tolerance.covers(kind.table(), sent, fields) =>
        {
            Decision::Unchanged
        }
        _ => decision,
    }
}

/// A refused record goes again when what would be sent is something else, or when its time has come (design, rule 5).
fn due(row: &PushRow, lookups: &[Lookup], fields: &str, rules: &Rules, operation: Decision) -> Decision {
    let Some(rejection) = &row.rejection else {
        return operation;
    };
    // only another look at the CRM frees it
    if operation == Decision::Create && is_held_for_name(row) {
        return Decision::Held;
    }
    let is_unanswered = row.link.as_ref().is_some_and(|link| link.unanswered.is_some());
    let is_other = || sha256_hex(fields.as_bytes()) != rejection.fields_sha256;
    // what was refused once is not sent again, unless something else may have been written since
    let changed = || is_unanswered || lookups.contains(&Lookup::Pending) || is_other();
    if is_due(row, rules) || changed() { operation } else { Decision::Held }
}

fn is_held_for_name(row: &PushRow) -> bool {
    row.rejection.as_ref().is_some_and(|rejection| rejection.code == AMBIGUOUS)
}

fn is_due(row: &PushRow, rules: &Rules) -> bool {
    let waits = |next_at: &str| rules.now < next_at && next_at <= rules.longest_wait;
    rules.retry_rejected || row.rejection.as_ref().is_some_and(|rejection| !waits(rejection.next_at))
}

impl Plan {
    fn count(&mut self, key: Key, row: &PushRow, decision: Decision, payload_left_out: bool) {
        self.linked += u64::from(row.link.as_ref().is_some_and(|link| !link.gone));
        match decision {
            Decision::Skip => {}
            Decision::Unchanged => self.counts.unchanged += 1,
            Decision::Waiting => self.counts.waiting += 1,
            Decision::Held => self.counts.held += 1,
            Decision::Create => {
                self.counts.create += 1;
                self.creates.push(key);
            }
            Decision::Update => {
                self.counts.update += 1;
                self.updates.push(key);
            }
        }
        if row.link.is_none() && matches!(decision, Decision::Waiting | Decision::Held) {
            self.blocked.insert(key);
        }
        if row.rejection.is_some() && matches!(decision, Decision::Skip | Decision::Unchanged) {
            self.settled.push(key);
        }
        if payload_left_out && matches!(decision, Decision::Create | Decision::Update) {
            self.without_payload += 1;
        }
    }

    fn note_differences(&mut self, row: &PushRow, mapping: &Mapping, lookups: &[Lookup], fields: &str) -> Result<()> {
        let sent = row.link.as_ref().map_or("{}", |link| link.fields_sent);
        for difference in difference(sent, fields)? {
            *self.differing.entry(difference.field).or_default() += 1;
        }
        for (field, _) in mapping.pending(lookups) {
            *self.differing.entry(field.to_owned()).or_default() += 1;
        }
        Ok(())
    }
}

fn describe(
    key: Key,
    names: &Names,
    row: &PushRow,
    mapping: &Mapping,
    lookups: &[Lookup],
    fields: &str,
) -> Result<Change> {
    let (operation, sent) = match &row.link {
        Some(link) => ("update", link.fields_sent),
        None => ("create", "{}"),
    };
    let mut changed: Vec<(String, String, String)> = difference(sent, fields)?
        .into_iter()
        .map(|difference| (difference.field, difference.from.unwrap_or("null").to_owned(), difference.to.to_owned()))
        .collect();
    for (field, place) in mapping.pending(lookups) {
        // the parent has no id before it is made; its name says which it will be
        let parent = row.parents[place].id.map(|id| names.name(Key { store: key.store, id }));
        let to = serde_json::json!({ "name": parent }).to_string();
        changed.push((field.to_owned(), "null".to_owned(), to));
    }
    Ok(Change {
        store_id: row.store_id.to_owned(),
        record_id: row.id.to_string(),
        name: names.name(key),
        operation,
        fields: changed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{LinkRow, RejectionRow};

    const RULES: Rules = Rules {
        now: "2026-03-02T00:00:00Z",
        longest_wait: "2026-03-09T00:00:00Z",
        retry_rejected: false,
        show: 0,
        note_in: None,
    };
    const FIELDS: &str = r#"{"Name":"1","Status":"active"}"#;

    fn row(link: Option<(&'static str, bool)>) -> PushRow<'static> {
        PushRow {
            store_id: "us",
            id: 1,
            removed: false,
            link: link.map(|(fields_sent, gone)| LinkRow { crm_id: "5", gone, fields_sent, unanswered: None }),
            rejection: None,
            parents: Vec::new(),
            cells: Vec::new(),
            fingerprint: [0; 16],
        }
    }

    fn refused(row: PushRow<'static>, hash: &'static str, next_at: &'static str) -> PushRow<'static> {
        PushRow { rejection: Some(RejectionRow { code: "INVALID_DATA", fields_sha256: hash, next_at }), ..row }
    }

    fn decided(row: &PushRow, lookups: &[Lookup]) -> Decision {
        decide(true, row, lookups, FIELDS, &RULES)
    }

    #[test]
    fn a_record_is_made_once_and_updated_when_a_value_differs() {
        assert_eq!(decided(&row(None), &[]), Decision::Create);
        assert_eq!(decided(&row(Some((FIELDS, false))), &[]), Decision::Unchanged);
        assert_eq!(decided(&row(Some((r#"{"Name":"1"}"#, false))), &[]), Decision::Update);
        assert_eq!(decided(&row(Some((r#"{"Name":"1"}"#, true))), &[]), Decision::Held);
    }

    #[test]
    fn a_record_that_went_back_while_no_answer_came_is_sent_again() {
        let mut unanswered = row(Some((FIELDS, false)));
        unanswered.link.as_mut().unwrap().unanswered = Some(r#"{"Name":"1","Status":"inactive"}"#);
        assert_eq!(decided(&unanswered, &[]), Decision::Update);
        let hash: &'static str = Box::leak(sha256_hex(FIELDS.as_bytes()).into_boxed_str());
        let mut unanswered = refused(unanswered, hash, "2026-03-03T00:00:00Z");
        assert_eq!(decided(&unanswered, &[]), Decision::Update, "though the same was refused before");
        unanswered.removed = true;
        assert_eq!(decide(false, &unanswered, &[], FIELDS, &RULES), Decision::Unchanged);
    }

    #[test]
    fn a_child_waits_for_a_refused_parent_and_not_for_a_missing_one() {
        for link in [None, Some((FIELDS, false))] {
            assert_eq!(decided(&row(link), &[Lookup::Waiting, Lookup::None]), Decision::Waiting);
        }
        assert_eq!(decided(&row(None), &[Lookup::Pending]), Decision::Create);
        assert_eq!(decided(&row(Some((FIELDS, false))), &[Lookup::Pending]), Decision::Update);
        assert_eq!(decided(&row(Some((FIELDS, false))), &[Lookup::None]), Decision::Unchanged);
    }

    #[test]
    fn removed_records_are_never_made_and_only_some_are_updated() {
        let removed = |link| PushRow { removed: true, ..row(link) };
        assert_eq!(decided(&removed(None), &[]), Decision::Skip);
        let old = Some((r#"{"Name":"1"}"#, false));
        assert_eq!(decide(true, &removed(old), &[], FIELDS, &RULES), Decision::Update);
        assert_eq!(decide(false, &removed(old), &[], FIELDS, &RULES), Decision::Unchanged);
        assert_eq!(decided(&removed(Some((FIELDS, true))), &[]), Decision::Skip);
    }

    #[test]
    fn a_refused_record_is_held_until_something_changes_or_its_time_comes() {
        let hash: &'static str = Box::leak(sha256_hex(FIELDS.as_bytes()).into_boxed_str());
        let later = "2026-03-02T00:00:01Z";
        assert_eq!(decided(&refused(row(None), hash, later), &[]), Decision::Held);
        assert_eq!(decided(&refused(row(None), "other", later), &[]), Decision::Create);
        assert_eq!(decided(&refused(row(None), hash, RULES.now), &[]), Decision::Create);
        let years_ahead = "2099-01-01T00:00:00Z";
        assert_eq!(decided(&refused(row(None), hash, years_ahead), &[]), Decision::Create);
        let at_once = Rules { retry_rejected: true, ..RULES };
        assert_eq!(decide(true, &refused(row(None), hash, later), &[], FIELDS, &at_once), Decision::Create);
        let linked = row(Some((r#"{"Name":"1"}"#, false)));
        assert_eq!(decided(&refused(linked, hash, later), &[]), Decision::Held);
        let held = |next_at| PushRow {
            rejection: Some(RejectionRow { code: AMBIGUOUS, fields_sha256: "", next_at }),
            ..row(None)
        };
        assert_eq!(decided(&held(RULES.now), &[]), Decision::Held, "an upsert would meet one of several");
        assert_eq!((is_due(&held(RULES.now), &RULES), is_due(&held(later), &RULES)), (true, false));
        let reverted = row(Some((FIELDS, false)));
        assert_eq!(decided(&refused(reverted, hash, later), &[]), Decision::Unchanged);
    }

    #[test]
    fn names_carry_the_store_unless_it_is_the_only_one_and_the_first() {
        let stores = |names: &[(&str, Option<&str>)]| {
            names.iter().map(|(id, name)| ((*id).to_owned(), name.map(str::to_owned))).collect::<Vec<_>>()
        };
        let name = |mut names: Names, store: &str| {
            let store = names.place(store);
            names.name(Key { store, id: 7 })
        };
        let (us, both) = (["us".to_owned()], ["us".to_owned(), "eu".to_owned()]);
        assert_eq!(name(Names::new(stores(&[("us", None)]), &us), "us"), "7");
        assert_eq!(name(Names::new(stores(&[("eu", None), ("us", None)]), &both), "us"), "us:7");
        assert_eq!(name(Names::new(stores(&[("eu", None), ("us", Some("{id}"))]), &both), "us"), "7");
        assert_eq!(name(Names::new(stores(&[("eu", None), ("us", Some("{id}"))]), &both), "eu"), "eu:7");
        assert_eq!(name(Names::new(stores(&[("us", Some("{id}")), ("eu", None)]), &["eu".to_owned()]), "eu"), "eu:7");
        let mut names = Names::new(stores(&[("us", None)]), &us);
        let key = Key { store: 0, id: 1 };
        assert_eq!(names.decide([key, key].into_iter()), [("us".to_owned(), "{id}".to_owned())]);
        assert!(names.decide([key].into_iter()).is_empty());
    }
}
