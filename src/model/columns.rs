//! The one declaration of columns. A line names a column, where it comes from, what type it has and what it means;
//! the mapping, the upsert, the CRM fields, `data_dictionary` and the test against the real schema all read it here.
//!
//! Sources: §4 (subscriptions), §5 (leads), §6 (transactions) and §7 (commissions) of the store's contract; the CRM
//! labels and types are those of the design's table "CRM names and fields".

use crate::model::Kind;
use crate::model::mapping::{derive_commission, derive_lead, derive_subscription, derive_transaction};
use crate::model::tables::Source::{Key, Mirror};
use crate::model::tables::ValueType::{
    Any, Boolean, Day, Decimal, IdText, Instant, Integer, Json, LocalTime, Money, Rate, Real, Text,
};
use crate::model::tables::{
    Column, CrmType as C, Drift, LookupTo, Table, Versions, column, derived, joined, json, push,
};

const FREQUENCIES: &[&str] = &["monthly", "quarterly", "half_yearly", "yearly"];
const PRICING_TYPES: &[&str] = &["list_price", "partner_price"];
const SUBSCRIPTION_TYPES: &[&str] = &["online", "offline"];

/// What the mirror itself knows of a record, at the end of every view.
const MIRROR: &[Column] = &[
    column("first_seen_at", Mirror, Instant, "when the mirror first received the record"),
    column("changed_at", Mirror, Instant, "when its newest version was first received"),
    column("removed_at", Mirror, Instant, "when the store stopped listing it; empty while it is listed"),
    column("payload", Mirror, Text, "the newest JSON exactly as received").crm(C::Textarea, "Payload"),
];

const NAME: &[Column] = &[push("name", C::Text, "Name", "the record's name in the CRM, decided once per store")];

pub(super) static SUBSCRIPTIONS: Table = Table {
    kind: Kind::Subscriptions,
    view: "subscriptions",
    records: "subscription_records",
    key: "subscription_id",
    text_key: false,
    columns: &[
        NAME,
        &[
            column("store_id", Mirror, Text, "the store's name in the configuration"),
            column("subscription_id", Key(&["/subscription_id", "/id"]), Integer, "the subscription's id in its store")
                .crm(C::Text, "Subscription ID"),
        ],
        SUBSCRIPTION_FIELDS,
        &[
            derived("subscription_end_date", Day, "the day before next_recurring_date")
                .crm(C::Date, "Subscription End"),
            derived(
                "mrr_usd",
                Money,
                "next_recurring_amount_usd per month; empty when not live or the frequency is unknown",
            )
            .unit("USD"),
            joined("is_live", Boolean, "1: status is active and the store still lists it"),
            push("account", C::Lookup(LookupTo::Accounts), "Account", "the CRM account of the customer"),
        ],
        MIRROR,
    ],
    payload_only: &["/subscription_id", "/id"],
    versions: Some(Versions {
        table: "subscription_versions",
        columns: &[
            "status",
            "billing_frequency",
            "pricing_type",
            "subscription_type",
            "service_id",
            "service_name",
            "plan_id",
            "plan_name",
            "paid_users",
            "currency",
            "next_recurring_amount_micros",
            "next_recurring_amount_usd_micros",
            "next_recurring_date",
            "mrr_usd_micros",
        ],
    }),
    derive: derive_subscription,
    addons: Some("/addons"),
    module_label: Some("Partner Subscriptions"),
    pushes_removed: true,
};

