//! The rules of the reports, one hand-made case each: given these records, the report has exactly these rows, worked out
//! in the comment above them.

mod commission_ageing;
mod commission_forecast;
mod commission_mismatches;
mod commission_rates;
mod commission_reversals;
mod commission_state_changes;
mod commissions_by;
mod commissions_by_month;
mod commissions_by_state;
mod commissions_missing;
mod crm_rejections;
mod data_quality;
mod freshness;
mod payouts;
mod renewals_due;

const AS_OF: &str = "2026-03-01";
