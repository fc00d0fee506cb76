//! Which records a page of a list holds: a pure function of the switches, the list's length and what was asked.

use super::switches::{EndOfList, StoreSwitches};
use std::ops::Range;

/// Zoho's own page size when none is asked.
pub(super) const DEFAULT_PER_PAGE: usize = 200;

/// What answers a request for a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    Records(Range<usize>),
    EmptyArray,
    NoContent,
    EmptyBody,
    BadRequest,
}

/// The page size the server uses for an asked `per_page`.
pub(super) fn page_size(switches: &StoreSwitches, total: usize, per_page: Option<usize>) -> usize {
    if switches.whole_list {
        return total.max(1);
    }
    if let Some(size) = switches.fixed_page_size {
        return size.max(1);
    }
    let asked = per_page.filter(|asked| *asked > 0).unwrap_or(DEFAULT_PER_PAGE);
    asked.min(switches.per_page_cap.unwrap_or(usize::MAX)).max(1)
}

/// The page of a list of `total` records.
pub(super) fn page(switches: &StoreSwitches, total: usize, page: Option<usize>, per_page: Option<usize>) -> Page {
    let size = page_size(switches, total, per_page);
    let number = if switches.honour_page { page.unwrap_or(1).max(1) } else { 1 };
    let from = (number - 1).saturating_mul(size);
    if from < total {
        return Page::Records(from..total.min(from.saturating_add(size)));
    }
    match switches.end {
        EndOfList::NoContent => Page::NoContent,
        EndOfList::EmptyBody => Page::EmptyBody,
        EndOfList::RepeatLast if total > 0 => Page::Records((total - 1) / size * size..total),
        EndOfList::RepeatFirst if total > 0 => Page::Records(0..total.min(size)),
        EndOfList::BadRequest if number > 1 => Page::BadRequest,
        _ => Page::EmptyArray,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut StoreSwitches)) -> StoreSwitches {
        let mut switches = StoreSwitches::default();
        change(&mut switches);
        switches
    }

    #[test]
    fn pages_follow_each_other_and_the_last_is_short() {
        let switches = StoreSwitches::default();
        assert_eq!(page(&switches, 450, None, None), Page::Records(0..200));
        assert_eq!(page(&switches, 450, Some(3), Some(200)), Page::Records(400..450));
        assert_eq!(page(&switches, 450, Some(4), Some(200)), Page::EmptyArray);
    }

    #[test]
    fn per_page_is_capped_honoured_or_ignored() {
        assert_eq!(page(&StoreSwitches::default(), 450, Some(1), Some(2_000)), Page::Records(0..200));
        assert_eq!(page(&with(|s| s.per_page_cap = None), 450, Some(1), Some(2_000)), Page::Records(0..450));
        assert_eq!(page(&with(|s| s.fixed_page_size = Some(50)), 450, Some(2), Some(200)), Page::Records(50..100));
        assert_eq!(page(&with(|s| s.whole_list = true), 450, Some(1), Some(10)), Page::Records(0..450));
    }

    #[test]
    fn an_ignored_page_is_always_the_first() {
        assert_eq!(page(&with(|s| s.honour_page = false), 450, Some(3), None), Page::Records(0..200));
    }

    #[test]
    fn every_end_of_list() {
        let cases = [
            (EndOfList::EmptyArray, Page::EmptyArray),
            (EndOfList::NoContent, Page::NoContent),
            (EndOfList::EmptyBody, Page::EmptyBody),
            (EndOfList::RepeatLast, Page::Records(400..450)),
            (EndOfList::RepeatFirst, Page::Records(0..200)),
            (EndOfList::BadRequest, Page::BadRequest),
        ];
        for (end, expected) in cases {
            assert_eq!(page(&with(|s| s.end = end), 450, Some(4), None), expected);
        }
        assert_eq!(page(&with(|s| s.end = EndOfList::RepeatLast), 0, Some(1), None), Page::EmptyArray);
        assert_eq!(page(&with(|s| s.end = EndOfList::RepeatLast), 400, Some(3), None), Page::Records(200..400));
    }
}
