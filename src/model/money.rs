//! Money as whole millionths ("micros") in 64 bits, and the arithmetic the definitions ask for: wide integers and
//! decimals, rounded half away from zero, never a float on the way.

use rust_decimal::{Decimal, RoundingStrategy};

/// Millionths in one unit of a currency: six decimals hold every amount and proration seen in the store.
pub const MICROS: i64 = 1_000_000;
/// Millionths in one cent: derived money is kept to whole cents.
const MICROS_PER_CENT: i128 = 10_000;

/// An amount read from its decimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    pub micros: i64,
    /// The text had more than six decimals.
    pub rounded: bool,
}

/// Reads a decimal number such as `7203.0` or `1.5e3`; None when it is not one. Digits beyond the 28 that a decimal
/// holds are rounded away.
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    if text.contains('_') {
        return None; // rust_decimal reads `1_000`, JSON does not
    }
    text.parse().or_else(|_| Decimal::from_scientific(text)).ok()
}

/// Reads an amount into micros; the error says why it cannot be one.
pub fn parse_amount(text: &str) -> Result<Amount, String> {
    let Some(decimal) = parse_decimal(text) else {
        return Err(format!("{} is not an amount", quote(text)));
    };
    let scaled = decimal
        .checked_mul(Decimal::from(MICROS))
        .ok_or_else(|| format!("{} is too large for an amount", quote(text)))?;
    let rounded = scaled.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    let micros = i64::try_from(rounded).map_err(|_| format!("{} is too large for an amount", quote(text)))?;
    Ok(Amount { micros, rounded: rounded != scaled })
}

fn quote(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("{short:?}")
}

/// `numerator` ÷ `denominator`, rounded half away from zero. The denominator must be positive.
pub fn divide_rounded(numerator: i128, denominator: i128) -> i128 {
    let magnitude = (2 * numerator.abs() + denominator) / (2 * denominator);
    if numerator < 0 { -magnitude } else { magnitude }
}

/// An amount divided by `parts` and rounded to whole cents, still in micros.
pub fn cents(micros: i64, parts: i64) -> i64 {
    let whole = divide_rounded(i128::from(micros), i128::from(parts) * MICROS_PER_CENT);
    // cannot overflow: the result is no larger than the amount, but for the rounding of the very last cent
    i64::try_from(whole * MICROS_PER_CENT).unwrap_or(micros)
}

/// |amount| × rate rounded to whole cents, in micros; None when it does not fit.
pub fn converted_cents(micros: i64, rate: Decimal) -> Option<i64> {
    let product =
        Decimal::from(micros.unsigned_abs()).checked_mul(rate.normalize())?.checked_div(Decimal::from(MICROS))?;
    let rounded = product.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    i64::try_from(rounded.checked_mul(Decimal::from(MICROS))?).ok()
}

/// |part| ÷ |base| in basis points (a fraction to four decimals); None when the base is 0.
pub fn rate_basis_points(part: i64, base: i64) -> Option<i64> {
    let base = i128::from(base).abs();
    if base == 0 {
        return None;
    }
    i64::try_from(divide_rounded(i128::from(part).abs() * 10_000, base)).ok()
}

/// Micros as a plain decimal text with two decimals, as JSON and CSV print money.
pub fn two_decimals(micros: i64) -> String {
    let cents = divide_rounded(i128::from(micros), MICROS_PER_CENT);
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

/// A whole number of 10^-`decimals` units as plain decimal text without trailing zeros: exact, and a JSON number.
pub fn plain_decimal(units: i64, decimals: u32) -> String {
    let scale = 10_u64.pow(decimals);
    let magnitude = units.unsigned_abs();
    let sign = if units < 0 { "-" } else { "" };
    let width = decimals as usize;
    let text = format!("{sign}{}.{:0width$}", magnitude / scale, magnitude % scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_without_a_float() {
        for (text, micros, rounded) in [
            ("7203.0", 7_203_000_000, false),
            ("65.01", 65_010_000, false),
            ("-0.1", -100_000, false),
            ("0.0000005", 1, true),
            ("-0.0000005", -1, true),
            ("1e3", 1_000_000_000, false),
            ("9007199254740993.000001", 0, false),
        ] {
            if text.starts_with("9007") {
                assert!(parse_amount(text).unwrap_err().contains("too large"));
            } else {
                assert_eq!(parse_amount(text), Ok(Amount { micros, rounded }), "{text}");
            }
        }
        assert_eq!(parse_amount("0.10000000000000000000000000000000000000001").unwrap().micros, 100_000);
        for text in ["", "abc", "1,000.00", "0x10", "1.2.3", "NaN", "inf"] {
            assert!(parse_amount(text).is_err(), "{text}");
        }
    }

    #[test]
    fn derived_money_is_rounded_half_away_from_zero() {
        assert_eq!(cents(100_000_000, 12), 8_330_000);
        assert_eq!(cents(125_000, 1), 130_000);
        assert_eq!(cents(-125_000, 1), -130_000);
        assert_eq!(cents(15_000, 3), 10_000);
    }

    #[test]
    fn rates_have_four_decimals_and_no_zero_base() {
        assert_eq!(rate_basis_points(20_700_000, 115_000_000), Some(1800));
        assert_eq!(rate_basis_points(-1, 3), Some(3333));
        assert_eq!(rate_basis_points(5, 0), None);
    }

    #[test]
    fn conversion_uses_the_rates_own_digits() {
        assert_eq!(converted_cents(-18_000_000, parse_decimal("1.15").unwrap()), Some(20_700_000));
        assert_eq!(converted_cents(315_000_000, parse_decimal("0.6771").unwrap()), Some(213_290_000));
    }

    #[test]
    fn money_prints_with_two_decimals() {
        assert_eq!(two_decimals(65_010_000), "65.01");
        assert_eq!(two_decimals(-5_000), "-0.01");
        assert_eq!(two_decimals(4_999), "0.00");
    }

    #[test]
    fn plain_decimals_are_exact_and_short() {
        assert_eq!(plain_decimal(65_010_000, 6), "65.01");
        assert_eq!(plain_decimal(7_203_000_000, 6), "7203");
        assert_eq!(plain_decimal(-100_000, 6), "-0.1");
        assert_eq!(plain_decimal(0, 6), "0");
        assert_eq!(plain_decimal(i64::MIN, 6), "-9223372036854.775808");
        assert_eq!(plain_decimal(1800, 4), "0.18");
    }
}
