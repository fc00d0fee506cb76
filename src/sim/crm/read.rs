//! Reading records: lists by page and page token, single records, deleted ones, and COQL.

use super::super::answer::{Answer, Call};
use super::super::switches::CrmSwitches;
use super::coql::{self, Query, Refused};
use super::{Crm, CrmRecord, Field, Module, invalid_module, someone, time};
use chrono::{DateTime, FixedOffset};
use serde_json::{Map, Value, json};

/// Limits of the list calls.
const FIELDS: usize = 50;
const PER_PAGE: usize = 200;
/// Rows that plain page numbers reach; behind them only the page token leads on.
const ROWS_BY_PAGE: usize = 2_000;
const ROWS_BY_TOKEN: usize = 100_000;

fn bad(code: &str, message: &str, details: &Value) -> Answer {
    Answer::error(400, code, message, details)
}

impl Module {
    /// A record as a caller sees it: names with prefix, unset fields null.
    fn shown(&self, record: &CrmRecord, names: &[&str], switches: &CrmSwitches) -> Value {
        let mut shown = Map::new();
        for name in names {
            let value = match *name {
                "id" | "Created_Time" | "Modified_Time" => record.value(name),
                _ => match self.seen_field(name, &switches.prefix) {
                    Some(field) => in_zone(field, record.value(&field.api_name), switches),
                    None => continue,
                },
            };
            shown.insert((*name).to_owned(), value);
        }
        shown.insert("id".to_owned(), json!(record.id));
        Value::Object(shown)
    }

    fn seen_field(&self, name: &str, prefix: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.seen_name(prefix) == name)
    }

    /// The records in an order; by id no sorting is needed.
    fn sorted(&self, by: &str, descends: bool) -> Vec<&CrmRecord> {
        let mut records: Vec<&CrmRecord> = self.records.iter().collect();
        match by {
            "Created_Time" => records.sort_by_key(|record| record.created_at),
            "Modified_Time" => records.sort_by_key(|record| record.modified_at),
            _ => {}
        }
        if descends {
            records.reverse();
        }
        records
    }
}

/// A date-time as the reading user sees it: the same instant in their zone.
fn in_zone(field: &Field, value: Value, switches: &CrmSwitches) -> Value {
    if field.data_type != "datetime" {
        return value;
    }
    let zone = FixedOffset::east_opt(switches.user_offset_minutes * 60);
    let instant = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
    match (zone, instant) {
        (Some(zone), Some(instant)) => {
            json!(instant.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string())
        }
        _ => value,
    }
}

/// What a list call asks for, checked.
struct Asked<'a> {
    names: Vec<&'a str>,
    per_page: usize,
    from: usize,
    page: usize,
    sort_by: &'a str,
    descends: bool,
}

impl Asked<'_> {
    /// Everything a page token is bound to.
    fn bound(&self, module: &Module) -> String {
        format!("{}|{}|{}|{}|{}", module.api_name, self.names.join(","), self.per_page, self.sort_by, self.descends)
    }
}

fn asked<'a>(call: &'a Call, module: &Module) -> Result<Asked<'a>, Answer> {
    let fields = call.parameter("fields").unwrap_or_default();
    let names: Vec<&str> = fields.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        let details = json!({"param_name": "fields", "param": "fields"});
        return Err(bad("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", &details));
    }
    if names.len() > FIELDS {
        let details = json!({"limit": FIELDS, "param_name": "fields"});
        return Err(bad("LIMIT_EXCEEDED", "the number of fields exceeds the limit", &details));
    }
    let per_page = call.number("per_page").unwrap_or(PER_PAGE);
    if !(1..=PER_PAGE).contains(&per_page) {
        let details = json!({"param_name": "per_page", "maximum_length": PER_PAGE});
        return Err(bad("INVALID_DATA", "invalid data", &details));
    }
    let (page, token) = (call.number("page"), call.parameter("page_token"));
    if page.is_some() && token.is_some() {
        let details = json!({"ambiguity_due_to": [{"param_name": "page"}, {"param_name": "page_token"}]});
        return Err(bad("AMBIGUITY_DURING_PROCESSING", "page and page_token cannot be used together", &details));
    }
    let mut asked = Asked {
        names,
        per_page,
        from: (page.unwrap_or(1).max(1) - 1) * per_page,
        page: page.unwrap_or(1).max(1),
        sort_by: call.parameter("sort_by").unwrap_or("id"),
        descends: call.parameter("sort_order") != Some("asc"),
    };
    if let Some(token) = token {
        asked.from = start_of(token, &asked.bound(module))?;
        asked.page = asked.from / per_page + 1;
        if asked.from >= ROWS_BY_TOKEN {
            return Err(bad("PAGINATION_LIMIT_EXCEEDED", "the pagination limit is exceeded", &json!({})));
        }
    } else if asked.from >= ROWS_BY_PAGE {
        let message = "only the first 2000 records can be fetched by page; use page_token";
        return Err(bad("DISCRETE_PAGINATION_LIMIT_EXCEEDED", message, &json!({"param_name": "page"})));
    }
    Ok(asked)
}

