//! Sending a plan: batch by batch, each acknowledged in the file before it counts. No rule of the business is decided
//! here; what to send was planned, what came back is sorted by the CRM's answers.
//!
//! A batch is prepared (fields read again), sent (no file is touched while waiting), and settled (links, rejections and
//! credits in one transaction). A killed push heals by itself: what was sent and not settled is sent again, also when
//! the record has gone back to what it was, and an upsert by name finds what it made the first time.

use std::collections::{HashMap, VecDeque};

use anyhow::Result;
use chrono::{DateTime, Days, Utc};
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::api::crm::{RECORDS_PER_REQUEST, Write, WriteItem};
use crate::api::{CrmApi, Error};
use crate::db::{Acknowledgement, Batch as Settled, Db, Fingerprint, NOTHING_SENT, Owner, PushQuery, Rejection};
use crate::model::Kind;
use crate::model::crm::Refusal;
use crate::model::instant::format_instant;
use crate::model::json::sha256_hex;
use crate::progress::Task;
use crate::push::budget::Budget;
use crate::push::fields::{Lookup, Mapping, is_final, merged, value_of};
use crate::push::plan::{Key, Names, Parents, Plan};
use crate::push::summary::Rejected;

/// Requests under way at a time: half of what every edition allows for writes of more than ten records (CRM contract
/// §6), so that a user's other programs still get through.
const IN_FLIGHT: usize = 5;
/// Characters of a refused value that are kept: enough to see what is wrong with it.
const MAX_VALUE_CHARACTERS: usize = 500;
/// Days after which a refused record is sent again: after the first refusal, the second, … (design, rule 5).
const RETRY_DAYS: [u64; 4] = [1, 2, 4, 7];

/// The code of a record that the CRM took for another of ours.
const TAKEN: &str = "CRM_RECORD_TAKEN";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// Upsert by name.
    Create,
    /// By the link's id.
    Update,
    /// By an id that the CRM named: the record is ours by its name.
    Adopt,
    /// By the link's id, once more: another record's values were written over it.
    Restore,
}

/// Records to be sent together, with the id to adopt where there is one.
struct Batch {
    operation: Operation,
    records: Vec<(Key, Option<String>)>,
}

/// A batch with everything its request and its acknowledgement need.
struct Prepared {
    operation: Operation,
    items: Vec<Item>,
}

struct Item {
    key: Key,
    crm_id: Option<String>,
    fields: String,
    /// What was acknowledged before.
    sent: Option<String>,
    /// Of what the fields are made of; None when a parent's id will change them.
    fingerprint: Option<Fingerprint>,
}

/// Why a push ended before its plan.
#[derive(Debug)]
pub(super) enum Stop {
    Credits,
    Api(Error),
}

/// What became of the records sent.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) adopted: u64,
    pub(super) requests: u64,
    pub(super) rejected: Vec<Rejected>,
}

/// Everything a kind is sent with.
pub(super) struct Sender<'a> {
    pub(super) db: &'a Db,
    pub(super) api: &'a CrmApi,
    pub(super) kind: Kind,
    pub(super) module: &'a str,
    /// Host and module: the key of links.
    pub(super) target: &'a str,
    pub(super) host: &'a str,
    pub(super) query: &'a PushQuery,
    pub(super) mapping: &'a Mapping,
    pub(super) names: &'a Names,
    pub(super) parents: &'a Parents,
    pub(super) clock: &'a dyn Fn() -> DateTime<Utc>,
    pub(super) task: &'a Task,
}

/// When a record refused so many times is sent again by itself.
pub(super) fn retry_at(now: DateTime<Utc>, attempts: u32) -> String {
    let place = (attempts.max(1) - 1) as usize;
    let days = RETRY_DAYS[place.min(RETRY_DAYS.len() - 1)];
    format_instant(now.checked_add_days(Days::new(days)).unwrap_or(now))
}

