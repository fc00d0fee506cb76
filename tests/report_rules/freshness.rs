//! How fresh and complete the mirror is, kind by kind.

use serde_json::json;

use super::AS_OF;
use crate::given::Given;

#[test]
fn one_row_per_store_and_kind_with_its_newest_run() {
    // now is 6:00 on 1 March: 6 hours after the complete listings, 30.25 hours after the one of the day before
    let given = Given::new();
    given.sql(
        "insert into sync_runs (store_id, kind, started_at, outcome) values
           ('us', 'commissions', '2026-02-28T00:00:00Z', 'complete'),
           ('us', 'commissions', '2026-03-01T00:00:00Z', 'failed'),
           ('eu', 'commissions', '2026-03-01T05:00:00Z', 'complete');
         update coverage set last_complete_at = '2026-02-27T23:45:00Z' where store_id = 'us' and kind = 'commissions';
         update coverage set state = 'never', last_complete_at = null where store_id = 'us' and kind = 'subscriptions';",
    );
    let rows =
        given.rows("freshness", AS_OF, "store_id kind state last_run_at last_outcome last_complete_at hours_since");
    assert_eq!(rows[0], "eu commissions complete 2026-03-01T05:00:00Z complete 2026-03-01T00:00:00Z 6.0");
    assert_eq!(rows[3], "us commissions complete 2026-03-01T00:00:00Z failed 2026-02-27T23:45:00Z 30.3");
    assert_eq!(rows[4], "us subscriptions never - - - -");
    assert_eq!(rows.len(), 6);
}

#[test]
fn records_are_counted_as_listed_removed_and_quarantined() {
    // 1 and 2 are listed, 3 is no longer; 2 could not be read, and neither could 3 when it was listed; of those without
    // an id the newest listing (1 March) brought one
    let given = Given::new();
    given.transaction(1, json!({})).transaction(2, json!({})).transaction(3, json!({}));
    given.sql(
        "update payloads set seen_until = '2026-02-01T00:00:00Z' where record_id = '3';
         insert into quarantine values
           ('us', 'transactions', '2', '/amount', 'not a number', '{}', '2026-02-01T00:00:00Z', '2026-02-01T00:00:00Z', ''),
           ('us', 'transactions', '3', '/amount', 'not a number', '{}', '2026-02-01T00:00:00Z', '2026-02-01T00:00:00Z', ''),
           ('us', 'transactions', null, '', 'no id', '{}', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z', 'a'),
           ('us', 'transactions', null, '', 'no id', '{}', '2026-02-01T00:00:00Z', '2026-02-28T00:00:00Z', 'b');",
    );
    let rows = given.rows("freshness", AS_OF, "store_id kind records removed quarantined");
    assert_eq!(rows[5], "us transactions 2 1 2");
    assert_eq!(rows[2], "eu transactions 0 0 0");
}
