//! Fields: every CRM type as it travels, what is never sent, what is cut or left out, and when two values are the same.

use super::*;
use crate::config::CrmRules;
use crate::db::LinkRow;
use crate::model::instant;

fn crm(fields: &[(Kind, &str, Option<&str>)]) -> CrmConfig {
    let mut map: BTreeMap<Kind, BTreeMap<String, Option<String>>> = BTreeMap::new();
    for (kind, column, api_name) in fields {
        map.entry(*kind).or_default().insert((*column).to_owned(), api_name.map(str::to_owned));
    }
    let url: url::Url = "http://127.0.0.1:1".parse().unwrap();
    CrmConfig {
        data_center: "com".to_owned(),
        api_url: url.clone(),
        accounts_url: url,
        client_id: String::new(),
        daily_credits: None,
        throttle_wait_seconds: 0,
        timeout_seconds: 1,
        answer: crate::config::AnswerLimits::default(),
        modules: BTreeMap::new(),
        fields: map,
        rules: CrmRules::default(),
    }
}

fn field(api_name: &str, length: u64) -> FieldInfo {
    FieldInfo { api_name: api_name.to_owned(), length: Some(length), ..FieldInfo::default() }
}

fn row<'a>(mapping: &Mapping, cells: &[(&str, Cell<'a>)]) -> PushRow<'a> {
    let cell =
        |name: &str| cells.iter().find(|(column, _)| *column == name).map_or(Cell::Null, |(_, cell)| cell.clone());
    PushRow {
        store_id: "us",
        id: 7,
        removed: false,
        link: None,
        rejection: None,
        parents: Vec::new(),
        cells: mapping.columns.iter().map(|column| cell(column.name)).collect(),
        fingerprint: [0; 16],
    }
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(Cow::Borrowed(text))
}

fn written(mapping: &Mapping, cells: &[(&str, Cell)], lookups: &[Lookup]) -> (String, bool) {
    let mut out = String::new();
    let left_out = mapping.write(&row(mapping, cells), "us:7", lookups, &mut out).unwrap();
    (out, left_out)
}

