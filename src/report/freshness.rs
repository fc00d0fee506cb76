//! How far a report can be trusted: the day it speaks of, when each kind was last completely listed, and what is wrong
//! with that. Every report carries it.

use anyhow::Result;
use chrono::TimeDelta;
use serde::Serialize;

use crate::db::Db;
use crate::model::instant::{day_of, parse_instant};
use crate::report::Moment;

/// A listing older than this is worth a warning: a mirror is meant to be brought up to date every day.
const STALE_AFTER: TimeDelta = TimeDelta::days(1);

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    pub store_id: String,
    pub kind: String,
    pub state: String,
    pub last_complete_at: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Freshness {
    pub as_of: String,
    pub listings: Vec<Listing>,
    pub warnings: Vec<String>,
}

impl Freshness {
    /// Reads what the mirror knows about its own completeness.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn read(db: &Db, moment: Moment) -> Result<Self> {
        let listings: Vec<Listing> = db
            .coverage()?
            .into_iter()
            .map(|row| Listing {
                store_id: row.store_id,
                kind: row.kind.name().to_owned(),
                state: row.state,
                last_complete_at: row.last_complete_at,
            })
            .collect();
        let mut warnings: Vec<String> = listings.iter().filter_map(|listing| warning(listing, moment)).collect();
        if listings.is_empty() {
            warnings.push("nothing has been listed yet".to_owned());
        }
        let as_of = moment.as_of.to_string();
        if as_of < day_of(moment.now)
            && let Some(first_day) = db.first_seen_day()?.filter(|first_day| as_of < *first_day)
        {
            warnings.push(format!("states before {first_day} are not known"));
        }
        Ok(Self { as_of, listings, warnings })
    }

    /// The last line of a table, and what stderr says beside a CSV.
    pub fn line(&self) -> String {
        let mut parts = vec![format!("as of {}", self.as_of)];
        let stores = self.listings.chunk_by(|left, right| left.store_id == right.store_id).map(store_part);
        parts.extend(stores.filter(|part| !part.is_empty()));
        parts.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        parts.join("; ")
    }
}

fn warning(listing: &Listing, moment: Moment) -> Option<String> {
    let Listing { store_id, kind, state, last_complete_at } = listing;
    let Some(last_complete_at) = last_complete_at.as_deref().and_then(parse_instant) else {
        return Some(format!("{store_id} {kind} were never completely listed"));
    };
    match state.as_str() {
        "possibly_truncated" => Some(format!("the newest listing of {store_id} {kind} may be cut short")),
        "suspicious" => Some(format!("the newest listing of {store_id} {kind} lacks suspiciously many records")),
        _ => {
            let age = moment.now - last_complete_at;
            (age > STALE_AFTER)
                .then(|| format!("{store_id} {kind} were last completely listed {} hours ago", age.num_hours()))
        }
    }
}

/// `us completely listed 2026-03-01 06:00 UTC (subscriptions, transactions), 2026-02-27 06:00 UTC (commissions)`, newest first.
fn store_part(listings: &[Listing]) -> String {
    let mut by_minute: Vec<(String, Vec<&str>)> = Vec::new();
    for listing in listings {
        let Some(minute) = listing.last_complete_at.as_deref().and_then(|instant| instant.get(..16)) else { continue };
        let minute = minute.replace('T', " ");
        match by_minute.iter_mut().find(|(known, _)| *known == minute) {
            Some((_, kinds)) => kinds.push(&listing.kind),
            None => by_minute.push((minute, vec![&listing.kind])),
        }
    }
    if by_minute.is_empty() {
        return String::new();
    }
    by_minute.sort_by(|left, right| right.0.cmp(&left.0));
    let times: Vec<String> =
        by_minute.iter().map(|(minute, kinds)| format!("{minute} UTC ({})", kinds.join(", "))).collect();
    format!("{} completely listed {}", listings[0].store_id, times.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(kind: &str, state: &str, last_complete_at: Option<&str>) -> Listing {
        Listing {
            store_id: "us".to_owned(),
            kind: kind.to_owned(),
            state: state.to_owned(),
            last_complete_at: last_complete_at.map(str::to_owned),
        }
    }

    #[test]
    fn each_trouble_has_its_warning() {
        let moment = Moment::new(None, parse_instant("2026-03-02T06:00:00Z").unwrap()).unwrap();
        for (state, last_complete_at, expected) in [
            ("complete", Some("2026-03-01T06:00:00Z"), None),
            ("complete", Some("2026-03-01T05:59:59Z"), Some("us leads were last completely listed 24 hours ago")),
            ("never", None, Some("us leads were never completely listed")),
            ("suspicious", None, Some("us leads were never completely listed")),
            (
                "possibly_truncated",
                Some("2026-03-02T05:00:00Z"),
                Some("the newest listing of us leads may be cut short"),
            ),
            (
                "suspicious",
                Some("2026-03-02T05:00:00Z"),
                Some("the newest listing of us leads lacks suspiciously many records"),
            ),
        ] {
            assert_eq!(warning(&listing("leads", state, last_complete_at), moment).as_deref(), expected);
        }
    }

    #[test]
    fn the_line_groups_the_kinds_of_a_store_by_minute() {
        let freshness = Freshness {
            as_of: "2026-03-01".to_owned(),
            listings: vec![
                listing("subscriptions", "complete", Some("2026-03-01T06:00:01Z")),
                listing("transactions", "complete", Some("2026-03-01T06:00:59Z")),
                listing("commissions", "complete", Some("2026-02-27T06:00:00Z")),
            ],
            warnings: vec!["nothing".to_owned()],
        };
        assert_eq!(
            freshness.line(),
            "as of 2026-03-01; us completely listed 2026-03-01 06:00 UTC (subscriptions, transactions), \
             2026-02-27 06:00 UTC (commissions); warning: nothing"
        );
    }
}
