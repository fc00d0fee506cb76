//! `doctor --first-contact`: what each store really does with pages, sizes and headers, so that the undocumented half of
//! its API can be learnt. Names, shapes and counts only: nothing of what it prints belongs to a person.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::{Value, json};

use crate::api::{self, Page};
use crate::failure::{Code, Failure, worst};
use crate::ingest::Source;
use crate::model::{Kind, map_record, record_id};

/// A second size to ask page 1 with: small enough that an honouring server must answer with fewer records.
const SMALL_PAGE: u32 = 3;

/// What one kind of one store did.
pub struct Contact {
    store_id: String,
    kind: Kind,
    answer: Result<Behaviour, Failure>,
}

struct Behaviour {
    per_page: u32,
    page_1: usize,
    page_2: usize,
    /// Records of page 2 that page 1 had too.
    page_2_repeats: usize,
    small: usize,
    headers: Vec<(String, String)>,
    /// JSON pointer → records that had it.
    unknown_fields: BTreeMap<String, usize>,
    /// JSON pointer and value → records that had it.
    unknown_values: BTreeMap<String, usize>,
    unreadable: BTreeMap<String, usize>,
    without_id: usize,
}

pub async fn first_contact(sources: &[Source<'_>]) -> Result<Vec<Contact>> {
    let mut contacts = Vec::new();
    for source in sources {
        // leads are asked too: whether the store has them is part of what is to be learnt
        for kind in Kind::ALL {
            let answer = match &source.api {
                Ok(api) => {
                    meet(api, kind, source.store.page_size).await.map_err(|error| error.into_failure(Code::Store))
                }
                Err(failure) => Err(failure.clone()),
            };
            contacts.push(Contact { store_id: source.store.store_id.clone(), kind, answer });
        }
    }
    Ok(contacts)
}

async fn meet(api: &api::StoreApi, kind: Kind, per_page: u32) -> Result<Behaviour, api::Error> {
    let first = api.list(kind, 1, per_page).await?;
    let second = match api.list(kind, 2, per_page).await {
        // a refused second page is an answer to the question too
        Err(api::Error::Refused { .. }) => Page::default(),
        other => other?,
    };
    let small = match api.list(kind, 1, SMALL_PAGE).await {
        Err(api::Error::Refused { .. }) => Page::default(),
        other => other?,
    };
    let ids = |page: &Page| -> BTreeSet<String> {
        page.records.iter().filter_map(|body| record_id(kind.table(), body)).collect()
    };
    let mut behaviour = Behaviour {
        per_page,
        page_1: first.records.len(),
        page_2: second.records.len(),
        page_2_repeats: ids(&second).intersection(&ids(&first)).count(),
        small: small.records.len(),
        headers: first.headers.iter().filter(|(name, _)| !is_personal(name)).cloned().collect(),
        unknown_fields: BTreeMap::new(),
        unknown_values: BTreeMap::new(),
        unreadable: BTreeMap::new(),
        without_id: 0,
    };
    for body in first.records.iter().chain(&second.records) {
        behaviour.learn(kind, body);
    }
    Ok(behaviour)
}

/// Headers that may name a session, a user or an address.
fn is_personal(header: &str) -> bool {
    ["cookie", "token", "user", "session", "ip", "forwarded", "zuid", "email", "location", "nonce"]
        .iter()
        .any(|word| header.split('-').any(|part| part == *word) || header.contains("cookie"))
}

impl Behaviour {
    fn learn(&mut self, kind: Kind, body: &str) {
        let Some(id) = record_id(kind.table(), body) else {
            self.without_id += 1;
            return;
        };
        let mapped = map_record(kind.table(), &id, body);
        for finding in mapped.findings {
            let known = match finding.value {
                None => self.unknown_fields.entry(finding.pointer),
                Some(value) => self.unknown_values.entry(format!("{} = {value}", finding.pointer)),
            };
            *known.or_default() += 1;
        }
        if let Err(error) = mapped.row {
            // the reason may quote the value, which may be personal; the field alone is not
            *self.unreadable.entry(error.pointer).or_default() += 1;
        }
    }

    fn page_2_said(&self) -> &'static str {
        match (self.page_2, self.page_2_repeats) {
            (0, _) => "empty",
            (all, repeats) if all == repeats => "the records of page 1 again",
            (_, 0) => "other records",
            _ => "other records and some of page 1",
        }
    }

    fn per_page_said(&self) -> &'static str {
        match (self.page_1, self.small) {
            (first, _) if first <= SMALL_PAGE as usize => "too few records to tell",
            (_, small) if small <= SMALL_PAGE as usize => "honoured",
            (first, small) if small == first => "ignored",
            _ => "neither honoured nor ignored",
        }
    }
}

pub fn exit(contacts: &[Contact]) -> u8 {
    worst(contacts.iter().map(|contact| contact.answer.as_ref().err().map_or(0, |failure| failure.code.exit())))
}

pub fn json(contacts: &[Contact]) -> Value {
    let listings = contacts.iter().map(|contact| match &contact.answer {
        Ok(seen) => json!({
            "store_id": contact.store_id, "kind": contact.kind.name(), "per_page": seen.per_page, "page_1": seen.page_1,
            "page_2": seen.page_2, "page_2_said": seen.page_2_said(), "page_1_with_per_page_3": seen.small,
            "per_page_said": seen.per_page_said(),
            "headers": seen.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<serde_json::Map<_, _>>(),
            "unknown_fields": seen.unknown_fields, "unknown_values": seen.unknown_values, "unreadable_fields": seen.unreadable,
            "without_usable_id": seen.without_id, "error": null,
        }),
        Err(failure) => json!({
            "store_id": contact.store_id, "kind": contact.kind.name(), "error": crate::failure::json(failure),
        }),
    });
    json!({ "command": "doctor", "version": env!("CARGO_PKG_VERSION"), "exit": exit(contacts), "first_contact": listings.collect::<Vec<_>>(), "error": null })
}

pub fn text(contacts: &[Contact]) -> String {
    let mut lines = vec![format!("storemirror {} first contact (no personal data)", env!("CARGO_PKG_VERSION"))];
    for contact in contacts {
        lines.push(format!("\n{} {}", contact.store_id, contact.kind));
        let seen = match &contact.answer {
            Ok(seen) => seen,
            Err(failure) => {
                lines.push(format!("  failed: {}", crate::screen::plain(&failure.message)));
                continue;
            }
        };
        lines.push(format!("  page 1, per_page={}: {}", seen.per_page, records(seen.page_1)));
        lines.push(format!("  page 2: {} ({})", records(seen.page_2), seen.page_2_said()));
        lines.push(format!(
            "  page 1, per_page={SMALL_PAGE}: {} (per_page: {})",
            records(seen.small),
            seen.per_page_said()
        ));
        lines.extend(
            seen.headers.iter().map(|(name, value)| format!("  header {name}: {}", crate::screen::plain(value))),
        );
        let counted = [
            ("unknown field", &seen.unknown_fields),
            ("unknown value", &seen.unknown_values),
            ("unreadable field", &seen.unreadable),
        ];
        for (what, found) in counted {
            lines.extend(
                found
                    .iter()
                    .map(|(name, count)| format!("  {what} {}: {}", crate::screen::plain(name), records(*count))),
            );
        }
        if seen.without_id > 0 {
            lines.push(format!("  without a usable id: {}", records(seen.without_id)));
        }
    }
    lines.join("\n")
}

fn records(count: usize) -> String {
    crate::screen::counted(count as u64, "record", "records")
}
