//! A small honest subset of COQL: parsing a select, and telling whether a record meets its criteria. Pure.
//!
//! Understood: `select a, b from M where C [order by a asc, b desc] [limit [offset,] n] [offset m]`, where C is made
//! of `=`, `!=`, `<`, `>`, `<=`, `>=`, `in`, `not in`, `like`, `is null`, `is not null`, joined by and / or in pairs
//! with brackets. Aliases, aggregates and joins are not.

use serde_json::Value;

/// A parsed query.
#[derive(Debug, PartialEq)]
pub(super) struct Query {
    pub(super) columns: Vec<String>,
    pub(super) module: String,
    pub(super) criteria: Criteria,
    /// Column, and whether it descends.
    pub(super) order: Vec<(String, bool)>,
    pub(super) limit: usize,
    pub(super) offset: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum Criteria {
    All(Box<Criteria>, Box<Criteria>),
    Any(Box<Criteria>, Box<Criteria>),
    Test { column: String, operator: String, values: Vec<String> },
}

/// Why a query is refused: Zoho's code, and what it is about.
#[derive(Debug, PartialEq)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) about: String,
}

fn syntax(about: impl Into<String>) -> Refused {
    Refused { code: "SYNTAX_ERROR", about: about.into() }
}

const DEFAULT_LIMIT: usize = 200;
const COLUMNS: usize = 50;
const IN_VALUES: usize = 50;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(String),
}

/// Parses a query.
pub(super) fn parse(text: &str) -> Result<Query, Refused> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    parser.word("select")?;
    let mut columns = vec![parser.name()?];
    while parser.take_sign(",") {
        columns.push(parser.name()?);
    }
    if columns.len() > COLUMNS {
        return Err(Refused { code: "LIMIT_EXCEEDED", about: format!("select: {COLUMNS} columns") });
    }
    parser.word("from")?;
    let module = parser.name()?;
    parser.word("where")?;
    let criteria = parser.criteria()?;
    let mut order = Vec::new();
    if parser.take_word("order") {
        parser.word("by")?;
        loop {
            let column = parser.name()?;
            let descends = parser.take_word("desc");
            if !descends {
                parser.take_word("asc");
            }
            order.push((column, descends));
            if !parser.take_sign(",") {
                break;
            }
        }
    }
    let (mut limit, mut offset) = (DEFAULT_LIMIT, 0);
    if parser.take_word("limit") {
        limit = parser.number()?;
        if parser.take_sign(",") {
            offset = std::mem::replace(&mut limit, parser.number()?);
        }
    }
    if parser.take_word("offset") {
        offset = parser.number()?;
    }
    match parser.next() {
        None => Ok(Query { columns, module, criteria, order, limit, offset }),
        Some(token) => Err(syntax(format!("near {token:?}"))),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Refused> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        if character.is_whitespace() {
            continue;
        }
        if character == '\'' {
            tokens.push(Token::Text(quoted(&mut rest)?));
        } else if is_word(character) {
            let mut word = String::from(character);
            while let Some(more) = rest.next_if(|next| is_word(*next)) {
                word.push(more);
            }
            tokens.push(Token::Word(word));
        } else {
            let mut sign = String::from(character);
            if matches!(character, '!' | '<' | '>')
                && let Some(more) = rest.next_if_eq(&'=')
            {
                sign.push(more);
            }
            tokens.push(Token::Sign(sign));
        }
    }
    Ok(tokens)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.' | '-' | ':' | '+' | '$')
}

/// A quoted text; a quote inside is doubled or follows a backslash.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars>) -> Result<String, Refused> {
    let mut text = String::new();
    while let Some(character) = rest.next() {
        match character {
            '\'' if rest.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => return Ok(text),
            '\\' => text.push(rest.next().ok_or_else(|| syntax("a text that does not end"))?),
            other => text.push(other),
        }
    }
    Err(syntax("a text that does not end"))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take_word(&mut self, expected: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Word(word)) if word.eq_ignore_ascii_case(expected));
        self.at += usize::from(found);
        found
    }

    fn take_sign(&mut self, expected: &str) -> bool {
        let found = matches!(self.tokens.get(self.at), Some(Token::Sign(sign)) if sign == expected);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, expected: &str) -> Result<(), Refused> {
        if self.take_word(expected) { Ok(()) } else { Err(syntax(format!("clause {expected}"))) }
    }

    fn name(&mut self) -> Result<String, Refused> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(syntax(format!("a name instead of {other:?}"))),
        }
    }

    fn number(&mut self) -> Result<usize, Refused> {
        self.name()?.parse().map_err(|_| syntax("a number after limit or offset"))
    }

    fn value(&mut self) -> Result<String, Refused> {
        match self.next() {
            Some(Token::Text(text) | Token::Word(text)) => Ok(text),
            other => Err(syntax(format!("a value instead of {other:?}"))),
        }
    }

    /// One criterion, or two joined; a third needs brackets, as in Zoho's own grammar.
    fn criteria(&mut self) -> Result<Criteria, Refused> {
        let first = self.operand()?;
        let joined = if self.take_word("and") {
            Criteria::All(Box::new(first), Box::new(self.operand()?))
        } else if self.take_word("or") {
            Criteria::Any(Box::new(first), Box::new(self.operand()?))
        } else {
            return Ok(first);
        };
        if self.take_word("and") || self.take_word("or") {
            return Err(syntax("more than two criteria need brackets"));
        }
        Ok(joined)
    }

    fn operand(&mut self) -> Result<Criteria, Refused> {
        if self.take_sign("(") {
            let inner = self.criteria()?;
            return if self.take_sign(")") { Ok(inner) } else { Err(syntax("a closing bracket")) };
        }
        let column = self.name()?;
        let test = |operator: &str, values| Criteria::Test { column, operator: operator.to_owned(), values };
        if self.take_word("is") {
            let operator = if self.take_word("not") { "is not null" } else { "is null" };
            self.word("null")?;
            return Ok(test(operator, Vec::new()));
        }
        let negated = self.take_word("not");
        if self.take_word("in") {
            return Ok(test(if negated { "not in" } else { "in" }, self.list()?));
        }
        if self.take_word("like") {
            return Ok(test(if negated { "not like" } else { "like" }, vec![self.value()?]));
        }
        match self.next() {
            Some(Token::Sign(sign)) if ["=", "!=", "<", ">", "<=", ">="].contains(&sign.as_str()) => {
                let value = self.value()?;
                Ok(test(&sign, vec![value]))
            }
            other => Err(syntax(format!("operator {other:?}"))),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, Refused> {
        if !self.take_sign("(") {
            return Err(syntax("a bracket after in"));
        }
        let mut values = vec![self.value()?];
        while self.take_sign(",") {
            values.push(self.value()?);
        }
        if values.len() > IN_VALUES {
            return Err(Refused { code: "LIMIT_EXCEEDED", about: format!("in: {IN_VALUES} values") });
        }
        if self.take_sign(")") { Ok(values) } else { Err(syntax("a closing bracket")) }
    }
}

impl Criteria {
    /// Every column that is tested.
    pub(super) fn columns(&self) -> Vec<&str> {
        match self {
            Self::All(left, right) | Self::Any(left, right) => [left.columns(), right.columns()].concat(),
            Self::Test { column, .. } => vec![column],
        }
    }

    /// Whether a record, whose values `value` gives by column, meets the criteria.
    pub(super) fn meets(&self, value: &dyn Fn(&str) -> Value) -> bool {
        match self {
            Self::All(left, right) => left.meets(value) && right.meets(value),
            Self::Any(left, right) => left.meets(value) || right.meets(value),
            Self::Test { column, operator, values } => holds(operator, plain(&value(column)).as_deref(), values),
        }
    }
}

/// A value as COQL compares it: text, or nothing; a lookup is its id.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => object.get("id").and_then(plain),
        other => Some(other.to_string()),
    }
}

