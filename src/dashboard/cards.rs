//! The headline row: each number is a sum over a report's rows, and where the mirror's history allows it is held against
//! the same report of a month ago.

use std::collections::BTreeSet;

use anyhow::Result;

use super::source::{Answer, Reports, Source, money, whole};
use super::tables::{AT_RISK, MISSING, RENEWALS_DUE};

#[derive(Debug)]
pub(super) struct Card {
    pub(super) id: &'static str,
    pub(super) title: String,
    pub(super) figures: Vec<Number>,
    pub(super) notes: Vec<String>,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) struct Number {
    /// Empty when the card's title says it.
    pub(super) label: String,
    /// What a program calls it.
    pub(super) key: &'static str,
    pub(super) value: String,
    pub(super) unit: &'static str,
    /// What it stands beside: `from 66 subscriptions`.
    pub(super) detail: String,
    pub(super) change: String,
}

/// The answers that the headline row is made of.
pub(super) struct Answers {
    pub(super) services: Answer,
    pub(super) due: Answer,
    pub(super) commissions: Answer,
    pub(super) missing: Answer,
    pub(super) at_risk: Answer,
}

impl Answers {
    /// # Errors
    /// As [`Reports::ask`].
    pub(super) fn ask(reports: &Reports<'_>) -> Result<Self> {
        Ok(Self {
            services: reports.ask("mrr_by_service", &[])?,
            due: RENEWALS_DUE.ask(reports)?,
            commissions: reports.ask("commissions_by_month_and_state", &[])?,
            missing: MISSING.ask(reports)?,
            at_risk: AT_RISK.ask(reports)?,
        })
    }

    fn due_within(&self, days: i64) -> (i64, i64) {
        let due = self.due.rows().filter(|row| row.integer("days_left").is_some_and(|left| left <= days));
        due.fold((0, 0), |(count, sum), row| (count + 1, sum + row.cents("expected_commission_usd").unwrap_or(0)))
    }

    /// What the commissions of a year's months in a state are worth in USD, and how many of them there are.
    fn of_year(&self, year: &str, state: &str) -> (i64, i64) {
        let rows =
            self.commissions.rows().filter(|row| row.text("month").starts_with(year) && row.text("state") == state);
        rows.fold((0, 0), |(sum, count), row| {
            (sum + row.cents("net_usd").unwrap_or(0), count + row.integer("records").unwrap_or(0))
        })
    }

    /// What is surely missing in USD, the number of those sales, and the number of all that are listed.
    fn surely_missing(&self) -> (i64, i64, i64) {
        let sure = self.missing.rows().filter(|row| row.text("certainty") == "missing");
        let (sum, count) =
            sure.fold((0, 0), |(sum, count), row| (sum + row.cents("expected_usd").unwrap_or(0), count + 1));
        (sum, count, i64::try_from(self.missing.rows().len()).unwrap_or(i64::MAX))
    }

    /// The MRR at risk, each subscription once whatever the number of its reasons, and how many there are.
    fn mrr_at_risk(&self) -> (i64, i64) {
        let mut seen = BTreeSet::new();
        let once = self.at_risk.rows().filter(|row| seen.insert((row.text("store_id"), row.text("subscription_id"))));
        once.fold((0, 0), |(sum, count), row| (sum + row.cents("mrr_usd").unwrap_or(0), count + 1))
    }
}

/// What to hold the numbers against: the answers of an earlier day, if the mirror was there then.
pub(super) struct Earlier {
    pub(super) day: String,
    pub(super) answers: Option<Answers>,
}

impl Earlier {
    fn change(&self, of: impl Fn(&Answers) -> i64, now: i64, words: impl Fn(i64) -> String) -> String {
        let Some(then) = &self.answers else { return "no history yet".to_owned() };
        let then = of(then);
        match now - then {
            0 => "unchanged".to_owned(),
            change => {
                let (arrow, sign) = if change > 0 { ("▲", "+") } else { ("▼", "−") };
                let percent = percent(change, then).map(|text| format!(" ({sign}{text}\u{a0}%)")).unwrap_or_default();
                format!("{arrow} {sign}{}{percent}", words(change.abs()))
            }
        }
    }
}

