//! Plain tables for a terminal: texts to the left, numbers to the right, no wider than 80 columns by design.

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

/// Text from outside made harmless for a terminal: control characters become spaces.
pub fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
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
