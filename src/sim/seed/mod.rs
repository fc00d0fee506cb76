//! The simulated partner's business: two stores lived through day by day, deterministic by seed.
//!
//! Terms: the *origin* is the first day of the half-year of the first `now`, four years before, so a later `now` of the
//! same half-year continues the very same history and there are always four years to four and a half of it. A *change* is a record to put into, or to take out of, a store's list.
//! No clock is read here and nothing is served: callers pass the instant and apply the changes.

mod catalog;
mod earnings;
mod history;
mod json;
mod life;
mod money;
mod people;
mod render;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, Duration, NaiveDate, Utc};
use history::History;

/// About how many records of each kind both stores hold together after four years.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) subscriptions: usize,
    pub(super) transactions: usize,
    pub(super) commissions: usize,
}

impl Counts {
    fn percent(self, percent: usize) -> Self {
        Self {
            subscriptions: self.subscriptions * percent / 100,
            transactions: self.transactions * percent / 100,
            commissions: self.commissions * percent / 100,
        }
    }
}

/// One record of one store, put (with its JSON text) or removed (without).
pub(super) struct Change {
    pub(super) store: &'static str,
    pub(super) kind: &'static str,
    pub(super) id: i64,
    pub(super) json: Option<String>,
}

/// A customer as the CRM's Accounts module knows it.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) org_id: String,
}

/// Both stores' histories up to a day.
pub(super) struct Partner {
    stores: [(&'static str, History); 2],
    next_day: NaiveDate,
}

impl Partner {
    pub(super) fn new(seed: u64, now: DateTime<Utc>, counts: Counts) -> Self {
        let half_year = if now.month() < 7 { 1 } else { 7 };
        let origin = NaiveDate::from_ymd_opt(now.year() - 4, half_year, 1).unwrap_or_default();
        let us = History::new(seed, false, origin, counts.percent(60));
        let eu = History::new(seed, true, origin, counts.percent(40));
        Self { stores: [("us", us), ("eu", eu)], next_day: origin }
    }

    /// Lives on until `now` and returns what changed. A day happens at 06:00 UTC of the next one, when the business
    /// hours of both stores are over.
    pub(super) fn advance_to(&mut self, now: DateTime<Utc>) -> Vec<Change> {
        let end = (now - Duration::hours(6)).date_naive();
        while self.next_day < end {
            for (_, history) in &mut self.stores {
                history.live_through(self.next_day);
            }
            self.next_day = self.next_day.succ_opt().unwrap_or(NaiveDate::MAX);
        }
        self.stores.iter_mut().flat_map(|(store, history)| changes(store, history)).collect()
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = Account> {
        self.stores
            .iter()
            .flat_map(|(_, history)| &history.customers)
            .map(|customer| Account { name: customer.org_name.clone(), org_id: customer.org_id.clone() })
    }
}

fn changes(store: &'static str, history: &mut History) -> Vec<Change> {
    let touched = std::mem::take(&mut history.touched);
    let mut changes = Vec::new();
    let mut put = |kind, id, json| {
        changes.push(Change { store, kind, id, json });
    };
    for at in touched.subscriptions {
        let subscription = &history.subscriptions[at];
        put("subscriptions", subscription.id, subscription.is_listed.then(|| history.subscription_json(at)));
    }
    for place in touched.transactions..history.transactions.len() {
        put("transactions", history.transactions[place].id, Some(history.transaction_json(place)));
    }
    for at in touched.commissions {
        put("commissions", history.commissions[at].id, Some(history.commission_json(at)));
    }
    for at in touched.leads {
        put("leads", history.leads[at].id, Some(history.lead_json(&history.leads[at])));
    }
    for id in touched.leads_gone {
        put("leads", id, None);
    }
    history.touched.transactions = history.transactions.len();
    changes
}
