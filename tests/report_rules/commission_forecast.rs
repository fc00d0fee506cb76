//! What the coming renewals should earn.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

/// The days on which subscription 1 is counted, month by month.
fn months(given: &Given, report: &str, as_of: &str) -> Vec<String> {
    given.rows(report, as_of, "month renewals")
}

#[test]
fn a_renewal_counts_in_its_month_by_whose_rate_it_is() {
    // subscription 1: 1200 × 0.25 = 300 by its own; 2: 600 × 0.25 = 150 by its service's; 3: 100 × 0.25 = 25 by the
    // store's; the other store knows no rate
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .subscription(2, json!({ "next_recurring_amount_usd": "600" }))
        .subscription(3, json!({ "next_recurring_amount_usd": "100", "service_id": 20 }))
        .subscription(1, json!({ "store_id": "eu", "next_recurring_amount_usd": "50" }))
        .commission(11, json!({ "usd_commission": "25", "rate": "0.25" }));
    assert_eq!(
        given.rows(
            "commission_forecast months=1",
            AS_OF,
            "month store_id renewals amount_usd expected_usd from_subscription_rate from_service_rate \
             from_store_rate without_rate"
        ),
        ["2026-03 eu 1 50.00 - 0.00 0.00 0.00 1", "2026-03 us 3 1900.00 475.00 300.00 150.00 25.00 0"]
    );
}

#[test]
fn the_day_of_the_31st_is_clamped_and_comes_back() {
    // monthly from 31 January: 28 February, 31 March, 30 April; and on the 29th of February in a leap year
    let given = Given::new();
    given.subscription(1, json!({ "billing_frequency": "monthly", "next_recurring_date": "2026-01-31" }));
    let of = |day| months(&given, "commission_forecast months=2", day);
    assert_eq!(of("2026-02-28"), ["2026-02 1", "2026-03 1"]);
    assert_eq!(of("2026-03-31"), ["2026-03 1", "2026-04 1"]);
    assert_eq!(of("2026-04-30"), ["2026-04 1", "2026-05 1"]);
    assert_eq!(of("2028-02-29"), ["2028-02 1", "2028-03 1"]);
    let leap = Given::new();
    leap.subscription(1, json!({ "next_recurring_date": "2024-02-29" }));
    // yearly from a leap day: 28 February 2026 is the renewal of that year
    assert_eq!(months(&leap, "commission_forecast months=1", "2026-02-28"), ["2026-02 1"]);
    assert!(months(&leap, "commission_forecast months=1", "2028-03-01").is_empty());
    assert_eq!(months(&leap, "commission_forecast months=1", "2028-02-29"), ["2028-02 1"]);
}

#[test]
fn the_first_renewal_is_the_first_on_or_after_as_of() {
    // due on 15 January and 15 April, quarterly; overdue since January: the next is in April
    let given = Given::new();
    given.subscription(1, json!({ "billing_frequency": "quarterly", "next_recurring_date": "2026-01-15" }));
    for (day, first) in [("2026-01-15", "2026-01 1"), ("2026-01-16", "2026-04 1"), ("2026-04-15", "2026-04 1")] {
        assert_eq!(months(&given, "commission_forecast", day)[0], first, "{day}");
    }
    assert_eq!(months(&given, "commission_forecast", "2026-04-16")[0], "2026-07 1");
    // before its next date nothing renews
    assert_eq!(months(&given, "commission_forecast months=3", "2025-12-01"), ["2026-01 1"]);
}

#[test]
fn every_frequency_rolls_by_its_own_months() {
    // twelve months from March 2026 to February 2027
    for (frequency, expected) in [
        (Some("monthly"), 12),
        (Some("quarterly"), 4),
        (Some("half_yearly"), 2),
        (Some("yearly"), 1),
        (Some("fortnightly"), 1),
        (None, 1),
    ] {
        let given = Given::new();
        given.subscription(1, json!({ "billing_frequency": frequency }));
        assert_eq!(months(&given, "commission_forecast", AS_OF).len(), expected, "{frequency:?}");
    }
    // half-yearly across the year: 31 August, 28 February
    let given = Given::new();
    given.subscription(1, json!({ "billing_frequency": "half_yearly", "next_recurring_date": "2026-08-31" }));
    assert_eq!(months(&given, "commission_forecast", AS_OF), ["2026-08 1", "2027-02 1"]);
    // an unknown frequency rolls nothing forward
    given.subscription(2, json!({ "billing_frequency": null, "next_recurring_date": "2026-02-28" }));
    assert_eq!(months(&given, "commission_forecast", AS_OF), ["2026-08 1", "2027-02 1"]);
}

#[test]
fn the_months_are_as_ofs_own_and_those_after_it() {
    let given = Given::new();
    for (id, day) in [(1, "2026-01-31"), (2, "2026-02-28"), (3, "2026-03-01")] {
        given.subscription(id, json!({ "next_recurring_date": day }));
    }
    assert_eq!(months(&given, "commission_forecast months=2", "2026-01-31"), ["2026-01 1", "2026-02 1"]);
    assert!(months(&given, "commission_forecast months=0", "2026-01-31").is_empty());
}

#[test]
fn only_what_renews_at_list_price_earns() {
    let given = Given::new();
    given
        .subscription(1, json!({ "status": "inactive" }))
        .subscription(2, json!({ "next_recurring_amount": "0" }))
        .subscription(3, json!({ "next_recurring_date": null }))
        .subscription(4, json!({ "pricing_type": "partner_price" }))
        .subscription(5, json!({ "pricing_type": null }))
        .subscription(6, json!({}))
        .removed("subscription", 6, "2026-02-01");
    assert!(months(&given, "commission_forecast", AS_OF).is_empty());
    // what is removed in February was still to come in January
    assert_eq!(months(&given, "commission_forecast", "2026-01-31"), ["2026-03 1"]);
}

#[test]
fn each_renewal_is_rounded_to_the_cent_and_unknown_amounts_are_counted() {
    // 65.25 × 0.18 = 11.745 → 11.75, twelve times: 141.00; the one without a USD amount is counted, not expected
    let given = Given::new();
    given
        .subscription(1, json!({ "next_recurring_amount_usd": "65.25", "billing_frequency": "monthly" }))
        .subscription(2, json!({ "next_recurring_amount_usd": null }))
        .commission(11, json!({}));
    let rows = given.rows("commission_forecast", AS_OF, "renewals expected_usd without_rate");
    assert_eq!((rows.len(), rows[0].as_str(), rows[1].as_str()), (12, "2 11.75 1", "1 11.75 0"));
}

#[test]
fn amounts_and_rates_are_those_of_as_of() {
    let given = Given::new();
    given
        .subscription(1, json!({}))
        .then("subscription", 1, "2026-02-10", json!({ "next_recurring_amount_usd": "2400" }))
        .commission(11, json!({ "commission_day": "2026-01-01" }))
        .commission(12, json!({ "commission_day": "2026-02-20", "rate": "0.25" }));
    let on = |day| given.rows("commission_forecast months=3", day, "amount_usd expected_usd");
    assert_eq!(on("2026-02-09"), ["1200.00 216.00"]);
    assert_eq!(on("2026-02-19"), ["2400.00 432.00"]);
    assert_eq!(on("2026-02-20"), ["2400.00 600.00"]);
}
