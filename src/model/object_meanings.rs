//! One sentence on each table and view, for the dictionary, in the order in which a reader meets them.

/// (object, what it is)
const MEANINGS: &[(&str, &str)] = &[
    ("subscriptions", "View for people: every subscription as it is now"),
    ("transactions", "View for people: every transaction as it is now"),
    ("commissions", "View for people: every commission as it is now"),
    ("leads", "View for people: every lead as it is now"),
    ("subscription_records", "Subscriptions in normal form, derived from their newest payload"),
    ("subscription_addons", "The add-ons of the subscriptions"),
    ("transaction_records", "Transactions in normal form, derived from their newest payload"),
    ("commission_records", "Commissions in normal form, derived from their newest payload"),
    ("lead_records", "Leads in normal form, derived from their newest payload"),
    ("subscription_versions", "The history of the subscriptions: a row for each payload version"),
    ("commission_versions", "The history of the commissions: a row for each payload version"),
    ("customers", "The newest names of each customer"),
    ("services", "The newest name of each service"),
    ("plans", "The newest name of each plan"),
    ("stores", "The stores the mirror knows"),
    ("payloads", "Every version of every record, exactly as received: everything else is derived from it"),
    ("quarantine", "Records that could not be read, with the field and the reason"),
    ("quarantined_records", "View: those of them that are listed now"),
    ("findings", "What the mapping noticed: unknown fields and values, rounded amounts"),
    ("unknown_values", "View: fields and values that this program does not know yet"),
    ("sync_runs", "Every listing of a kind, how it went and what it brought"),
    ("coverage", "How far each kind of each store can be believed"),
    ("listing_pages", "The listing under way, so that a killed run can go on"),
    ("crm_links", "Which CRM record stands for which record, and what the CRM last accepted"),
    ("crm_rejections", "What the CRM refused"),
    ("push_runs", "Every push and what it did"),
    ("crm_credits", "What each write request cost, for the budget of 24 hours"),
    ("crm_fields", "The CRM's fields as it described them"),
    ("statements", "Months of commissions that were frozen"),
    ("statement_rows", "Their commissions, as they were known then"),
    ("statement_rows_now", "View: every commission as a statement would freeze it now"),
    ("statement_totals", "View: what each month adds up to, as frozen and as known now"),
    ("settings", "Facts about the file itself"),
    ("data_dictionary", "What every column means"),
    ("subscription_history", "View: the versions of the subscriptions with the lasting facts beside them"),
    ("commission_history", "View: the versions of the commissions with the lasting facts beside them"),
    ("money_transactions", "View: transactions by which money came in"),
    ("base_commissions", "View: commissions that show what a sale pays"),
    ("service_commission_days", "View: what a service's base commissions add up to, day by day"),
    ("service_rates", "View: the usual rate of a service, day by day"),
    ("store_rates", "View: the usual rate of a store, day by day"),
    ("asked_days", "View: the days that the reports' views are asked for, `where days = json_array('2026-03-01')`"),
    ("live_subscriptions", "View: the subscriptions that were live at the end of the days asked for"),
    ("rated_subscriptions", "View: the same with the rates by which their next commission can be guessed"),
    ("expected_commissions", "View: the same with the commission to expect"),
    ("ended_subscriptions", "View: the subscriptions that were not live at the end of the days asked for"),
    ("lost_subscriptions", "View: the same with the day and the reason of the loss"),
    ("revenue_events", "View: what brought money: sales, refunds and commissions"),
];

/// Where a table or view stands for a reader, and what it is.
pub fn place_and_meaning(object: &str) -> Option<(usize, &'static str)> {
    let place = MEANINGS.iter().position(|(known, _)| *known == object)?;
    Some((place, MEANINGS[place].1))
}
