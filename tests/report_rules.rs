//! The rules of the reports, one hand-made case each: given these records, the report has exactly these rows, worked out
//! in the comment above them.

mod commissions_by_month;
mod commissions_by_state;
mod commissions_missing;
mod freshness;
mod renewals_due;

const AS_OF: &str = "2026-03-01";
