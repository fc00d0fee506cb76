//! One store's history: its customers, subscriptions, transactions and commissions, and the day's round of work.
//!
//! Terms: a *plan for a day* ([`Planned`]) is something that will happen to a subscription; a day first does what
//! was planned for it, then signs up new customers, then fills up to the wished number of transactions. A day uses
//! only what happened before it, so going on later gives the same history as going there at once.
//! What happens to a subscription is in `life`, what the partner earns is in `earnings`; no JSON is made here.

use super::catalog::{Country, EU_COUNTRIES, Frequency, PLANS, Plan, US_COUNTRIES, pick};
use super::earnings::{Books, Commission};
use super::people::{Customer, customer};
use super::{Counts, money};
use chrono::{Datelike, Days, Months, NaiveDate};
use std::collections::{BTreeMap, BTreeSet};

/// Something that will happen to a subscription.
#[derive(Clone, Debug)]
pub(super) enum Planned {
    Renew,
    Retry(u8),
    Cancel(&'static str),
    CancelAsScheduled,
    Resume,
    Reactivate,
    Convert,
    Refund(usize),
    Commission(usize),
    Reversal(usize),
}

impl Planned {
    /// Bookings survive a cancellation; everything else belongs to one life of the subscription.
    fn is_booking(&self) -> bool {
        matches!(self, Self::Refund(_) | Self::Commission(_) | Self::Reversal(_))
    }
}

pub(super) struct Appointment {
    subscription: usize,
    life: u32,
    planned: Planned,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts about a subscription, each a field of the record")]
pub(super) struct Subscription {
    pub(super) id: i64,
    pub(super) customer: usize,
    pub(super) profile_id: String,
    pub(super) plan: usize,
    pub(super) frequency: Frequency,
    pub(super) seats: i64,
    pub(super) extra_addon: Option<(&'static str, i64)>,
    pub(super) is_partner_price: bool,
    pub(super) is_offline: bool,
    pub(super) is_active: bool,
    /// On the free plan: no amount, no next date.
    pub(super) is_free: bool,
    /// How the store names the plan once it is gone: `-` or `-0`.
    pub(super) lost_plan: Option<&'static str>,
    pub(super) amount: i64,
    pub(super) amount_usd: i64,
    pub(super) next: Option<NaiveDate>,
    pub(super) start: NaiveDate,
    pub(super) revenue_usd: i64,
    /// From that day on the commission rate is another one.
    pub(super) other_rate: Option<(NaiveDate, i64)>,
    pub(super) is_variant_b: bool,
    pub(super) is_listed: bool,
    /// Counts lives: plans made in an earlier one are void.
    pub(super) life: u32,
}

impl Subscription {
    pub(super) fn plan(&self) -> &'static Plan {
        &PLANS[self.plan]
    }
}

pub(super) struct Transaction {
    pub(super) id: i64,
    pub(super) subscription: usize,
    pub(super) day: NaiveDate,
    /// Seconds since midnight, store-local.
    pub(super) second: u32,
    pub(super) kind: &'static str,
    pub(super) description: String,
    pub(super) amount: i64,
    pub(super) amount_usd: i64,
    pub(super) next: Option<NaiveDate>,
    pub(super) lost_plan: Option<&'static str>,
    pub(super) plan: usize,
    pub(super) done_by: &'static str,
    pub(super) invoice: Option<(i64, String)>,
}

/// A customer on a free or trial plan.
pub(super) struct Lead {
    pub(super) id: i64,
    pub(super) person: Customer,
    pub(super) plan: usize,
    pub(super) registered: NaiveDate,
    pub(super) is_trial: bool,
}

/// What changed since the caller last asked, as places in the lists of [`History`].
#[derive(Default)]
pub(super) struct Touched {
    pub(super) subscriptions: BTreeSet<usize>,
    pub(super) transactions: usize,
    pub(super) commissions: BTreeSet<usize>,
    pub(super) leads: BTreeSet<usize>,
    pub(super) leads_gone: Vec<i64>,
}

pub(super) struct History {
    pub(super) random: fastrand::Rng,
    pub(super) is_eu: bool,
    pub(super) origin: NaiveDate,
    pub(super) horizon: i64,
    pub(super) goal: Counts,
    /// Share of monthly subscriptions, in percent, that gives about the wished number of transactions.
    pub(super) monthly_percent: u32,
    pub(super) customers: Vec<Customer>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) live: Vec<usize>,
    pub(super) transactions: Vec<Transaction>,
    pub(super) commissions: Vec<Commission>,
    pub(super) leads: Vec<Lead>,
    pub(super) books: Books,
    pub(super) calendar: BTreeMap<NaiveDate, Vec<Appointment>>,
    pub(super) touched: Touched,
    next_ids: [i64; 3],
}

/// First ids: 13 digits, the EU ranges begin inside the US ranges so that the two overlap and collide.
const FIRST_IDS: [i64; 3] = [2_000_000_000_001, 2_100_000_000_201, 2_200_000_000_101];
/// Largest distance between two ids of one kind; small, so that dozens are equal in both stores.
const ID_STEPS: [i64; 3] = [7, 19, 19];

impl History {
    pub(super) fn new(seed: u64, is_eu: bool, origin: NaiveDate, goal: Counts) -> Self {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(2).wrapping_add(u64::from(is_eu)));
        let shift = if is_eu { 120 } else { 0 };
        let next_ids = FIRST_IDS.map(|first| first + shift + random.i64(0..5));
        Self {
            random,
            is_eu,
            origin,
            horizon: 4 * 365 + 60,
            goal,
            monthly_percent: monthly_percent(goal),
            customers: Vec::new(),
            subscriptions: Vec::new(),
            live: Vec::new(),
            transactions: Vec::new(),
            commissions: Vec::new(),
            leads: Vec::new(),
            books: Books::default(),
            calendar: BTreeMap::new(),
            touched: Touched::default(),
            next_ids,
        }
    }

