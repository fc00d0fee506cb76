//! Progress for a person who waits longer than a second: a line per thing under way that says what it is, how far it
//! got, what it waits for, and how much longer it will take where that is known. Drawn on a terminal; elsewhere a plain
//! line on stderr now and then, and none at all with `--quiet`. Also the one way to say something meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::screen::{bytes, duration, fit, thousands, width};

/// What takes no longer needs no progress.
const PATIENCE: Duration = Duration::from_secs(1);
/// Redraw often enough to look alive, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(200);
/// A log keeps every line: few of them say enough.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Before this much was done and this long was waited, an estimate would be a guess.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);
const ESTIMATE_FRACTION: u64 = 50;

#[derive(Clone)]
pub struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

/// One thing under way; it is over when this is dropped.
pub struct Task {
    shared: Arc<Shared>,
    watcher: Option<JoinHandle<()>>,
}

struct Shared {
    name: String,
    /// What is counted: one and many of it.
    nouns: (&'static str, &'static str),
    done: AtomicU64,
    /// 0: nobody knows how many there are.
    total: AtomicU64,
    /// What it does or waits for just now.
    detail: Mutex<String>,
    began: Instant,
    is_over: Mutex<bool>,
    over: Condvar,
}

/// The line of a copy.
pub struct Bytes(Task);

/// The line of one listing.
pub struct Line {
    task: Task,
    pages: std::cell::Cell<u64>,
}

impl Progress {
    /// `screen`: stderr is a terminal that may be drawn on.
    pub fn new(screen: bool, quiet: bool) -> Self {
        Self { bars: (screen && !quiet).then(MultiProgress::new), quiet }
    }

    /// Says something to the person waiting, above the lines that are being drawn.
    #[expect(clippy::print_stderr, reason = "talk is what stderr is for")]
    pub fn say(&self, message: &str) {
        match &self.bars {
            // a terminal that went away has nobody to tell
            Some(bars) => drop(bars.println(fit(message, width(&console::Term::stderr())))),
            None if !self.quiet => eprintln!("{message}"),
            None => {}
        }
    }

    /// A line for something of a known size in bytes.
    pub fn bytes(&self, name: &str) -> Bytes {
        Bytes(self.task(name, ("byte", "bytes")))
    }

    /// Says what went wrong beside the work itself, also to those who asked for quiet.
    #[expect(clippy::print_stderr, reason = "what needs a person is said where errors are")]
    pub fn warn(&self, message: &str) {
        match &self.bars {
            Some(_) => self.say(message),
            None => eprintln!("{message}"),
        }
    }

    /// Something begins that counts what it does as one or many of `nouns`.
    pub fn task(&self, name: &str, nouns: (&'static str, &'static str)) -> Task {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            nouns,
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            detail: Mutex::default(),
            began: Instant::now(),
            is_over: Mutex::new(false),
            over: Condvar::new(),
        });
        let watched = Arc::clone(&shared);
        let progress = self.clone();
        // a thread of its own: what is waited for may be one long call
        let watcher = (!self.quiet).then(|| std::thread::spawn(move || progress.watch(&watched)));
        Task { shared, watcher }
    }

    /// The line of a listing.
    pub fn line(&self, name: &str) -> Line {
        let task = self.task(name, ("record", "records"));
        task.say("waiting for page 1");
        Line { task, pages: std::cell::Cell::new(0) }
    }

    fn watch(&self, task: &Shared) {
        let first = if self.bars.is_some() { PATIENCE } else { PLAIN_EVERY };
        if task.is_over_after(first) {
            return;
        }
        let Some(bars) = &self.bars else {
            loop {
                self.say(&task.text());
                if task.is_over_after(PLAIN_EVERY) {
                    return;
                }
            }
        };
        let bar = bars.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        loop {
            bar.set_message(task.text());
            bar.tick();
            if task.is_over_after(TICK) {
                break;
            }
        }
        bar.finish_and_clear();
    }
}