fn holds(operator: &str, value: Option<&str>, wanted: &[String]) -> bool {
    let Some(value) = value else {
        return matches!(operator, "is null" | "!=" | "not in" | "not like");
    };
    let is_one = |wanted: &[String]| wanted.iter().any(|wanted| compare(value, wanted).is_eq());
    let first = wanted.first().map_or("", String::as_str);
    match operator {
        "is not null" => true,
        "=" | "in" => is_one(wanted),
        "!=" | "not in" => !is_one(wanted),
        "<" => compare(value, first).is_lt(),
        ">" => compare(value, first).is_gt(),
        "<=" => compare(value, first).is_le(),
        ">=" => compare(value, first).is_ge(),
        "like" => is_like(value, first),
        "not like" => !is_like(value, first),
        _ => false,
    }
}

fn is_like(value: &str, pattern: &str) -> bool {
    let (value, bare) = (value.to_lowercase(), pattern.trim_matches('%').to_lowercase());
    match (pattern.starts_with('%'), pattern.ends_with('%')) {
        (true, true) => value.contains(&bare),
        (true, false) => value.ends_with(&bare),
        (false, true) => value.starts_with(&bare),
        (false, false) => value == bare,
    }
}

/// Whole numbers by size, everything else as text without regard to case.
pub(super) fn compare(left: &str, right: &str) -> std::cmp::Ordering {
    match (left.parse::<i64>(), right.parse::<i64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => match (left.parse::<f64>(), right.parse::<f64>()) {
            (Ok(left), Ok(right)) => left.total_cmp(&right),
            _ => left.to_lowercase().cmp(&right.to_lowercase()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn meets(criteria: &str) -> bool {
        let record = json!({"Name": "us:1", "Org_ID": "70", "Amount": 12.5, "Account": {"id": "9"}, "Email": null});
        let query = parse(&format!("select Name from M where {criteria}")).unwrap();
        query.criteria.meets(&|column| record.get(column).cloned().unwrap_or(Value::Null))
    }

    #[test]
    fn a_whole_query_is_understood() {
        let query = parse("SELECT id, Name from Accounts where Org_ID in ('1','it''s') order by id desc limit 5, 10");
        let query = query.unwrap();
        assert_eq!((query.columns.len(), query.offset, query.limit), (2, 5, 10));
        assert_eq!(query.order, [("id".to_owned(), true)]);
        assert_eq!(parse("select a from B where a is not null limit 7 offset 3").unwrap().offset, 3);
    }

    #[test]
    fn criteria_hold_or_do_not() {
        for yes in [
            "Name = 'US:1'",
            "Org_ID in ('69', '70')",
            "Email is null",
            "Account = '9'",
            "Amount > 12",
            "Name like 'us:%'",
            "(Org_ID = '1' or Org_ID = '70') and Name is not null",
        ] {
            assert!(meets(yes), "{yes}");
        }
        for no in ["Name != 'us:1'", "Org_ID not in ('70')", "Email is not null", "Amount <= 12.4"] {
            assert!(!meets(no), "{no}");
        }
    }

    #[test]
    fn mistakes_are_refused_as_zoho_does() {
        let code = |text: &str| parse(text).unwrap_err().code;
        assert_eq!(code("select Name from M"), "SYNTAX_ERROR");
        assert_eq!(code("select a from M where a='1' and b='2' and c='3'"), "SYNTAX_ERROR");
        let many = vec!["'1'"; 51].join(",");
        assert_eq!(code(&format!("select a from M where a in ({many})")), "LIMIT_EXCEEDED");
    }
}
