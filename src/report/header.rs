//! The leading comment of a report's file: line 1 what it answers, `One row per …`, one line per parameter
//! (`:within integer = 90  days ahead`), and help. Files without one are reports too, only without parameters.

use crate::report::parameters::{Parameter, ParameterType};

const GRAIN: &str = "One row per ";

#[derive(Debug, Default, PartialEq)]
pub(super) struct Header {
    pub(super) title: String,
    pub(super) grain: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) help: String,
}

/// Reads the header, or says on which line it is wrong and why.
pub(super) fn parse(sql: &str) -> Result<Header, (usize, String)> {
    let mut header = Header::default();
    let mut help = Vec::new();
    let lines = sql.trim_start_matches('\u{feff}').lines();
    for (index, line) in lines.enumerate() {
        let Some(comment) = line.trim_start().strip_prefix("--") else { break };
        let text = comment.strip_prefix(' ').unwrap_or(comment).trim_end();
        if index == 0 {
            text.clone_into(&mut header.title);
        }
        if let Some(grain) = text.strip_prefix(GRAIN) {
            grain.trim_end_matches('.').clone_into(&mut header.grain);
        }
        if let Some(declaration) = text.strip_prefix(':') {
            header.parameters.push(parameter(declaration).map_err(|message| (index + 1, message))?);
        }
        help.push(text);
    }
    help.join("\n").trim().clone_into(&mut header.help);
    Ok(header)
}

/// `within integer = 90  days ahead`, without the colon.
fn parameter(declaration: &str) -> Result<Parameter, String> {
    let (name, rest) = declaration.split_once(char::is_whitespace).unwrap_or((declaration, ""));
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        return Err(format!("{name:?} is no name of a parameter"));
    }
    if name == "as_of" || name == "now" {
        return Err(format!("every report has :{name} without declaring it"));
    }
    let rest = rest.trim_start();
    let (type_name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let kind: ParameterType = type_name
        .parse()
        .map_err(|()| format!("{type_name:?} is no type of a parameter; there are integer, number, day and text"))?;
    // the default ends at two spaces, so that a text may hold single ones
    let (default, help) = match rest.trim_start().strip_prefix('=') {
        Some(rest) => {
            let (value, help) = rest.trim_start().split_once("  ").unwrap_or((rest.trim(), ""));
            let value = kind.read(value.trim()).ok_or_else(|| format!("{:?} is not {}", value.trim(), kind.noun()))?;
            (Some(value), help)
        }
        None => (None, rest),
    };
    Ok(Parameter { name: name.to_owned(), kind, default, help: help.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    #[test]
    fn a_header_gives_title_grain_parameters_and_help() {
        let header = parse(
            "-- What renews.\n-- One row per renewing subscription.\n--\n-- :within integer = 90  days ahead\n\
             -- :customer text  part of a name\n-- :tolerance number = 0.02\n--\n-- More words.\nselect 1 -- :no",
        )
        .unwrap();
        assert_eq!(header.title, "What renews.");
        assert_eq!(header.grain, "renewing subscription");
        let parameters: Vec<_> =
            header.parameters.iter().map(|p| (p.name.as_str(), p.kind, p.default.clone(), p.help.as_str())).collect();
        assert_eq!(
            parameters,
            [
                ("within", ParameterType::Integer, Some(Value::Integer(90)), "days ahead"),
                ("customer", ParameterType::Text, None, "part of a name"),
                ("tolerance", ParameterType::Number, Some(Value::Real(0.02)), ""),
            ]
        );
        assert!(header.help.ends_with("More words."));
    }

    #[test]
    fn a_wrong_declaration_names_its_line() {
        for (declaration, part) in [
            ("-- :within days = 90", "\"days\" is no type"),
            ("-- :within integer = many  days", "\"many\" is not a whole number"),
            ("-- :as_of day", "without declaring it"),
            ("-- : integer", "no name"),
        ] {
            let (line, message) = parse(&format!("-- Title\n{declaration}\nselect 1")).unwrap_err();
            assert_eq!(line, 2);
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_file_without_header_is_a_report_without_parameters() {
        assert_eq!(parse("select :x").unwrap(), Header::default());
    }
}
