//! Records of a [`History`] as the JSON text the store serves, field for field as the contract's tables list them.
//!
//! The odd parts are deliberate and documented there: money as strings, ids as numbers, HTML-escaped signs, a leaked
//! internal record inside the formatted fields, two variants of subscriptions, two generations of commissions.

use super::catalog::ENTITIES;
use super::earnings::{Commission, Status};
use super::history::{History, Lead, Subscription, Transaction};
use super::json::Object;
use super::money::{ONE, decimal, is_second_generation, rate_number, symbol};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;

impl History {
    pub(super) fn zone(&self) -> Tz {
        if self.is_eu { Tz::Europe__Amsterdam } else { Tz::America__Los_Angeles }
    }

    pub(super) fn subscription_json(&self, at: usize) -> String {
        let subscription = &self.subscriptions[at];
        let customer = &self.customers[subscription.customer];
        let plan = subscription.plan();
        let is_modern = !subscription.is_variant_b;
        let forgot_zuid = subscription.lost_plan.is_some() && subscription.id % 3 == 0;
        let mut object = Object::new();
        if is_modern {
            object.number("id", subscription.id);
        }
        object.number("subscription_id", subscription.id);
        object.text("profile_id", &subscription.profile_id);
        object.text("email_id", &customer.email);
        if is_modern {
            object.text("zuid", if forgot_zuid { "-1" } else { &customer.zuid });
        }
        object.text("org_id", &customer.org_id);
        if is_modern {
            object.text("custom_id", &customer.org_id);
            object.text("org_name", &customer.org_name);
        }
        object.text("customer_company_name", &customer.company);
        object.text("customer_type", "web");
        object.text("source", "web");
        object.raw("customer_address", &customer.address);
        object.text("business_category", if plan.is_extension { "extensions" } else { "zoho" });
        object.number("service_id", plan.service_id);
        object.text("service_name", plan.service);
        let (plan_id, plan_name) = plan_now(subscription);
        object.number("plan_id", plan_id);
        object.text("plan_name", plan_name);
        object.raw("addons", &addons(subscription));
        if is_modern {
            object.text("license_description", &license(subscription, plan_name));
        }
        let seats = if subscription.is_free || !subscription.is_active { 0 } else { subscription.seats };
        if is_modern {
            object.number("paid_users", seats);
        } else {
            object.text("paid_users", &seats.to_string());
        }
        object.text("billing_frequency", subscription.frequency.name());
        object.text("pricing_type", if subscription.is_partner_price { "partner_price" } else { "list_price" });
        object.text("subscription_type", if subscription.is_offline { "offline" } else { "online" });
        object.text("status", if subscription.is_active { "active" } else { "inactive" });
        object.text("currency", self.country(at).currency);
        object.text("next_recurring_amount", &decimal(subscription.amount));
        object.text("next_recurring_amount_usd", &decimal(subscription.amount_usd));
        object.text("next_recurring_date", &day_or_zero(subscription.next));
        object.text("subscription_start_date", &subscription.start.to_string());
        object.raw("total_revenue", &decimal(subscription.revenue_usd));
        if !is_modern {
            let mapped = customer.mapped_late.map_or(subscription.start, |(day, _)| day);
            object.text("partner_mapping_date", &mapped.to_string());
        }
        object.finish()
    }

    pub(super) fn transaction_json(&self, place: usize) -> String {
        let transaction = &self.transactions[place];
        let subscription = &self.subscriptions[transaction.subscription];
        let plan = subscription.plan();
        let (plan_id, plan_name) = match transaction.lost_plan {
            Some(name) => (0, name),
            None => (super::catalog::PLANS[transaction.plan].id, super::catalog::PLANS[transaction.plan].name),
        };
        let (local, instant) = self.times(transaction);
        let mut object = Object::new();
        object.number("id", transaction.id);
        object.number("transaction_id", transaction.id);
        object.text("transaction_date", &local);
        object.number("date", instant.timestamp_millis());
        object.text("transaction_type", transaction.kind);
        object.text("description", &transaction.description);
        object.text("amount", &decimal(transaction.amount));
        object.text("usd_amount", &decimal(transaction.amount_usd));
        object.text("currency", self.country(transaction.subscription).currency);
        object.text("billing_frequency", subscription.frequency.name());
        object.text("pay_period", subscription.frequency.pay_period());
        object.text("next_recurring_date", &format!("{} 00:00:00", day_or_zero(transaction.next)));
        object.number("subscription_id", subscription.id);
        object.text("subscription_type", if subscription.is_offline { "offline" } else { "online" });
        object.text("profile_id", &subscription.profile_id);
        object.number("service_id", plan.service_id);
        object.text("service_name", plan.service);
        object.number("plan_id", plan_id);
        object.text("plan_name", plan_name);
        object.text("pricing_type", if subscription.is_partner_price { "partner_price" } else { "list_price" });
        object.text("done_by_type", transaction.done_by);
        if let Some((id, number)) = &transaction.invoice {
            object.number("invoice_id", *id);
            object.text("invoice_number", number);
        }
        object.finish()
    }

