//! What the partner earns: commissions, reversals, and the monthly round per billing entity.
//!
//! Terms: the *base* of a commission is the part of the transaction it is paid on; *offset* is a commission closed
//! without a payout because an open reversal of the same entity consumed it.

use super::catalog::ENTITIES;
use super::history::{History, Planned};
use super::money::{exchange_rate, is_second_generation, times, usd_rate};
use chrono::{Days, NaiveDate};
use std::collections::BTreeMap;

/// Payout and commission rates, in ten-thousandths.
const RATE_BEFORE: i64 = 2_500;
const RATE_SINCE: i64 = 1_800;
const RATE_EXTENSION: i64 = 10_000;
/// An entity pays only from this sum on, in cents of its currency.
const SMALLEST_PAYOUT: i64 = 50_00;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Open,
    Requested,
    Closed,
}

pub(super) struct Commission {
    pub(super) id: i64,
    pub(super) transaction: usize,
    pub(super) is_reversal: bool,
    pub(super) status: Status,
    pub(super) day: NaiveDate,
    pub(super) payout_id: i64,
    pub(super) entity: usize,
    pub(super) exchange_rate: i64,
    /// All magnitudes; the renderer signs them.
    pub(super) amount: i64,
    pub(super) base_amount: i64,
    pub(super) usd: i64,
    pub(super) eligible: i64,
    pub(super) eligible_usd: i64,
    pub(super) eligible_payout: i64,
    pub(super) paid: i64,
    pub(super) balance: i64,
}

/// The partner's bookkeeping between the rounds.
#[derive(Default)]
pub(super) struct Books {
    /// Commissions written or planned.
    pub(super) expected: usize,
    /// Transaction → its commission.
    pub(super) earned_from: BTreeMap<usize, usize>,
    /// Refund transaction → the transaction it gives back.
    pub(super) refunds: BTreeMap<usize, usize>,
    open: [Vec<usize>; ENTITIES.len()],
    requested: [Vec<usize>; ENTITIES.len()],
    reversals: [Vec<usize>; ENTITIES.len()],
    payouts: i64,
}

impl History {
    /// Decides whether a money transaction earns, and when it will show.
    pub(super) fn expect_commission(&mut self, place: usize, day: NaiveDate) {
        let transaction = &self.transactions[place];
        let at = transaction.subscription;
        let is_mapped = self.customers[self.subscriptions[at].customer].mapped_late.is_none_or(|(from, _)| day >= from);
        if transaction.amount <= 0 || self.subscriptions[at].is_partner_price || !is_mapped {
            return;
        }
        // a deliberate few never come: the report of missing commissions needs them
        if self.chance(14) {
            return;
        }
        self.books.expected += 1;
        let later = Days::new(u64::from(self.chance(350)));
        self.plan_for(day + later, at, Planned::Commission(place));
        if self.chance(4) {
            self.books.expected += 1;
            self.plan_for(day + Days::new(1), at, Planned::Commission(place));
        }
    }

    fn rate(&self, at: usize, day: NaiveDate) -> i64 {
        let subscription = &self.subscriptions[at];
        if subscription.plan().is_extension {
            return RATE_EXTENSION;
        }
        match subscription.other_rate {
            Some((from, rate)) if day >= from => rate,
            _ if is_second_generation(day) => RATE_SINCE,
            _ => RATE_BEFORE,
        }
    }

    pub(super) fn earn(&mut self, place: usize, day: NaiveDate) {
        let transaction = &self.transactions[place];
        let at = transaction.subscription;
        let share = self.customers[self.subscriptions[at].customer].mapped_late.map_or(10_000, |(_, share)| share);
        let eligible = times(transaction.amount, share);
        let rate = self.rate(at, transaction.day);
        let commission = self.book(place, day, eligible, times(eligible, rate), false);
        self.books.earned_from.insert(place, commission);
        self.books.open[self.commissions[commission].entity].push(commission);
    }

    pub(super) fn reverse(&mut self, refund: usize, day: NaiveDate) {
        let Some(paid) = self.books.refunds.get(&refund).copied() else {
            return;
        };
        let Some(original) = self.books.earned_from.get(&paid).copied() else {
            return;
        };
        let is_whole = self.transactions[refund].amount == self.transactions[paid].amount;
        let share = if is_whole { 10_000 } else { 5_000 };
        let (eligible, amount) = (self.commissions[original].eligible, self.commissions[original].amount);
        self.books.expected += 1;
        let reversal = self.book(refund, day, times(eligible, share), times(amount, share), true);
        self.books.reversals[self.commissions[reversal].entity].push(reversal);
    }

