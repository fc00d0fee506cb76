//! What renews in each of the coming months.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "month store_id renewals amount_usd expected_commission_usd without_rate";

#[test]
fn each_renewal_counts_in_the_month_of_its_date() {
    // March: 1200 + 600.50 = 1800.50; × 0.18 = 216 + 108.09 = 324.09. April: one of them without a USD amount
    let given = Given::new();
    given
        .commission(1, json!({ "subscription_id": 9 }))
        .subscription(1, json!({ "next_recurring_date": "2026-03-01" }))
        .subscription(2, json!({ "next_recurring_date": "2026-03-31", "next_recurring_amount_usd": "600.50" }))
        .subscription(3, json!({ "next_recurring_date": "2026-04-01", "next_recurring_amount_usd": null }))
        .subscription(4, json!({ "next_recurring_date": "2026-04-30", "next_recurring_amount_usd": "100" }));
    assert_eq!(
        given.rows("renewals_by_month", AS_OF, COLUMNS),
        ["2026-03 us 2 1800.50 324.09 0", "2026-04 us 2 100.00 18.00 1"]
    );
}

#[test]
fn the_period_begins_today_and_ends_with_a_month() {
    // on 15 November with 3 months: to the end of January; what is overdue is not in it
    let given = Given::new();
    for (id, day) in [(1, "2025-11-14"), (2, "2025-11-15"), (3, "2025-12-31"), (4, "2026-01-31"), (5, "2026-02-01")] {
        given.subscription(id, json!({ "next_recurring_date": day }));
    }
    assert_eq!(
        given.rows("renewals_by_month months=3", "2025-11-15", "month renewals"),
        ["2025-11 1", "2025-12 1", "2026-01 1"]
    );
    assert_eq!(given.rows("renewals_by_month months=1", "2025-11-15", "month renewals"), ["2025-11 1"]);
    // twelve months from 1 March 2026 end with February 2027
    given.subscription(6, json!({ "next_recurring_date": "2027-02-28" }));
    given.subscription(7, json!({ "next_recurring_date": "2027-03-01" }));
    assert_eq!(given.rows("renewals_by_month", AS_OF, "month renewals"), ["2027-02 1"]);
}

#[test]
fn a_monthly_renewal_counts_once() {
    let given = Given::new();
    given.subscription(1, json!({ "billing_frequency": "monthly", "next_recurring_date": "2026-03-31" }));
    assert_eq!(given.rows("renewals_by_month", AS_OF, "month renewals"), ["2026-03 1"]);
}

#[test]
fn without_a_rate_nothing_is_expected_and_partner_price_earns_zero() {
    // the US store has no evidence for a rate: one renewal at partner price earns 0, one is unknown; the EU store has
    // only an unknown one
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(2, json!({ "pricing_type": "partner_price" }))
        .subscription(1, json!({ "store_id": "eu" }));
    assert_eq!(
        given.rows("renewals_by_month", AS_OF, COLUMNS),
        ["2026-03 eu 1 1200.00 - 1", "2026-03 us 2 2400.00 0.00 1"]
    );
}

#[test]
fn commissions_are_rounded_before_they_are_added() {
    // 65.25 × 0.18 = 11.745 → 11.75, twice: 23.50 and not 23.49
    let given = Given::new();
    given
        .commission(1, json!({ "subscription_id": 9 }))
        .subscription(1, json!({ "next_recurring_amount_usd": "65.25" }))
        .subscription(2, json!({ "next_recurring_amount_usd": "65.25" }));
    assert_eq!(given.rows("renewals_by_month", AS_OF, "amount_usd expected_commission_usd"), ["130.50 23.50"]);
}

#[test]
fn a_past_day_sees_the_versions_of_that_day() {
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .then("subscription", 1, "2026-02-10", json!({ "next_recurring_date": "2026-04-05" }))
        .removed("subscription", 1, "2026-02-20");
    assert_eq!(given.rows("renewals_by_month", "2026-02-09", "month renewals"), ["2026-03 1"]);
    assert_eq!(given.rows("renewals_by_month", "2026-02-10", "month renewals"), ["2026-04 1"]);
    assert!(given.rows("renewals_by_month", "2026-02-20", "month").is_empty());
}
