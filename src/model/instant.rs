//! Days and instants as texts: `YYYY-MM-DD` and `YYYY-MM-DDTHH:MM:SSZ`, which sort as they read.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

/// An instant as it is stored: UTC, whole seconds.
pub fn format_instant(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.with_timezone(&Utc))
}

/// The UTC day of an instant.
pub fn day_of(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d").to_string()
}

/// Reads `YYYY-MM-DD`, exactly ten characters, and a day that exists.
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    if text.len() != 10 || !text.is_char_boundary(10) {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|day| day.format("%Y-%m-%d").to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist_are_days() {
        assert!(parse_day("2024-02-29").is_some());
        for text in ["2023-02-29", "2023-2-01", "2023-02-1", " 2023-02-01", "0000-00-00", "2023-02-01T", ""] {
            assert!(parse_day(text).is_none(), "{text}");
        }
    }
}
