//! What a push reads: the records of one kind, each with its link, its rejection and what is known of its parents, one
//! row at a time and without copying their texts. Nothing is decided here.

use std::borrow::Cow;

use anyhow::Result;
use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Row, ToSql};

use crate::db::fingerprints::{FUNCTION, Fingerprint};
use crate::db::{AccountJoin, Db};
use crate::model::tables::{Personal, Source};
use crate::model::{Column, Kind};

/// A value on its way to a CRM field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
}

/// One record and everything a push must know of it.
pub struct PushRow<'a> {
    pub store_id: &'a str,
    pub id: i64,
    /// The store no longer lists it.
    pub removed: bool,
    pub link: Option<LinkRow<'a>>,
    pub rejection: Option<RejectionRow<'a>>,
    /// In the order of [`crate::model::Table::parents`].
    pub parents: Vec<ParentRow<'a>>,
    /// In the order of the query's columns.
    pub cells: Vec<Cell<'a>>,
    /// Of everything above but the link and the rejection, and of what the query rests on.
    pub fingerprint: Fingerprint,
}

pub struct LinkRow<'a> {
    pub crm_id: &'a str,
    /// Deleted in the CRM.
    pub gone: bool,
    pub fields_sent: &'a str,
    /// What was sent last while no answer came: the CRM holds it or not.
    pub unanswered: Option<&'a str>,
}

pub struct RejectionRow<'a> {
    pub code: &'a str,
    pub fields_sha256: &'a str,
    pub next_at: &'a str,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParentRow<'a> {
    pub id: Option<i64>,
    pub in_mirror: bool,
    pub removed: bool,
    /// Its record in the CRM, if it is linked.
    pub crm_id: Option<&'a str>,
    pub gone: bool,
}

/// What the configuration says of a statement.
pub struct QueryRules<'a> {
    /// The CRM module of a kind, with its host.
    pub target: &'a dyn Fn(Kind) -> String,
    /// The status of a subscription that is no longer listed.
    pub untagged: &'a str,
    pub accounts: Option<&'a AccountJoin>,
    /// Whatever else decides what the fields are: part of every fingerprint.
    pub basis: &'a str,
}

/// The statement for one kind: made once, run for all records or for one.
pub struct PushQuery {
    all: String,
    one: String,
    count: String,
    /// Target and kind of the kind itself and of each parent, bound in this order.
    parameters: Vec<String>,
    parents: usize,
    columns: usize,
}

/// Columns before the parents': the record's own, its link and its rejection.
const OWN_COLUMNS: usize = 10;
const PARENT_COLUMNS: usize = 5;

