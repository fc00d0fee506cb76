//! Never more than so many requests in any 60 seconds, without spacing below that: a sliding window of the instants of
//! the last requests. (A token bucket would let twice as many through around a pause, which is what the store's limit
//! punishes.) The instants are kept in the state folder, so that a run right after another one keeps to it too.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::files::private;

/// The window of the limit (store contract §11), with a margin for the time a request is on its way.
const WINDOW_MILLISECONDS: u64 = 60_000 + 250;

pub struct Pace {
    limit: usize,
    /// Unix milliseconds of the requests in the window, oldest first.
    sent: RefCell<VecDeque<u64>>,
    file: Option<PathBuf>,
}

impl Pace {
    /// `file` keeps the instants between runs; what cannot be read or written there is only forgotten.
    pub fn new(requests_per_minute: u32, file: Option<PathBuf>) -> Self {
        let sent = file.as_deref().map(|file| recent(file, milliseconds())).unwrap_or_default();
        let pace = Self { limit: requests_per_minute as usize, sent: RefCell::new(sent), file };
        pace.rewrite();
        pace
    }

    /// How long to wait before the next request may be sent. When nothing, it counts as sent.
    pub fn claim(&self) -> Duration {
        let now = milliseconds();
        let wait = wait_before(&mut self.sent.borrow_mut(), self.limit, now);
        if wait.is_zero() {
            self.append(now);
        }
        wait
    }

    fn append(&self, instant: u64) {
        let Some(file) = &self.file else { return };
        // losing this costs at most a 429, which is waited out
        if let Ok(mut file) = private(OpenOptions::new().create(true).append(true)).open(file) {
            let _ = writeln!(file, "{instant}");
        }
    }

    fn rewrite(&self) {
        let Some(file) = &self.file else { return };
        let text: String = self.sent.borrow().iter().map(|instant| format!("{instant}\n")).collect();
        if let Ok(mut file) = private(OpenOptions::new().create(true).write(true).truncate(true)).open(file) {
            let _ = file.write_all(text.as_bytes());
        }
    }
}

/// Pure: drops what left the window, then either counts `now` as sent or says how long to wait.
fn wait_before(sent: &mut VecDeque<u64>, limit: usize, now: u64) -> Duration {
    while sent.front().is_some_and(|instant| instant + WINDOW_MILLISECONDS <= now || *instant > now) {
        sent.pop_front();
    }
    match sent.front() {
        Some(oldest) if sent.len() >= limit => Duration::from_millis(oldest + WINDOW_MILLISECONDS - now),
        _ => {
            sent.push_back(now);
            Duration::ZERO
        }
    }
}

fn recent(file: &Path, now: u64) -> VecDeque<u64> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.parse().ok())
        .filter(|instant| *instant <= now && instant + WINDOW_MILLISECONDS > now)
        .collect()
}

fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sixty_seconds_hold_more_than_the_limit() {
        let mut sent = VecDeque::new();
        let mut now = 1_000_000;
        let mut all = Vec::new();
        for step in 0..400 {
            loop {
                let wait = wait_before(&mut sent, 100, now);
                if wait.is_zero() {
                    break;
                }
                now += u64::try_from(wait.as_millis()).unwrap();
            }
            all.push(now);
            now += (step * 7919) % 900;
        }
        for (position, instant) in all.iter().enumerate() {
            let within = all[position..].iter().take_while(|later| **later < instant + 60_000).count();
            assert!(within <= 100, "{within} requests from {instant}");
        }
    }

    #[test]
    fn a_full_minute_may_go_at_once() {
        let mut sent = VecDeque::new();
        assert!((0..100).all(|_| wait_before(&mut sent, 100, 5).is_zero()));
        assert_eq!(wait_before(&mut sent, 100, 5), Duration::from_millis(60_250));
    }
}
