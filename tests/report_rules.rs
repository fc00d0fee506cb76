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
mod commissions_by_month_and_state;
mod commissions_by_state;
mod commissions_missing;
mod crm_rejections;
mod customer_retention;
mod customer_statement;
mod data_quality;
mod freshness;
mod mrr_by_service;
mod mrr_movements;
mod payouts;
mod renewal_outcomes;
mod renewals_by_month;
mod renewals_due;
mod renewals_overdue;
mod revenue;
mod subscription_changes;
mod subscriptions_at_risk;
mod subscriptions_lost;
mod subscriptions_new;

const AS_OF: &str = "2026-03-01";
