//! When a listing is over and what it proves (design, rule 3): pure decisions over page sizes and ids. Nothing here
//! asks a server or writes a row.

use std::collections::HashMap;

use crate::config::MAX_PAGE_SIZE;
use crate::db::{Class, SavedRecord};

/// The store's documented page: a whole list shorter than this needed no second page (store contract §3).
const DOCUMENTED_PAGE: usize = 200;
/// A count divisible by this may be a cap of the server and proves nothing.
const ROUND_COUNT: usize = 100;

/// What to do after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Next,
    Complete,
    /// The pager brings nothing new: only larger pages can prove that this was all.
    Prove,
}

/// One walk over the pages of a kind.
#[derive(Debug, Default)]
pub struct Walk {
    largest: usize,
    previous: usize,
    pub pages: u64,
    pub first_page: Vec<String>,
    /// An id came on two pages, between ids that were new.
    pub overlapped: bool,
}

impl Walk {
    /// Judges a page by its ids and by how many of them this walk had not seen.
    pub fn after(&mut self, ids: &[String], new_ids: usize) -> Step {
        if self.pages == 0 {
            self.first_page = ids.to_vec();
        }
        self.pages += 1;
        if new_ids == 0 {
            return if self.previous < self.largest { Step::Complete } else { Step::Prove };
        }
        self.overlapped |= new_ids < ids.len();
        self.largest = self.largest.max(ids.len());
        self.previous = ids.len();
        Step::Next
    }
}

/// The proof by larger pages: what to ask for next, and when the answers suffice.
#[derive(Debug)]
pub struct Proof {
    first_asked: u32,
    asked: u32,
    previous: usize,
}

impl Proof {
    /// `first_asked` records were asked for on page 1, `first_count` came.
    pub fn new(first_asked: u32, first_count: usize) -> Self {
        Self { first_asked, asked: first_asked, previous: first_count }
    }

    /// The next `per_page` for page 1: 2×, 4×, … up to 20,000; None when all were asked.
    pub fn next_size(&mut self) -> Option<u32> {
        if self.asked >= MAX_PAGE_SIZE {
            return None;
        }
        self.asked = self.asked.saturating_mul(2).min(MAX_PAGE_SIZE);
        Some(self.asked)
    }

    /// Whether this many records prove that there are no more.
    pub fn proven_by(&mut self, count: usize) -> bool {
        let asked = self.asked as usize;
        let grew = count > self.previous && count < asked;
        let again = count == self.previous && (count < DOCUMENTED_PAGE || count > self.first_asked as usize);
        self.previous = count;
        (grew || again) && count > 0 && !count.is_multiple_of(ROUND_COUNT)
    }
}

/// Which records were seen in this run, in which walk, and what each was against the mirror. Numbers are kept apart
/// from texts because there may be a million of them.
#[derive(Debug, Default)]
pub struct Seen {
    numbers: HashMap<i64, u8>,
    texts: HashMap<String, u8>,
    /// A record without a usable id came: nothing of the kind may be removed.
    pub without_id: bool,
}

/// Bits of an entry: the class in the low three, then one per walk.
const CLASS_BITS: u8 = 0b111;

/// Counts per class over the records of one walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub received: u64,
    pub new: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub returned: u64,
    pub quarantined: u64,
}

impl Seen {
    /// Notes a saved page; gives its ids and how many of them this walk had not seen.
    pub fn note(&mut self, walk: u32, saved: &[SavedRecord]) -> (Vec<String>, usize) {
        let mut ids = Vec::with_capacity(saved.len());
        let mut new_ids = 0;
        for record in saved {
            self.without_id |= record.record_id.is_none();
            let id = record
                .record_id
                .clone()
                .unwrap_or_else(|| format!("sha256:{}", record.content_sha256.as_deref().unwrap_or_default()));
            let entry = match id.parse() {
                Ok(number) => self.numbers.entry(number).or_insert(0),
                Err(_) => self.texts.entry(id.clone()).or_insert(0),
            };
            if *entry & walk_bit(walk) == 0 {
                new_ids += 1;
            }
            let class = if *entry & !CLASS_BITS == 0 {
                code(record.class)
            } else {
                merged(*entry & CLASS_BITS, code(record.class))
            };
            *entry = (*entry & !CLASS_BITS) | walk_bit(walk) | class;
            ids.push(id);
        }
        (ids, new_ids)
    }

    /// Whether any walk of this run held the record.
    pub fn has(&self, record_id: &str) -> bool {
        match record_id.parse() {
            Ok(number) => self.numbers.contains_key(&number),
            Err(_) => self.texts.contains_key(record_id),
        }
    }

    /// The distinct records of one walk by class.
    pub fn counts(&self, walk: u32) -> Counts {
        let mut counts = Counts::default();
        for entry in self.numbers.values().chain(self.texts.values()).filter(|entry| **entry & walk_bit(walk) != 0) {
            counts.received += 1;
            let class = match entry & CLASS_BITS {
                0 => &mut counts.new,
                1 => &mut counts.changed,
                2 => &mut counts.unchanged,
                3 => &mut counts.returned,
                _ => &mut counts.quarantined,
            };
            *class += 1;
        }
        counts
    }

