//! The servers over real HTTP, with a client of a few lines: what other rooms rely on, from outside.

use super::*;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A status and a body; status 0 is a connection that was cut.
type Seen = (u16, String);

fn ask(server: &Running, method: &str, path: &str, token: &str, body: &str) -> Seen {
    let address = server.base_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    let authorization =
        if token.is_empty() { String::new() } else { format!("Authorization: Zoho-oauthtoken {token}\r\n") };
    stream.write_all(format!("{head}{authorization}\r\n{body}").as_bytes()).unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return (0, String::new());
    };
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn token(server: &Running, connection: &str) -> String {
    let all = server.connection();
    let of = if connection == "crm" { &all["crm"] } else { &all["stores"][connection] };
    let part = |name: &str| of[name].as_str().unwrap().to_owned();
    let query = format!(
        "/oauth/v2/token?grant_type=refresh_token&client_id={}&client_secret={}&refresh_token={}",
        part("client_id"),
        part("client_secret"),
        part("refresh_token")
    );
    let (_, body) = ask(server, "POST", &query, "", "");
    serde_json::from_str::<Value>(&body).unwrap()["access_token"].as_str().unwrap().to_owned()
}

fn small() -> Running {
    start(Options { subscriptions: 60, transactions: 500, commissions: 400, ..Options::default() }).unwrap()
}