/// Shared by subscriptions and leads: the store uses the same keys for both (contract §5).
const SUBSCRIPTION_FIELDS: &[Column] = &[
    json("profile_id", "/profile_id", Text, "the payment profile").pseudonym().crm(C::Text, "Profile ID"),
    json("email", "/email_id", Text, "the customer's email").personal().crm(C::Email, "Email"),
    json("zuid", "/zuid", IdText, "the customer's Zoho user id").personal(),
    json("org_id", "/org_id", Text, "the customer's organisation").pseudonym().crm(C::Text, "Org ID"),
    json("custom_id", "/custom_id", Text, "a second organisation id; equals org_id wherever seen").pseudonym(),
    json("org_name", "/org_name", Text, "the organisation's name").personal(),
    json("company_name", "/customer_company_name", Text, "the customer's company")
        .personal()
        .crm(C::Text, "Company Name"),
    json("customer_type", "/customer_type", Text, "how the customer came"),
    json("source", "/source", Text, "where the subscription was made"),
    json("address", "/customer_address/address", Text, "street").personal(),
    json("city", "/customer_address/city", Text, "city").personal(),
    json("state", "/customer_address/state", Text, "state or province").personal(),
    json("zip", "/customer_address/zip", Text, "postal code").personal(),
    json("country", "/customer_address/country", Text, "country"),
    json("phone", "/customer_address/phone", Text, "telephone").personal(),
    json("fax", "/customer_address/fax", Text, "fax").personal(),
    json("main_contact", "/customer_address/main_contact", Text, "contact person").personal(),
    json(
        "business_category",
        "/business_category",
        Text,
        "zoho, or extensions for the partner's own Marketplace extension",
    )
    .known(&["zoho", "extensions"]),
    json("service_id", "/service_id", Integer, "the service's catalogue id").crm(C::Text, "Service ID"),
    json("service_name", "/service_name", Text, "the service as this record names it").crm(C::Text, "Service Name"),
    json("plan_id", "/plan_id", Integer, "the plan's id; 0 when the plan is gone").crm(C::Text, "Plan ID"),
    json("plan_name", "/plan_name", Text, "the plan as this record names it").crm(C::Text, "Plan Name"),
    json("license_description", "/license_description", Text, "plan and add-ons in words"),
    json("paid_users", "/paid_users", Integer, "seats paid for"),
    json("billing_frequency", "/billing_frequency", Text, "how often it renews")
        .known(FREQUENCIES)
        .crm(C::Picklist, "Billing Frequency"),
    json("pricing_type", "/pricing_type", Text, "list_price: commission accrues; partner_price: discount at purchase")
        .known(PRICING_TYPES)
        .crm(C::Picklist, "Pricing Type"),
    json("subscription_type", "/subscription_type", Text, "online or offline")
        .known(SUBSCRIPTION_TYPES)
        .crm(C::Picklist, "Type"),
    json("status", "/status", Text, "active or inactive, as received")
        .known(&["active", "inactive"])
        .crm(C::Picklist, "Status")
        .sql("case when r.removed_at is null then r.status else {untagged} end"),
    json("currency", "/currency", Text, "the currency of next_recurring_amount"),
    json("next_recurring_amount", "/next_recurring_amount", Money, "what the next renewal costs; stale when not live")
        .unit("currency")
        .crm(C::Currency, "Next Recurring Amount"),
    json("next_recurring_amount_usd", "/next_recurring_amount_usd", Money, "the same in USD")
        .unit("USD")
        .drifts(Drift::Equivalent)
        .crm(C::Decimal, "Next Recurring USD"),
    json(
        "next_recurring_date",
        "/next_recurring_date",
        Day,
        "the day of the next renewal; past and stale when not live",
    )
    .crm(C::Date, "Next Recurring Date"),
    json("subscription_start_date", "/subscription_start_date", Day, "the original start, not moved by renewals")
        .crm(C::Date, "Subscription Start"),
    json("registration_date", "/registration_date", Day, "the day of registration"),
    json("total_revenue", "/total_revenue", Money, "all payments so far; USD is inferred").unit("USD"),
    json("partner_mapping_date", "/partner_mapping_date", Day, "the day the customer was tagged to the partner"),
    derived("customer_id", Text, "org_id, else the lower-case email, else profile_id"),
];

