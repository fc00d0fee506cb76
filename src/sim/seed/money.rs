//! Money as whole cents, rates as ten-thousandths, and the way Zoho prints them.
//!
//! Terms: *cents* are hundredths of any currency (the yen is treated alike), a *rate* is an integer of
//! ten-thousandths. Nothing here uses a float: the mirror is compared with these figures to the cent.

use chrono::{Datelike, NaiveDate};

/// One, in ten-thousandths.
pub(super) const ONE: i64 = 10_000;

/// `6500` → `65.0`, `2070` → `20.7`, `-21329` → `-213.29`: at least one decimal, never a trailing zero.
pub(super) fn decimal(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let (whole, rest) = (cents.abs() / 100, cents.abs() % 100);
    if rest % 10 == 0 { format!("{sign}{whole}.{}", rest / 10) } else { format!("{sign}{whole}.{rest:02}") }
}

/// A rate as the shortest decimal number: `10000` → `1`, `11500` → `1.15`.
pub(super) fn rate_number(rate: i64) -> String {
    let (whole, rest) = (rate / ONE, rate % ONE);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:04}").trim_end_matches('0').to_owned()
}

/// `cents × rate`, rounded half away from zero.
pub(super) fn times(cents: i64, rate: i64) -> i64 {
    let product = cents * rate;
    (product.abs() + ONE / 2) / ONE * product.signum()
}

/// Dollars per unit of a currency in the month of `day`, in ten-thousandths. The wiggle is arithmetic, not
/// chance, so that a rate does not depend on what else was simulated.
pub(super) fn usd_rate(currency: &str, day: NaiveDate) -> i64 {
    let base = match currency {
        "EUR" => 11_000,
        "GBP" => 12_700,
        "AUD" => 6_650,
        "CAD" => 7_350,
        "INR" => 120,
        "JPY" => 67,
        "MXN" => 540,
        _ => return ONE,
    };
    let month = i64::from(day.year()) * 12 + i64::from(day.month0());
    base + base * ((month * 37) % 23 - 11) / 300
}

/// Units of `to` per unit of `from`, in ten-thousandths.
pub(super) fn exchange_rate(from: &str, to: &str, day: NaiveDate) -> i64 {
    if from == to { ONE } else { usd_rate(from, day) * ONE / usd_rate(to, day) }
}

/// Commissions dated from July 2025 on carry the fields of the second generation; invoices became common then too.
pub(super) fn is_second_generation(day: NaiveDate) -> bool {
    (day.year(), day.month()) >= (2025, 7)
}

/// The currency sign as the store writes it, HTML-escaped.
pub(super) fn symbol(currency: &str) -> &'static str {
    match currency {
        "EUR" => "&#8364;",
        "GBP" => "&#163;",
        "AUD" => "A&#36;",
        "CAD" => "C&#36;",
        "INR" => "&#8377;",
        "JPY" => "&#165;",
        "MXN" => "MX&#36;",
        _ => "&#36;",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_printed_as_zoho_prints_it() {
        for (cents, text) in [(6_500, "65.0"), (2_070, "20.7"), (-21_329, "-213.29"), (0, "0.0"), (5, "0.05")] {
            assert_eq!(decimal(cents), text);
        }
        assert_eq!(rate_number(ONE), "1");
        assert_eq!(rate_number(11_500), "1.15");
    }

    #[test]
    fn products_round_half_away_from_zero() {
        assert_eq!(times(31_500, 6_771), 21_329);
        assert_eq!(times(-5, 5_000), -3);
    }
}
