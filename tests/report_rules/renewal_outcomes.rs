//! How the renewals of a month ended.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "month store_id renewed failed lost renewal_rate";

/// A transaction of the US store: id, subscription, day, type.
fn happened(given: &Given, events: &[(i64, i64, &str, &str)]) {
    for (id, subscription, day, kind) in events {
        given.transaction(
            *id,
            json!({ "subscription_id": subscription, "transaction_day": day, "transaction_type": kind }),
        );
    }
}

#[test]
fn the_last_payment_or_cancellation_of_the_month_decides() {
    // 1 renewed; 2 failed, then renewed; 3 renewed, then lost; 4 lost, then renewed; 5 failed; 6 past due; 7 neither.
    // 3 renewed, 1 lost: 3 ÷ 4
    let given = Given::new();
    happened(
        &given,
        &[
            (1, 1, "2026-02-01", "recurring"),
            (2, 2, "2026-02-01", "recurring_failure"),
            (3, 2, "2026-02-04", "recurring"),
            (4, 3, "2026-02-01", "recurring"),
            (5, 3, "2026-02-20", "cancel"),
            (6, 4, "2026-02-01", "cancel"),
            (7, 4, "2026-02-20", "recurring"),
            (8, 5, "2026-02-28", "recurring_failure"),
            (9, 6, "2026-02-28", "past_due"),
            (10, 7, "2026-02-28", "card_change"),
        ],
    );
    assert_eq!(given.rows("renewal_outcomes", AS_OF, COLUMNS), ["2026-02 us 3 2 1 0.7500"]);
}

#[test]
fn on_one_day_the_higher_id_is_later() {
    // subscription 1: cancelled (id 9), then paid (id 10, more digits); subscription 2: paid, then cancelled
    let given = Given::new();
    happened(
        &given,
        &[
            (10, 1, "2026-02-01", "recurring"),
            (9, 1, "2026-02-01", "cancel"),
            (7, 2, "2026-02-01", "recurring"),
            (8, 2, "2026-02-01", "cancel"),
        ],
    );
    assert_eq!(given.rows("renewal_outcomes", AS_OF, "renewed lost renewal_rate"), ["1 1 0.5000"]);
}

#[test]
fn each_month_and_each_store_has_its_own_outcome() {
    // failed in December and renewed in January; without renewed and lost there is no rate; 2 of 3 are 0.6667
    let given = Given::new();
    happened(
        &given,
        &[
            (1, 1, "2025-12-31", "recurring_failure"),
            (2, 1, "2026-01-01", "recurring"),
            (3, 2, "2026-01-31", "recurring"),
            (4, 3, "2026-01-31", "cancel"),
        ],
    );
    given.transaction(2, json!({ "store_id": "eu", "transaction_day": "2026-01-02", "transaction_type": "cancel" }));
    assert_eq!(
        given.rows("renewal_outcomes", AS_OF, COLUMNS),
        ["2025-12 us 0 1 0 -", "2026-01 eu 0 0 1 0.0000", "2026-01 us 2 0 1 0.6667"]
    );
}

#[test]
fn the_period_is_the_months_up_to_as_of() {
    // two months on 15 February: from 1 January to 15 February
    let given = Given::new();
    happened(
        &given,
        &[
            (1, 1, "2025-12-31", "recurring"),
            (2, 2, "2026-01-01", "recurring"),
            (3, 3, "2026-02-15", "recurring"),
            (4, 4, "2026-02-16", "recurring"),
        ],
    );
    assert_eq!(given.rows("renewal_outcomes months=2", "2026-02-15", "month renewed"), ["2026-01 1", "2026-02 1"]);
    // what comes later does not change the past
    happened(&given, &[(5, 3, "2026-02-20", "cancel")]);
    assert_eq!(given.rows("renewal_outcomes months=1", "2026-02-15", "renewed lost"), ["1 0"]);
    assert_eq!(given.rows("renewal_outcomes months=1", "2026-02-28", "renewed lost"), ["1 1"]);
}

#[test]
fn removed_ones_happened_and_those_of_no_subscription_are_nobodys() {
    let given = Given::new();
    happened(&given, &[(1, 1, "2026-02-01", "recurring")]);
    given.removed("transaction", 1, "2026-02-10").transaction(2, json!({ "subscription_id": null }));
    assert_eq!(given.rows("renewal_outcomes", AS_OF, "renewed"), ["1"]);
}
