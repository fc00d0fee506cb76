//! What happens to a subscription: signing up, paying, failing, growing, leaving and coming back.
//!
//! Every act writes its transaction; acts that bring money in hand it to `earnings`. An inactive subscription keeps
//! its last amount and a date in the past, as the real store's rows do.

use super::catalog::{Frequency, PLANS, pick};
use super::history::{History, Planned, Subscription, Transaction};
use super::money;
use chrono::{Days, Months, NaiveDate};

/// A transaction about to be written.
pub(super) struct Act {
    pub(super) kind: &'static str,
    pub(super) description: String,
    pub(super) amount: i64,
    pub(super) done_by: &'static str,
}

impl Act {
    fn new(kind: &'static str, description: impl Into<String>, amount: i64) -> Self {
        Self { kind, description: description.into(), amount, done_by: "zoho_store" }
    }

    fn by_user(mut self) -> Self {
        self.done_by = "user";
        self
    }
}

/// Invoice ids begin above 2^53, where a float can no longer tell neighbours apart.
const FIRST_INVOICE_ID: i64 = 1_000_900_000_000_000_001;

impl History {
    pub(super) fn sign_up(&mut self, day: NaiveDate) {
        let owner = self.some_customer(day);
        let plan = pick(&mut self.random, PLANS.iter().map(|plan| plan.weight));
        let frequency = self.some_frequency(day);
        let seats = match self.random.u8(..10) {
            0..=4 => self.random.i64(1..6),
            5..=8 => self.random.i64(5..25),
            _ => self.random.i64(25..90),
        };
        let has_enough = self.books.expected > self.commissions_wished(day) + 20;
        let id = self.new_id(0);
        let prefix = if self.is_eu { "RPEU" } else { "RPUS" };
        let is_offline = self.chance(40);
        let subscription = Subscription {
            id,
            customer: owner,
            profile_id: format!("{}{id}", if is_offline { "NSCW" } else { prefix }),
            plan,
            frequency,
            seats,
            extra_addon: self.chance(250).then(|| ("Mail User", seats * 20)),
            is_partner_price: self.chance(if has_enough { 700 } else { 30 }),
            is_offline,
            is_active: true,
            is_free: self.chance(35),
            lost_plan: None,
            amount: 0,
            amount_usd: 0,
            next: None,
            start: day,
            revenue_usd: 0,
            other_rate: self.chance(40).then(|| (day + Days::new(400), if id % 2 == 0 { 1_200 } else { 2_000 })),
            is_variant_b: self.chance(40),
            is_listed: true,
            life: 0,
        };
        self.subscriptions.push(subscription);
        let at = self.subscriptions.len() - 1;
        self.customers[owner].subscriptions.push(at);
        self.live.push(at);
        if self.subscriptions[at].is_free {
            self.write(at, day, Act::new("signup", "Signed up in Free Plan.", 0).by_user());
            if self.chance(600) {
                let later = self.random.u64(20..150);
                self.plan_for(day + Days::new(later), at, Planned::Convert);
            }
            return;
        }
        self.start_paying(at, day);
        let description = format!("Signed up in {} Plan.", self.subscriptions[at].plan().name);
        let amount = self.subscriptions[at].amount;
        self.charge(at, day, Act::new("signup", description, amount).by_user());
    }

    fn some_frequency(&mut self, day: NaiveDate) -> Frequency {
        let age = (day - self.origin).num_days();
        // far too many transactions already: only the rarest payers join
        let is_ahead = age > 90 && self.transactions.len() > self.goal.transactions * 105 / 100;
        let monthly = if is_ahead { 0 } else { self.monthly_percent };
        match self.random.u32(0..100) {
            draw if draw < monthly => Frequency::Monthly,
            draw if draw < monthly + 9 => Frequency::Quarterly,
            draw if draw < monthly + 15 => Frequency::HalfYearly,
            _ => Frequency::Yearly,
        }
    }