/// The change in percent of what it was, one decimal; none where that says nothing.
fn percent(change: i64, then: i64) -> Option<String> {
    if then <= 0 {
        return None;
    }
    let tenths = (i128::from(change.abs()) * 1000 + i128::from(then) / 2) / i128::from(then);
    // beyond tenfold a percentage is noise
    (tenths < 10_000).then(|| format!("{}.{}", tenths / 10, tenths % 10))
}

pub(super) fn cards(now: &Answers, earlier: &Earlier, year: &str) -> Vec<Card> {
    let (services, due, commissions, missing, at_risk) =
        (&now.services, &now.due, &now.commissions, &now.missing, &now.at_risk);
    let amount = |key, label: &str, detail: String, of: &dyn Fn(&Answers) -> i64| Number {
        key,
        label: label.to_owned(),
        value: money(of(now)),
        unit: "USD",
        detail,
        change: earlier.change(of, of(now), money),
    };
    let live = counted(services.count("subscriptions"), "live subscription");
    let due_in = |key, days: i64| Number {
        detail: format!("{} USD expected", money(now.due_within(days).1)),
        value: whole(now.due_within(days).0),
        unit: "",
        change: earlier.change(|answers| answers.due_within(days).0, now.due_within(days).0, whole),
        ..amount(key, &format!("in {days} days"), String::new(), &|_| 0)
    };
    let in_state = |key, state: &'static str| {
        let count = counted(now.of_year(year, state).1, "commission");
        amount(key, state, count, &|answers| answers.of_year(year, state).0)
    };
    let without_usd = commissions.rows().filter(|row| row.text("month").starts_with(year));
    let without_usd: i64 = without_usd.filter_map(|row| row.integer("records_without_usd")).sum();
    let (_, sure, all_missing) = now.surely_missing();
    let card = |id, title: &str, answer: &Answer, figures, notes| Card {
        id,
        title: title.to_owned(),
        figures,
        notes,
        source: answer.source.clone(),
    };
    vec![
        card(
            "mrr",
            "Monthly recurring revenue",
            services,
            vec![amount("mrr_usd", "", format!("from {live}"), &|answers| answers.services.cents("mrr_usd"))],
            Vec::new(),
        ),
        card(
            "arr",
            "Annual recurring revenue",
            services,
            vec![amount("arr_usd", "", "twelve times MRR".to_owned(), &|answers| answers.services.cents("arr_usd"))],
            Vec::new(),
        ),
        card(
            "missing-commission",
            "Missing commission",
            missing,
            vec![amount("missing_usd", "", format!("expected from {}", counted(sure, "sale")), &|answers| {
                answers.surely_missing().0
            })],
            (all_missing > sure)
                .then(|| format!("{} more may come late or are not known well enough.", whole(all_missing - sure)))
                .into_iter()
                .collect(),
        ),
        card(
            "risk",
            "MRR at risk",
            at_risk,
            vec![amount(
                "at_risk_usd",
                "",
                format!("of {}", counted(now.mrr_at_risk().1, "subscription")),
                &|answers| answers.mrr_at_risk().0,
            )],
            Vec::new(),
        ),
        card(
            "renewals",
            "Renewals due",
            due,
            vec![due_in("due_30", 30), due_in("due_60", 60), due_in("due_90", 90)],
            Vec::new(),
        ),
        card(
            "commission",
            &format!("Commissions of {year}"),
            commissions,
            vec![
                in_state("active_usd", "active"),
                in_state("requested_usd", "requested"),
                in_state("paid_usd", "paid"),
            ],
            (without_usd > 0)
                .then(|| format!("{} commissions without a USD value are not in it.", whole(without_usd)))
                .into_iter()
                .collect(),
        ),
    ]
}

fn counted(count: i64, noun: &str) -> String {
    format!("{} {noun}{}", whole(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_part_of_what_it_was() {
        for (change, then, expected) in [
            (50, 1000, Some("5.0")),
            (-333, 1000, Some("33.3")),
            (9_999, 1000, Some("999.9")),
            (10_000, 1000, None),
            (5, 0, None),
            (5, -5, None),
        ] {
            assert_eq!(percent(change, then).as_deref(), expected, "{change} of {then}");
        }
    }
}
