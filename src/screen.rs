//! Plain tables for a terminal: texts to the left, numbers to the right, no wider than 80 columns by design.

use std::io::Write;
use std::time::Duration;

use chrono::TimeDelta;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Table};

/// The width everything printed fits into: what a terminal has unless somebody made it wider.
pub const WIDTH: usize = 80;
/// Below this, lines would be cut into single words.
const NARROWEST: usize = 40;

/// A table whose first `texts` columns are texts and the rest numbers.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>, texts: usize) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header.iter().copied());
    for row in rows {
        table.add_row(row);
    }
    for (position, column) in table.column_iter_mut().enumerate() {
        column.set_constraint(ColumnConstraint::ContentWidth);
        column.set_padding((0, 2));
        if position >= texts {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The width of the screen that is written to; what is no screen is taken for a common one.
pub fn width(screen: &console::Term) -> usize {
    let columns = screen.is_term().then(|| screen.size_checked()).flatten().map(|(_, columns)| usize::from(columns));
    columns.filter(|columns| *columns >= NARROWEST).unwrap_or(WIDTH)
}

/// Lines that are too long go on in the next one, below the last column they have, or else a little further in. A word
/// that is longer than a line stays whole.
pub fn fit(text: &str, width: usize) -> String {
    text.split('\n').map(|line| fit_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn fit_line(line: &str, width: usize) -> String {
    let mut rest: Vec<char> = line.chars().collect();
    let hang = hanging_indent(&rest, width);
    let mut lines = Vec::new();
    let mut begin = 0;
    while rest.len() > width {
        // what a line begins with is no place to break it
        let is_break =
            |place: &usize| *place > begin && rest[*place] == ' ' && rest[begin..*place].iter().any(|one| *one != ' ');
        let Some(place) = (0..=width).rev().find(is_break).or_else(|| (width..rest.len()).find(is_break)) else {
            break;
        };
        lines.push(rest[..place].iter().collect::<String>().trim_end().to_owned());
        let tail: Vec<char> = rest[place..].iter().copied().skip_while(|one| *one == ' ').collect();
        rest = std::iter::repeat_n(' ', hang).chain(tail).collect();
        begin = hang;
    }
    lines.push(rest.into_iter().collect());
    lines.join("\n")
}

/// Where the text of the last column begins, when it leaves enough room; else two more than the line's own indentation.
fn hanging_indent(line: &[char], width: usize) -> usize {
    let indent = line.iter().take_while(|one| **one == ' ').count();
    let columns = (indent + 2..line.len()).filter(|at| line[*at] != ' ' && line[at - 1] == ' ' && line[at - 2] == ' ');
    columns.rev().find(|at| *at <= width / 2).unwrap_or(indent + 2)
}

/// One line of text from outside made harmless for a terminal: what would steer it becomes a space.
pub fn plain(text: &str) -> String {
    text.chars().map(|character| if steers(character) { ' ' } else { character }).collect()
}

/// Several lines made harmless for a terminal: all but their ends and tabs is as [`plain`] has it.
pub fn lines(text: &str) -> String {
    text.chars().map(shown_as).collect()
}

fn shown_as(character: char) -> char {
    if steers(character) && !"\n\t".contains(character) { ' ' } else { character }
}

/// Control characters (an escape sequence begins with one, in C0 or in C1), and what reorders or breaks the text around
/// it: the bidirectional embeddings, overrides and isolates, and the Unicode line and paragraph separators.
fn steers(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Escape sequences of our own tables: bold, and its end.
const OWN_SEQUENCES: [&str; 3] = ["\x1b[1m", "\x1b[0m", "\x1b[22m"];

/// A terminal that is written to: whatever would steer it becomes a space, our own bold apart. Data printed as it is
/// (CSV, JSON) goes through it as tables do.
pub struct Shown<W: Write> {
    terminal: W,
    /// The beginning of a character or of a sequence whose rest has not come yet.
    open: Vec<u8>,
}

impl<W: Write> Shown<W> {
    pub fn new(terminal: W) -> Self {
        Self { terminal, open: Vec::new() }
    }

    /// What can be shown of the bytes so far; the rest stays open.
    fn take(&mut self) -> String {
        let bytes = std::mem::take(&mut self.open);
        let (text, open) = whole_characters(&bytes);
        let mut shown = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(character) = rest.chars().next() {
            let own = OWN_SEQUENCES.into_iter().find(|own| rest.starts_with(own));
            if own.is_none() && OWN_SEQUENCES.into_iter().any(|own| own.starts_with(rest)) {
                break;
            }
            match own {
                Some(own) => shown.push_str(own),
                None => shown.push(shown_as(character)),
            }
            rest = &rest[own.map_or(character.len_utf8(), str::len)..];
        }
        self.open = [rest.as_bytes(), &bytes[bytes.len() - open..]].concat();
        shown
    }
}

/// The characters that are complete, what is no UTF-8 replaced, and how many bytes at the end begin one that is not.
fn whole_characters(bytes: &[u8]) -> (String, usize) {
    let open = bytes.utf8_chunks().last().map_or(0, |last| {
        let tail = last.invalid();
        let is_open = !tail.is_empty() && std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none());
        if is_open { tail.len() } else { 0 }
    });
    (String::from_utf8_lossy(&bytes[..bytes.len() - open]).into_owned(), open)
}

impl<W: Write> Write for Shown<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.open.extend_from_slice(bytes);
        let shown = self.take();
        self.terminal.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        // what never became whole is shown as what it is
        let open = std::mem::take(&mut self.open);
        self.terminal.write_all(lines(&String::from_utf8_lossy(&open)).as_bytes())?;
        self.terminal.flush()
    }
}

/// A count with its noun in the right number.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

/// How long something took or takes, in whole seconds: "45 s", "3 min 5 s", "2 h 10 min".
pub fn duration(length: Duration) -> String {
    let seconds = length.as_secs();
    let parts = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => parts(seconds / 60, "min", seconds % 60, "s"),
        _ => parts(seconds / 3600, "h", seconds % 3600 / 60, "min"),
    }
}

/// How long ago, in the largest unit that says enough.
pub fn ago(age: TimeDelta) -> String {
    let minutes = age.num_minutes();
    match minutes {
        ..1 => "just now".to_owned(),
        1..120 => format!("{minutes} min ago"),
        120..2880 => format!("{} h ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}

/// A file's size in the unit that fits.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn bytes(count: u64) -> String {
    let mut size = count as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB"] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{count} B") } else { format!("{size:.1} {unit}") }
}

/// A count with thousands separated.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let head = digits.len() % 3;
    let groups = digits.as_bytes()[head..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (head > 0).then(|| digits[..head].to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_below_its_last_column() {
        let list = "payouts   what was paid out, payout by payout";
        assert_eq!(fit(list, 28), "payouts   what was paid out,\n          payout by payout");
        assert_eq!(fit("  # one two three", 12), "  # one two\n    three");
        assert_eq!(
            fit("short\n\nhttp://127.0.0.1:8077/a/long/address", 12),
            "short\n\nhttp://127.0.0.1:8077/a/long/address"
        );
        assert_eq!(fit("see http://127.0.0.1:8077/long then", 12), "see\n  http://127.0.0.1:8077/long\n  then");
        for width in 5..60 {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&fit(list, width)), words(list), "nothing is lost at {width}");
        }
    }

    #[test]
    fn nothing_from_outside_steers_a_terminal() {
        let outside = "a\u{1b}[2Jb\u{9b}31m\r\n\tc\u{202e}d\u{2066}e\u{7}\u{2028}é";
        assert_eq!(plain(outside), "a [2Jb 31m   c d e  é");
        assert_eq!(lines(outside), "a [2Jb 31m \n\tc d e  é");
    }

    #[test]
    fn a_terminal_is_shown_the_same_however_the_bytes_come() {
        let bytes = "\u{1b}[1mname\u{1b}[0m\n\u{1b}[31mé\u{202e}\u{1b}\u{1b}[1\u{9b}€\u{1b}[".as_bytes();
        let bytes = [bytes, b"\xff\xe2\x82"].concat();
        let expected = "\u{1b}[1mname\u{1b}[0m\n [31mé   [1 € [\u{fffd}\u{fffd}";
        for size in 1..=bytes.len() {
            let mut shown = Shown::new(Vec::new());
            bytes.chunks(size).for_each(|piece| shown.write_all(piece).unwrap());
            shown.flush().unwrap();
            assert_eq!(String::from_utf8(shown.terminal).unwrap(), expected, "{size} bytes at a time");
        }
    }

    #[test]
    fn numbers_read_as_a_person_writes_them() {
        assert_eq!([0, 999, 1_000, 12_345, 1_234_567].map(thousands), ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!([500, 2_048, 61_038_592].map(bytes), ["500 B", "2.0 KiB", "58.2 MiB"]);
        let lengths = [0, 59, 60, 185, 3_600, 7_800].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(lengths, ["0 s", "59 s", "1 min", "3 min 5 s", "1 h", "2 h 10 min"]);
        assert_eq!(ago(TimeDelta::minutes(119)), "119 min ago");
        assert_eq!(ago(TimeDelta::minutes(121)), "2 h ago");
        assert_eq!(ago(TimeDelta::days(3)), "3 days ago");
    }
}
