//! One SELECT of a report: prepared so that it can only read, given its named parameters with their types, and its rows
//! handed on one at a time. Errors say which file and line, in the words of `SQLite`, and whose fault it is.

use std::fmt;

use rusqlite::{Error as SqlError, ErrorCode, OptionalExtension, Statement};

use crate::db::Db;
use crate::db::trouble::Trouble;
use crate::model::Value;

/// Why a query did not run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The statement is wrong, is more than one, or would write.
    Statement,
    /// Somebody stopped it.
    Interrupted,
    /// The file or the machine.
    Database,
}

#[derive(Clone, Debug)]
pub struct QueryError {
    pub blame: Blame,
    pub file: String,
    /// Counted from 1; unknown for what only shows while the statement runs.
    pub line: Option<usize>,
    pub message: String,
    /// What is wrong with the file or the machine, where that is known.
    pub(super) trouble: Option<Trouble>,
}

impl fmt::Display for QueryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{} line {line}: {}", self.file, self.message),
            None => write!(formatter, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for QueryError {}

/// A statement that has been checked and can be run.
pub struct Query<'db> {
    file: String,
    statement: Statement<'db>,
    columns: Vec<String>,
}

impl Db {
    /// Prepares the one statement of a report's file.
    ///
    /// # Errors
    /// When it is not valid SQL, is not exactly one statement, or does anything but read.
    pub fn prepare_query(&self, file: &str, sql: &str) -> Result<Query<'_>, QueryError> {
        let wrong = |line, message: String| QueryError {
            blame: Blame::Statement,
            file: file.to_owned(),
            line,
            message,
            trouble: None,
        };
        let statement = self.connection().prepare(sql).map_err(|error| match error {
            SqlError::MultipleStatement => wrong(
                second_statement(sql).map(|at| line_at(sql, at)),
                "a second statement begins here, but a report is one select".to_owned(),
            ),
            other => error_of(file, sql, &other),
        })?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        if !statement.readonly() {
            return Err(wrong(None, "the statement would write, but a report only reads".to_owned()));
        }
        // attach, begin and the like change no row and still are no question
        if columns.is_empty() {
            return Err(wrong(None, "there is no select in it".to_owned()));
        }
        Ok(Query { file: file.to_owned(), statement, columns })
    }

    /// The day of the very first thing the mirror saw; before it, states are not known.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn first_seen_day(&self) -> anyhow::Result<Option<String>> {
        // payloads are only ever added, so the first row is the oldest
        let sql = "select substr(seen_from, 1, 10) from payloads order by payload_id limit 1";
        Ok(self.connection().query_row(sql, [], |row| row.get(0)).optional()?)
    }

    /// The first day at whose end the states of every store are known: its subscriptions were completely listed and its
    /// commissions were seen. None while that is not so of each.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn history_day(&self) -> anyhow::Result<Option<String>> {
        let sql = "select case when count(*) = count(first_at) then substr(max(first_at), 1, 10) end
                   from (select first_complete_at as first_at from stores
                         union all select min(seen_from) from commission_versions group by store_id)";
        Ok(self.connection().query_row(sql, [], |row| row.get(0))?)
    }

    /// Stops the query that is running on this connection; for another thread to call on Ctrl-C.
    pub fn interrupter(&self) -> impl Fn() + Send + Sync + use<> {
        let handle = self.connection().get_interrupt_handle();
        move || handle.interrupt()
    }
}

impl Query<'_> {
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Runs it with those of `parameters` that it names; what it names and nobody gives is NULL, as in `sqlite3`.
    ///
    /// # Errors
    /// A [`QueryError`] from `SQLite`, or whatever `on_row` returns.
    pub fn each(
        &mut self,
        parameters: &[(String, Value)],
        mut on_row: impl FnMut(Vec<Value>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for index in 1..=self.statement.parameter_count() {
            let name = self.statement.parameter_name(index).map(|name| name[1..].to_owned());
            if let Some((_, value)) = parameters.iter().find(|(given, _)| name.as_ref() == Some(given)) {
                self.statement.raw_bind_parameter(index, value).map_err(|error| error_of(&self.file, "", &error))?;
            }
        }
        let width = self.columns.len();
        let mut rows = self.statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| error_of(&self.file, "", &error))? {
            let values = (0..width).map(|index| row.get_ref(index).map(Value::from)).collect::<Result<_, _>>()?;
            on_row(values)?;
        }
        Ok(())
    }
}

fn error_of(file: &str, sql: &str, error: &SqlError) -> QueryError {
    let (offset, message) = match error {
        SqlError::SqlInputError { msg, offset, .. } => (usize::try_from(*offset).ok(), msg.clone()),
        SqlError::SqliteFailure(_, Some(message)) => (None, message.clone()),
        other => (None, other.to_string()),
    };
    let line = offset.or_else(|| named_in(&message, sql)).map(|at| line_at(sql, at));
    let blame = match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => Blame::Interrupted,
        Some(
            ErrorCode::Unknown
            | ErrorCode::TypeMismatch
            | ErrorCode::TooBig
            | ErrorCode::AuthorizationForStatementDenied,
        )
        | None => Blame::Statement,
        Some(_) => Blame::Database,
    };
    // SQLite adds whole numbers up exactly or not at all
    let message = message.replace("integer overflow", "integer overflow: the numbers are too large to be added up");
    QueryError { blame, file: file.to_owned(), line, message, trouble: Trouble::of(error) }
}

/// Where the thing stands that a message such as `no such table: main.x` ends with; `SQLite` gives no place for those.
fn named_in(message: &str, sql: &str) -> Option<usize> {
    let name = message.rsplit_once(": ")?.1.rsplit('.').next()?;
    let mut start = 0;
    // past the comments, which may well speak of it
    while let Some(line) = sql[start..].lines().next().filter(|line| line.trim_start().starts_with("--")) {
        start += (line.len() + 1).min(sql.len() - start);
    }
    sql[start..].find(name).map(|at| start + at)
}

fn line_at(sql: &str, offset: usize) -> usize {
    1 + sql.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// Where the statement after the first one begins: past its semicolon, white space and comments.
fn second_statement(sql: &str) -> Option<usize> {
    let mut at = 0;
    let mut first_ended = false;
    while at < sql.len() {
        let rest = &sql[at..];
        let skipped = comment_or_space(rest);
        if skipped > 0 {
            at += skipped;
        } else if first_ended && !rest.starts_with(';') {
            return Some(at);
        } else {
            first_ended |= rest.starts_with(';');
            at += token_length(rest);
        }
    }
    None
}

fn comment_or_space(text: &str) -> usize {
    if text.starts_with("--") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        text.find("*/").map_or(text.len(), |end| end + 2)
    } else {
        text.len() - text.trim_start().len()
    }
}

/// The length of a quoted text, or of one character.
fn token_length(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    let closing = match first {
        '\'' | '"' | '`' => first,
        '[' => ']',
        _ => return first.len_utf8(),
    };
    text[1..].find(closing).map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_statement_is_found_behind_comments_and_texts() {
        for (sql, expected) in [
            ("select 1", None),
            ("select 1; -- done;\n /* ; */ ;", None),
            ("select ';' as \"a;b\", [c;d] from t", None),
            ("select 1;\n\n-- two\nselect 2", Some(4)),
            ("/* é; */ select 'it''s;';\ndrop table x", Some(2)),
        ] {
            assert_eq!(second_statement(sql).map(|at| line_at(sql, at)), expected, "{sql}");
        }
    }
}
