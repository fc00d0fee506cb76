//! Every customer's statement, packed for the page's script: texts once, days as steps, amounts in cents. A partner whose
//! statements do not fit gets those from a day on, the same day for everybody, and the page says so.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use chrono::NaiveDate;
use serde::Serialize;

use super::page::data_block;
use super::source::{Answer, Reports, Row, Source};
use crate::model::instant::parse_day;

/// What stands in the page's data block; the script's `statements` reads it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Packed {
    /// The first day of the events; None: all of them.
    pub(super) since: Option<String>,
    /// Every text once; events name them by their place.
    texts: Vec<String>,
    pub(super) customers: Vec<Customer>,
}

#[derive(Debug, Serialize)]
pub(super) struct Customer {
    id: String,
    name: String,
    /// Events there are, packed or not.
    all: usize,
    /// store, live subscriptions, mrr_usd, revenue_usd, commission_usd (in cents), of `revenue_by_customer`
    sums: Vec<(String, i64, i64, i64, i64)>,
    /// Nine per event: days since the event before (the first since 1970; null: no day), event, store, record, service,
    /// detail, currency, amount, amount in USD.
    events: Vec<Field>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Field {
    Number(Option<i64>),
    Text(String),
}

/// The two reports that statements are made of.
pub(super) struct Statements {
    events: Answer,
    sums: Answer,
}

impl Statements {
    /// # Errors
    /// As [`Reports::ask`].
    pub(super) fn ask(reports: &Reports<'_>) -> Result<Self> {
        Ok(Self { events: reports.ask("customer_statement", &[])?, sums: reports.ask("revenue_by_customer", &[])? })
    }

    pub(super) fn sources(&self) -> [&Source; 2] {
        [&self.events.source, &self.sums.source]
    }

    /// The newest events, whole days of them, as at most so many bytes of JSON for a data block.
    ///
    /// # Errors
    /// Never with texts and numbers.
    pub(super) fn pack(&self, bytes: usize) -> Result<(Packed, String)> {
        let mut goal = bytes;
        loop {
            let packed = self.since(self.first_day_within(goal).as_deref());
            let block = data_block(&serde_json::to_string(&packed)?);
            let excess = block.len().saturating_sub(bytes);
            // what is left at a goal of nothing is one day
            if excess == 0 || goal == 0 {
                return Ok((packed, block));
            }
            goal = goal.saturating_sub(excess);
        }
    }

    fn since(&self, since: Option<&str>) -> Packed {
        let mut packed = Packed { since: since.map(str::to_owned), ..Packed::default() };
        let mut places = HashMap::new();
        let mut sums: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for row in self.sums.rows() {
            let cents = |column| row.cents(column).unwrap_or(0);
            sums.entry(row.text("customer_id").into_owned()).or_default().push((
                row.text("store_id").into_owned(),
                row.integer("live_subscriptions").unwrap_or(0),
                cents("mrr_usd"),
                cents("revenue_usd"),
                cents("commission_usd"),
            ));
        }
        let mut day_before = 0;
        for row in self.events.rows() {
            let id = row.text("customer_id");
            if packed.customers.last().is_none_or(|customer| customer.id != id) {
                day_before = 0;
                packed.customers.push(Customer {
                    id: id.to_string(),
                    name: row.text("company_name").into_owned(),
                    all: 0,
                    sums: sums.remove(&*id).unwrap_or_default(),
                    events: Vec::new(),
                });
            }
            let customer = packed.customers.last_mut().expect("one was just put there");
            customer.all += 1;
            if since.is_some_and(|since| &*row.text("day") < since) {
                continue;
            }
            let day = parse_day(&row.text("day")).map(days_since_1970);
            let step = day.map(|day| day - std::mem::replace(&mut day_before, day));
            let mut text = |column: &str| {
                let text = row.text(column).into_owned();
                let next = packed.texts.len();
                let place = *places.entry(text.clone()).or_insert(next);
                if place == next {
                    packed.texts.push(text);
                }
                Field::Number(i64::try_from(place).ok())
            };
            let [event, store, service, detail, currency] =
                ["event", "store_id", "service_name", "detail", "currency"].map(&mut text);
            customer.events.extend([
                Field::Number(step),
                event,
                store,
                Field::Text(row.text("record_id").into_owned()),
                service,
                detail,
                currency,
                Field::Number(row.cents("amount")),
                Field::Number(row.cents("amount_usd")),
            ]);
        }
        packed
    }

    /// The first day of the events that fit; None when all do.
    fn first_day_within(&self, bytes: usize) -> Option<String> {
        let mut by_day: BTreeMap<String, usize> = BTreeMap::new();
        for row in self.events.rows() {
            *by_day.entry(row.text("day").into_owned()).or_default() += size(&row);
        }
        let mut left = bytes;
        let mut first = None;
        for (day, size) in by_day.iter().rev() {
            match left.checked_sub(*size) {
                Some(rest) => left = rest,
                // the newest day is there in any case
                None => return first.or_else(|| Some(day.clone())),
            }
            first = Some(day.clone());
        }
        None
    }
}

fn days_since_1970(day: NaiveDate) -> i64 {
    (day - NaiveDate::default()).num_days()
}

/// About what an event takes: its id, its amounts, and the rest, which is short. Details mostly repeat.
fn size(row: &Row<'_>) -> usize {
    const REST: usize = 19;
    REST + ["record_id", "amount", "amount_usd"].map(|column| row.text(column).len()).iter().sum::<usize>()
}
