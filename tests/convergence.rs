//! Convergence: whatever a store does between, before and during runs, and however a run is cut short, the mirror ends
//! as the store, and says at every moment no more than it knows (issue 3, "How it is proved").
//!
//! Each seed is one trial: a random store behind a random pager lives through a *storm* (edits, drift, faults, kills),
//! then the weather clears and the mirror must *settle* within three runs. `STOREMIRROR_SEEDS=N` runs N seeds instead
//! of 60, `STOREMIRROR_SEED=K` replays one.

pub mod mirror;
mod pager;
pub mod storm;
mod trial;

use trial::Trial;

use crate::support::try_seeds;

/// Seeds tried when the environment does not say.
const SEEDS: u64 = 60;

#[test]
fn every_storm_ends_with_the_stores_records() {
    try_seeds("convergence", SEEDS, |seed| Trial::new(seed).run());
}
