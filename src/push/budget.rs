//! How many API credits may still be used: by this push (`--max-credits`) and by any 24 hours (`daily_credits`). A
//! write reserves what it costs before it is sent, so that writes in flight together cannot overspend.

use crate::api::crm::{credits_for, records_for};

pub(super) struct Budget {
    /// Used in the last 24 hours, before this push.
    before: u64,
    pub(super) used: u64,
    reserved: u64,
    pub(super) daily: Option<u64>,
    max: Option<u64>,
}

impl Budget {
    pub(super) fn new(before: u64, daily: Option<u64>, max: Option<u64>) -> Self {
        Self { before, used: 0, reserved: 0, daily, max }
    }

    pub(super) fn used_24h(&self) -> u64 {
        self.before + self.used
    }

    /// The most records the next write may hold.
    pub(super) fn room(&self) -> usize {
        records_for(self.left())
    }

    /// How many of so many records can be sent before the credits are spent.
    pub(super) fn affordable(&self, records: usize) -> u64 {
        let full = credits_for(records);
        let records = records as u64;
        // below its full price, every credit pays for a whole lot of records
        if self.left() >= full { records } else { self.left() * records.div_ceil(full.max(1)) }
    }

    fn left(&self) -> u64 {
        let spent = self.used + self.reserved;
        let today = self.daily.map_or(u64::MAX, |daily| daily.saturating_sub(self.before + spent));
        let now = self.max.map_or(u64::MAX, |max| max.saturating_sub(spent));
        today.min(now)
    }

    pub(super) fn reserve(&mut self, records: usize) {
        self.reserved += credits_for(records);
    }

    /// A reserved write was answered; `charged`: it cost what was reserved. Returns the credits.
    pub(super) fn settle(&mut self, records: usize, charged: bool) -> u64 {
        let credits = credits_for(records);
        self.reserved -= credits;
        if !charged {
            return 0;
        }
        self.used += credits;
        credits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_spent_twice_or_beyond_either_limit() {
        let mut budget = Budget::new(95, Some(110), Some(20));
        assert_eq!(budget.room(), 100);
        budget.reserve(100);
        assert_eq!(budget.room(), 50);
        assert_eq!(budget.settle(100, true), 10);
        assert_eq!((budget.room(), budget.used_24h()), (50, 105));
        budget.reserve(50);
        assert_eq!(budget.room(), 0);
        assert_eq!(budget.settle(50, false), 0);
        assert_eq!(Budget::new(0, None, None).room(), 100);
        assert_eq!(Budget::new(0, None, Some(3)).room(), 30);
        assert_eq!(Budget::new(0, None, Some(3)).affordable(95), 30);
        assert_eq!([0, 7, 6_583].map(|records| Budget::new(0, None, None).affordable(records)), [0, 7, 6_583]);
    }
}