fn crm(server: &Running, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let (status, body) = ask(server, method, &format!("/crm/v8/{path}"), token, &text);
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

#[test]
fn a_whole_list_arrives_page_by_page_in_its_exact_bytes() {
    let server = small();
    let token = token(&server, "us");
    let mut served = Vec::new();
    for page in 1.. {
        let path = format!("/us/api/v1/partner/transactions?page={page}&per_page=100&");
        let (status, body) = ask(&server, "GET", &path, &token, "");
        assert_eq!(status, 200);
        if body == "[]" {
            break;
        }
        served.push(body[1..body.len() - 1].to_owned());
    }
    let expected = server.with(|world| {
        let records = world.store("us").records("transactions");
        records.iter().map(|record| record.json.clone()).collect::<Vec<_>>().join(",")
    });
    assert!(served.len() > 2);
    assert_eq!(served.join(","), expected);
}

#[test]
fn a_token_of_one_server_does_not_open_another() {
    let server = small();
    let us = token(&server, "us");
    assert_eq!(ask(&server, "GET", "/eu/api/v1/partner/leads", &us, "").0, 401);
    let (status, body) = crm(&server, &us, "GET", "org", &Value::Null);
    assert_eq!((status, body["code"].as_str()), (401, Some("OAUTH_SCOPE_MISMATCH")));
    assert_eq!(ask(&server, "GET", "/us/api/v1/partner/subscriptions/status/active", &us, "").0, 400);
    server.with(World::expire_tokens);
    assert_eq!(ask(&server, "GET", "/us/api/v1/partner/leads", &us, "").0, 401);
}

#[test]
fn upsert_by_name_inserts_then_updates_and_counts_credits() {
    let server = small();
    let token = token(&server, "crm");
    let body = |status: &str| {
        let data: Vec<Value> = (0..11).map(|n| json!({"Name": format!("us:{n}"), "Status": status})).collect();
        json!({"data": data, "duplicate_check_fields": ["Name"], "trigger": []})
    };
    let (status, first) = crm(&server, &token, "POST", "Partner_Subscriptions/upsert", &body("active"));
    assert_eq!((status, first["data"][0]["action"].as_str()), (200, Some("insert")));
    let (_, second) = crm(&server, &token, "POST", "Partner_Subscriptions/upsert", &body("inactive"));
    assert_eq!(second["data"][10]["action"], "update");
    assert_eq!(second["data"][10]["duplicate_field"], "Name");
    assert_eq!(first["data"][10]["details"]["id"], second["data"][10]["details"]["id"]);
    server.with(|world| {
        assert_eq!((world.writes(), world.write_credits()), (2, 4));
        assert!(world.requests().iter().filter(|call| call.is_write).all(|call| call.trigger == Some(json!([]))));
        assert_eq!(world.crm.records("Partner_Subscriptions").len(), 11);
        assert_eq!(world.crm.record_named("Partner_Subscriptions", "us:3").unwrap().fields["Status"], "inactive");
    });
}

#[test]
fn answers_come_in_the_order_of_the_records_with_the_status_of_their_mix() {
    let server = small();
    let token = token(&server, "crm");
    let (status, ok) = crm(&server, &token, "POST", "Partner_Transactions", &json!({"data": [{"Name": "1"}]}));
    assert_eq!(status, 201);
    let id = ok["data"][0]["details"]["id"].clone();
    let mixed = json!({"data": [{"id": "5", "Name": "2"}, {"id": id, "Amount": 3.5}]});
    let (status, answer) = crm(&server, &token, "PUT", "Partner_Transactions", &mixed);
    assert_eq!(status, 207);
    assert_eq!(answer["data"][0]["message"], "the id given seems to be invalid");
    assert_eq!(answer["data"][1]["code"], "SUCCESS");
    let (status, _) = crm(&server, &token, "POST", "Partner_Transactions", &json!({"data": [{"Amount": 1}]}));
    assert_eq!(status, 400);
    let many = json!({"data": vec![json!({"Name": "x"}); 101]});
    assert_eq!(crm(&server, &token, "POST", "Partner_Transactions/upsert", &many).1["code"], "LIMIT_EXCEEDED");
    assert_eq!(crm(&server, &token, "POST", "Nonsense", &ok).1["code"], "INVALID_MODULE");
}

#[test]
fn unique_fields_report_the_record_that_has_the_value() {
    let server = small();
    let token = token(&server, "crm");
    server.with(|world| {
        world.crm.module_mut("Partner_Commissions").field_mut("Commission_ID").unwrap().is_unique = true;
    });
    let body = json!({"data": [{"Name": "a", "Commission_ID": "7"}]});
    let (_, first) = crm(&server, &token, "POST", "Partner_Commissions", &body);
    let (status, second) = crm(&server, &token, "POST", "Partner_Commissions", &body);
    assert_eq!((status, second["data"][0]["code"].as_str()), (400, Some("DUPLICATE_DATA")));
    assert_eq!(second["data"][0]["details"]["duplicate_record"]["id"], first["data"][0]["details"]["id"]);
}

#[test]
fn lists_go_on_behind_two_thousand_rows_by_token_only() {
    let server = small();
    let token = token(&server, "crm");
    server.with(|world| {
        for number in 0..2_300 {
            let fields = json!({"Name": format!("n{number}")}).as_object().unwrap().clone();
            world.crm.add_record("Partner_Commissions", fields, world.now);
        }
    });
    let (mut path, mut names) = ("Partner_Commissions?fields=Name&sort_order=asc".to_owned(), Vec::new());
    loop {
        let (status, body) = crm(&server, &token, "GET", &path, &Value::Null);
        assert_eq!(status, 200);
        names.extend(body["data"].as_array().unwrap().iter().map(|row| row["Name"].clone()));
        let Some(next) = body["info"]["next_page_token"].as_str() else {
            break;
        };
        path = format!("Partner_Commissions?fields=Name&sort_order=asc&page_token={next}");
    }
    assert_eq!((names.len(), names[2_299].as_str()), (2_300, Some("n2299")));
    let far = crm(&server, &token, "GET", "Partner_Commissions?fields=Name&page=11", &Value::Null);
    assert_eq!(far.1["code"], "DISCRETE_PAGINATION_LIMIT_EXCEEDED");
    let query = json!({"select_query": "select Name from Partner_Commissions where Name in ('n5', 'n6', 'no')"});
    assert_eq!(crm(&server, &token, "POST", "coql", &query).1["info"]["count"], 2);
    let none = json!({"select_query": "select Name from Partner_Commissions where Name = 'no'"});
    assert_eq!(crm(&server, &token, "POST", "coql", &none).0, 204);
}

#[test]
fn missing_fields_and_modules_can_be_created() {
    let server = small();
    let token = token(&server, "crm");
    server.with(|world| world.crm.remove_field("Partner_Subscriptions", "Payload"));
    let field = json!({"fields": [{"field_label": "Payload", "data_type": "textarea", "textarea": {"type": "large"}}]});
    let path = "settings/fields?module=Partner_Subscriptions";
    assert_eq!(crm(&server, &token, "POST", path, &field).0, 201);
    assert_eq!(crm(&server, &token, "POST", path, &field).1["fields"][0]["code"], "DUPLICATE_DATA");
    let (_, listed) = crm(&server, &token, "GET", path, &Value::Null);
    let payload = listed["fields"].as_array().unwrap().iter().find(|field| field["api_name"] == "Payload");
    assert_eq!(payload.unwrap()["length"], 32_000);
    let module = json!({"modules": [{"singular_label": "Thing", "plural_label": "Things", "profiles": [{"id": "1"}]}]});
    assert_eq!(crm(&server, &token, "POST", "settings/modules", &module).0, 201);
    assert_eq!(crm(&server, &token, "POST", "Things", &json!({"data": [{"Name": "x"}]})).0, 201);
}

#[test]
fn queued_faults_spoil_answers_and_a_lost_answer_was_committed() {
    let server = small();
    let token = token(&server, "crm");
    let queue = |kind| {
        server.with(|world| {
            world.switches.next_faults.push(NextFault { path: "/crm/".to_owned(), kind });
        });
    };
    let body = json!({"data": [{"Name": "x"}]});
    let mut seen = Vec::new();
    for kind in [
        FaultKind::Reset,
        FaultKind::TooManyRequestsRetryAfter,
        FaultKind::BadGateway,
        FaultKind::InvalidToken,
        FaultKind::LoginPage,
    ] {
        queue(kind);
        seen.push(crm(&server, &token, "POST", "Partner_Commissions/upsert", &body).0);
    }
    assert_eq!(seen, [0, 429, 502, 401, 200]);
    server.with(|world| assert!(world.crm.records("Partner_Commissions").is_empty()));
    queue(FaultKind::LostAnswer);
    assert_eq!(crm(&server, &token, "POST", "Partner_Commissions/upsert", &body).0, 0);
    server.with(|world| assert_eq!(world.crm.records("Partner_Commissions").len(), 1));
    queue(FaultKind::Truncated);
    let (status, cut) = crm(&server, &token, "GET", "org", &Value::Null);
    assert_eq!((status, cut), (200, Value::Null));
    queue(FaultKind::SlowBody);
    assert_eq!(crm(&server, &token, "GET", "org", &Value::Null).1["org"][0]["iso_code"], "USD");
}

#[test]
fn the_back_door_edits_switches_and_moves_time() {
    let server = small();
    let (status, body) = ask(&server, "PUT", "/_sim/switches", "", r#"{"stores":{"us":{"sorting":1}}}"#);
    assert!(status == 400 && body.contains("stores.us.order"), "{body}");
    let drift = r#"{"stores":{"us":{"drift":[{"kind":"leads","before_request":2,"put":[{"id":"9","json":"{}"}]}]}}}"#;
    assert_eq!(ask(&server, "PUT", "/_sim/switches", "", drift).0, 200);
    let token = token(&server, "us");
    let leads = || ask(&server, "GET", "/us/api/v1/partner/leads", &token, "").1;
    assert!(!leads().starts_with("[{},") && leads().starts_with("[{},"));
    let edit = r#"{"store":"us","kind":"leads","put":[{"id":1,"json":{"a":1}}],"remove":["9"]}"#;
    assert_eq!(ask(&server, "POST", "/_sim/edit", "", edit).1, r#"{"put":1,"removed":1}"#);
    assert!(leads().starts_with(r#"[{"a":1},"#));
    let before = server.with(|world| world.store("us").count("transactions"));
    assert_eq!(ask(&server, "POST", "/_sim/advance", "", r#"{"days":30}"#).0, 200);
    server.with(|world| assert!(world.store("us").count("transactions") > before));
    assert!(ask(&server, "GET", "/_sim/log", "", "").1.contains("\"host\":\"us\""));
}

#[test]
fn date_times_are_read_back_in_the_users_zone() {
    let server = small();
    let token = token(&server, "crm");
    server.with(|world| world.switches.crm.user_offset_minutes = 330);
    let body = json!({"data": [{"Name": "1", "Transaction_Time": "2026-03-01T06:00:00+00:00"}]});
    assert_eq!(crm(&server, &token, "POST", "Partner_Transactions/upsert", &body).0, 200);
    let path = "Partner_Transactions?fields=Transaction_Time";
    let (_, read) = crm(&server, &token, "GET", path, &Value::Null);
    assert_eq!(read["data"][0]["Transaction_Time"], "2026-03-01T11:30:00+05:30");
}

#[test]
fn the_days_credits_end_and_come_back() {
    let server = small();
    let token = token(&server, "crm");
    server.with(|world| world.switches.crm.daily_limit = Some(1));
    let body = json!({"data": [{"Name": "1"}]});
    let push = || crm(&server, &token, "POST", "Partner_Transactions/upsert", &body).0;
    assert_eq!((push(), push()), (200, 429));
    server.with(|world| world.advance(1));
    assert_eq!(push(), 200);
}