impl Sender<'_> {
    /// Sends a plan's creates, then its updates. What was refused unlinked is added to the plan's blocked records.
    pub(super) async fn apply(&self, plan: &mut Plan, budget: &mut Budget, tally: &mut Tally) -> Result<Option<Stop>> {
        let (creates, updates) = (std::mem::take(&mut plan.creates), std::mem::take(&mut plan.updates));
        let mut planned = batches(Operation::Create, &creates).chain(batches(Operation::Update, &updates));
        let mut next: VecDeque<Batch> = VecDeque::new();
        let mut in_flight = FuturesUnordered::new();
        let mut stop = None;
        loop {
            while stop.is_none() && in_flight.len() < IN_FLIGHT {
                let Some(mut batch) = next.pop_front().or_else(|| planned.next()) else { break };
                let room = budget.room();
                if room == 0 {
                    stop = Some(Stop::Credits);
                    break;
                }
                if room < batch.records.len() {
                    let later = batch.records.split_off(room);
                    next.push_front(Batch { operation: batch.operation, records: later });
                }
                let prepared = self.prepare(batch)?;
                if prepared.items.is_empty() {
                    continue;
                }
                self.note_unanswered(&prepared)?;
                budget.reserve(prepared.items.len());
                in_flight.push(send(self.api, self.module, self.mapping.name_field(), prepared));
            }
            let Some((prepared, answer)) = in_flight.next().await else { break };
            let credits = budget.settle(prepared.items.len(), answer.is_ok());
            tally.requests += u64::from(answer.is_ok());
            match answer {
                Ok(Write::Items(items)) => {
                    self.count(&prepared);
                    let more = self.settle(prepared, items, credits, plan, tally).await?;
                    next.extend(more);
                }
                Ok(Write::Refused(_)) if prepared.items.len() > 1 => {
                    self.save(credits, &[], &[])?;
                    for half in halves(&prepared) {
                        next.push_back(half);
                    }
                }
                Ok(Write::Refused(refusal)) => {
                    self.count(&prepared);
                    self.settle(prepared, vec![Err(refusal)], credits, plan, tally).await?;
                }
                Err(error) => {
                    stop.get_or_insert(Stop::Api(error));
                }
            }
        }
        Ok(stop)
    }

    /// Records that are sent once more were counted the first time.
    fn count(&self, prepared: &Prepared) {
        if matches!(prepared.operation, Operation::Create | Operation::Update) {
            self.task.add(prepared.items.len() as u64);
        }
    }

    fn prepare(&self, batch: Batch) -> Result<Prepared> {
        let Batch { operation, records } = batch;
        let items = self.db.read(|| {
            let items = records.into_iter().map(|(key, adopted)| self.item(key, adopted));
            items.filter_map(Result::transpose).collect::<Result<Vec<_>>>()
        })?;
        Ok(Prepared { operation, items })
    }

    /// A record as it is now; None when it is no longer there.
    fn item(&self, key: Key, adopted: Option<String>) -> Result<Option<Item>> {
        self.db.push_row(self.query, self.names.store_id(key), key.id, |row| {
            let lookups: Vec<Lookup> = self.parents.lookups(self.kind, self.mapping, row, key.store);
            let mut fields = String::new();
            self.mapping.write(row, &self.names.name(key), &lookups, &mut fields)?;
            let linked = row.link.as_ref().map(|link| link.crm_id.to_owned());
            let sent = row.link.as_ref().map(|link| link.fields_sent.to_owned());
            if let Some(unanswered) = row.link.as_ref().and_then(|link| link.unanswered) {
                // a field that has become empty since: it must be known what the CRM holds there
                fields = merged(Some(unanswered), &fields)?;
            }
            let fingerprint = is_final(&lookups).then_some(row.fingerprint);
            Ok(Item { key, crm_id: adopted.or(linked), fields, sent, fingerprint })
        })
    }

    /// Until the answer is saved, nobody knows what the CRM holds of records that were linked before.
    fn note_unanswered(&self, prepared: &Prepared) -> Result<()> {
        let linked = prepared.items.iter().filter(|item| item.sent.is_some());
        let unanswered: Vec<(&str, i64, &str)> =
            linked.map(|item| (self.names.store_id(item.key), item.key.id, item.fields.as_str())).collect();
        self.db.save_unanswered(self.target, self.kind, &unanswered)
    }

    /// Saves what came of a batch; returns what is to be adopted or restored.
    async fn settle(
        &self,
        prepared: Prepared,
        answers: Vec<WriteItem>,
        credits: u64,
        plan: &mut Plan,
        tally: &mut Tally,
    ) -> Result<Vec<Batch>> {
        let operation = prepared.operation;
        let (mut accepted, mut acknowledged, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for (item, answer) in prepared.items.into_iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    acknowledged.push(self.acknowledge(&item, answer.crm_id)?);
                    accepted.push((item, answer.existed));
                }
                Err(refusal) => refused.push((item, refusal)),
            }
        }
        // saved before anything else is asked of the CRM: an acknowledgement must not be lost to a later failure
        let taken = self.save(credits, &acknowledged, &[])?;
        let mut restored = Vec::new();
        for (place, (item, existed)) in accepted.into_iter().enumerate() {
            match taken.iter().find(|(taken, _)| *taken == place) {
                None => tally.count(operation, &item, existed),
                Some((_, owner)) => {
                    restored.push((self.overwritten(owner, &item)?, None));
                    refused.push((item, taken_by(owner, &acknowledged[place].crm_id)));
                }
            }
        }
        let adoptable = if operation == Operation::Create { self.ours(&refused).await } else { HashMap::new() };
        let mut adopted = Vec::new();
        let mut rejections = Vec::new();
        for (item, refusal) in refused {
            match adoptable.get(&item.key) {
                Some(crm_id) => adopted.push((item.key, Some(crm_id.clone()))),
                None => rejections.push(self.reject(operation, &item, refusal, plan, tally)),
            }
        }
        if !rejections.is_empty() {
            self.save(0, &[], &rejections)?;
        }
        restored.sort_unstable();
        restored.dedup();
        let batches = [(Operation::Adopt, adopted), (Operation::Restore, restored)];
        let batches = batches.into_iter().filter(|(_, records)| !records.is_empty());
        Ok(batches.map(|(operation, records)| Batch { operation, records }).collect())
    }

    /// A unique field made the CRM write this record over another of ours: the other's link says what its CRM record
    /// holds now, so that its own values are sent again, in this push or the next.
    fn overwritten(&self, owner: &Owner, item: &Item) -> Result<Key> {
        let held = self.db.fields_sent(self.target, self.kind, owner)?;
        self.db.save_overwritten(self.target, self.kind, owner, &merged(held.as_deref(), &item.fields)?)?;
        let store = self.names.find(&owner.store_id).unwrap_or(item.key.store);
        Ok(Key { store, id: owner.record_id.parse()? })
    }

    fn acknowledge(&self, item: &Item, crm_id: String) -> Result<Acknowledgement> {
        Ok(Acknowledgement {
            store_id: self.names.store_id(item.key).to_owned(),
            record_id: item.key.id.to_string(),
            crm_id,
            fields_sent: merged(item.sent.as_deref(), &item.fields)?,
            fingerprint: item.fingerprint,
        })
    }

    fn reject(
        &self,
        operation: Operation,
        item: &Item,
        refusal: Refusal,
        plan: &mut Plan,
        tally: &mut Tally,
    ) -> Rejection {
        let is_linked = matches!(operation, Operation::Update | Operation::Restore);
        let gone = is_linked && refusal.is_unknown_id();
        let message = if gone {
            format!(
                "{}: record {} is no longer in the CRM; run `storemirror crm verify --repair`",
                refusal.message,
                item.crm_id.as_deref().unwrap_or_default()
            )
        } else {
            refusal.message
        };
        if !is_linked {
            plan.blocked.insert(item.key);
        }
        let value = refusal.field.as_deref().and_then(|field| value_of(&item.fields, field));
        let rejection = Rejection {
            store_id: self.names.store_id(item.key).to_owned(),
            record_id: item.key.id.to_string(),
            code: refusal.code,
            message,
            field: refusal.field,
            value: value.map(|value| value.chars().take(MAX_VALUE_CHARACTERS).collect()),
            fields_sha256: sha256_hex(item.fields.as_bytes()),
            gone,
        };
        tally.rejected.push(Rejected::new(self.kind, &rejection));
        rejection
    }

    /// Refused as duplicates of records that bear our names: those are ours to adopt. What cannot be read is not.
    async fn ours(&self, refused: &[(Item, Refusal)]) -> HashMap<Key, String> {
        let named: Vec<(&Item, &String)> = refused
            .iter()
            .filter(|(_, refusal)| refusal.code == "DUPLICATE_DATA")
            .filter_map(|(item, refusal)| Some((item, refusal.duplicate_id.as_ref()?)))
            .collect();
        if named.is_empty() {
            return HashMap::new();
        }
        let ids: Vec<String> = named.iter().map(|(_, crm_id)| (*crm_id).clone()).collect();
        let Ok(names) = self.api.names(self.module, self.mapping.name_field(), &ids).await else {
            return HashMap::new();
        };
        named
            .into_iter()
            .filter(|(item, crm_id)| names.get(*crm_id).is_some_and(|name| *name == self.names.name(item.key)))
            .map(|(item, crm_id)| (item.key, crm_id.clone()))
            .collect()
    }

    fn save(
        &self,
        credits: u64,
        acknowledged: &[Acknowledgement],
        rejected: &[Rejection],
    ) -> Result<Vec<(usize, Owner)>> {
        let now = (self.clock)();
        let batch = Settled {
            target: self.target,
            host: self.host,
            kind: self.kind,
            now: &format_instant(now),
            credits,
            acknowledged,
            rejected,
        };
        self.db.save_push(&batch, |attempts| retry_at(now, attempts))
    }
}

