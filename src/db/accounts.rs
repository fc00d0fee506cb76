//! Which CRM account a customer is, as found when it was asked.

use anyhow::Result;
use rusqlite::params;

use crate::db::{Db, read_rows};
use crate::model::Kind;
use crate::model::personal::PSEUDONYM_PREFIX;

/// How a kind's records find their account: a column of theirs, a field of the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountJoin {
    /// The CRM's API host.
    pub target: String,
    pub match_field: String,
    /// The records' column whose value the field holds.
    pub column: &'static str,
}

/// What was found for one value; one id when exactly one account has it.
pub struct FoundAccount {
    pub value: String,
    pub crm_ids: Vec<String>,
}

/// Values by what was found for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountCounts {
    pub matched: u64,
    pub missing: u64,
    pub ambiguous: u64,
}

impl Db {
    /// Values of living records that were never looked up, or in vain and not since the given instant.
    pub fn accounts_to_find(&self, kind: Kind, join: &AccountJoin, stale: Option<&str>) -> Result<Vec<String>> {
        let sql = format!(
            "select distinct r.{column} from {records} r
             left join crm_accounts a on a.target = ?1 and a.match_field = ?2 and a.value = r.{column}
             where r.removed_at is null and r.{column} is not null and trim(r.{column}) not in ('', '0', '-1')
               and r.{column} not glob '{PSEUDONYM_PREFIX}*'
               and (a.value is null or (a.crm_id is null and a.looked_up_at <= ?3)) order by 1",
            column = join.column,
            records = kind.table().records
        );
        let parameters = params![join.target, join.match_field, stale.unwrap_or("")];
        read_rows(self.connection(), &sql, parameters, |row| row.get(0))
    }

    pub fn save_accounts(&self, join: &AccountJoin, found: &[FoundAccount], now: &str) -> Result<()> {
        self.write(|connection| {
            let mut insert = connection.prepare_cached(
                "insert or replace into crm_accounts (target, match_field, value, crm_id, matches, looked_up_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for account in found {
                let only = (account.crm_ids.len() == 1).then(|| &account.crm_ids[0]);
                let matches = account.crm_ids.len();
                insert.execute(params![join.target, join.match_field, account.value, only, matches, now])?;
            }
            Ok(())
        })
    }

    pub fn account_counts(&self, join: &AccountJoin) -> Result<AccountCounts> {
        let sql = "select coalesce(sum(matches = 1), 0), coalesce(sum(matches = 0), 0), coalesce(sum(matches > 1), 0)
                   from crm_accounts where target = ?1 and match_field = ?2";
        Ok(self.connection().prepare_cached(sql)?.query_row([&join.target, &join.match_field], |row| {
            Ok(AccountCounts { matched: row.get(0)?, missing: row.get(1)?, ambiguous: row.get(2)? })
        })?)
    }
}
