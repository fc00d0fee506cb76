//! The daily digest: commissions that are newly missing and subscriptions that are newly at risk, from the reports of
//! those names. At most one a day, and none when nothing is new.

use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, Days, Local, NaiveTime, TimeZone, Utc};

use crate::db::Db;
use crate::model::Value;
use crate::model::instant::parse_instant;
use crate::notify::memory::Told;
use crate::notify::{Event, Notice};
use crate::report::{Catalog, Moment, Request};
use crate::screen::{counted, plain};

/// Lines of each list: a digest is read on a telephone, the report has them all.
const SHOWN: usize = 10;

/// One list of the digest.
struct List {
    report: &'static str,
    /// The column that tells a new row from a known one, beside the store.
    id: &'static str,
    one: &'static str,
    many: &'static str,
    /// The column that is added up, and what the sum is.
    sum: (&'static str, &'static str),
    /// Only rows whose column has this value.
    only: Option<(&'static str, &'static str)>,
    line: fn(&Row<'_>) -> String,
}

const LISTS: [List; 2] = [
    List {
        report: "commissions_missing",
        id: "transaction_id",
        one: "new missing commission",
        many: "new missing commissions",
        sum: ("expected_usd", "USD to expect"),
        // the others may well come, or cannot be known
        only: Some(("certainty", "missing")),
        line: |row| {
            format!(
                "{} transaction {} of {}, {}: {} USD",
                row.text("store_id"),
                row.text("transaction_id"),
                row.text("transaction_day"),
                row.text("service_name"),
                row.money("expected_usd")
            )
        },
    },
    List {
        report: "subscriptions_at_risk",
        id: "subscription_id",
        one: "subscription newly at risk",
        many: "subscriptions newly at risk",
        sum: ("mrr_usd", "USD a month"),
        only: None,
        line: |row| {
            format!(
                "{} subscription {}, {}: {} since {}, next due {}",
                row.text("store_id"),
                row.text("subscription_id"),
                row.text("service_name"),
                row.text("reason").replace('_', " "),
                row.text("since"),
                row.text("next_recurring_date")
            )
        },
    },
];

/// A row of a report, by the names of its columns.
struct Row<'a> {
    names: &'a [String],
    values: &'a [Value],
}

impl Row<'_> {
    fn value(&self, name: &str) -> &Value {
        let place = self.names.iter().position(|known| known == name);
        place.map_or(&Value::Null, |place| &self.values[place])
    }

    fn text(&self, name: &str) -> String {
        match self.value(name) {
            Value::Null => "unknown".to_owned(),
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => plain(text),
        }
    }

    fn money(&self, name: &str) -> String {
        self.cents(name).map_or_else(|| "an unknown amount of".to_owned(), money)
    }

    #[expect(clippy::cast_possible_truncation, reason = "an amount with two decimals, far below 2^53 cents")]
    fn cents(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Value::Integer(number) => Some(number * 100),
            Value::Real(number) => Some((number * 100.0).round() as i64),
            _ => None,
        }
    }
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents.abs() % 100)
}