/// A token is the offset and what it is bound to, in hex so that it looks like one.
fn token_for(from: usize, bound: &str) -> String {
    hex::encode(format!("{from}|{bound}"))
}

fn start_of(token: &str, bound: &str) -> Result<usize, Answer> {
    let text = hex::decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text.as_deref().and_then(|text| text.split_once('|'));
    match parts {
        Some((from, for_what)) if for_what == bound => Ok(from.parse().unwrap_or(0)),
        Some(_) => Err(bad("TOKEN_BOUND_DATA_MISMATCH", "the token belongs to another request", &json!({}))),
        None => Err(bad("INVALID_DATA", "invalid data", &json!({"param_name": "page_token"}))),
    }
}

impl Crm {
    pub(super) fn list(&self, at: usize, call: &Call, switches: &CrmSwitches) -> Answer {
        let module = &self.modules[at];
        let asked = match asked(call, module) {
            Ok(asked) => asked,
            Err(answer) => return answer,
        };
        let mut records = module.sorted(asked.sort_by, asked.descends);
        if let Some(ids) = call.parameter("ids") {
            let wanted: Vec<&str> = ids.split(',').collect();
            records.retain(|record| wanted.contains(&record.id.as_str()));
        }
        if let Some(since) = call.header("if-modified-since")
            && let Ok(since) = DateTime::parse_from_rfc3339(since)
        {
            records.retain(|record| record.modified_at >= since);
            if records.is_empty() {
                return Answer::empty(304);
            }
        }
        let end = records.len().min(asked.from + asked.per_page);
        if asked.from >= end {
            return Answer::empty(204);
        }
        let rows: Vec<Value> =
            records[asked.from..end].iter().map(|record| module.shown(record, &asked.names, switches)).collect();
        let more = end < records.len();
        let bound = asked.bound(module);
        let previous = asked.from.saturating_sub(asked.per_page);
        let info = json!({
            "per_page": asked.per_page,
            "count": rows.len(),
            "page": asked.page,
            "sort_by": asked.sort_by,
            "sort_order": if asked.descends { "desc" } else { "asc" },
            "more_records": more,
            "next_page_token": more.then(|| token_for(end, &bound)),
            "previous_page_token": (asked.from > 0).then(|| token_for(previous, &bound)),
            "page_token_expiry": more.then_some("2099-01-01T00:00:00+00:00"),
        });
        Answer::json(200, &json!({"data": rows, "info": info}))
    }

    pub(super) fn show(&self, at: usize, id: &str, switches: &CrmSwitches) -> Answer {
        let module = &self.modules[at];
        let Ok(number) = id.parse::<u64>() else {
            return bad("INVALID_DATA", "the id given seems to be invalid", &json!({"id": id}));
        };
        let Some(place) = module.place(number) else {
            return Answer::empty(204);
        };
        let names: Vec<String> = module.fields.iter().map(|field| field.seen_name(&switches.prefix)).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.extend(["Created_Time", "Modified_Time"]);
        let row = module.shown(&module.records[place], &names, switches);
        Answer::json(200, &json!({ "data": [row] }))
    }