    /// Some ids of records that are new, changed, returned or unreadable.
    pub fn differing(&self, most: usize) -> Vec<String> {
        let differs = |entry: u8| entry & CLASS_BITS != code(Class::Unchanged);
        let numbers = self.numbers.iter().filter(|(_, entry)| differs(**entry)).map(|(id, _)| id.to_string());
        let texts = self.texts.iter().filter(|(_, entry)| differs(**entry)).map(|(id, _)| id.clone());
        let mut ids: Vec<String> = numbers.chain(texts).collect();
        ids.sort();
        ids.truncate(most);
        ids
    }

    /// Records that were in the mirror, current, before this run began.
    pub fn known_before(&self) -> u64 {
        let before = |entry: &&u8| matches!(**entry & CLASS_BITS, 1 | 2 | 5);
        (self.numbers.values().filter(before).count() + self.texts.values().filter(before).count()) as u64
    }
}

fn walk_bit(walk: u32) -> u8 {
    1 << (2 + walk.clamp(1, 2))
}

fn code(class: Class) -> u8 {
    match class {
        Class::New => 0,
        Class::Changed => 1,
        Class::Unchanged => 2,
        Class::Returned => 3,
        Class::Quarantined => 4,
        Class::QuarantinedKnown => 5,
    }
}

/// A record met twice in a run keeps what it was first, but for the last word on whether it can be read.
fn merged(first: u8, second: u8) -> u8 {
    match (first, second) {
        (1 | 2 | 5, 4 | 5) => 5,
        (_, 4 | 5) => 4,
        (2 | 5, other) => other,
        // it was not current before, whatever it is now
        (4, _) => 0,
        (kept, _) => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<u32>) -> Vec<String> {
        range.map(|id| id.to_string()).collect()
    }

    #[test]
    fn a_short_page_is_followed_by_one_more_request() {
        let mut walk = Walk::default();
        assert_eq!(walk.after(&ids(0..200), 200), Step::Next);
        assert_eq!(walk.after(&ids(200..257), 57), Step::Next);
    }

    #[test]
    fn a_page_without_a_new_id_after_a_shorter_page_is_the_end() {
        let mut walk = Walk::default();
        walk.after(&ids(0..200), 200);
        walk.after(&ids(200..257), 57);
        assert_eq!(walk.after(&ids(200..257), 0), Step::Complete);
    }

    #[test]
    fn a_page_without_a_new_id_after_a_full_page_proves_nothing() {
        let mut walk = Walk::default();
        walk.after(&ids(0..200), 200);
        assert_eq!(walk.after(&ids(0..200), 0), Step::Prove);
        let mut walk = Walk::default();
        walk.after(&ids(0..57), 57);
        assert_eq!(walk.after(&ids(0..57), 0), Step::Prove, "page 2 repeats page 1");
    }

    #[test]
    fn an_object_without_records_is_a_page_without_a_new_id() {
        assert_eq!(Walk::default().after(&[], 0), Step::Prove);
        let mut walk = Walk::default();
        walk.after(&ids(0..200), 200);
        walk.after(&ids(200..257), 57);
        assert_eq!(walk.after(&[], 0), Step::Complete);
    }

    #[test]
    fn an_overlap_is_a_sign_of_drift_only_between_new_ids() {
        let mut walk = Walk::default();
        walk.after(&ids(0..200), 200);
        walk.after(&ids(199..398), 198);
        assert!(walk.overlapped);
        let mut walk = Walk::default();
        walk.after(&ids(0..200), 200);
        walk.after(&ids(200..210), 10);
        walk.after(&ids(200..210), 0);
        assert!(!walk.overlapped);
    }

    /// (first asked, counts in order: page 1 and each larger page) → whether the last count proves the list.
    #[test]
    fn larger_pages_prove_or_do_not() {
        for (first_asked, counts, proven) in [
            (200, vec![200, 357], true),
            (200, vec![200, 400, 612], true),
            (200, vec![200, 200, 200], false),
            (200, vec![150, 150], true),
            (200, vec![100, 100], false),
            (200, vec![512, 512], true),
            (200, vec![500, 500], false),
            (200, vec![200, 400, 800, 800], false),
            (200, vec![200, 300], false),
            (100, vec![150, 150], true),
            (300, vec![250, 250], false),
            (200, vec![357, 356], false),
            (200, vec![0, 0], false),
        ] {
            let mut proof = Proof::new(first_asked, counts[0]);
            let mut last = false;
            for count in &counts[1..] {
                proof.next_size().unwrap();
                last = proof.proven_by(*count);
            }
            assert_eq!(last, proven, "{first_asked} {counts:?}");
        }
    }

    #[test]
    fn larger_pages_end_at_twenty_thousand() {
        let mut proof = Proof::new(200, 200);
        let asked: Vec<u32> = std::iter::from_fn(|| proof.next_size()).collect();
        assert_eq!(asked, [400, 800, 1600, 3200, 6400, 12_800, 20_000]);
        assert_eq!(Proof::new(20_000, 20_000).next_size(), None);
    }
}