impl Tally {
    fn count(&mut self, operation: Operation, item: &Item, existed: bool) {
        match operation {
            Operation::Create if existed => self.adopted += 1,
            Operation::Create => self.created += 1,
            // linked by its name alone, until now
            Operation::Update if item.sent.as_deref() == Some(NOTHING_SENT) => self.adopted += 1,
            Operation::Update => self.updated += 1,
            Operation::Adopt => self.adopted += 1,
            // it was counted when it was sent first
            Operation::Restore => {}
        }
    }
}

/// The CRM took the record for another of ours.
fn taken_by(owner: &Owner, crm_id: &str) -> Refusal {
    Refusal {
        code: TAKEN.to_owned(),
        message: format!(
            "the CRM wrote it over {crm_id}, which is our record {}:{}; a unique field of the module holds the same value \
             in both: make it not unique, or leave it out in [crm.fields]",
            owner.store_id, owner.record_id
        ),
        ..Refusal::default()
    }
}

fn batches(operation: Operation, keys: &[Key]) -> impl Iterator<Item = Batch> {
    keys.chunks(RECORDS_PER_REQUEST)
        .map(move |chunk| Batch { operation, records: chunk.iter().map(|key| (*key, None)).collect() })
}

/// A refused batch in two, to find the record that spoils it.
fn halves(prepared: &Prepared) -> [Batch; 2] {
    let records: Vec<(Key, Option<String>)> = prepared
        .items
        .iter()
        .map(|item| (item.key, item.crm_id.clone().filter(|_| prepared.operation == Operation::Adopt)))
        .collect();
    let (left, right) = records.split_at(records.len() / 2);
    [left, right].map(|half| Batch { operation: prepared.operation, records: half.to_vec() })
}

