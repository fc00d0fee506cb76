//! Properties of everything that reads what others wrote, on drawn inputs: what the fuzz targets look for at length
//! (docs/fuzzing.md), looked for briefly in every test run. Without a seed file: a failure prints its input.

use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::{Map, Value};
use storemirror::model::json::content_sha256;
use storemirror::model::money::{parse_amount, plain_decimal, two_decimals};
use storemirror::model::{Kind, record_id};
use storemirror::untrusted;

#[path = "../fuzz/invariants.rs"]
mod invariants;

/// One check of `invariants` that takes any bytes.
type Check = fn(&[u8]);

/// What the fuzz targets check, by their names, each with the honest inputs that the drawn ones are made from.
const TARGETS: [(&str, Check); 5] = [
    ("payload", invariants::payload),
    ("page", invariants::page),
    ("config", invariants::config),
    ("report_header", invariants::report_header),
    ("crm_answer", invariants::crm_answer),
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds")).join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn every_seed_of_every_target_holds() {
    for (target, check) in TARGETS {
        let seeds = seeds(target);
        assert!(!seeds.is_empty(), "{target} has no seeds");
        for seed in &seeds {
            check(seed);
        }
        let source = format!("{}/fuzz/fuzz_targets/{target}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(std::fs::read_to_string(source).unwrap().contains(&format!("invariants::{target}(")));
    }
    let targets = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/fuzz_targets")).unwrap().count();
    assert_eq!(targets, TARGETS.len());
}

/// Values in which whoever sent them meant no good.
const SPITEFUL: [&str; 22] = [
    "null",
    "-0",
    "1e400",
    "-1e-400",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "0.1e1",
    "1E99999999999",
    "\"\"",
    "\"0000-00-00\"",
    "\"99999-01-01\"",
    "\"2026-02-30 \"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"&#x110000;&amp;\"",
    "[]",
    "{}",
    "[[[[]]]]",
    "\"9e18\"",
    "\"1_000\"",
    "79228162514264337593543950335.5",
];

/// A JSON value up to four levels deep.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..5).prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.iter().rev().map(|(key, value)| (key.clone(), reversed(value))).collect())
        }
        Value::Array(items) => items.iter().map(reversed).collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, check) in TARGETS {
            check(&bytes);
        }
    }

    #[test]
    fn honest_inputs_with_bytes_changed_are_survived(
        target in 0..TARGETS.len(), seed: prop::sample::Index, cut: prop::sample::Index,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let (name, check) = TARGETS[target];
        let seeds: Vec<_> = seeds(name).into_iter().filter(|seed| !seed.is_empty()).collect();
        let mut bytes = seeds[seed.index(seeds.len())].clone();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check(&bytes);
        check(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn spiteful_values_in_any_field_are_survived(
        seed: prop::sample::Index, field: prop::sample::Index, spite in prop::sample::select(&SPITEFUL[..]), twice: bool,
    ) {
        let seeds = seeds("payload");
        let honest = String::from_utf8(seeds[seed.index(seeds.len())].clone()).unwrap();
        let places: Vec<usize> = honest.match_indices("\":").map(|(at, _)| at + 2).collect();
        prop_assume!(!places.is_empty());
        let from = places[field.index(places.len())];
        let length = serde_json::Deserializer::from_str(&honest[from..]).into_iter::<Value>();
        let mut length = length;
        let _ = length.next();
        let until = from + length.byte_offset();
        let mut body = format!("{}{spite}{}", &honest[..from], &honest[until..]);
        if twice {
            body = body.replacen('{', &format!("{{{},", &honest[honest[..from].rfind('"').and_then(|at| honest[..at].rfind('"')).unwrap()..until]), 1);
        }
        invariants::payload(body.as_bytes());
    }

    #[test]
    fn an_id_is_read_as_it_is_written(id in 1..=i64::MAX) {
        for kind in Kind::ALL {
            let key = &kind.table().key_pointers()[0][1..];
            for body in [format!("{{\"{key}\":{id}}}"), format!("{{\"{key}\":\"{id}\"}}"), format!("{{\"x\":0,\"{key}\": {id} }}")] {
                prop_assert_eq!(record_id(kind.table(), &body), Some(id.to_string()));
            }
        }
    }

    #[test]
    fn an_amount_is_read_as_it_is_printed(micros: i64) {
        let amount = parse_amount(&plain_decimal(micros, 6)).unwrap();
        prop_assert_eq!((amount.micros, amount.rounded), (micros, false));
        let cents = parse_amount(&two_decimals(micros)).unwrap().micros;
        prop_assert!((i128::from(cents) - i128::from(micros)).abs() <= 5_000);
        prop_assert_eq!(cents % 10_000, 0);
    }

    #[test]
    fn content_knows_neither_key_order_nor_white_space(value in json()) {
        let content = content_sha256(&value.to_string());
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(&content_sha256(&pretty), &content);
        prop_assert_eq!(&content_sha256(&reversed(&value).to_string()), &content);
        // what is not ASCII stands in strings alone
        let escape = |letter: char| {
            let units = letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect();
            if letter.is_ascii() { letter.to_string() } else { units }
        };
        let escaped: String = value.to_string().chars().map(escape).collect();
        prop_assert_eq!(&content_sha256(&escaped), &content, "an escape is the character it stands for");
    }

    #[test]
    fn content_knows_every_value(value in json(), other in json()) {
        let (one, two) = (value.to_string(), other.to_string());
        let same = one == two || value == other;
        prop_assert_eq!(content_sha256(&one) == content_sha256(&two), same);
    }

    #[test]
    fn a_page_is_cut_into_exactly_its_records(
        records in prop::collection::vec(json(), 0..6), pretty: bool, wrapping in 0..4, space in "[ \n\t]{0,3}",
    ) {
        let texts: Vec<String> = records
            .iter()
            .map(|record| if pretty { serde_json::to_string_pretty(record).unwrap() } else { record.to_string() })
            .collect();
        let array = format!("[{space}{}{space}]", texts.join(&format!("{space},{space}")));
        let body = match wrapping {
            0 => array,
            1 => format!("{space}{{\"count\":9,\"subscriptions\":{array}}}{space}"),
            2 => format!("{{\"data\":{space}{array},\"info\":{{}}}}"),
            _ => format!("{{\"other\":{array}}}"),
        };
        prop_assert_eq!(untrusted::page("subscriptions", body.as_bytes()), Some(texts));
    }
}
