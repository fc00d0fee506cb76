//! A report to hand on: as a Markdown table, and as one self-contained page. Whatever a record says is shown as text: it
//! can neither break the table nor bring markup, and the page asks for nothing from outside.

use std::io::Write;

use anyhow::Result;

use super::screen::shown;
use crate::report::Request;
use crate::report::freshness::Freshness;
use crate::report::table::Table;
use crate::screen::plain;

/// Writes the rows as a Markdown table, and the freshness line last.
///
/// # Errors
/// What `out` returns.
pub fn write_markdown(table: &Table, freshness: &Freshness, out: &mut dyn Write) -> Result<()> {
    let headers: Vec<String> = table.columns.iter().map(|column| markdown(&column.name)).collect();
    writeln!(out, "| {} |", headers.join(" | "))?;
    let rules = table.columns.iter().map(|column| if column.kind.is_number() { "---:" } else { "---" });
    writeln!(out, "| {} |", rules.collect::<Vec<_>>().join(" | "))?;
    for row in &table.rows {
        let cells = table.columns.iter().zip(row).map(|(column, value)| markdown(&shown(column.kind, value)));
        writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
    }
    writeln!(out, "\n{}", markdown(&freshness.line()))?;
    Ok(())
}

/// A text as Markdown shows it literally. An underscore inside a word means nothing there and is left as it is.
pub(crate) fn markdown(text: &str) -> String {
    let text = plain(text);
    let letters: Vec<char> = text.chars().collect();
    let in_word = |index: usize| {
        let beside = [index.checked_sub(1), Some(index + 1)];
        beside.iter().all(|at| at.and_then(|at| letters.get(at)).is_some_and(|letter| letter.is_alphanumeric()))
    };
    let mut escaped = String::with_capacity(text.len());
    for (index, letter) in letters.iter().enumerate() {
        if "\\|*`<>[]&~".contains(*letter) || *letter == '_' && !in_word(index) {
            escaped.push('\\');
        }
        escaped.push(*letter);
    }
    escaped
}

/// Nothing is loaded: no script, no font, no picture.
const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; }
h1 { font-size: 1.3rem; margin: 0; }
.answer { margin: .2rem 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }
th { position: sticky; top: 0; background: Canvas; }
.n { text-align: right; white-space: nowrap; }
.freshness { color: GrayText; margin-top: 1rem; }
</style>
"#;

/// Writes the report as one page, and the freshness line last.
///
/// # Errors
/// What `out` returns.
pub fn write_html(request: &Request<'_>, table: &Table, freshness: &Freshness, out: &mut dyn Write) -> Result<()> {
    let name = html(&request.report.name);
    write!(out, "{HEAD}<title>{name}, {}</title>\n</head>\n<body>\n", html(&freshness.as_of))?;
    writeln!(out, "<h1>{name}</h1>\n<p class=\"answer\">{}</p>", html(&request.report.title))?;
    write!(out, "<table>\n<thead>\n<tr>")?;
    for column in &table.columns {
        write!(out, "<th scope=\"col\"{}>{}</th>", class(column.kind.is_number()), html(&column.name))?;
    }
    writeln!(out, "</tr>\n</thead>\n<tbody>")?;
    for row in &table.rows {
        write!(out, "<tr>")?;
        for (column, value) in table.columns.iter().zip(row) {
            write!(out, "<td{}>{}</td>", class(column.kind.is_number()), html(&shown(column.kind, value)))?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>\n<p class=\"freshness\">{}</p></body></html>", html(&freshness.line()))?;
    Ok(())
}

fn class(number: bool) -> &'static str {
    if number { " class=\"n\"" } else { "" }
}

fn html(text: &str) -> String {
    let text = plain(text);
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_brings_no_markup() {
        assert_eq!(html("<b>\"A\" & 'B'\u{1b}[2J"), "&lt;b&gt;&quot;A&quot; &amp; &#39;B&#39; [2J");
        for (text, expected) in [
            ("a|b", r"a\|b"),
            ("a\nb", "a b"),
            ("<img src=x>", r"\<img src=x\>"),
            ("[x](y)", r"\[x\](y)"),
            ("first_last@example.test", "first_last@example.test"),
            ("_x_ *y* `z`", r"\_x\_ \*y\* \`z\`"),
            (r"\", r"\\"),
        ] {
            assert_eq!(markdown(text), expected);
        }
    }
}
