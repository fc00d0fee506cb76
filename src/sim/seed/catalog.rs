//! What the simulated partner sells and where: services, plans, countries and billing entities.
//!
//! The service ids are those of the contract; prices, plan ids and extensions are invented.

/// One plan of one service.
pub(super) struct Plan {
    pub(super) service_id: i64,
    pub(super) service: &'static str,
    pub(super) id: i64,
    pub(super) name: &'static str,
    /// Cents per seat and month, the same figure in every currency.
    pub(super) seat_cents: i64,
    /// What a seat is called in the add-ons.
    pub(super) unit: &'static str,
    pub(super) addon_id: &'static str,
    /// The partner's own Marketplace extension: commission is 100 %.
    pub(super) is_extension: bool,
    /// How often it is bought, relative to the others.
    pub(super) weight: u32,
}

const fn plan(
    service: (i64, &'static str),
    plan: (i64, &'static str),
    seat_cents: i64,
    addon: (&'static str, &'static str),
    weight: u32,
) -> Plan {
    Plan {
        service_id: service.0,
        service: service.1,
        id: plan.0,
        name: plan.1,
        seat_cents,
        unit: addon.0,
        addon_id: addon.1,
        is_extension: service.0 > 1_000_000_000_000,
        weight,
    }
}

pub(super) const PLANS: [Plan; 12] = [
    plan((360_000, "One"), (360_011, "All Employee Pricing"), 3_700, ("Employee(s)", "360201"), 22),
    plan((360_000, "One"), (360_012, "Enterprise"), 9_000, ("Employee(s)", "360202"), 10),
    plan((2, "CRM"), (211, "Standard"), 1_400, ("User(s)", "2101"), 12),
    plan((2, "CRM"), (212, "Professional"), 2_300, ("User(s)", "2102"), 12),
    plan((2, "CRM"), (213, "Enterprise"), 4_000, ("User(s)", "2103"), 10),
    plan((180_000, "CRM Plus"), (180_011, "Enterprise"), 5_700, ("User(s)", "180201"), 6),
    plan((901, "Creator"), (9_011, "Professional"), 2_000, ("User(s)", "90101"), 6),
    plan((1_501, "Workplace"), (15_011, "Workplace Standard"), 300, ("User", "150101"), 9),
    plan((1_501, "Workplace"), (15_012, "Workplace Professional"), 600, ("User", "150102"), 6),
    plan((1_501, "Workplace"), (15_013, "Mail Premium"), 400, ("User", "150103"), 3),
    plan((1_900_000_000_017, "Sample Ledger Bridge"), (190_001, "Pro"), 900, ("User(s)", "190101"), 3),
    plan((1_900_000_000_029, "Sample Route Planner"), (190_002, "Team"), 500, ("User(s)", "190102"), 1),
];

/// Where commissions are paid from, and in what.
pub(super) struct Entity {
    pub(super) name: &'static str,
    pub(super) currency: &'static str,
}

const fn entity(name: &'static str, currency: &'static str) -> Entity {
    Entity { name, currency }
}

pub(super) const ENTITIES: [Entity; 9] = [
    entity("Zoho US", "USD"),
    entity("Zoho Singapore", "USD"),
    entity("Zoho Netherlands", "EUR"),
    entity("Zoho Australia", "AUD"),
    entity("Zoho Canada", "CAD"),
    entity("Zoho India", "INR"),
    entity("Zoho Japan", "JPY"),
    entity("Zoho Germany", "EUR"),
    entity("Zoho Mexico", "MXN"),
];

/// A country customers come from; `entity` is a place in [`ENTITIES`].
pub(super) struct Country {
    pub(super) name: &'static str,
    pub(super) currency: &'static str,
    pub(super) entity: usize,
    pub(super) state: &'static str,
    pub(super) phone: &'static str,
    pub(super) weight: u32,
}

const fn country(
    name: &'static str,
    currency: &'static str,
    entity: usize,
    place: (&'static str, &'static str),
    weight: u32,
) -> Country {
    Country { name, currency, entity, state: place.0, phone: place.1, weight }
}

pub(super) const US_COUNTRIES: [Country; 9] = [
    country("United States", "USD", 0, ("Oregon", "+1 555 010"), 52),
    country("Canada", "CAD", 4, ("Ontario", "+1 555 011"), 12),
    country("Australia", "AUD", 3, ("Victoria", "+61 5550"), 8),
    country("United Kingdom", "GBP", 1, ("-", "+44 5550"), 8),
    country("Singapore", "USD", 1, ("-", "+65 5550"), 5),
    country("India", "USD", 5, ("Kerala", "+91 5550"), 5),
    country("Japan", "USD", 6, ("--Select State--", "+81 5550"), 3),
    country("Mexico", "USD", 8, ("Jalisco", "+52 5550"), 4),
    country("United Arab Emirates", "USD", 1, ("-", "+971 5550"), 3),
];

pub(super) const EU_COUNTRIES: [Country; 7] = [
    country("Netherlands", "EUR", 2, ("Utrecht", "+31 5550"), 30),
    country("Germany", "EUR", 7, ("Hessen", "+49 5550"), 22),
    country("France", "EUR", 2, ("-", "+33 5550"), 14),
    country("Spain", "EUR", 2, ("--Select State--", "+34 5550"), 10),
    country("Belgium", "EUR", 2, ("-", "+32 5550"), 8),
    country("United Kingdom", "GBP", 2, ("Kent", "+44 5551"), 10),
    country("United Arab Emirates", "EUR", 1, ("-", "+971 5551"), 6),
];

/// How often a subscription is charged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frequency {
    Monthly,
    Quarterly,
    HalfYearly,
    Yearly,
}

impl Frequency {
    pub(super) fn months(self) -> u32 {
        match self {
            Self::Monthly => 1,
            Self::Quarterly => 3,
            Self::HalfYearly => 6,
            Self::Yearly => 12,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::HalfYearly => "half_yearly",
            Self::Yearly => "yearly",
        }
    }

    /// The store cuts the period's name to four letters ("MONT" is its spelling, not ours).
    pub(super) fn pay_period(self) -> &'static str {
        match self {
            Self::Monthly => "MONT",
            Self::Quarterly => "QUAR",
            Self::HalfYearly => "HALF",
            Self::Yearly => "YEAR",
        }
    }
}

/// One of `choices`, by weight.
pub(super) fn pick(random: &mut fastrand::Rng, weights: impl Iterator<Item = u32> + Clone) -> usize {
    let mut left = random.u32(0..weights.clone().sum());
    for (place, weight) in weights.enumerate() {
        if left < weight {
            return place;
        }
        left -= weight;
    }
    0
}
