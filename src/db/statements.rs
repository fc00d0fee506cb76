//! Frozen statements: months of commissions as they were known at one moment. What is frozen is never written again; the
//! file's own triggers see to that.

use anyhow::Result;
use rusqlite::{OptionalExtension, params};

use crate::db::Db;

/// What is known of a frozen month beside its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrozenStatement {
    pub frozen_at: String,
    pub sha256: String,
}

impl Db {
    /// The frozen statement of a month, if there is one.
    pub fn frozen_statement(&self, month: &str) -> Result<Option<FrozenStatement>> {
        Ok(self
            .connection()
            .prepare_cached("select frozen_at, sha256 from statements where month = ?1")?
            .query_row([month], |row| Ok(FrozenStatement { frozen_at: row.get(0)?, sha256: row.get(1)? }))
            .optional()?)
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
