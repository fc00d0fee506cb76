//! Whole answers: their size, their pace, their encoding.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::rude::{Rude, answer, ok};
use crate::support::{Ran, subscription, try_at_once};

/// Peak memory a run may take whatever a server sends, in MiB: the body limit of 64 MiB, doubled while its buffer grows
/// and once more as text, and the program itself.
const MEMORY_MIB: u64 = 300;

const CHUNKED: &[u8] = b"HTTP/1.1 200 Said\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A gibibyte of one byte, in chunks, as long as the client takes it.
fn a_gibibyte_of(byte: u8, stream: &mut TcpStream) -> std::io::Result<()> {
    let mebibyte = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![byte; 1 << 20], b"\r\n"].concat();
    stream.write_all(CHUNKED)?;
    (0..1024).try_for_each(|_| stream.write_all(&mebibyte))
}

/// A gibibyte of spaces, packed a thousandfold.
fn packed_gibibyte() -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mebibyte = vec![b' '; 1 << 20];
    (0..1024).for_each(|_| packed.write_all(&mebibyte).unwrap());
    packed.finish().unwrap()
}

#[track_caller]
fn is_too_large(ran: &Ran, rude: &Rude) {
    assert_eq!(ran.exit, 1, "{ran:?}");
    let error = &ran.json()["error"];
    assert_eq!(error["code"], "network");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("larger than 64 MiB") && message.contains("max_answer_mib"), "{message}");
    // asking again would bring the same
    assert_eq!(rude.requests("/api/"), 1);
}

#[test]
fn a_gibibyte_is_refused_within_bounded_memory() {
    let announced = format!("HTTP/1.1 200 Said\r\nConnection: close\r\nContent-Length: {}\r\n\r\n[", 1 << 30);
    let packed = packed_gibibyte();
    let packed = answer(200, "Content-Encoding: gzip\r\n", &packed);
    let servers: [(&str, Rude); 4] = [
        ("announced", Rude::saying(announced.into_bytes())),
        ("chunked", Rude::serving(|_, stream| a_gibibyte_of(b'[', stream))),
        ("white space", Rude::serving(|_, stream| a_gibibyte_of(b' ', stream))),
        ("packed", Rude::saying(packed)),
    ];
    for (what, rude) in servers {
        let (ran, peak) = rude.measure(&["ingest", "subscriptions", "--json"]);
        is_too_large(&ran, &rude);
        assert!(peak < MEMORY_MIB, "{what}: {peak} MiB");
    }
}

#[test]
fn the_crms_answers_are_bounded_too() {
    let rude = Rude::serving(|_, stream| a_gibibyte_of(b' ', stream));
    let (ran, peak) = rude.measure(&["crm", "check", "--json"]);
    is_too_large_crm(&ran);
    assert!(peak < MEMORY_MIB, "{peak} MiB");
}

fn is_too_large_crm(ran: &Ran) {
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.stdout.contains("larger than 64 MiB"), "{ran:?}");
}

#[test]
fn a_token_reply_is_bounded_too() {
    let rude = Rude::serving(|_, stream| a_gibibyte_of(b' ', stream));
    // the accounts server is the rude one: its path is another than that of tokens
    let config = std::fs::read_to_string(rude.path("config.toml")).unwrap();
    let accounts = format!("accounts_url = \"{}", rude.url);
    std::fs::write(rude.path("config.toml"), config.replace(&accounts, &format!("{accounts}/rude"))).unwrap();
    let (ran, peak) = rude.measure(&["ingest", "subscriptions", "--json"]);
    assert_eq!((ran.exit, &ran.json()["error"]["code"]), (1, &json!("network")), "{ran:?}");
    assert!(peak < MEMORY_MIB, "{peak} MiB");
}

#[test]
fn the_size_of_an_answer_can_be_configured() {
    let page = format!("[{}{}]", subscription(1), " ".repeat(2 << 20));
    let said = move |path: &str, stream: &mut TcpStream| {
        stream.write_all(&if path.contains("page=1&") { ok(page.as_bytes()) } else { ok(b"[]") })
    };
    let rude = Rude::serving(said.clone()).with("max_answer_mib = 1");
    let ran = rude.run(&["ingest", "subscriptions", "--json"]).exits(1);
    assert!(ran.json()["error"]["message"].as_str().unwrap().contains("larger than 1 MiB"), "{ran:?}");
    Rude::serving(said).with("max_answer_mib = 3").run(&["ingest", "subscriptions"]).exits(0);
}