impl Shared {
    /// Waits so long, or until it is over.
    fn is_over_after(&self, wait: Duration) -> bool {
        let is_over = self.is_over.lock().unwrap_or_else(PoisonError::into_inner);
        *self.over.wait_timeout_while(is_over, wait, |is_over| !*is_over).unwrap_or_else(PoisonError::into_inner).0
    }

    fn text(&self) -> String {
        let detail = self.detail.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let count = |atomic: &AtomicU64| atomic.load(Ordering::Relaxed);
        line(&self.name, self.nouns, (count(&self.done), count(&self.total)), &detail, self.began.elapsed())
    }
}

impl Task {
    /// So many more are done.
    pub fn add(&self, count: u64) {
        self.shared.done.fetch_add(count, Ordering::Relaxed);
    }

    /// So many there are in all.
    pub fn expect(&self, total: u64) {
        self.shared.total.store(total, Ordering::Relaxed);
    }

    /// What it does or waits for from now on.
    pub fn say(&self, detail: &str) {
        detail.clone_into(&mut self.shared.detail.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        *self.shared.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.over.notify_all();
        // the line must be gone before anything else is printed
        drop(self.watcher.take().map(JoinHandle::join));
    }
}

impl Bytes {
    /// So many of all are there.
    pub fn at(&self, done: u64, all: u64) {
        self.0.say(&format!("{} of {}", bytes(done), bytes(all)));
    }
}

impl Line {
    /// A page with so many records was saved.
    pub fn page(&self, records: usize) {
        self.pages.set(self.pages.get() + 1);
        self.task.add(records as u64);
        self.task.say(&format!("waiting for page {}", self.pages.get() + 1));
    }
}

/// What is shown of something under way.
fn line(name: &str, nouns: (&str, &str), (done, total): (u64, u64), detail: &str, waited: Duration) -> String {
    let mut parts = Vec::new();
    if total > 0 {
        parts.push(format!("{} of {} {}", thousands(done), thousands(total), nouns.1));
    } else if done > 0 {
        parts.push(format!("{} {}", thousands(done), if done == 1 { nouns.0 } else { nouns.1 }));
    }
    if !detail.is_empty() {
        parts.push(detail.to_owned());
    }
    parts.push(match remaining(done, total, waited) {
        Some(left) => format!("about {} left", duration(left)),
        None => duration(waited),
    });
    format!("{name}: {}", parts.join(", "))
}

/// How much longer it takes at the pace so far; None while that would be a guess.
fn remaining(done: u64, total: u64, waited: Duration) -> Option<Duration> {
    if waited < ESTIMATE_AFTER || done == 0 || done >= total || done < total / ESTIMATE_FRACTION {
        return None;
    }
    let left = waited.as_millis() * u128::from(total - done) / u128::from(done);
    Some(Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_how_far_and_how_long() {
        let nouns = ("record", "records");
        let text = |counts, detail, seconds| line("push", nouns, counts, detail, Duration::from_secs(seconds));
        assert_eq!(text((0, 0), "", 2), "push: 2 s");
        assert_eq!(text((1, 0), "waiting for page 2", 2), "push: 1 record, waiting for page 2, 2 s");
        assert_eq!(text((1_000, 4_000), "", 65), "push: 1,000 of 4,000 records, about 3 min 15 s left");
        assert_eq!(text((4_000, 4_000), "", 65), "push: 4,000 of 4,000 records, 1 min 5 s");
    }

    #[test]
    fn nothing_is_guessed() {
        let seconds = Duration::from_secs;
        assert_eq!(remaining(10, 0, seconds(60)), None, "the total is unknown");
        assert_eq!(remaining(50, 100, seconds(2)), None, "too early");
        assert_eq!(remaining(1, 100, seconds(60)), None, "too little done");
        assert_eq!(remaining(50, 100, seconds(60)), Some(seconds(60)));
    }

    #[test]
    fn a_task_ends_at_once() {
        let task = Progress::new(false, false).task("test", ("x", "xs"));
        task.add(1);
        drop(task);
    }
}