pub(super) static LEADS: Table = Table {
    kind: Kind::Leads,
    view: "leads",
    records: "lead_records",
    key: "lead_id",
    text_key: true,
    columns: &[
        &[
            column("store_id", Mirror, Text, "the store's name in the configuration"),
            column(
                "lead_id",
                Key(&["/subscription_id", "/id", "/profile_id"]),
                Any,
                "the first of subscription_id, id and profile_id",
            ),
            json("subscription_id", "/subscription_id", Integer, "the subscription of the lead, if it has one"),
            json("addons", "/addons", Json, "the add-ons as JSON"),
        ],
        SUBSCRIPTION_FIELDS,
        MIRROR,
    ],
    payload_only: &["/id"],
    versions: None,
    derive: derive_lead,
    addons: None,
    module_label: None,
    pushes_removed: false,
};

pub(super) static TRANSACTIONS: Table = Table {
    kind: Kind::Transactions,
    view: "transactions",
    records: "transaction_records",
    key: "transaction_id",
    text_key: false,
    columns: &[
        NAME,
        &[
            column("store_id", Mirror, Text, "the store's name in the configuration"),
            column("transaction_id", Key(&["/transaction_id", "/id"]), Integer, "the transaction's id in its store")
                .crm(C::Text, "Transaction ID"),
            json("subscription_id", "/subscription_id", Integer, "the subscription it belongs to")
                .crm(C::Text, "Subscription ID"),
            joined("customer_id", Text, "the customer of its subscription"),
            json("transaction_type", "/transaction_type", Text, "what happened")
                .known(&[
                    "signup",
                    "reactivate",
                    "cancel",
                    "upgrade",
                    "downgrade",
                    "recurring_failure",
                    "recurring",
                    "card_change",
                    "refund",
                    "data_sync",
                    "one_time_payment",
                    "offline_to_online",
                    "past_due",
                    "skip_month",
                    "scheduled_cancel",
                    "subscription_resumed",
                    "one_time_charge",
                ])
                .crm(C::Picklist, "Type"),
            json(
                "transaction_date",
                "/transaction_date",
                LocalTime,
                "date and time in the store's own calendar, without a zone",
            ),
            json("transaction_at", "/date", Instant, "the same instant in UTC").crm(C::DateTime, "Transaction Time"),
            derived("transaction_day", Day, "the store's calendar day: the first ten characters of transaction_date"),
            json("description", "/description", Text, "free text").personal().crm(C::Text, "Description").cuttable(),
            json("amount", "/amount", Money, "positive for refunds too; 0 for events without money")
                .unit("currency")
                .crm(C::Currency, "Amount"),
            json("usd_amount", "/usd_amount", Money, "the same in USD")
                .unit("USD")
                .drifts(Drift::Equivalent)
                .crm(C::Decimal, "Amount USD"),
            json("currency", "/currency", Text, "the currency of amount"),
            json("billing_frequency", "/billing_frequency", Text, "how often the subscription renewed then")
                .known(FREQUENCIES)
                .crm(C::Text, "Billing Frequency"),
            json("pay_period", "/pay_period", Text, "the store's own word for the period: YEAR, MONT"),
            json("next_recurring_date", "/next_recurring_date", Day, "the next renewal as known then"),
            json("subscription_type", "/subscription_type", Text, "online or offline")
                .known(SUBSCRIPTION_TYPES)
                .crm(C::Text, "Subscription Type")
                .sql("s.subscription_type"),
            json("profile_id", "/profile_id", Text, "the payment profile").pseudonym().crm(C::Text, "Profile ID"),
            json("service_id", "/service_id", Integer, "the service's catalogue id").crm(C::Text, "Service ID"),
            json("service_name", "/service_name", Text, "the service as this record names it")
                .crm(C::Text, "Service Name"),
            json("plan_id", "/plan_id", Integer, "the plan's id; 0 when the plan is gone").crm(C::Text, "Plan ID"),
            json("plan_name", "/plan_name", Text, "the plan as this record names it").crm(C::Text, "Plan Name"),
            json("pricing_type", "/pricing_type", Text, "list_price or partner_price")
                .known(PRICING_TYPES)
                .crm(C::Picklist, "Pricing Type"),
            json("done_by_type", "/done_by_type", Text, "who did it").known(&["user", "zoho_store", "marketplace"]),
            json("invoice_id", "/invoice_id", Integer, "the invoice's id, up to 19 digits"),
            json("invoice_number", "/invoice_number", Text, "the invoice's number; a credit note's for a refund"),
            push(
                "subscription",
                C::Lookup(LookupTo::Kind(Kind::Subscriptions)),
                "Subscription",
                "its subscription in the CRM",
            ),
        ],
        MIRROR,
    ],
    payload_only: &["/transaction_id", "/id"],
    versions: None,
    derive: derive_transaction,
    addons: None,
    module_label: Some("Partner Transactions"),
    pushes_removed: false,
};