#[test]
fn an_answer_that_trickles_for_ever_is_given_up() {
    // never silent for long, so that only the limit on the whole ends it
    let rude = Rude::serving(|_, stream| {
        stream.write_all(CHUNKED)?;
        loop {
            stream.write_all(b"1\r\n \r\n")?;
            std::thread::sleep(Duration::from_millis(50));
        }
    })
    .with("max_answer_seconds = 1");
    let started = Instant::now();
    let ran = rude.run(&["ingest", "subscriptions", "--json"]).exits(1);
    let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("after 1 s") && message.contains("max_answer_seconds"), "{message}");
    assert_eq!(rude.requests("/api/"), 1);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn what_is_no_utf8_is_named_at_once_and_everything_before_it_is_kept() {
    let rude = Rude::serving(|path, stream| {
        let page = format!("[{}]", subscription(1));
        let latin1 = ok(b"[{\"id\":2,\"a\":\"\xff\xfe\"}]");
        stream.write_all(&if path.contains("page=1&") { ok(page.as_bytes()) } else { latin1 })
    });
    let ran = rude.run(&["ingest", "subscriptions", "--json"]).exits(3);
    let listing = &ran.json()["listings"][0];
    let message = listing["error"].as_str().unwrap();
    assert!(message.contains("page 2") && message.contains("not UTF-8") && message.contains("index 14"), "{message}");
    assert_eq!((&listing["outcome"], rude.requests("page=2&")), (&json!("possibly_truncated"), 1));
    let kept: i64 = rude.database().query_row("select count(*) from payloads", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1);
}

/// The first answer is these bytes, the next ones are good.
#[track_caller]
fn is_asked_again(rude: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) {
    let asked = AtomicUsize::new(0);
    let server = Rude::serving(move |_, stream| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => rude(stream),
        _ => stream.write_all(&ok(b"[]")),
    });
    let (ran, peak) = server.measure(&["ingest", "subscriptions", "--json"]);
    assert_eq!((ran.exit, server.requests("/api/")), (0, 2), "{ran:?}");
    assert!(peak < MEMORY_MIB, "{peak} MiB");
}

#[test]
fn bytes_that_are_no_answer_at_all_are_asked_for_again() {
    let length = b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n".as_slice();
    let answers = [b"\0\0\0\0", length, b"HTTP/9.9 999 \x1b[31m\r\n\r\n", b"\xff\xfe", b"HTTP/1.1 200 OK\r\n"];
    let bodies = ["[{\"id\":1}\0", "\0", "[{\"id\":\u{1}}]", "[\"\0\"]", "{\"data\":[}", "[NaN]", "[{'id':1}]"];
    let bodies = bodies.map(|body| ok(body.as_bytes()));
    try_at_once(answers.map(<[u8]>::to_vec).into_iter().chain(bodies), |bytes| {
        is_asked_again(move |stream| stream.write_all(&bytes));
    });
}

#[test]
fn headers_without_end_are_refused_within_bounded_memory() {
    is_asked_again(|stream| {
        stream.write_all(b"HTTP/1.1 200 Said\r\n")?;
        let header = format!("X-Filler: {}\r\n", "x".repeat(8_000));
        (0..100_000).try_for_each(|_| stream.write_all(header.as_bytes()))
    });
}

/// A CRM that answers so to everything.
#[test]
fn a_crm_that_answers_nonsense_ends_in_an_error_with_nothing_believed() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies =
        [r#"{"fields":7}"#, r#"{"fields":[7,null,{"api_name":7}]}"#, r#"{"modules":[{}],"fields":[]}"#, "[]", &deep];
    try_at_once(bodies, |body| {
        let asked = AtomicUsize::new(0);
        let body = body.to_owned();
        let rude = Rude::serving(move |_, stream| {
            // nonsense twice, then a clear no: asking again is tested elsewhere
            let is_enough = asked.fetch_add(1, Ordering::SeqCst) > 1;
            stream.write_all(&if is_enough { answer(404, "", b"{}") } else { ok(body.as_bytes()) })
        });
        let ran = rude.run(&["crm", "check", "--json"]);
        assert!(matches!(ran.exit, 1 | 3), "{ran:?}");
        assert_eq!(ran.json()["exit"], ran.exit);
    });
}

#[test]
fn a_pager_without_end_is_stopped() {
    let rude = Rude::serving(|request, stream| {
        let page: u64 = request.split("page=").nth(1).and_then(|rest| rest.split('&').next()?.parse().ok()).unwrap();
        stream.write_all(&ok(format!("[{}]", subscription(page)).as_bytes()))
    });
    let config = std::fs::read_to_string(rude.path("config.toml")).unwrap();
    let limited = config.replacen("[stores.us]\n", "[stores.us]\nmax_pages = 30\n", 1);
    std::fs::write(rude.path("config.toml"), limited).unwrap();
    let ran = rude.run(&["ingest", "subscriptions", "--json"]).exits(3);
    let listing = &ran.json()["listings"][0];
    assert_eq!((&listing["outcome"], &listing["received"]), (&json!("possibly_truncated"), &json!(30)), "{listing}");
    assert!(listing["error"].as_str().unwrap().contains("max_pages"), "{listing}");
}