    /// The store's local time as text, and the same instant.
    fn times(&self, transaction: &Transaction) -> (String, DateTime<Utc>) {
        let time = NaiveTime::from_num_seconds_from_midnight_opt(transaction.second, 0).unwrap_or_default();
        let local = NaiveDateTime::new(transaction.day, time);
        // the hour that summer time skips does not exist; such an event happened an hour later
        let zoned = local
            .and_local_timezone(self.zone())
            .earliest()
            .or_else(|| (local + chrono::Duration::hours(1)).and_local_timezone(self.zone()).earliest());
        let instant = zoned.map_or_else(|| local.and_utc(), |zoned| zoned.with_timezone(&Utc));
        let local = zoned.map_or(local, |zoned| zoned.naive_local());
        (local.format("%Y-%m-%d %H:%M:%S").to_string(), instant)
    }

    pub(super) fn commission_json(&self, at: usize) -> String {
        let commission = &self.commissions[at];
        let transaction = &self.transactions[commission.transaction];
        let country = self.country(transaction.subscription);
        let entity = &ENTITIES[commission.entity];
        let is_modern = is_second_generation(commission.day);
        let sign = if commission.is_reversal { -1 } else { 1 };
        let mine = symbol(country.currency);
        let theirs = symbol(entity.currency);
        let eligible = sign * if is_modern { commission.eligible } else { commission.eligible_payout };
        let mut object = Object::new();
        object.number("commission_id", commission.id);
        object.text("type", if commission.is_reversal { "commission_reversal" } else { "commission" });
        object.text("commission_type", "Base");
        object.text("status", status(commission.status));
        object.text("date", &commission.day.to_string());
        object.text("allotted_date", &commission.day.to_string());
        object.number("payout_id", commission.payout_id);
        object.text("entity", entity.name);
        object.text("currency", country.currency);
        object.text("currency_symbol", mine);
        object.text("payout_currency", entity.currency);
        object.raw("exchange_rate", &spelled_rate(commission.exchange_rate, is_modern));
        object.text("commission", &decimal(commission.amount));
        object.text("base_commission", &decimal(commission.base_amount));
        object.text("payout_commission", &decimal(commission.paid));
        object.text("balance_commission", &decimal(commission.balance));
        object.text("eligible_txn_amount", &decimal(eligible));
        object.text("base_commission_formatted", &format!("{theirs}{}", decimal(commission.base_amount)));
        object.text("payout_commission_formatted", &format!("{mine}{}", decimal(commission.paid)));
        object.text("balance_commission_formatted", &format!("{mine}{}", decimal(commission.balance)));
        // in the first generation this is payout currency behind the transaction's sign: the store's own mistake
        object.text("eligible_txn_amount_formatted", &format!("{mine}{}", decimal(eligible)));
        if is_modern {
            self.second_generation(&mut object, commission, transaction, sign);
        } else {
            object.text("commission_formatted", &format!("{mine}{}", decimal(commission.amount)));
        }
        object.raw("subscription", &self.commission_subscription(transaction.subscription));
        object.raw("transaction", &self.commission_transaction(transaction));
        object.finish()
    }

    fn second_generation(&self, object: &mut Object, commission: &Commission, transaction: &Transaction, sign: i64) {
        let country = self.country(transaction.subscription);
        let dollar = symbol("USD");
        let currency_number = match country.currency {
            "USD" => 1,
            "AUD" => 4,
            "GBP" => 7,
            "EUR" => 9,
            _ => 5,
        };
        let kind = if commission.is_reversal { "commission_reversal" } else { "commission" };
        let invoice = transaction.invoice.as_ref().map_or(-1, |(id, _)| *id);
        let leaked = |formatted: String| {
            format!(
                "action:true#commission:{formatted}#historyid:{}#historytime:{}#currency_id:{currency_number}\
                 #transaction_id:{}#commission_type:{kind}#invoice_id:{invoice}",
                transaction.id,
                self.times(transaction).0,
                commission.id
            )
        };
        object.text("eligible_txn_usd_amount", &decimal(sign * commission.eligible_usd));
        object
            .text("eligible_txn_usd_amount_formatted", &format!("{dollar}{}", decimal(sign * commission.eligible_usd)));
        object.text("usd_commission", &decimal(sign * commission.usd));
        object.text("usd_currency_symbol", dollar);
        let mine = format!("{}{}", symbol(country.currency), decimal(commission.amount));
        object.text("commission_formatted", &leaked(mine));
        object.text("usd_commission_formatted", &leaked(format!("{dollar}{}", decimal(sign * commission.usd))));
    }