impl PushQuery {
    /// `columns` are stored columns or come with their own SQL, or are the lookup to the account.
    pub fn new(kind: Kind, columns: &[&'static Column], rules: &QueryRules) -> Self {
        let (table, target) = (kind.table(), rules.target);
        let mut parameters = vec![target(kind), kind.name().to_owned(), rules.basis.to_owned()];
        let mut selected = vec![format!(
            "r.store_id, r.{}, r.removed_at is not null, l.crm_id, l.state, l.fields_sent, l.fields_unanswered",
            table.key
        )];
        selected.push("x.code, x.fields_sha256, x.next_at".to_owned());
        let mut printed = vec!["?3, r.removed_at is not null".to_owned()];
        let mut joins = Vec::new();
        for parent in table.parents() {
            let above = parent.table();
            let (alias, key) = (alias(parent), above.key);
            let (target_mark, kind_mark) = (parameters.len() + 1, parameters.len() + 2);
            let of_parent = format!(
                "r.{key}, {alias}.{key} is not null, {alias}.removed_at is not null, {alias}_link.crm_id, {alias}_link.state"
            );
            selected.push(of_parent.clone());
            printed.push(of_parent);
            joins.push(format!(
                "left join {} {alias} on {alias}.store_id = r.store_id and {alias}.{key} = r.{key}
                 left join crm_links {alias}_link on {alias}_link.target = ?{target_mark}
                   and {alias}_link.store_id = r.store_id and {alias}_link.kind = ?{kind_mark}
                   and {alias}_link.record_id = cast(r.{key} as text)",
                above.records
            ));
            parameters.extend([target(parent), parent.name().to_owned()]);
        }
        if let Some(accounts) = rules.accounts {
            let (target_mark, field_mark) = (parameters.len() + 1, parameters.len() + 2);
            joins.push(format!(
                "left join crm_accounts account on account.target = ?{target_mark}
                   and account.match_field = ?{field_mark} and account.value = r.{}",
                accounts.column
            ));
            parameters.extend([accounts.target.clone(), accounts.match_field.clone()]);
        }
        for column in columns {
            let value = expression(column, rules.untagged);
            // a payload's number stands for its text, which is long and changes only when it is forgotten
            let short = if value == PAYLOAD { "r.payload_id" } else { &value };
            printed.push(kept_back(column, short));
            selected.push(kept_back(column, &value));
        }
        let (records, key) = (table.records, table.key);
        let fingerprint = format!("{FUNCTION}({})", printed.join(", "));
        selected.push(fingerprint.clone());
        // what a fingerprint is made of is joined first: a record that is known needs nothing of the rest
        let rows = format!(
            "select {}
             from {records} r
             left join crm_fingerprints f on f.target = ?1 and f.kind = ?2 and f.store_id = r.store_id
               and f.record_number = r.{key}
             left join forgotten on forgotten.store_id = r.store_id and forgotten.kind = ?2
               and forgotten.record_id = cast(r.{key} as text)
             {}
             left join crm_links l on l.target = ?1 and l.store_id = r.store_id and l.kind = ?2
               and l.record_id = cast(r.{key} as text)
             left join crm_rejections x on x.target = ?1 and x.store_id = r.store_id and x.kind = ?2
               and x.record_id = cast(r.{key} as text)
             left join payloads p on p.payload_id = r.payload_id",
            selected.join(", "),
            joins.join("\n")
        );
        let next = parameters.len() + 1;
        let one = format!("{rows} where r.store_id = ?{next} and r.{key} = ?{}", next + 1);
        let all = format!(
            "{rows} where f.fingerprint is null or f.fingerprint <> {fingerprint} order by r.store_id, r.{key}"
        );
        let count = format!("select count(*) from {records}");
        Self { all, one, count, parameters, parents: table.parents().count(), columns: columns.len() }
    }

    fn read<'a>(&self, row: &'a Row) -> Result<PushRow<'a>> {
        let link = match optional(row, 3)? {
            Some(crm_id) => Some(LinkRow {
                crm_id,
                gone: text(row, 4)? == GONE,
                fields_sent: text(row, 5)?,
                unanswered: optional(row, 6)?,
            }),
            None => None,
        };
        let rejection = match optional(row, 7)? {
            Some(code) => Some(RejectionRow { code, fields_sha256: text(row, 8)?, next_at: text(row, 9)? }),
            None => None,
        };
        let parents = (0..self.parents)
            .map(|number| parent(row, OWN_COLUMNS + number * PARENT_COLUMNS))
            .collect::<Result<Vec<_>>>()?;
        let first = OWN_COLUMNS + self.parents * PARENT_COLUMNS;
        let cells = (first..first + self.columns).map(|column| cell(row, column)).collect::<Result<Vec<_>>>()?;
        let fingerprint = row.get(first + self.columns)?;
        let (store_id, id, removed) = (text(row, 0)?, row.get(1)?, row.get(2)?);
        Ok(PushRow { store_id, id, removed, link, rejection, parents, cells, fingerprint })
    }
}

/// How the row of a parent is called in the statement: `s` for subscriptions, as [`crate::model::tables::CrmField`]
/// promises.
fn alias(parent: Kind) -> &'static str {
    &parent.name()[..1]
}

/// Of a forgotten customer nothing personal is sent, and so no payload either: what the CRM has is its owner's business.
fn kept_back(column: &Column, expression: &str) -> String {
    let is_payload = column.source == Source::Mirror;
    if column.personal == Personal::No && !is_payload {
        return expression.to_owned();
    }
    format!("case when forgotten.record_id is null then {expression} end")
}

fn expression(column: &Column, untagged: &str) -> String {
    match (column.crm.and_then(|field| field.sql), column.stored_name()) {
        (Some(sql), _) => sql.replace("{untagged}", &format!("'{}'", untagged.replace('\'', "''"))),
        (None, None) if column.source == Source::Crm => "account.crm_id".to_owned(),
        (None, Some(stored)) => format!("r.{stored}"),
        // of the mirror's own columns only the payload is not in the row itself
        (None, None) => PAYLOAD.to_owned(),
    }
}