/// What there is to tell of now, whoever has been told of it.
pub(super) struct Digest {
    day: String,
    lists: Vec<(&'static List, Vec<Entry>)>,
}

struct Entry {
    key: String,
    line: String,
    cents: Option<i64>,
}

/// Whether the day's digest may be sent now: its time has come since the last one. `from` is a local minute of the day.
pub(super) fn is_due(last: Option<&str>, from: u32, now: DateTime<Utc>) -> bool {
    last.and_then(parse_instant)
        .is_none_or(|last| newest_mark(from, &now.with_timezone(&Local)).is_none_or(|mark| last < mark))
}

/// The newest instant up to `now` at which a digest fell due.
fn newest_mark<Zone: TimeZone>(from: u32, now: &DateTime<Zone>) -> Option<DateTime<Zone>> {
    let time = NaiveTime::from_num_seconds_from_midnight_opt(from * 60, 0)?;
    (0..=2).find_map(|days| {
        let day = now.date_naive().checked_sub_days(Days::new(days))?;
        let mark = now.timezone().from_local_datetime(&day.and_time(time)).earliest()?;
        (mark <= *now).then_some(mark)
    })
}

impl Digest {
    /// Asks the reports.
    ///
    /// # Errors
    /// When the mirror cannot be read.
    pub(super) fn read(db: &Db, now: DateTime<Utc>, names: bool) -> Result<Self> {
        let catalog = Catalog::bundled();
        let moment = Moment::new(None, now)?;
        let mut lists = Vec::new();
        for list in &LISTS {
            let table = Request::new(catalog.find(list.report)?, &[], moment)?.run(db)?;
            let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
            let rows = table.rows.iter().map(|values| Row { names: &columns, values });
            let wanted = |row: &Row<'_>| list.only.is_none_or(|(column, value)| row.text(column) == value);
            lists.push((list, rows.filter(wanted).map(|row| list.entry(&row, names)).collect()));
        }
        Ok(Self { day: moment.as_of.to_string(), lists })
    }

    /// Everything it knows of, to be remembered as told.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        self.lists.iter().flat_map(|(_, entries)| entries.iter().map(|entry| entry.key.clone())).collect()
    }

    /// What a channel has not been told of; None when that is nothing.
    pub(super) fn notice(&self, told: &Told) -> Option<Notice> {
        let (mut subjects, mut parts) = (Vec::new(), Vec::new());
        for (list, entries) in &self.lists {
            let new: Vec<&Entry> = entries.iter().filter(|entry| !told.digested.contains(&entry.key)).collect();
            if new.is_empty() {
                continue;
            }
            let count = counted(new.len() as u64, list.one, list.many);
            let sum = money(new.iter().filter_map(|entry| entry.cents).sum());
            let mut lines = vec![format!("{count}, {sum} {}:", list.sum.1)];
            lines.extend(new.iter().take(SHOWN).map(|entry| format!("- {}", entry.line)));
            if new.len() > SHOWN {
                lines.push(format!("- and {} more", new.len() - SHOWN));
            }
            lines.push(format!("See them all: storemirror report {}", list.report));
            subjects.push(count);
            parts.push(lines.join("\n"));
        }
        let subject = format!("storemirror on {}: {}", self.day, subjects.join(", "));
        (!parts.is_empty()).then(|| Notice {
            event: Event::Digest,
            thing: "digest".to_owned(),
            text: format!("{subject}\n\n{}", parts.join("\n\n")),
        })
    }
}

impl List {
    fn entry(&self, row: &Row<'_>, names: bool) -> Entry {
        let reason = match row.value("reason") {
            Value::Text(reason) => format!(" {reason}"),
            _ => String::new(),
        };
        let name = if names { format!(" ({})", row.text("company_name")) } else { String::new() };
        Entry {
            key: format!("{} {}:{}{reason}", self.report, row.text("store_id"), row.text(self.id)),
            line: format!("{}{name}", (self.line)(row)),
            cents: row.cents(self.sum.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_falls_due_once_a_day_and_none_is_lost() {
        let zone = chrono_tz::Europe::Berlin;
        let at = |day, hour, minute| zone.with_ymd_and_hms(2026, 3, day, hour, minute, 0).unwrap();
        let mark = |from, now| newest_mark(from, &now).unwrap();
        assert_eq!(mark(480, at(5, 8, 0)), at(5, 8, 0));
        // a run before its time makes up for yesterday's
        assert_eq!(mark(480, at(5, 6, 0)), at(4, 8, 0));
        assert_eq!(mark(0, at(5, 0, 0)), at(5, 0, 0));
        // the clocks skip half past two on that day
        assert_eq!(mark(150, at(29, 12, 0)), at(28, 2, 30));
    }

    #[test]
    fn amounts_have_cents() {
        assert_eq!([money(5), money(-1_250), money(123_456)], ["0.05", "-12.50", "1234.56"]);
    }
}
