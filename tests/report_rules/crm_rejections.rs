//! What the CRM refused.

use super::AS_OF;
use crate::given::Given;

fn refusal(target: &str, store_id: &str, record_id: &str, last_at: &str) -> String {
    format!(
        "insert into crm_rejections values ('{target}', '{store_id}', 'commissions', '{record_id}', 'INVALID_DATA',
           'invalid', 'Email', 'x@', 2, '2026-02-01T00:00:00Z', '{last_at}', '2026-03-04T00:00:00Z', '')"
    )
}

#[test]
fn a_refused_record_is_named_as_in_the_crm() {
    let given = Given::new();
    given.sql("update stores set record_name = '{id}' where store_id = 'us'");
    given.sql("update stores set record_name = '{store}:{id}' where store_id = 'eu'");
    given.sql(&refusal("crm/Partner_Commissions", "us", "7", "2026-02-28T00:00:00Z"));
    given.sql(&refusal("crm/Partner_Commissions", "eu", "7", "2026-02-28T00:00:00Z"));
    assert_eq!(
        given.rows(
            "crm_rejections",
            AS_OF,
            "store_id kind record_id name code message field value attempts first_at last_at next_at"
        ),
        [
            "eu commissions 7 eu:7 INVALID_DATA invalid Email x@ 2 2026-02-01T00:00:00Z 2026-02-28T00:00:00Z \
             2026-03-04T00:00:00Z",
            "us commissions 7 7 INVALID_DATA invalid Email x@ 2 2026-02-01T00:00:00Z 2026-02-28T00:00:00Z \
             2026-03-04T00:00:00Z",
        ]
    );
}

#[test]
fn a_record_refused_by_two_crms_stands_once_with_its_newest_refusal() {
    let given = Given::new();
    given.sql(&refusal("sandbox/Partner_Commissions", "us", "7", "2026-02-27T00:00:00Z"));
    given.sql(&refusal("crm/Partner_Commissions", "us", "7", "2026-02-28T00:00:00Z"));
    assert_eq!(given.rows("crm_rejections", AS_OF, "record_id name last_at"), ["7 - 2026-02-28T00:00:00Z"]);
}
