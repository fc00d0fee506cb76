//! Answers that only a scripted CRM gives: whole requests refused, duplicates named, results that do not add up.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use storemirror::model::Kind;

use crate::push::desk::{Desk, expect, subscriptions};

/// A write or read as the script sees it: method, path with query, body.
type Script = dyn Fn(&str, &str, &Value) -> (u16, Value) + Send + Sync;

/// A CRM that answers as told; tokens are free and metadata says nothing. Returns the requests it was sent.
fn scripted(
    desk: &mut Desk,
    script: impl Fn(&str, &str, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> Arc<Mutex<Vec<String>>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base: url::Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    desk.crm.api_url = base.clone();
    desk.crm.accounts_url = base;
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let (seen, script): (_, Arc<Script>) = (Arc::clone(&log), Arc::new(script));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
            std::thread::spawn(move || serve(stream, &seen, &*script));
        }
    });
    log
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<String>>, script: &Script) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let (status, answer) = if path.starts_with("/oauth") {
        (200, json!({ "access_token": "token", "expires_in": 3600 }))
    } else if path.contains("/settings/fields") {
        (200, json!({ "fields": [] }))
    } else if path.contains("per_page") {
        // nothing stands there before the first push
        (204, Value::Null)
    } else {
        seen.lock().unwrap().push(format!("{method} {path}"));
        script(method, path, &serde_json::from_slice(&body).unwrap_or_default())
    };
    let answer = answer.to_string();
    write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}", answer.len()).ok()
}

fn names(body: &Value) -> Vec<String> {
    body["data"].as_array().unwrap().iter().map(|record| record["Name"].as_str().unwrap().to_owned()).collect()
}

fn accepted(name: &str, action: &str) -> Value {
    json!({ "code": "SUCCESS", "action": action, "status": "success", "message": "", "details": { "id": format!("9{name}") } })
}

#[test]
fn a_batch_refused_as_a_whole_is_split_until_the_culprit_stands_alone() {
    for wrapped in [false, true] {
        let mut desk = Desk::new(&["us"]);
        let log = scripted(&mut desk, move |_, _, body| {
            let names = names(body);
            if names.contains(&"13".to_owned()) {
                let error = json!({ "code": "INVALID_DATA", "message": "body", "status": "error", "details": {} });
                return (400, if wrapped { json!({ "data": [error] }) } else { error });
            }
            (200, json!({ "data": names.iter().map(|name| accepted(name, "insert")).collect::<Vec<_>>() }))
        });
        desk.save("us", Kind::Subscriptions, &subscriptions(1..=100));
        let summary = desk.push();
        expect(&summary, 0, &json!({ "create": 100, "created": 99, "rejected": 1, "left": 0 }));
        assert_eq!(desk.row("select record_id, code from crm_rejections"), [json!("13"), json!("INVALID_DATA")]);
        assert!(log.lock().unwrap().len() <= 15, "a hundred records need at most seven halvings");
    }
}

#[test]
fn a_request_too_large_is_split_too() {
    let mut desk = Desk::new(&["us"]);
    scripted(&mut desk, |_, _, body| {
        let names = names(body);
        if names.len() > 30 {
            return (413, Value::Null);
        }
        (200, json!({ "data": names.iter().map(|name| accepted(name, "insert")).collect::<Vec<_>>() }))
    });
    desk.save("us", Kind::Subscriptions, &subscriptions(1..=100));
    expect(&desk.push(), 0, &json!({ "created": 100, "rejected": 0 }));
}

#[test]
fn a_duplicate_is_adopted_when_the_name_is_ours_and_refused_when_not() {
    let mut desk = Desk::new(&["us"]);
    let log = scripted(&mut desk, |method, path, body| {
        if method == "GET" {
            assert!(path.contains("ids=91,92") && path.contains("fields=Name"), "{path}");
            return (200, json!({ "data": [{ "id": "91", "Name": "1" }, { "id": "92", "Name": "somebody" }] }));
        }
        let item = |name: &String| match (method, name.as_str()) {
            ("POST", "1" | "2") => json!({ "code": "DUPLICATE_DATA", "message": "duplicate data", "status": "error",
                "details": { "api_name": "Subscription_ID", "duplicate_record": { "id": format!("9{name}") } } }),
            _ => accepted(name, "update"),
        };
        (207, json!({ "data": names(body).iter().map(item).collect::<Vec<_>>() }))
    });
    desk.save("us", Kind::Subscriptions, &subscriptions(1..=3));
    let summary = desk.push();
    expect(&summary, 0, &json!({ "create": 3, "created": 0, "adopted": 2, "rejected": 1, "left": 0 }));
    assert_eq!(desk.row("select crm_id from crm_links where record_id = '1'"), [json!("91")]);
    assert_eq!(
        desk.row("select record_id, field, value from crm_rejections"),
        [json!("2"), json!("Subscription_ID"), json!("2")]
    );
    assert_eq!(log.lock().unwrap().last().unwrap(), "PUT /crm/v8/Partner_Subscriptions");
    assert_eq!(summary["credits"]["used"], 2);
}

#[test]
fn a_refused_scope_stops_the_push() {
    let mut desk = Desk::new(&["us"]);
    scripted(&mut desk, |_, _, _| {
        (403, json!({ "code": "NO_PERMISSION", "message": "permission denied", "status": "error", "details": {} }))
    });
    desk.save("us", Kind::Subscriptions, &subscriptions(1..=150));
    let summary = desk.push();
    assert_eq!((&summary["stopped"], &summary["exit"]), (&json!("credentials"), &json!(4)));
    expect(&summary, 0, &json!({ "left": 150 }));
    assert_eq!(desk.row("select outcome from push_runs"), [json!("failed")]);
}