    /// Sets amount and next date as if the period began today.
    fn start_paying(&mut self, at: usize, day: NaiveDate) {
        self.subscriptions[at].is_free = false;
        self.reprice(at, day);
        self.move_next(at, day);
    }

    fn reprice(&mut self, at: usize, day: NaiveDate) {
        let subscription = &self.subscriptions[at];
        let months = i64::from(subscription.frequency.months());
        let mut amount = subscription.plan().seat_cents * subscription.seats * months;
        if subscription.frequency == Frequency::Yearly {
            amount = amount * 5 / 6;
        }
        if subscription.is_partner_price {
            amount = amount * 82 / 100;
        }
        let amount_usd = self.in_usd(at, amount, day);
        self.subscriptions[at].amount = amount;
        self.subscriptions[at].amount_usd = amount_usd;
        self.touched.subscriptions.insert(at);
    }

    /// The next date is one period after `from`, clamped to the month's end.
    fn move_next(&mut self, at: usize, from: NaiveDate) {
        let period = self.subscriptions[at].frequency.months();
        let next = from + Months::new(period);
        self.subscriptions[at].next = Some(next);
        self.plan_for(next, at, Planned::Renew);
        self.touched.subscriptions.insert(at);
    }

    /// Writes a transaction and nothing else.
    pub(super) fn write(&mut self, at: usize, day: NaiveDate, act: Act) -> usize {
        let id = self.new_id(1);
        let amount_usd = self.in_usd(at, act.amount, day);
        let place = self.transactions.len();
        let number = i64::try_from(place).unwrap_or(0);
        let has_invoice = act.amount > 0 && (money::is_second_generation(day) || id % 3 == 0) && id % 7 != 0;
        let serial = number * 3 + i64::from(self.is_eu);
        let invoice = has_invoice.then(|| {
            let text =
                if act.kind == "refund" { format!("13CN-{serial:05}") } else { (50_100_000_000 + serial).to_string() };
            (FIRST_INVOICE_ID + serial * 7, text)
        });
        let subscription = &self.subscriptions[at];
        self.transactions.push(Transaction {
            id,
            subscription: at,
            day,
            second: self.random.u32(300..78_900),
            kind: act.kind,
            description: act.description,
            amount: act.amount,
            amount_usd,
            next: subscription.next,
            lost_plan: if subscription.is_free { Some("Free Plan") } else { subscription.lost_plan },
            plan: subscription.plan,
            done_by: if subscription.plan().is_extension { "marketplace" } else { act.done_by },
            invoice,
        });
        self.touched.subscriptions.insert(at);
        place
    }

    /// Writes a transaction that brings money, and lets the partner earn from it.
    pub(super) fn charge(&mut self, at: usize, day: NaiveDate, act: Act) {
        let can_be_refunded = matches!(act.kind, "recurring" | "signup");
        let place = self.write(at, day, act);
        self.subscriptions[at].revenue_usd += self.transactions[place].amount_usd;
        self.expect_commission(place, day);
        if can_be_refunded && self.chance(12) {
            let later = self.random.u64(3..18);
            self.plan_for(day + Days::new(later), at, Planned::Refund(place));
        }
    }

    pub(super) fn renew(&mut self, at: usize, day: NaiveDate) {
        let frequency = self.subscriptions[at].frequency;
        let leaves = match frequency {
            Frequency::Monthly => 9,
            Frequency::Quarterly => 22,
            Frequency::HalfYearly => 40,
            Frequency::Yearly => 80,
        };
        let draw = self.random.u32(0..1000);
        if draw < leaves {
            return self.cancel(at, day, "Cancelled and moved to Free Plan.");
        }
        match draw - leaves {
            0..=34 => self.fail(at, day, 1),
            35..=39 if frequency == Frequency::Monthly => {
                self.write(at, day, Act::new("skip_month", "Month skipped", 0).by_user());
                self.move_next(at, day);
            }
            40..=60 if self.subscriptions[at].is_offline => self.go_online(at, day),
            _ => self.pay(at, day, "Recurring payment".to_owned()),
        }
    }

