//! When to ask again: pure arithmetic. A fault goes in, "wait this long" or "give up" comes out; the caller sleeps.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// First wait after a broken answer; most gateways recover within a second.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// No single wait for a broken server is longer, so that a recovery is noticed soon.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Broken answers to one request before it is given up: about half a minute with the doubling waits.
const MAX_RETRIES: usize = 6;
/// Throttle answers to one request before it is given up: five quiet minutes at the default wait.
const MAX_THROTTLES: usize = 5;
/// A simulator that is being started is there within a second or two.
const MAX_ABSENCES: usize = 3;
/// A server that asks for more than this is as good as closed; better to say so and stop.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(15 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Too many requests; the server may name the time to wait.
    Throttled(Option<Duration>),
    /// 5xx, time-out, reset, cut body.
    Broken,
    /// Nothing listens on this machine's own address.
    NobodyThere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Wait(Duration),
    GiveUp,
}

/// The faults of one request so far.
pub struct Attempts {
    throttle_wait: Duration,
    throttles: usize,
    absences: usize,
    waits: ExponentialBackoff,
}

impl Attempts {
    /// `throttle_wait` is the configured wait after a throttle answer that names no time.
    pub fn new(throttle_wait: Duration) -> Self {
        let waits = ExponentialBuilder::default()
            .with_min_delay(FIRST_WAIT)
            .with_max_delay(LONGEST_WAIT)
            .with_max_times(MAX_RETRIES)
            .with_jitter();
        Self { throttle_wait, throttles: 0, absences: 0, waits: waits.build() }
    }

    pub fn after(&mut self, fault: Fault) -> Decision {
        match fault {
            Fault::NobodyThere if self.absences >= MAX_ABSENCES => Decision::GiveUp,
            Fault::NobodyThere => {
                self.absences += 1;
                Decision::Wait(FIRST_WAIT)
            }
            Fault::Broken => self.waits.next().map_or(Decision::GiveUp, Decision::Wait),
            Fault::Throttled(named) => {
                self.throttles += 1;
                let closed = named.is_some_and(|named| named > LONGEST_RETRY_AFTER);
                if self.throttles > MAX_THROTTLES || closed {
                    Decision::GiveUp
                } else {
                    Decision::Wait(named.unwrap_or(self.throttle_wait))
                }
            }
        }
    }
}

/// Reads a Retry-After header: seconds, or an HTTP date against `now` (both in Unix seconds).
pub fn retry_after(header: &str, now: i64) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    Some(Duration::from_secs(u64::try_from(http_date(header)? - now).unwrap_or(0)))
}

/// An HTTP date in Unix seconds.
pub fn http_date(text: &str) -> Option<i64> {
    Some(chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_answers_wait_longer_each_time_and_end() {
        let mut attempts = Attempts::new(Duration::from_secs(60));
        let waits: Vec<Decision> = (0..=MAX_RETRIES).map(|_| attempts.after(Fault::Broken)).collect();
        assert_eq!(waits.last(), Some(&Decision::GiveUp));
        for (position, wait) in waits[..MAX_RETRIES].iter().enumerate() {
            let Decision::Wait(wait) = wait else { panic!("gave up at {position}") };
            let least = FIRST_WAIT * (1 << position);
            assert!(*wait >= least.min(LONGEST_WAIT) && *wait <= 2 * LONGEST_WAIT, "{position}: {wait:?}");
        }
    }

    #[test]
    fn a_throttle_waits_as_told() {
        let mut attempts = Attempts::new(Duration::from_secs(60));
        assert_eq!(attempts.after(Fault::Throttled(None)), Decision::Wait(Duration::from_secs(60)));
        assert_eq!(
            attempts.after(Fault::Throttled(Some(Duration::from_secs(7)))),
            Decision::Wait(Duration::from_secs(7))
        );
        assert_eq!(attempts.after(Fault::Throttled(Some(Duration::from_secs(86_400)))), Decision::GiveUp);
        let configured = Duration::from_secs(3_600);
        assert_eq!(Attempts::new(configured).after(Fault::Throttled(None)), Decision::Wait(configured));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 12 ", 0), Some(Duration::from_secs(12)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 4_000), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", 0), None);
    }
}
