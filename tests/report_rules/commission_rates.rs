//! What share of a sale a service paid, month by month.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

const COLUMNS: &str = "month store_id service_name records weighted_rate lowest_rate highest_rate";

#[test]
fn a_months_rate_is_weighted_by_the_sales() {
    // (18 + 50) ÷ (100 + 200) = 0.22667; the G1 one has no USD amounts, so it is counted and bounds the rates alone
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(
            2,
            json!({ "commission_day": "2026-02-28", "usd_commission": "50", "eligible_usd_amount": "200",
                               "rate": "0.25" }),
        )
        .commission(3, json!({ "usd_commission": null, "eligible_usd_amount": null, "rate": "0.3" }))
        .commission(4, json!({ "service_name": "CRM", "usd_commission": null, "rate": "0.2" }))
        .commission(5, json!({ "store_id": "eu" }));
    assert_eq!(
        given.rows("commission_rates", AS_OF, COLUMNS),
        [
            "2026-02 eu One 1 0.1800 0.1800 0.1800",
            "2026-02 us CRM 1 - 0.2000 0.2000",
            "2026-02 us One 3 0.2267 0.1800 0.3000"
        ]
    );
}

#[test]
fn half_a_basis_point_is_rounded_up() {
    // 0.25 ÷ 8 = 0.03125 → 0.0313
    let given = Given::new();
    given.commission(1, json!({ "usd_commission": "0.25", "eligible_usd_amount": "8", "rate": "0.0313" }));
    assert_eq!(given.rows("commission_rates", AS_OF, "weighted_rate"), ["0.0313"]);
}

#[test]
fn only_base_commissions_count_and_removed_ones_do() {
    let given = Given::new();
    given
        .commission(1, json!({}))
        .commission(2, json!({ "type": "commission_reversal", "sign": -1, "usd_commission": "-18" }))
        .commission(3, json!({ "commission_type": "Bonus", "rate": "0.5" }))
        .commission(4, json!({ "rate": "0", "usd_commission": "0" }))
        .commission(5, json!({ "rate": null }))
        .removed("commission", 1, "2026-02-15");
    assert_eq!(given.rows("commission_rates", AS_OF, "records weighted_rate lowest_rate"), ["1 0.1800 0.1800"]);
}

#[test]
fn the_period_is_whole_months_up_to_as_of_across_the_year() {
    // two months on 15 January 2026: December and January up to the 15th
    let given = Given::new();
    for (id, day) in [(1, "2025-11-30"), (2, "2025-12-01"), (3, "2025-12-31"), (4, "2026-01-15"), (5, "2026-01-16")] {
        given.commission(id, json!({ "commission_day": day }));
    }
    assert_eq!(given.rows("commission_rates months=2", "2026-01-15", "month records"), ["2025-12 2", "2026-01 1"]);
}