    fn go_online(&mut self, at: usize, day: NaiveDate) {
        self.subscriptions[at].is_offline = false;
        self.move_next(at, day);
        let amount = self.subscriptions[at].amount;
        self.charge(at, day, Act::new("offline_to_online", "Moved from offline to online payment", amount));
    }

    /// A recurring payment comes in; the period begins where the last one ended.
    fn pay(&mut self, at: usize, day: NaiveDate, description: String) {
        self.reprice(at, day);
        let due = self.subscriptions[at].next.unwrap_or(day);
        self.move_next(at, due);
        let amount = self.subscriptions[at].amount;
        self.charge(at, day, Act::new("recurring", description, amount));
        self.maybe_schedule_cancel(at, day);
    }

    fn maybe_schedule_cancel(&mut self, at: usize, day: NaiveDate) {
        if !self.chance(4) {
            return;
        }
        let Some(next) = self.subscriptions[at].next else {
            return;
        };
        self.write(at, day, Act::new("scheduled_cancel", "Cancellation scheduled by user", 0).by_user());
        self.subscriptions[at].life += 1;
        if self.chance(400) {
            let back = day + Days::new(self.random.u64(2..20));
            self.plan_for(back.min(next), at, Planned::Resume);
        } else {
            self.plan_for(next, at, Planned::CancelAsScheduled);
        }
    }

    pub(super) fn resume(&mut self, at: usize, day: NaiveDate) {
        self.write(at, day, Act::new("subscription_resumed", "Subscription resumed", 0).by_user());
        let next = self.subscriptions[at].next.unwrap_or(day).max(day);
        self.plan_for(next, at, Planned::Renew);
    }

    fn fail(&mut self, at: usize, day: NaiveDate, attempt: u8) {
        if attempt == 2 && self.random.bool() {
            let from = self.subscriptions[at].next.unwrap_or(day);
            let text = format!("Past due for the period of {} to {}", long_day(from), long_day(day));
            self.write(at, day, Act::new("past_due", text, 0));
        }
        self.write(at, day, Act::new("recurring_failure", format!("Recurring payment failed - Retry : {attempt}"), 0));
        self.plan_for(day + Days::new(3), at, Planned::Retry(attempt));
    }

    pub(super) fn retry(&mut self, at: usize, day: NaiveDate, attempt: u8) {
        if self.chance(620) {
            let due = self.subscriptions[at].next.unwrap_or(day);
            self.pay(at, day, format!("Recurring payment - Retry Success : {attempt}, Actual NPD : {due}"));
        } else if attempt < 3 {
            self.fail(at, day, attempt + 1);
        } else {
            self.cancel(at, day, "Recurring failure, Cancelled and moved to Free Plan");
        }
    }

    pub(super) fn cancel(&mut self, at: usize, day: NaiveDate, reason: &'static str) {
        let forgets_plan = self.chance(600);
        let subscription = &mut self.subscriptions[at];
        subscription.is_active = false;
        subscription.life += 1;
        subscription.next = subscription.next.map(|next| next.min(day));
        if forgets_plan {
            subscription.lost_plan = Some(if subscription.id % 4 == 0 { "-0" } else { "-" });
        }
        self.live.retain(|live| *live != at);
        self.write(at, day, Act::new("cancel", reason, 0));
        if self.chance(130) {
            let back = day + Days::new(self.random.u64(15..120));
            self.plan_for(back, at, Planned::Reactivate);
        }
    }

    pub(super) fn reactivate(&mut self, at: usize, day: NaiveDate) {
        if self.customers[self.subscriptions[at].customer].is_untagged {
            return;
        }
        if self.chance(300) {
            let from = self.subscriptions[at].next.unwrap_or(day);
            let text = format!("Past due in reactivate for the period of {} to {}", long_day(from), long_day(day));
            self.write(at, day, Act::new("past_due", text, 0));
        }
        self.subscriptions[at].is_active = true;
        self.subscriptions[at].lost_plan = None;
        self.live.push(at);
        self.start_paying(at, day);
        let subscription = &self.subscriptions[at];
        let plan = subscription.plan();
        let text = format!(
            "Profile Reactivated in {} Plan.Add-ons: {} {}, 1 Weekly Data Backup",
            plan.name, subscription.seats, plan.unit
        );
        let amount = subscription.amount;
        self.charge(at, day, Act::new("reactivate", text, amount).by_user());
    }