pub(super) static COMMISSIONS: Table = Table {
    kind: Kind::Commissions,
    view: "commissions",
    records: "commission_records",
    key: "commission_id",
    text_key: false,
    columns: &[
        NAME,
        &[
            column("store_id", Mirror, Text, "the store's name in the configuration"),
            column("commission_id", Key(&["/commission_id"]), Integer, "the commission's id in its store")
                .crm(C::Text, "Commission ID"),
            json("subscription_id", "/subscription/subscription_id", Integer, "the subscription it was earned on"),
            json("transaction_id", "/transaction/transaction_id", Integer, "the transaction it was earned on"),
            joined("customer_id", Text, "the customer of its subscription, else own_customer_id"),
            derived("own_customer_id", Text, "its own lower-case email, else its profile_id"),
            json("type", "/type", Text, "commission or commission_reversal")
                .known(&["commission", "commission_reversal"])
                .crm(C::Picklist, "Type"),
            json("commission_type", "/commission_type", Text, "Base; others may exist")
                .known(&["Base"])
                .crm(C::Picklist, "Commission Type"),
            json("status", "/status", Text, "open, requested or closed, as received")
                .known(&["open", "requested", "closed"])
                .crm(C::Picklist, "Status"),
            derived("state", Text, "active, requested, paid, offset (consumed by a reversal) or removed")
                .crm(C::Picklist, "State"),
            json("commission_day", "/date", Day, "the accounted day; may be the day after the transaction")
                .crm(C::Date, "Commission Date"),
            json("allotted_day", "/allotted_date", Day, "the allotted day; equals commission_day wherever seen"),
            json("payout_id", "/payout_id", Integer, "the payout it is part of; -1 when none")
                .crm(C::Text, "Payout ID")
                .sql("case when r.payout_id > 0 then r.payout_id end"),
            json("entity", "/entity", Text, "the Zoho company that pays").crm(C::Text, "Entity"),
            json("currency", "/currency", Text, "the transaction's currency").crm(C::Text, "Currency Code"),
            json("currency_symbol", "/currency_symbol", Text, "the symbol of currency"),
            json("payout_currency", "/payout_currency", Text, "the entity's currency").crm(C::Text, "Payout Currency"),
            json("exchange_rate", "/exchange_rate", Decimal, "from currency to payout_currency")
                .unit("payout_currency per currency")
                .drifts(Drift::Rate)
                .crm(C::Decimal, "Exchange Rate"),
            json("commission", "/commission", Money, "as received; positive on reversals too")
                .unit("currency")
                .crm(C::Currency, "Commission"),
            json("base_commission", "/base_commission", Money, "commission × exchange_rate; positive on reversals too")
                .unit("payout_currency")
                .drifts(Drift::Scaled),
            json("payout_commission", "/payout_commission", Money, "the part in a payout").unit("currency"),
            json("balance_commission", "/balance_commission", Money, "the part not yet paid").unit("currency"),
            derived("sign", Integer, "-1 for a reversal, 1 otherwise"),
            derived("net_payout", Money, "sign × |base_commission|")
                .unit("payout_currency")
                .drifts(Drift::Scaled)
                .crm(C::Decimal, "Net Payout"),
            derived("net_usd", Money, "sign × |usd_commission|, else net_payout when that is in USD")
                .unit("USD")
                .drifts(Drift::Equivalent)
                .crm(C::Decimal, "Commission USD"),
            derived("balance_payout", Money, "sign × |balance_commission| × exchange_rate; empty when removed")
                .unit("payout_currency")
                .drifts(Drift::Scaled)
                .crm(C::Decimal, "Balance"),
            derived("payout_amount", Money, "sign × |payout_commission| × exchange_rate").unit("payout_currency"),
            json("eligible_amount", "/eligible_txn_amount", Money, "the base of the rate, as received")
                .unit("eligible_currency")
                .crm(C::Decimal, "Eligible Amount"),
            json("eligible_usd_amount", "/eligible_txn_usd_amount", Money, "the base in USD; newer records only")
                .unit("USD")
                .drifts(Drift::Equivalent),
            derived("eligible_currency", Text, "the currency of eligible_amount"),
            json("usd_commission", "/usd_commission", Money, "the commission in USD, signed; newer records only")
                .unit("USD")
                .drifts(Drift::Equivalent),
            json("usd_currency_symbol", "/usd_currency_symbol", Text, "the symbol of USD; newer records only"),
            derived("rate", Rate, "commission ÷ base as a fraction, magnitudes")
                .unit("fraction")
                .crm(C::Decimal, "Rate"),
            json("company_name", "/subscription/customer_company_name", Text, "the customer's company").personal(),
            json("email", "/subscription/email_id", Text, "the customer's email").personal(),
            json("profile_id", "/subscription/profile_id", Text, "the payment profile").pseudonym(),
            json("service_id", "/transaction/service_id", Integer, "the service's catalogue id"),
            json("service_name", "/transaction/service_name", Text, "the service as this record names it"),
            json("country", "/transaction/country", Text, "the customer's country"),
            json(
                "transaction_date",
                "/transaction/transaction_date",
                LocalTime,
                "the transaction's date and time in the store's calendar",
            ),
            json(
                "transaction_amount",
                "/transaction/amount",
                Money,
                "the transaction's amount; positive for refunds too",
            )
            .unit("transaction_currency"),
            json("transaction_currency", "/transaction/currency", Text, "the transaction's currency"),
            json("transaction_description", "/transaction/transaction_description", Text, "the transaction's text")
                .personal(),
            push(
                "subscription",
                C::Lookup(LookupTo::Kind(Kind::Subscriptions)),
                "Subscription",
                "its subscription in the CRM",
            ),
            push(
                "transaction",
                C::Lookup(LookupTo::Kind(Kind::Transactions)),
                "Transaction",
                "its transaction in the CRM",
            ),
        ],
        MIRROR,
    ],
    payload_only: &[
        "/commission_id",
        "/commission_formatted",
        "/base_commission_formatted",
        "/payout_commission_formatted",
        "/balance_commission_formatted",
        "/usd_commission_formatted",
        "/eligible_txn_amount_formatted",
        "/eligible_txn_usd_amount_formatted",
        "/transaction/amount_formatted",
    ],
    versions: Some(Versions {
        table: "commission_versions",
        columns: &[
            "status",
            "state",
            "payout_id",
            "net_payout_micros",
            "net_usd_micros",
            "balance_payout_micros",
            "payout_amount_micros",
        ],
    }),
    derive: derive_commission,
    addons: None,
    module_label: Some("Partner Commissions"),
    pushes_removed: false,
};

/// The members of one add-on (contract §4), in the order of `subscription_addons`.
pub(super) const ADDON_COLUMNS: &[Column] = &[
    json("addon_id", "/addons/*/addon_id", Integer, "the add-on's catalogue id"),
    json("addon_name", "/addons/*/addon_name", Text, "the add-on's name"),
    json("value", "/addons/*/value", Real, "how many of it"),
];
