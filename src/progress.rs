//! Progress for a person at a terminal: one line per listing under way, with records, pages and rate, or one for a copy. Anywhere else
//! nothing is drawn, and what must be said is said in plain lines on stderr.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Redraw often enough to look alive, seldom enough to cost nothing.
const TICK: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub struct Progress {
    bars: Option<MultiProgress>,
    quiet: bool,
}

/// The line of one listing.
pub struct Line {
    bar: ProgressBar,
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
        let message = crate::screen::lines(message);
        match &self.bars {
            // a terminal that went away has nobody to tell
            Some(bars) => drop(bars.println(message)),
            None if !self.quiet => eprintln!("{message}"),
            None => {}
        }
    }

    /// A line for something of a known size in bytes.
    pub fn bytes(&self, name: &str) -> Bytes {
        let Some(bars) = &self.bars else { return Bytes(ProgressBar::hidden()) };
        let bar = bars.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {binary_bytes} of {binary_total_bytes}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        Bytes(bar)
    }

    /// Says what went wrong beside the work itself, also to those who asked for quiet.
    #[expect(clippy::print_stderr, reason = "what needs a person is said where errors are")]
    pub fn warn(&self, message: &str) {
        match &self.bars {
            Some(_) => self.say(message),
            None => eprintln!("{message}"),
        }
    }

    pub fn line(&self, name: &str) -> Line {
        let Some(bars) = &self.bars else { return Line { bar: ProgressBar::hidden(), pages: std::cell::Cell::new(0) } };
        let bar = bars.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("{spinner} {prefix:22} {human_pos} records, {msg}, {per_sec}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(name.to_owned());
        bar.set_message("waiting for the first page");
        bar.enable_steady_tick(TICK);
        Line { bar, pages: std::cell::Cell::new(0) }
    }
}

impl Line {
    /// A page with so many records was saved.
    pub fn page(&self, records: usize) {
        self.pages.set(self.pages.get() + 1);
        self.bar.inc(records as u64);
        self.bar.set_message(crate::screen::counted(self.pages.get(), "page", "pages"));
    }
}

/// The line of a copy.
pub struct Bytes(ProgressBar);

impl Bytes {
    pub fn at(&self, done: u64, all: u64) {
        self.0.set_length(all);
        self.0.set_position(done);
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