    pub(super) fn leave_free_plan(&mut self, at: usize, day: NaiveDate) {
        self.start_paying(at, day);
        let amount = self.subscriptions[at].amount;
        let text = format!("Upgraded to {} Plan.", self.subscriptions[at].plan().name);
        self.charge(at, day, Act::new("upgrade", text, amount).by_user());
    }

    pub(super) fn refund(&mut self, place: usize, day: NaiveDate) {
        let (at, paid) = (self.transactions[place].subscription, self.transactions[place].amount);
        let is_whole = self.chance(750);
        let amount = if is_whole { paid } else { paid / 2 };
        let text =
            if self.chance(300) { "Refund by finance team (chargeback claim)" } else { "Refund by finance team" };
        let refund = self.write(at, day, Act::new("refund", text, amount));
        let back = self.transactions[refund].amount_usd;
        self.subscriptions[at].revenue_usd -= back;
        if self.books.earned_from.contains_key(&place) {
            self.books.refunds.insert(refund, place);
            self.plan_for(day + Days::new(1), at, Planned::Reversal(refund));
        }
        if self.subscriptions[at].is_active && self.chance(350) {
            self.plan_for(day + Days::new(2), at, Planned::Cancel("Cancelled and moved to Free Plan."));
        }
    }

    /// One of the things that happen between two payments; used to reach the wished number of transactions.
    pub(super) fn small_event(&mut self, day: NaiveDate) {
        let at = self.live[self.random.usize(..self.live.len())];
        if self.books.expected < self.commissions_wished(day) && !self.subscriptions[at].is_free {
            return self.buy_more(at, day);
        }
        let act = match self.random.u8(..20) {
            0..=9 => Act::new("card_change", "Card Details Changed", 0).by_user(),
            10..=13 => Act::new("data_sync", "Data synchronised", 0),
            14 | 15 if self.subscriptions[at].seats > 1 => return self.give_back(at, day),
            16..=18 => Act::new("past_due", format!("Past due since {}", long_day(day)), 0),
            _ => Act::new("data_sync", "Profile details synchronised", 0),
        };
        self.write(at, day, act);
    }

    fn buy_more(&mut self, at: usize, day: NaiveDate) {
        let plan = self.subscriptions[at].plan();
        match self.random.u8(..10) {
            0 => {
                let text = format!("One time payment for {}", plan.service);
                let amount = plan.seat_cents * self.random.i64(1..8);
                self.charge(at, day, Act::new("one_time_payment", text, amount).by_user());
            }
            1 => {
                let amount = 5_00 * self.random.i64(1..30);
                self.charge(at, day, Act::new("one_time_charge", "Onboarding pack", amount));
            }
            _ => {
                let more = self.random.i64(1..4);
                let days_left = self.subscriptions[at].next.map_or(30, |next| (next - day).num_days()).max(1);
                let amount = (plan.seat_cents * more * days_left / 30).max(100);
                self.subscriptions[at].seats += more;
                self.reprice(at, day);
                let text = format!("Upgraded {more} {}", plan.unit);
                self.charge(at, day, Act::new("upgrade", text, amount).by_user());
            }
        }
    }

    fn give_back(&mut self, at: usize, day: NaiveDate) {
        self.subscriptions[at].seats -= 1;
        if !self.subscriptions[at].is_free {
            self.reprice(at, day);
        }
        let text = format!("Downgraded 1 {}", self.subscriptions[at].plan().unit);
        self.write(at, day, Act::new("downgrade", text, 0).by_user());
    }
}

fn long_day(day: NaiveDate) -> String {
    day.format("%d %B %Y").to_string()
}