async fn send(api: &CrmApi, module: &str, key: &str, prepared: Prepared) -> (Prepared, Result<Write, Error>) {
    let answer = if prepared.operation == Operation::Create {
        let records: Vec<String> = prepared.items.iter().map(|item| item.fields.clone()).collect();
        api.upsert(module, key, &records).await
    } else {
        let records: Vec<String> = prepared.items.iter().map(with_id).collect();
        api.update(module, &records).await
    };
    (prepared, answer)
}

fn with_id(item: &Item) -> String {
    let id = serde_json::Value::from(item.crm_id.as_deref().unwrap_or_default());
    format!("{{\"id\":{id},{}", &item.fields[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_records_wait_longer_each_time_and_then_a_week() {
        let now = DateTime::from_timestamp(1_772_344_800, 0).unwrap();
        let days = [1, 2, 3, 4, 5, 50].map(|attempts| retry_at(now, attempts)[..10].to_owned());
        assert_eq!(days, ["2026-03-02", "2026-03-03", "2026-03-05", "2026-03-08", "2026-03-08", "2026-03-08"]);
    }

    #[test]
    fn an_update_begins_with_its_id() {
        let item = Item {
            key: Key { store: 0, id: 1 },
            crm_id: Some("42".to_owned()),
            fields: r#"{"Name":"1"}"#.to_owned(),
            sent: None,
            fingerprint: None,
        };
        assert_eq!(with_id(&item), r#"{"id":"42","Name":"1"}"#);
    }
}
