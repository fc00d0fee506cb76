//! One list of a store: records as the exact text served, sorted by id, reachable in every list order.
//!
//! A page is a slice of it, so serving never rebuilds the list. Ids that are no number sort behind all others.

use super::switches::ListOrder;
use std::ops::Range;

/// A record as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub id: String,
    pub json: String,
}

impl Record {
    fn key(&self) -> (i64, &str) {
        sort_key(&self.id)
    }

    /// The id as a number, 0 when it is none.
    pub(super) fn number(&self) -> u64 {
        self.id.parse().unwrap_or(0)
    }
}

fn sort_key(id: &str) -> (i64, &str) {
    (id.parse().unwrap_or(i64::MAX), id)
}

#[derive(Default)]
pub(super) struct Listing {
    records: Vec<Record>,
    /// Places in the order of [`ListOrder::Shuffled`]; made when asked for, forgotten when the list grows or shrinks.
    shuffled: Option<Vec<usize>>,
}

impl Listing {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn find(&self, id: &str) -> Option<&Record> {
        self.place(id).ok().map(|at| &self.records[at])
    }

    fn place(&self, id: &str) -> Result<usize, usize> {
        self.records.binary_search_by(|record| record.key().cmp(&sort_key(id)))
    }

    pub(super) fn put(&mut self, id: &str, json: String) {
        match self.place(id) {
            Ok(at) => self.records[at].json = json,
            Err(at) => {
                self.records.insert(at, Record { id: id.to_owned(), json });
                self.shuffled = None;
            }
        }
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        let Ok(at) = self.place(id) else { return false };
        self.records.remove(at);
        self.shuffled = None;
        true
    }

    /// The records of a range, counted in the given order.
    pub(super) fn slice(&mut self, order: ListOrder, range: Range<usize>) -> Vec<&Record> {
        let last = self.records.len();
        match order {
            ListOrder::Ascending => self.records[range].iter().collect(),
            ListOrder::Descending => self.records[last - range.end..last - range.start].iter().rev().collect(),
            ListOrder::Shuffled => {
                let records = &self.records;
                let places = self.shuffled.get_or_insert_with(|| {
                    let mut places: Vec<usize> = (0..records.len()).collect();
                    places.sort_by_key(|at| records[*at].number().wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    places
                });
                places[range].iter().map(|at| &records[*at]).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let mut listing = Listing::default();
        for id in ["30", "4", "100", "odd"] {
            listing.put(id, format!("{{{id}}}"));
        }
        listing
    }

    fn ids(records: &[&Record]) -> Vec<String> {
        records.iter().map(|record| record.id.clone()).collect()
    }

    #[test]
    fn ids_sort_as_numbers_and_pages_are_slices_of_any_order() {
        let mut listing = listing();
        assert_eq!(ids(&listing.slice(ListOrder::Ascending, 0..4)), ["4", "30", "100", "odd"]);
        assert_eq!(ids(&listing.slice(ListOrder::Descending, 1..3)), ["100", "30"]);
        let whole = ids(&listing.slice(ListOrder::Shuffled, 0..4));
        assert_eq!(ids(&listing.slice(ListOrder::Shuffled, 2..4)), whole[2..]);
    }

    #[test]
    fn put_replaces_and_remove_forgets() {
        let mut listing = listing();
        listing.put("30", "new".to_owned());
        assert_eq!(listing.find("30").unwrap().json, "new");
        assert!(listing.remove("30") && !listing.remove("30"));
        assert_eq!(listing.len(), 3);
    }
}
