//! What is wrong now, and what each channel was told: what is to be said is the difference, so that a notice that did
//! not arrive is still to be said, and one whose reason has gone is not.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::notify::Notice;
use crate::notify::finding::{Finding, Trouble};

/// A trouble that lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) state: String,
    pub(super) title: String,
    pub(super) what: String,
    pub(super) fix: Option<String>,
    pub(super) since: String,
}

/// What one channel was told and has not been taken back.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    /// Thing → trouble.
    pub(super) troubles: BTreeMap<String, Known>,
    /// When it got its last digest.
    pub(super) digest_at: Option<String>,
    /// What was in its digests and still lasts.
    pub(super) digested: BTreeSet<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Memory {
    /// Thing → trouble; what is well is not in it.
    pub(super) troubles: BTreeMap<String, Known>,
    /// By channel.
    pub(super) told: BTreeMap<String, Told>,
}

impl Memory {
    /// Takes in how things stand at `now`.
    pub(super) fn note(&mut self, findings: Vec<Finding>, now: &str) {
        for Finding { thing, trouble } in findings {
            let Some(Trouble { state, title, what, fix }) = trouble else {
                self.troubles.remove(&thing);
                continue;
            };
            let old = self.troubles.get(&thing).filter(|old| old.state == state);
            let since = old.map_or_else(|| now.to_owned(), |old| old.since.clone());
            self.troubles.insert(thing, Known { state, title, what, fix, since });
        }
    }

    /// Forgets things that there are no more, such as a store that was disconnected, for every channel.
    pub(super) fn keep(&mut self, exists: impl Fn(&str) -> bool) {
        self.troubles.retain(|thing, _| exists(thing));
        for told in self.told.values_mut() {
            told.troubles.retain(|thing, _| exists(thing));
        }
    }

    /// What a channel has to be told, what is well again first.
    pub(super) fn news(&self, channel: &str) -> Vec<Notice> {
        let nothing = BTreeMap::new();
        let told = self.told.get(channel).map_or(&nothing, |told| &told.troubles);
        let over = told.iter().filter(|(thing, _)| !self.troubles.contains_key(*thing));
        let new =
            self.troubles.iter().filter(|(thing, known)| told.get(*thing).is_none_or(|old| old.state != known.state));
        over.map(|(thing, known)| Notice::recovered(thing, known))
            .chain(new.map(|(thing, known)| Notice::broken(thing, known)))
            .collect()
    }

    /// A channel was told how this thing stands.
    pub(super) fn tell(&mut self, channel: &str, thing: &str) {
        let told = self.told.entry(channel.to_owned()).or_default();
        match self.troubles.get(thing) {
            Some(known) => drop(told.troubles.insert(thing.to_owned(), known.clone())),
            None => drop(told.troubles.remove(thing)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(thing: &str, state: Option<&str>) -> Finding {
        let trouble = state.map(|state| Trouble {
            state: state.to_owned(),
            title: String::new(),
            what: String::new(),
            fix: None,
        });
        Finding { thing: thing.to_owned(), trouble }
    }

    #[test]
    fn each_change_of_state_is_said_once_to_each_channel() {
        let mut memory = Memory::default();
        let mut run = |state: Option<&str>, arrives: bool| {
            memory.note(vec![finding("store us", state)], "2026-03-01T06:00:00Z");
            let news = memory.news("webhook");
            if arrives {
                for notice in &news {
                    memory.tell("webhook", &notice.thing);
                }
            }
            news.iter().map(|notice| notice.event.name()).collect::<Vec<_>>().join(" ")
        };
        for (state, arrives, expected) in [
            (None, true, ""),
            (Some("network"), false, "broken"),
            (Some("network"), true, "broken"),
            (Some("network"), true, ""),
            (Some("credentials"), true, "broken"),
            (None, false, "recovered"),
            (None, true, "recovered"),
            (None, true, ""),
            (Some("network"), false, "broken"),
            (None, true, ""),
        ] {
            assert_eq!(run(state, arrives), expected, "{state:?}");
        }
        memory.note(vec![finding("store eu", Some("network"))], "2026-03-01T06:00:00Z");
        memory.keep(|thing| thing != "store eu");
        assert_eq!(memory.news("command").len(), 0);
    }
}