    pub(super) fn list_deleted(&self, at: usize, call: &Call) -> Answer {
        let kind = call.parameter("type").unwrap_or("all");
        if !["all", "recycle", "permanent"].contains(&kind) {
            return bad("PATTERN_NOT_MATCHED", "Please check whether the input values are correct", &json!({}));
        }
        let per_page = call.number("per_page").unwrap_or(PER_PAGE).clamp(1, PER_PAGE);
        let from = (call.number("page").unwrap_or(1).max(1) - 1) * per_page;
        let deleted = &self.modules[at].deleted;
        let rows: Vec<Value> = deleted
            .iter()
            .skip(from)
            .take(per_page)
            .map(|gone| {
                json!({"deleted_by": someone(), "id": gone.id, "display_name": gone.name, "type": "recycle",
                    "created_by": someone(), "deleted_time": time(gone.at)})
            })
            .collect();
        if rows.is_empty() || kind == "permanent" {
            return Answer::empty(204);
        }
        let more = from + rows.len() < deleted.len();
        let info =
            json!({"per_page": per_page, "count": rows.len(), "page": from / per_page + 1, "more_records": more});
        Answer::json(200, &json!({"data": rows, "info": info}))
    }

    pub(super) fn coql(&self, call: &Call, switches: &CrmSwitches) -> Answer {
        let body = call.json().unwrap_or(Value::Null);
        let Some(text) = body.get("select_query").and_then(Value::as_str) else {
            return bad("MANDATORY_NOT_FOUND", "required field not found", &json!({"api_name": "select_query"}));
        };
        let query = match coql::parse(text) {
            Ok(query) => query,
            Err(Refused { code, about }) => {
                return bad(code, "error occurred", &json!({"clause": about}));
            }
        };
        if query.limit > switches.coql_max {
            let details = json!({"limit": switches.coql_max, "clause": "limit"});
            return bad("LIMIT_EXCEEDED", "limit exceeded", &details);
        }
        match self.find_module(&query.module, switches) {
            Some(at) => select(&self.modules[at], &query, &switches.prefix),
            None => invalid_module(call, switches),
        }
    }
}

fn select(module: &Module, query: &Query, prefix: &str) -> Answer {
    let known = |column: &str| {
        let column = column.strip_suffix(".id").unwrap_or(column);
        matches!(column, "id" | "Created_Time" | "Modified_Time") || module.seen_field(column, prefix).is_some()
    };
    let tested = query.criteria.columns();
    let ordered = query.order.iter().map(|(column, _)| column.as_str());
    let all = query.columns.iter().map(String::as_str).chain(tested.iter().copied()).chain(ordered);
    for column in all {
        if !known(column) {
            return bad("INVALID_QUERY", "column given seems to be invalid", &json!({"column_name": column}));
        }
    }
    let is_long = |name: &&str| module.seen_field(name, prefix).is_some_and(|field| field.data_type == "textarea");
    if let Some(column) = tested.iter().find(|name| is_long(name)) {
        return bad("INVALID_QUERY", "column given is not supported in criteria", &json!({"column_name": column}));
    }
    let value = |record: &CrmRecord, column: &str| {
        let column = column.strip_suffix(".id").unwrap_or(column);
        module.seen_field(column, prefix).map_or_else(|| record.value(column), |field| record.value(&field.api_name))
    };
    let mut found: Vec<&CrmRecord> =
        module.records.iter().filter(|record| query.criteria.meets(&|column| value(record, column))).collect();
    for (column, descends) in query.order.iter().rev() {
        let key = |record: &CrmRecord| coql::plain(&value(record, column)).unwrap_or_default();
        found.sort_by(|left, right| {
            let order = coql::compare(&key(left), &key(right));
            if *descends { order.reverse() } else { order }
        });
    }
    let more = found.len() > query.offset + query.limit;
    let rows: Vec<Value> = found
        .into_iter()
        .skip(query.offset)
        .take(query.limit)
        .map(|record| {
            let mut row: Map<String, Value> =
                query.columns.iter().map(|column| (column.clone(), value(record, column))).collect();
            row.insert("id".to_owned(), json!(record.id));
            Value::Object(row)
        })
        .collect();
    if rows.is_empty() {
        return Answer::empty(204);
    }
    let info = json!({"count": rows.len(), "more_records": more});
    Answer::json(200, &json!({"data": rows, "info": info}))
}
