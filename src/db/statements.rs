//! Frozen statements: months of commissions as they were known at one moment. What is frozen is never written again; the
//! file's own triggers see to that. Only a forgotten customer's name is taken out of them, and that is noted.

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension, params};

use crate::db::{Db, read_rows};

/// What is known of a frozen month beside its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenStatement {
    pub frozen_at: String,
    pub sha256: String,
    /// Personal fields were taken out of it since.
    pub redaction: Option<Redaction>,
}

impl FrozenStatement {
    /// The hash that its rows have now.
    pub fn present_sha256(&self) -> &str {
        self.redaction.as_ref().map_or(&self.sha256, |redaction| &redaction.sha256)
    }
}

/// What `forget` did to a frozen statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    pub redacted_at: String,
    /// Rows that lack their customer, of all times.
    pub rows: u64,
    /// Of the CSV since then; that of the statement as it was frozen stays beside it.
    pub sha256: String,
}

impl Db {
    /// The frozen statement of a month, if there is one.
    pub fn frozen_statement(&self, month: &str) -> Result<Option<FrozenStatement>> {
        Ok(self
            .connection()
            .prepare_cached("select frozen_at, sha256 from statements where month = ?1")?
            .query_row([month], |row| {
                Ok(FrozenStatement {
                    frozen_at: row.get(0)?,
                    sha256: row.get(1)?,
                    redaction: self.redaction_of(month)?,
                })
            })
            .optional()?)
    }

    fn redaction_of(&self, month: &str) -> rusqlite::Result<Option<Redaction>> {
        self.connection()
            .prepare_cached(
                "select redacted_at, sum(rows) over (), sha256 from statement_redactions where month = ?1
                 order by statement_redaction_id desc limit 1",
            )?
            .query_row([month], |row| {
                Ok(Redaction { redacted_at: row.get(0)?, rows: row.get(1)?, sha256: row.get(2)? })
            })
            .optional()
    }

    /// The months that were frozen.
    pub fn frozen_months(&self) -> Result<Vec<String>> {
        read_rows(self.connection(), "select month from statements order by month", [], |row| row.get(0))
    }

    /// Freezes a month: its rows, and the hash that `sha256` makes of them once they are in. All of it or nothing.
    pub fn freeze_statement(&self, month: &str, now: &str, sha256: impl FnOnce() -> Result<String>) -> Result<()> {
        // what is printed next must be on the disk by then, whatever happens to the power: it cannot be made again
        self.connection().pragma_update(None, "synchronous", "full")?;
        self.write(|connection| {
            let rows = connection.execute(
                "insert into statement_rows (
                   month, store_id, commission_id, commission_day, type, commission_type, state, payout_id, entity,
                   payout_currency, net_payout_micros, balance_payout_micros, payout_amount_micros, net_usd_micros,
                   currency, exchange_rate, commission_micros, eligible_amount_micros, eligible_currency,
                   rate_basis_points, subscription_id, transaction_id, customer_id, company_name, service_name,
                   removed_at)
                 select
                   month, store_id, commission_id, commission_day, type, commission_type, state, payout_id, entity,
                   payout_currency, net_payout_micros, balance_payout_micros, payout_amount_micros, net_usd_micros,
                   currency, exchange_rate, commission_micros, eligible_amount_micros, eligible_currency,
                   rate_basis_points, subscription_id, transaction_id, customer_id, company_name, service_name,
                   removed_at
                 from statement_rows_now
                 where month = ?1",
                [month],
            )?;
            connection.execute(
                "insert into statements (month, frozen_at, records, sha256) values (?1, ?2, ?3, ?4)",
                params![month, now, i64::try_from(rows)?, sha256()?],
            )?;
            Ok(())
        })
    }
}

/// Takes the customers out of the statements' rows that are forgotten. `sha256` makes the hash of a month as it is
/// then. Returns the rows changed.
pub(super) fn redact_statements(
    connection: &Connection,
    now: &str,
    sha256: &dyn Fn(&str) -> Result<String>,
) -> Result<u64> {
    let mut months = connection.prepare(
        "select r.month, count(*) from statement_rows r
         join forgotten f on f.store_id = r.store_id and f.kind = 'commissions'
           and f.record_id = cast(r.commission_id as text)
         where r.company_name is not null or r.customer_id not glob 'forgotten-*'
         group by r.month order by r.month",
    )?;
    let months: Vec<(String, u64)> =
        months.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (month, rows) in &months {
        connection.execute(
            "update statement_rows set company_name = null, customer_id = coalesce(
               (select n.customer_id from statement_rows_now n
                where n.store_id = statement_rows.store_id and n.commission_id = statement_rows.commission_id
                  and n.customer_id glob 'forgotten-*'),
               f.customer)
             from forgotten f
             where statement_rows.month = ?1 and f.store_id = statement_rows.store_id and f.kind = 'commissions'
               and f.record_id = cast(statement_rows.commission_id as text)",
            [month],
        )?;
        connection.execute(
            "insert into statement_redactions (month, redacted_at, rows, sha256) values (?1, ?2, ?3, ?4)",
            params![month, now, rows, sha256(month)?],
        )?;
    }
    Ok(months.iter().map(|(_, rows)| rows).sum())
}
