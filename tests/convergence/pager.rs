//! What rule 3 of the design lets a listing claim, computed from the simulator's switches alone: a second reading of
//! the rule, beside the program's own. A random pager is drawn here too, so that no rule-abiding claim about it is
//! false: a server that ignores `page` caps at a round number, or a short list could not be told from a whole one.

use std::collections::BTreeMap;
use std::ops::Range;

use fastrand::Rng;
use storemirror::sim::{BodyShape, EndOfList, Generations, ListOrder, StoreSwitches};

/// The largest page the proof asks for.
const LARGEST_ASKED: usize = 20_000;

/// One of a slice.
pub fn pick<T: Clone>(random: &mut Rng, choices: &[T]) -> T {
    choices[random.usize(..choices.len())].clone()
}

/// A server of any manners.
pub fn random_pager(random: &mut Rng) -> StoreSwitches {
    let honour_page = random.u8(..3) > 0;
    let small = 3 + random.usize(..40);
    let ends = [
        EndOfList::EmptyArray,
        EndOfList::NoContent,
        EndOfList::EmptyBody,
        EndOfList::RepeatLast,
        EndOfList::RepeatFirst,
        EndOfList::BadRequest,
    ];
    StoreSwitches {
        honour_page,
        per_page_cap: pick(random, &[None, Some(200), Some(100), honour_page.then_some(small)]),
        fixed_page_size: (random.u8(..6) == 0).then_some(if honour_page { small } else { 100 }),
        whole_list: random.u8(..9) == 0,
        end: pick(random, &ends),
        body: pick(random, &[BodyShape::Array, BodyShape::Wrapped, BodyShape::NumericKeys]),
        wrap_key: pick(random, &["", "data", "rows"]).to_owned(),
        headers: BTreeMap::new(),
        order: pick(random, &[ListOrder::Ascending, ListOrder::Descending, ListOrder::Shuffled]),
        unknown_values_every: pick(random, &[0, 0, 7]),
        extra_fields_every: pick(random, &[0, 0, 5]),
        generations: pick(random, &[Generations::Mixed, Generations::Mixed, Generations::FirstOnly]),
        ..StoreSwitches::default()
    }
}

/// The same server with a pager that leads to every record and says where the list ends.
pub fn honest(switches: &StoreSwitches) -> StoreSwitches {
    StoreSwitches {
        honour_page: true,
        per_page_cap: Some(200),
        fixed_page_size: None,
        whole_list: false,
        end: EndOfList::EmptyArray,
        body: BodyShape::Array,
        drift: Vec::new(),
        ..switches.clone()
    }
}

/// Whether rule 3 calls a list of `total` records, asked for by `page_size`, complete.
pub fn is_provable(switches: &StoreSwitches, total: usize, page_size: usize) -> bool {
    let (mut seen, mut largest, mut previous, mut first) = (0, 0, 0, 0);
    for page in 1.. {
        match serve(switches, total, page, page_size) {
            Answer::End => return true,
            Answer::Refused => return false,
            Answer::Records(range) if range.end <= seen => {
                return previous < largest || is_proven_by_larger_pages(switches, total, page_size, first);
            }
            Answer::Records(range) => {
                (seen, previous, largest) = (range.end, range.len(), largest.max(range.len()));
                first = if page == 1 { range.len() } else { first };
            }
        }
    }
    unreachable!("a list has an end")
}

/// Whether every record can be reached at all.
pub fn is_reachable(switches: &StoreSwitches, total: usize) -> bool {
    let whole = switches.honour_page || switches.whole_list;
    whole || total <= switches.fixed_page_size.or(switches.per_page_cap).unwrap_or(usize::MAX)
}

fn is_proven_by_larger_pages(switches: &StoreSwitches, total: usize, page_size: usize, first: usize) -> bool {
    let (mut asked, mut previous) = (page_size, first);
    while asked < LARGEST_ASKED {
        asked = (asked * 2).min(LARGEST_ASKED);
        let count = match serve(switches, total, 1, asked) {
            Answer::Records(range) => range.len(),
            Answer::End | Answer::Refused => 0,
        };
        let grew = count > previous && count < asked;
        let came_twice = count == previous && (count < 200 || count > page_size);
        if (grew || came_twice) && count > 0 && count % 100 != 0 {
            return true;
        }
        previous = count;
    }
    false
}

enum Answer {
    End,
    Refused,
    Records(Range<usize>),
}

fn serve(switches: &StoreSwitches, total: usize, page: usize, per_page: usize) -> Answer {
    let asked = per_page.min(switches.per_page_cap.unwrap_or(usize::MAX));
    let size = if switches.whole_list { total.max(1) } else { switches.fixed_page_size.unwrap_or(asked) };
    let number = if switches.honour_page { page } else { 1 };
    let from = (number - 1) * size;
    if from < total {
        return Answer::Records(from..total.min(from + size));
    }
    match switches.end {
        EndOfList::RepeatLast if total > 0 => Answer::Records((total - 1) / size * size..total),
        EndOfList::RepeatFirst if total > 0 => Answer::Records(0..total.min(size)),
        EndOfList::BadRequest if number > 1 => Answer::Refused,
        EndOfList::NoContent | EndOfList::EmptyBody => Answer::End,
        // an object without members is no documented end
        _ if switches.body == BodyShape::NumericKeys => Answer::Records(0..0),
        _ => Answer::End,
    }
}

#[test]
fn no_drawn_pager_makes_the_rule_claim_too_much() {
    let mut random = Rng::with_seed(1);
    for _ in 0..20_000 {
        let switches = random_pager(&mut random);
        let (total, page_size) = (random.usize(..420), 7 + random.usize(..34));
        let claims = is_provable(&switches, total, page_size);
        assert!(!claims || is_reachable(&switches, total), "{total} by {page_size}: {switches:?}");
    }
}
