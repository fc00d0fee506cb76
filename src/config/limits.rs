//! How much one server may take of this machine before it is given up. Each limit stands in the configuration beside the
//! addresses, so that a store that is really larger can be let in.

use std::time::Duration;

/// 20,000 records (the largest page ever asked for) of 3 kB.
const ANSWER_MIB: u64 = 64;
/// The largest answer that fits the memory of a small machine some four times over.
const LARGEST_ANSWER_MIB: u64 = 1024;
/// 64 MiB over a line of 75 kB a second. Silence is limited apart from this (`timeout_seconds`).
const ANSWER_SECONDS: u64 = 900;

/// The limits of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerLimits {
    /// An answer is refused beyond so many MiB, unpacked.
    pub mib: u64,
    /// An answer is given up when it is not whole after so long.
    pub seconds: u64,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self { mib: ANSWER_MIB, seconds: ANSWER_SECONDS }
    }
}

impl AnswerLimits {
    /// The keys as they stand in the file; what is left out is the default.
    pub(super) fn read(mib: Option<u64>, seconds: Option<u64>) -> Result<Self, String> {
        let limits = Self { mib: mib.unwrap_or(ANSWER_MIB), seconds: seconds.unwrap_or(ANSWER_SECONDS) };
        if limits.mib == 0 || limits.mib > LARGEST_ANSWER_MIB {
            return Err(format!("max_answer_mib must be between 1 and {LARGEST_ANSWER_MIB}"));
        }
        if limits.seconds == 0 {
            return Err("max_answer_seconds must be at least 1".to_owned());
        }
        Ok(limits)
    }

    pub fn bytes(self) -> usize {
        usize::try_from(self.mib).unwrap_or(usize::MAX).saturating_mul(1024 * 1024)
    }

    pub fn time(self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_bounded_themselves() {
        assert_eq!(AnswerLimits::read(None, None), Ok(AnswerLimits { mib: 64, seconds: 900 }));
        assert_eq!(AnswerLimits::read(Some(1), Some(1)).unwrap().bytes(), 1_048_576);
        for (mib, seconds) in [(Some(0), None), (Some(1025), None), (None, Some(0))] {
            assert!(AnswerLimits::read(mib, seconds).is_err());
        }
    }
}
