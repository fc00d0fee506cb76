//! What was paid out, payout by payout.

use serde_json::{Value, json};

use super::AS_OF;
use crate::given::Given;

fn paid(payout: i64, day: &str, amount: &str) -> Value {
    json!({ "state": "paid", "status": "closed", "payout_id": payout, "commission_day": day, "entity": "Zoho_US",
            "balance_payout": "0", "payout_amount": amount })
}

const COLUMNS: &str = "store_id payout_id entity payout_currency records first_day last_day payout_amount";

#[test]
fn a_payout_adds_up_the_commissions_that_name_it() {
    // payout 7: 18 + 12.5 − 3 = 27.50; the newest payout comes first; -1 and 0 are no payouts
    let given = Given::new();
    given
        .commission(1, paid(7, "2025-12-31", "18"))
        .commission(2, paid(7, "2026-01-02", "12.5"))
        .commission(3, paid(7, "2026-01-01", "-3"))
        .commission(4, paid(8, "2026-02-01", "5"))
        .commission(5, paid(-1, "2026-02-01", "5"))
        .commission(6, paid(0, "2026-02-01", "5"))
        .commission(7, json!({ "payout_id": null }));
    assert_eq!(
        given.rows("payouts", AS_OF, COLUMNS),
        ["us 8 Zoho_US USD 1 2026-02-01 2026-02-01 5.00", "us 7 Zoho_US USD 3 2025-12-31 2026-01-02 27.50"]
    );
}

#[test]
fn a_past_day_sees_the_payouts_of_that_day() {
    // paid on 10 February; on 9 February nobody knew of it; a commission of 2 March is not in it on 1 March
    let given = Given::new();
    given
        .commission(1, json!({ "entity": "Zoho_US", "payout_amount": "0" }))
        .then("commission", 1, "2026-02-10", json!({ "payout_id": 7, "payout_amount": "18", "state": "paid" }))
        .commission(2, paid(7, "2026-03-02", "5"));
    assert!(given.rows("payouts", "2026-02-09", "payout_id").is_empty());
    assert_eq!(given.rows("payouts", "2026-02-10", "records payout_amount"), ["1 18.00"]);
    assert_eq!(given.rows("payouts", "2026-03-02", "records payout_amount"), ["2 23.00"]);
}

#[test]
fn stores_and_currencies_are_never_added_together_and_removed_ones_were_paid() {
    let given = Given::new();
    let mut other = paid(7, "2026-02-01", "9");
    other["store_id"] = json!("eu");
    let mut euro = paid(7, "2026-02-01", "4");
    euro["payout_currency"] = json!("EUR");
    given.commission(1, paid(7, "2026-02-01", "18")).commission(1, other).commission(2, euro).removed(
        "commission",
        2,
        "2026-02-20",
    );
    assert_eq!(
        given.rows("payouts", AS_OF, "store_id payout_id payout_currency payout_amount"),
        ["eu 7 USD 9.00", "us 7 EUR 4.00", "us 7 USD 18.00"]
    );
}