#[test]
fn every_type_travels_in_its_own_form() {
    let mapping = Mapping::new(Kind::Commissions, &crm(&[]), &[]);
    let cells = [
        ("commission_id", Cell::Integer(2_000_000_000_101)),
        ("commission_day", text("2026-02-28")),
        ("payout_id", Cell::Integer(9_007_199_254_740_993)),
        ("exchange_rate", text("0.67710")),
        ("commission", Cell::Integer(-12_345_678)),
        ("rate", Cell::Integer(1800)),
        ("entity", text("")),
        ("payload", text("{\"a\": \"é\"}")),
    ];
    let (fields, _) = written(&mapping, &cells, &[Lookup::Linked("42"), Lookup::None]);
    assert_eq!(
        fields,
        r#"{"Name":"us:7","Commission_ID":"2000000000101","Commission_Date":"2026-02-28","Payout_ID":"9007199254740993","Exchange_Rate":0.6771,"Commission":-12.345678,"Rate":0.18,"Subscription":{"id":"42"},"Payload":"{\"a\": \"é\"}"}"#
    );
    let transactions = Mapping::new(Kind::Transactions, &crm(&[]), &[]);
    let at = instant::format_instant(chrono::DateTime::from_timestamp(1_772_344_800, 0).unwrap());
    let (fields, _) = written(&transactions, &[("transaction_at", text(&at))], &[Lookup::Pending]);
    assert_eq!(fields, r#"{"Name":"us:7","Transaction_Time":"2026-03-01T06:00:00+00:00"}"#);
}

#[test]
fn only_fields_the_module_has_are_sent_under_their_configured_names() {
    let config = crm(&[
        (Kind::Subscriptions, "company_name", Some("Firm")),
        (Kind::Subscriptions, "email", None),
        (Kind::Subscriptions, "name", None),
    ]);
    let cells = [("company_name", text("Zylker")), ("email", text("a@b.test")), ("org_id", text("9"))];
    let free = Mapping::new(Kind::Subscriptions, &config, &[]);
    assert_eq!(written(&free, &cells, &[]).0, r#"{"Name":"us:7","Org_ID":"9","Firm":"Zylker"}"#);
    let known = Mapping::new(Kind::Subscriptions, &config, &[field("Firm", 255), field("Status", 120)]);
    assert_eq!(written(&known, &cells, &[]).0, r#"{"Name":"us:7","Firm":"Zylker"}"#);
    assert!(known.missing.contains(&"Org_ID".to_owned()) && !known.missing.contains(&"Email".to_owned()));
    assert!(!free.same_as(&known) && known.name_field() == "Name");
}

#[test]
fn a_long_payload_is_left_out_and_a_long_description_cut() {
    let known = [field("Payload", 5), field("Description", 4), field("Plan_Name", 3)];
    let mapping = Mapping::new(Kind::Transactions, &crm(&[]), &known);
    let cells = [("description", text("äöü  ß")), ("payload", text("123456")), ("plan_name", text("Gold"))];
    let (fields, left_out) = written(&mapping, &cells, &[Lookup::None]);
    assert_eq!((fields.as_str(), left_out), (r#"{"Name":"us:7","Description":"äöü ","Plan_Name":"Gold"}"#, true));
    let fits = written(&mapping, &[("payload", text("äöüßx"))], &[Lookup::None]);
    assert_eq!(fits, (r#"{"Name":"us:7","Payload":"äöüßx"}"#.to_owned(), false));
}

#[test]
fn sameness_is_by_value_and_older_fields_do_not_count() {
    let sent = r#"{"Name":"7","Amount":1.50,"Subscription":{"id":"4"},"Email":"a@b.test"}"#;
    for same in [
        r#"{"Name":"7"}"#,
        r#"{"Name":"7","Amount":1.50}"#,
        r#"{"Email":"a\u0040b.test","Amount":1.5}"#,
        r#"{"Subscription":{ "id" : "4" }}"#,
        sent,
    ] {
        assert!(unchanged(sent, same), "{same}");
    }
    for other in
        [r#"{"Name":"7","Amount":1.5001}"#, r#"{"Name":"7","Amount":"1.50"}"#, r#"{"Name":"7","Amount":1.50,"X":1}"#]
    {
        assert!(!unchanged(sent, other), "{other}");
    }
    assert!(!unchanged("not json", r#"{"Name":"7"}"#));
    let differing = difference(sent, r#"{"Amount":2,"Plan":"Gold"}"#).unwrap();
    assert_eq!(differing[0], Difference { field: "Amount".to_owned(), from: Some("1.50"), to: "2" });
    assert_eq!(differing[1], Difference { field: "Plan".to_owned(), from: None, to: "\"Gold\"" });
}

#[test]
fn acknowledged_fields_accumulate() {
    let sent = r#"{"Name":"7","Email":"a@b.test","Status":"active"}"#;
    let all = merged(Some(sent), r#"{"Name":"7","Status":"inactive","Plan":"Gold"}"#).unwrap();
    assert_eq!(all, r#"{"Name":"7","Status":"inactive","Plan":"Gold","Email":"a@b.test"}"#);
    assert!(unchanged(&all, r#"{"Name":"7","Status":"inactive","Plan":"Gold"}"#));
    assert_eq!(merged(None, "{}").unwrap(), "{}");
}

#[test]
fn a_parent_decides_what_its_child_sends() {
    let parent = ParentRow { id: Some(4), in_mirror: true, removed: false, crm_id: None, gone: false };
    let lookup = |parent: &ParentRow<'static>, made: bool| lookup_of(parent, |_| made);
    assert_eq!(lookup(&ParentRow { id: None, ..parent.clone() }, true), Lookup::None);
    assert_eq!(lookup(&ParentRow { in_mirror: false, ..parent.clone() }, true), Lookup::None);
    assert_eq!(lookup(&ParentRow { removed: true, ..parent.clone() }, true), Lookup::None);
    assert_eq!(lookup(&ParentRow { crm_id: Some("9"), removed: true, ..parent.clone() }, true), Lookup::Linked("9"));
    assert_eq!(lookup(&ParentRow { crm_id: Some("9"), gone: true, ..parent.clone() }, true), Lookup::None);
    assert_eq!(lookup(&parent, true), Lookup::Pending);
    assert_eq!(lookup(&parent, false), Lookup::Waiting);
}

#[test]
fn a_gone_link_is_not_a_link_to_compare_with() {
    let link = LinkRow { crm_id: "1", gone: true, fields_sent: "{}", unanswered: None };
    assert!(link.gone && record_name("{store}:{id}", "us", 7) == "us:7" && record_name("{id}", "us", 7) == "7");
}
