//! Days and instants as texts: `YYYY-MM-DD` and `YYYY-MM-DDTHH:MM:SSZ`, which sort as they read.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};

/// An instant as it is stored: UTC, whole seconds.
pub fn format_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.with_timezone(&Utc))
}

/// The UTC day of an instant.
pub fn day_of(instant: DateTime<Utc>) -> String {
    format_day(instant.date_naive())
}

/// A day as it is stored. Written by hand, as it is read: several days of every record pass here, and chrono's
/// format texts cost six times as much.
pub fn format_day(day: NaiveDate) -> String {
    format!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
}

/// Reads `YYYY-MM-DD`, exactly ten characters, and a day that exists.
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u32::from(digit - b'0')))
    };
    NaiveDate::from_ymd_opt(number(&bytes[..4])?.try_into().ok()?, number(&bytes[5..7])?, number(&bytes[8..])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist_are_days() {
        for text in ["2024-02-29", "0000-01-01", "0099-12-31", "9999-12-31"] {
            assert_eq!(parse_day(text).map(format_day).as_deref(), Some(text));
        }
        for text in [
            "2023-02-29",
            "2023-2-01",
            "2023-02-1",
            " 2023-02-01",
            "0000-00-00",
            "2023-02-01T",
            "+202-02-01",
            "２3-02-01",
            "",
        ] {
            assert!(parse_day(text).is_none(), "{text}");
        }
    }
}
