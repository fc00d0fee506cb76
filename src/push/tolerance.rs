//! Changes too small to send: US dollar equivalents and exchange rates move a little every day. A record whose only
//! differences are such, and amounts that merely follow the exchange rate, is as good as unchanged. Pure.
//!
//! What was acknowledged stays the measure, so small steps in one direction are sent when they add up.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::model::json::flatten;
use crate::model::money::parse_decimal;
use crate::model::tables::{Drift, Source, Table};
use crate::push::fields::{Difference, difference, value_of};

/// What an amount that follows the exchange rate may differ by: a cent rounded on either side.
const ROUNDING: Decimal = Decimal::from_parts(2, 0, 0, false, 2);
/// Members that show a number in words.
const TWIN: &str = "_formatted";

/// The fields of one kind that drift, by API name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tolerance {
    pub(super) fraction: Decimal,
    pub(super) fields: BTreeMap<String, Drift>,
    pub(super) payload: Option<String>,
    /// The field of the exchange rate.
    pub(super) rate: Option<String>,
}

impl Tolerance {
    /// Whether a record differs only by what need not be sent.
    pub(super) fn covers(&self, table: &Table, sent: &str, outgoing: &str) -> bool {
        if self.fraction.is_zero() {
            return false;
        }
        let Ok(differences) = difference(sent, outgoing) else { return false };
        let rate = self.rate.as_deref().and_then(|rate| {
            let of = |fields: &str| parse_decimal(&value_of(fields, rate)?);
            Some((of(sent)?, of(outgoing)?))
        });
        differences.iter().all(|difference| self.is_small(table, difference, rate))
    }

    fn is_small(&self, table: &Table, difference: &Difference, rate: Option<(Decimal, Decimal)>) -> bool {
        let Some(from) = difference.from else { return false };
        if self.payload.as_ref() == Some(&difference.field) {
            let text = |json: &str| serde_json::from_str::<String>(json).ok();
            return match (text(from), text(difference.to)) {
                (Some(from), Some(to)) => self.is_small_in_payload(table, &from, &to),
                _ => false,
            };
        }
        let drift = self.fields.get(&difference.field).copied().unwrap_or(Drift::None);
        self.is_drift(drift, parse_decimal(from), parse_decimal(difference.to), rate)
    }

    fn is_small_in_payload(&self, table: &Table, from: &str, to: &str) -> bool {
        let (from, to) = (flatten(from), flatten(to));
        let number = |text: &String| parse_decimal(text.trim_matches('"'));
        let column = |drift: Drift, pointer: &str| {
            table
                .columns()
                .any(|column| column.drift == drift && column.source == Source::Json(pointer_of(pointer, table)))
        };
        let rate = table.columns().find(|column| column.drift == Drift::Rate).and_then(|column| match column.source {
            Source::Json(pointer) => Some((from.get(pointer).and_then(number)?, to.get(pointer).and_then(number)?)),
            _ => None,
        });
        from.len() == to.len()
            && from.iter().all(|(pointer, before)| match to.get(pointer) {
                None => false,
                Some(after) if after == before => true,
                Some(_) if pointer.ends_with(TWIN) => true,
                Some(after) => {
                    let drifts = [Drift::Equivalent, Drift::Rate, Drift::Scaled];
                    let drift = drifts.into_iter().find(|drift| column(*drift, pointer)).unwrap_or(Drift::None);
                    self.is_drift(drift, number(before), number(after), rate)
                }
            })
    }

    fn is_drift(
        &self,
        drift: Drift,
        from: Option<Decimal>,
        to: Option<Decimal>,
        rate: Option<(Decimal, Decimal)>,
    ) -> bool {
        let (Some(from), Some(to)) = (from, to) else { return false };
        let is_little = (to - from).abs() < self.fraction * from.abs();
        match (drift, rate) {
            (Drift::Equivalent | Drift::Rate, _) => is_little,
            (Drift::Scaled, Some((old, new))) if !old.is_zero() && old != new => {
                is_little && from.checked_mul(new / old).is_some_and(|scaled| (to - scaled).abs() <= ROUNDING)
            }
            _ => false,
        }
    }
}

/// The declared pointer of the same text, so that it can be compared with a declaration.
fn pointer_of(pointer: &str, table: &Table) -> &'static str {
    let declared = table.columns().find_map(|column| match column.source {
        Source::Json(declared) if declared == pointer => Some(declared),
        _ => None,
    });
    declared.unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    fn covers(sent: &str, outgoing: &str) -> bool {
        let fields =
            [("Exchange_Rate", Drift::Rate), ("Commission_USD", Drift::Equivalent), ("Balance", Drift::Scaled)];
        let tolerance = Tolerance {
            fraction: Decimal::new(1, 2),
            fields: fields.map(|(name, drift)| (name.to_owned(), drift)).into(),
            payload: Some("Payload".to_owned()),
            rate: Some("Exchange_Rate".to_owned()),
        };
        tolerance.covers(Kind::Commissions.table(), sent, outgoing)
    }

    #[test]
    fn small_steps_of_rates_and_equivalents_stay_behind() {
        let sent = r#"{"Status":"open","Exchange_Rate":1.15,"Commission_USD":20.7,"Balance":20.7}"#;
        let steps = [
            (r#"{"Exchange_Rate":1.155,"Commission_USD":20.79,"Balance":20.79}"#, true),
            (r#"{"Commission_USD":20.9}"#, true),
            (r#"{"Commission_USD":20.907}"#, false),
            (r#"{"Exchange_Rate":1.17}"#, false),
            (r#"{"Balance":20.6}"#, false),
            (r#"{"Exchange_Rate":1.155,"Balance":20.6}"#, false),
            (r#"{"Commission_USD":20.8,"Status":"closed"}"#, false),
            (r#"{"New":1}"#, false),
        ];
        for (outgoing, is_small) in steps {
            assert_eq!(covers(sent, outgoing), is_small, "{outgoing}");
        }
    }

    #[test]
    fn a_payload_is_compared_by_its_members() {
        let payload = |text: &str| serde_json::json!({ "Payload": text }).to_string();
        let sent = payload(
            r#"{"status":"open","exchange_rate":1.15,"base_commission":"20.7","usd_commission":"20.7","usd_commission_formatted":"$20.7"}"#,
        );
        let small = r#"{"status":"open","exchange_rate":1.155,"base_commission":"20.79","usd_commission":"20.79","usd_commission_formatted":"$20.79"}"#;
        assert!(covers(&sent, &payload(small)));
        assert!(!covers(&sent, &payload(&small.replace("open", "closed"))));
        assert!(!covers(&sent, &payload(&small.replace("\"20.79\",\"usd", "\"20.1\",\"usd"))));
        assert!(!covers(&sent, &payload(&small.replace("\"status\":\"open\",", ""))));
    }
}