    fn commission_subscription(&self, at: usize) -> String {
        let subscription = &self.subscriptions[at];
        let customer = &self.customers[subscription.customer];
        let mut object = Object::new();
        object.number("subscription_id", subscription.id);
        object.text("email_id", &customer.email);
        object.text("profile_id", &subscription.profile_id);
        object.text("customer_company_name", &customer.company);
        object.finish()
    }

    fn commission_transaction(&self, transaction: &Transaction) -> String {
        let country = self.country(transaction.subscription);
        let plan = self.subscriptions[transaction.subscription].plan();
        let mut object = Object::new();
        object.number("transaction_id", transaction.id);
        object.text("transaction_date", &self.times(transaction).0);
        object.text("country", country.name);
        object.text("amount", &decimal(transaction.amount));
        object.text("amount_formatted", &format!("{}{}", symbol(country.currency), decimal(transaction.amount)));
        object.text("currency", country.currency);
        object.text("service_name", plan.service);
        object.number("service_id", plan.service_id);
        object.text("transaction_description", &transaction.description);
        object.finish()
    }

    pub(super) fn lead_json(&self, lead: &Lead) -> String {
        let plan = &super::catalog::PLANS[lead.plan];
        let person = &lead.person;
        let mut object = Object::new();
        object.number("subscription_id", lead.id);
        object.text("profile_id", &format!("{}{}", if self.is_eu { "RPEU" } else { "RPUS" }, lead.id));
        object.text("email_id", &person.email);
        object.text("zuid", &person.zuid);
        object.text("org_id", &person.org_id);
        object.text("org_name", &person.org_name);
        object.text("customer_company_name", &person.company);
        object.raw("customer_address", &person.address);
        object.number("service_id", plan.service_id);
        object.text("service_name", plan.service);
        object.number("plan_id", 0);
        match (lead.is_trial, lead.id % 3) {
            (true, _) => object.text("plan_name", &format!("{} Trial", plan.name)),
            (false, 0) => object.raw("plan_name", "null"),
            (false, _) => object.text("plan_name", "Free Plan"),
        }
        object.raw("addons", "[]");
        object.text("billing_frequency", if lead.is_trial { "Monthly" } else { "-" });
        object.text("status", "active");
        object.text("registration_date", &lead.registered.to_string());
        let trial_ends = (lead.registered + Days::new(15)).to_string();
        object.text("next_recurring_date", if lead.is_trial { &trial_ends } else { "0000-00-00" });
        object.finish()
    }
}

fn plan_now(subscription: &Subscription) -> (i64, &'static str) {
    match subscription.lost_plan {
        Some(name) => (0, name),
        None if subscription.is_free => (0, "Free Plan"),
        None => (subscription.plan().id, subscription.plan().name),
    }
}

fn addons(subscription: &Subscription) -> String {
    if subscription.is_free || subscription.lost_plan.is_some() {
        return "[]".to_owned();
    }
    let plan = subscription.plan();
    let mut list = vec![addon(plan.unit, subscription.seats, plan.addon_id)];
    if let Some((name, count)) = subscription.extra_addon {
        list.push(addon(name, count, "150199"));
    }
    format!("[{}]", list.join(","))
}

fn addon(name: &str, count: i64, id: &str) -> String {
    let mut object = Object::new();
    object.text("addon_name", name);
    object.text("value", &count.to_string());
    object.text("addon_id", id);
    object.finish()
}

fn license(subscription: &Subscription, plan_name: &str) -> String {
    if subscription.is_free || subscription.lost_plan.is_some() {
        return format!("{plan_name} - No Addons");
    }
    let seats = format!("{} {}", subscription.seats, subscription.plan().unit);
    match subscription.extra_addon {
        Some((name, count)) => format!("{plan_name} - {seats}, {count} {name}"),
        None => format!("{plan_name} - {seats}"),
    }
}

fn day_or_zero(day: Option<NaiveDate>) -> String {
    day.map_or_else(|| "0000-00-00".to_owned(), |day| day.to_string())
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Requested => "requested",
        Status::Closed => "closed",
    }
}

/// The newer generation writes `1.0` where the older wrote `1`; which of them the wire has is unknown.
fn spelled_rate(rate: i64, is_modern: bool) -> String {
    if is_modern && rate % ONE == 0 { format!("{}.0", rate / ONE) } else { rate_number(rate) }
}