    fn book(&mut self, place: usize, day: NaiveDate, eligible: i64, amount: i64, is_reversal: bool) -> usize {
        let country = self.country(self.transactions[place].subscription);
        let to_payout = exchange_rate(country.currency, ENTITIES[country.entity].currency, day);
        let to_usd = usd_rate(country.currency, day);
        let id = self.new_id(2);
        self.commissions.push(Commission {
            id,
            transaction: place,
            is_reversal,
            status: Status::Open,
            day,
            payout_id: -1,
            entity: country.entity,
            exchange_rate: to_payout,
            amount,
            base_amount: times(amount, to_payout),
            usd: times(amount, to_usd),
            eligible,
            eligible_usd: times(eligible, to_usd),
            eligible_payout: times(eligible, to_payout),
            paid: 0,
            balance: amount,
        });
        let commission = self.commissions.len() - 1;
        self.touched.commissions.insert(commission);
        commission
    }

    /// On the 20th: open reversals take what they can, then everything but the last days is requested.
    pub(super) fn ask_for_payouts(&mut self, day: NaiveDate) {
        for entity in 0..ENTITIES.len() {
            self.consume_by_reversals(entity, day);
            let limit = day - Days::new(5);
            let (due, young): (Vec<usize>, Vec<usize>) =
                self.books.open[entity].iter().partition(|at| self.commissions[**at].day < limit);
            let sum: i64 = due.iter().map(|at| self.commissions[*at].base_amount).sum();
            if sum < SMALLEST_PAYOUT {
                continue;
            }
            for at in &due {
                self.commissions[*at].status = Status::Requested;
                self.touched.commissions.insert(*at);
            }
            self.books.open[entity] = young;
            self.books.requested[entity].extend(due);
        }
    }

    /// A reversal takes half of itself in one round and the rest months later, so half-consumed ones are always seen.
    fn consume_by_reversals(&mut self, entity: usize, day: NaiveDate) {
        for reversal in std::mem::take(&mut self.books.reversals[entity]) {
            let (amount, base, balance) = {
                let commission = &self.commissions[reversal];
                (commission.amount, commission.base_amount, commission.balance)
            };
            let is_fresh = self.commissions[reversal].day + Days::new(120) > day;
            if balance < amount && is_fresh {
                self.books.reversals[entity].push(reversal);
                continue;
            }
            let mut wanted = base / 2;
            let mut consumed = Vec::new();
            for at in &self.books.open[entity] {
                if wanted > 0 && self.commissions[*at].base_amount <= wanted {
                    wanted -= self.commissions[*at].base_amount;
                    consumed.push(*at);
                }
            }
            if consumed.is_empty() {
                self.books.reversals[entity].push(reversal);
                continue;
            }
            self.books.open[entity].retain(|at| !consumed.contains(at));
            for at in consumed {
                self.close(at, -1);
            }
            if balance == amount {
                self.commissions[reversal].balance = amount - amount / 2;
                self.touched.commissions.insert(reversal);
                self.books.reversals[entity].push(reversal);
            } else {
                self.close(reversal, -1);
            }
        }
    }

    fn close(&mut self, at: usize, payout_id: i64) {
        let commission = &mut self.commissions[at];
        commission.status = Status::Closed;
        commission.payout_id = payout_id;
        commission.balance = 0;
        commission.paid = if payout_id > 0 { commission.amount } else { 0 };
        self.touched.commissions.insert(at);
    }

    /// On the 10th: every entity with requested commissions pays them in one payout.
    pub(super) fn pay_out(&mut self) {
        for entity in 0..ENTITIES.len() {
            let requested = std::mem::take(&mut self.books.requested[entity]);
            if requested.is_empty() {
                continue;
            }
            self.books.payouts += 1;
            let payout_id = 2_300_000_000_000 + self.books.payouts * 10 + i64::from(self.is_eu);
            for at in requested {
                self.close(at, payout_id);
            }
        }
    }
}