    pub(super) fn countries(&self) -> &'static [Country] {
        if self.is_eu { &EU_COUNTRIES } else { &US_COUNTRIES }
    }

    pub(super) fn country(&self, subscription: usize) -> &'static Country {
        &self.countries()[self.customers[self.subscriptions[subscription].customer].country]
    }

    pub(super) fn chance(&mut self, per_mille: u32) -> bool {
        self.random.u32(0..1000) < per_mille
    }

    /// The next id of a kind: 0 subscriptions, 1 transactions, 2 commissions.
    pub(super) fn new_id(&mut self, kind: usize) -> i64 {
        self.next_ids[kind] += self.random.i64(1..=ID_STEPS[kind]);
        self.next_ids[kind]
    }

    pub(super) fn plan_for(&mut self, day: NaiveDate, subscription: usize, planned: Planned) {
        let life = self.subscriptions[subscription].life;
        self.calendar.entry(day).or_default().push(Appointment { subscription, life, planned });
    }

    /// Lives through one day. Days must come in order.
    pub(super) fn live_through(&mut self, day: NaiveDate) {
        while let Some(entry) = self.calendar.first_entry() {
            if *entry.key() > day {
                break;
            }
            for appointment in entry.remove() {
                self.keep(&appointment, day);
            }
        }
        let age = (day - self.origin).num_days() + 1;
        while self.subscriptions.len() < self.wished_subscriptions(age) {
            self.sign_up(day);
        }
        while self.transactions.len() < wished(self.goal.transactions, age, self.horizon) && !self.live.is_empty() {
            self.small_event(day);
        }
        self.monthly_acts(day);
        self.look_after_leads(day);
    }

    fn keep(&mut self, appointment: &Appointment, day: NaiveDate) {
        let at = appointment.subscription;
        let is_void = self.subscriptions[at].life != appointment.life;
        if is_void && !appointment.planned.is_booking() {
            return;
        }
        match appointment.planned {
            Planned::Renew => self.renew(at, day),
            Planned::Retry(attempt) => self.retry(at, day, attempt),
            Planned::Cancel(reason) => self.cancel(at, day, reason),
            Planned::CancelAsScheduled => self.cancel(at, day, "Cancelled and moved to Free Plan."),
            Planned::Resume => self.resume(at, day),
            Planned::Reactivate => self.reactivate(at, day),
            Planned::Convert => self.leave_free_plan(at, day),
            Planned::Refund(transaction) => self.refund(transaction, day),
            Planned::Commission(transaction) => self.earn(transaction, day),
            Planned::Reversal(transaction) => self.reverse(transaction, day),
        }
    }

    fn wished_subscriptions(&self, age: i64) -> usize {
        let goal = i64::try_from(self.goal.subscriptions).unwrap_or(i64::MAX >> 40);
        let wished = goal * (4 * age * self.horizon + 6 * age * age) / (10 * self.horizon * self.horizon);
        usize::try_from(wished).unwrap_or(0)
    }

    pub(super) fn commissions_wished(&self, day: NaiveDate) -> usize {
        wished(self.goal.commissions, (day - self.origin).num_days() + 1, self.horizon)
    }

    fn monthly_acts(&mut self, day: NaiveDate) {
        match day.day() {
            3 if !self.is_eu && self.chance(300) => self.untag(day),
            17 if self.is_eu && self.chance(300) => self.untag(day),
            10 => self.pay_out(),
            20 => self.ask_for_payouts(day),
            _ => {}
        }
    }

    /// The partner loses a customer: its subscriptions leave the list, what happened stays.
    fn untag(&mut self, day: NaiveDate) {
        if self.live.is_empty() {
            return;
        }
        let lost = self.live[self.random.usize(..self.live.len())];
        let owner = self.subscriptions[lost].customer;
        // a customer who just signed up would leave transactions of today behind
        if self.subscriptions[lost].start + Days::new(60) > day {
            return;
        }
        self.customers[owner].is_untagged = true;
        for at in self.customers[owner].subscriptions.clone() {
            let subscription = &mut self.subscriptions[at];
            subscription.is_listed = false;
            subscription.is_active = false;
            subscription.life += 1;
            self.live.retain(|live| *live != at);
            self.touched.subscriptions.insert(at);
        }
    }

    fn look_after_leads(&mut self, day: NaiveDate) {
        let rhythm = if self.is_eu { 19 } else { 13 };
        let age = (day - self.origin).num_days();
        if self.goal.subscriptions > 0 && age % rhythm == 0 {
            let number = (self.leads.len() * 2 + usize::from(self.is_eu)) + 600_000;
            let countries = self.countries();
            let person = customer(&mut self.random, number, countries);
            let plan = pick(&mut self.random, PLANS.iter().map(|plan| plan.weight));
            let id = self.new_id(0);
            let is_trial = self.random.bool();
            self.leads.push(Lead { id, person, plan, registered: day, is_trial });
            self.touched.leads.insert(self.leads.len() - 1);
        }
        // a lead is forgotten after thirteen months
        if let Some(old) = day.checked_sub_months(Months::new(13))
            && let Some(lead) = self.leads.iter().find(|lead| lead.registered == old)
        {
            self.touched.leads_gone.push(lead.id);
        }
    }

    /// A customer for a new subscription: often one that already buys.
    pub(super) fn some_customer(&mut self, day: NaiveDate) -> usize {
        if !self.live.is_empty() && self.chance(220) {
            let at = self.live[self.random.usize(..self.live.len())];
            return self.subscriptions[at].customer;
        }
        let number = self.customers.len() * 2 + usize::from(self.is_eu);
        let countries = self.countries();
        let mut person = customer(&mut self.random, number, countries);
        if self.chance(50) {
            let mapped = day + Days::new(self.random.u64(70..200));
            person.mapped_late = Some((mapped, self.random.i64(2_600..6_000)));
        }
        self.customers.push(person);
        self.customers.len() - 1
    }

    pub(super) fn in_usd(&self, at: usize, cents: i64, day: NaiveDate) -> i64 {
        money::times(cents, money::usd_rate(self.country(at).currency, day))
    }
}

/// Transactions and commissions grow with the square and the cube of the time: customers pile up and stay.
fn wished(goal: usize, age: i64, horizon: i64) -> usize {
    let goal = i64::try_from(goal).unwrap_or(i64::MAX >> 40);
    let cube = horizon * horizon * horizon;
    let share = age * age * horizon + age * age * age;
    usize::try_from(i128::from(goal) * i128::from(share) / (2 * i128::from(cube))).unwrap_or(0)
}

/// About 17 months of life fall to one subscription; yearly, quarterly and half-yearly ones give a known part of the
/// wished transactions, the monthly ones must give the rest.
fn monthly_percent(goal: Counts) -> u32 {
    let per_subscription = goal.transactions * 100 / goal.subscriptions.max(1);
    let monthly = (per_subscription * 85 / 1700).saturating_sub(11) * 12 / 11;
    u32::try_from(monthly).unwrap_or(80).clamp(2, 80)
}