/// The payload's text in the statement.
const PAYLOAD: &str = "p.body";

/// The state of a link whose record was deleted in the CRM.
pub(super) const GONE: &str = "gone";

fn text<'a>(row: &'a Row, column: usize) -> Result<&'a str> {
    Ok(row.get_ref(column)?.as_str()?)
}

fn optional<'a>(row: &'a Row, column: usize) -> Result<Option<&'a str>> {
    Ok(row.get_ref(column)?.as_str_or_null()?)
}

fn parent<'a>(row: &'a Row, first: usize) -> Result<ParentRow<'a>> {
    // a key column holds an integer or nothing
    let id = Option::<i64>::column_result(row.get_ref(first)?)?;
    Ok(ParentRow {
        id,
        in_mirror: row.get(first + 1)?,
        removed: row.get(first + 2)?,
        crm_id: optional(row, first + 3)?,
        gone: optional(row, first + 4)? == Some(GONE),
    })
}

fn cell<'a>(row: &'a Row, column: usize) -> Result<Cell<'a>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Null | ValueRef::Blob(_) => Cell::Null,
        ValueRef::Integer(number) => Cell::Integer(number),
        ValueRef::Real(number) => Cell::Text(Cow::Owned(number.to_string())),
        ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes)),
    })
}

impl Db {
    /// Runs reads that belong together: one snapshot of the file, and one lock instead of one per statement.
    pub fn read<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        let snapshot = self.connection().unchecked_transaction()?;
        let result = work();
        snapshot.commit()?;
        result
    }

    /// Shows every record of the query's kind, by store and id, but those whose fingerprint is the one saved; returns
    /// how many these are.
    pub fn push_rows(&self, query: &PushQuery, mut visit: impl FnMut(&PushRow) -> Result<()>) -> Result<u64> {
        let mut left: u64 = self.connection().prepare_cached(&query.count)?.query_row([], |row| row.get(0))?;
        let mut statement = self.connection().prepare(&query.all)?;
        let parameters: Vec<&dyn ToSql> = query.parameters.iter().map(|value| value as &dyn ToSql).collect();
        let mut rows = statement.query(&*parameters)?;
        while let Some(row) = rows.next()? {
            left = left.saturating_sub(1);
            visit(&query.read(row)?)?;
        }
        Ok(left)
    }

    /// For each column, the characters of its longest text and how many records exceed the given length. Removed
    /// records are not counted: they are never made.
    pub fn text_lengths(&self, kind: Kind, columns: &[(&'static Column, u64)]) -> Result<Vec<(u64, u64)>> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let table = kind.table();
        let measures: Vec<String> = columns
            .iter()
            .map(|(column, limit)| {
                let value = expression(column, "");
                format!("coalesce(max(length({value})), 0), coalesce(sum(length({value}) > {limit}), 0)")
            })
            .collect();
        let mut joins = String::from("left join payloads p on p.payload_id = r.payload_id");
        for parent in table.parents() {
            let (alias, above) = (alias(parent), parent.table());
            joins.push_str(&format!(
                " left join {} {alias} on {alias}.store_id = r.store_id and {alias}.{key} = r.{key}",
                above.records,
                key = above.key
            ));
        }
        let sql = format!("select {} from {} r {joins} where r.removed_at is null", measures.join(", "), table.records);
        Ok(self.connection().prepare(&sql)?.query_row([], |row| {
            (0..columns.len()).map(|place| Ok((row.get(2 * place)?, row.get(2 * place + 1)?))).collect()
        })?)
    }

    /// Shows one record; None when there is none.
    pub fn push_row<R>(
        &self,
        query: &PushQuery,
        store_id: &str,
        id: i64,
        visit: impl FnOnce(&PushRow) -> Result<R>,
    ) -> Result<Option<R>> {
        let mut statement = self.connection().prepare_cached(&query.one)?;
        let mut parameters: Vec<&dyn ToSql> = query.parameters.iter().map(|value| value as &dyn ToSql).collect();
        parameters.extend([&store_id as &dyn ToSql, &id]);
        let mut rows = statement.query(&*parameters)?;
        match rows.next()? {
            Some(row) => Ok(Some(visit(&query.read(row)?)?)),
            None => Ok(None),
        }
    }
}
