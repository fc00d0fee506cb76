//! A stored record as a switch wants it served: with an unknown value, an extra field, or the old fields only.
//!
//! Pure; with default switches the text passes through untouched.

use super::listing::Record;
use super::switches::{Generations, StoreSwitches};
use serde_json::{Value, json};
use std::borrow::Cow;

/// The text served for a record.
pub(super) fn dressed<'a>(switches: &StoreSwitches, kind: &str, record: &'a Record) -> Cow<'a, str> {
    let strange = hits(switches.unknown_values_every, record);
    let extra = hits(switches.extra_fields_every, record);
    let old = kind == "commissions" && switches.generations == Generations::FirstOnly;
    if !(strange || extra || old) {
        return Cow::Borrowed(&record.json);
    }
    let Ok(mut value) = serde_json::from_str::<Value>(&record.json) else {
        return Cow::Borrowed(&record.json);
    };
    if old {
        make_first_generation(&mut value);
    }
    if strange {
        let field = if kind == "transactions" { "transaction_type" } else { "status" };
        value[field] = json!("from_the_future");
    }
    if extra {
        value["loyalty_tier"] = json!("copper");
    }
    Cow::Owned(value.to_string())
}

fn hits(every: u64, record: &Record) -> bool {
    every > 0 && record.number().is_multiple_of(every)
}

/// Takes the newer fields away; the base of the rate is then in payout currency, where `base_commission` gives it.
fn make_first_generation(value: &mut Value) {
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    if fields.shift_remove("eligible_txn_usd_amount").is_none() {
        return;
    }
    for name in
        ["eligible_txn_usd_amount_formatted", "usd_commission", "usd_currency_symbol", "usd_commission_formatted"]
    {
        fields.shift_remove(name);
    }
    let eligible = fields.get("eligible_txn_amount").and_then(Value::as_str).and_then(|text| scaled(text, 2));
    let rate = fields.get("exchange_rate").and_then(|rate| scaled(&rate.to_string(), 4));
    if let (Some(cents), Some(rate)) = (eligible, rate) {
        let payout = ((cents * rate).abs() + 5_000) / 10_000 * cents.signum();
        fields.insert("eligible_txn_amount".to_owned(), json!(text(payout)));
    }
    let part = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let plain = format!("{}{}", part("currency_symbol"), part("commission"));
    fields.insert("commission_formatted".to_owned(), json!(plain));
}

fn scaled(decimal: &str, places: usize) -> Option<i64> {
    let (whole, rest) = decimal.split_once('.').unwrap_or((decimal, ""));
    format!("{whole}{rest:0<places$}").parse().ok()
}

fn text(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
    text.strip_suffix('0').map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(json: &str) -> Record {
        Record { id: "20".to_owned(), json: json.to_owned() }
    }

    #[test]
    fn without_switches_the_bytes_stay() {
        let record = record("{ \"id\" :20}");
        assert_eq!(dressed(&StoreSwitches::default(), "subscriptions", &record), record.json);
    }

    #[test]
    fn every_nth_record_is_strange() {
        let switches = StoreSwitches { unknown_values_every: 10, extra_fields_every: 3, ..StoreSwitches::default() };
        let served = dressed(&switches, "subscriptions", &record(r#"{"id":20,"status":"active"}"#)).into_owned();
        assert_eq!(served, r#"{"id":20,"status":"from_the_future"}"#);
    }

    #[test]
    fn the_first_generation_has_its_base_in_payout_currency() {
        let switches = StoreSwitches { generations: Generations::FirstOnly, ..StoreSwitches::default() };
        let newer = r#"{"exchange_rate":0.6771,"eligible_txn_amount":"315.0","eligible_txn_usd_amount":"209.0","usd_commission":"1.0","commission":"1.0","currency_symbol":"A&#36;"}"#;
        let served = dressed(&switches, "commissions", &record(newer)).into_owned();
        assert!(served.contains(r#""eligible_txn_amount":"213.29""#) && !served.contains("usd_"), "{served}");
    }
}
