//! Plain tables for a terminal: texts to the left, numbers to the right, no wider than 80 columns by design.

use std::io::Write;

use chrono::TimeDelta;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Table};

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
    format!("{count} {}", if count == 1 { one } else { many })
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
        assert_eq!(ago(TimeDelta::minutes(119)), "119 min ago");
        assert_eq!(ago(TimeDelta::minutes(121)), "2 h ago");
        assert_eq!(ago(TimeDelta::days(3)), "3 days ago");
    }
}
