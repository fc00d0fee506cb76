//! What a person most likely meant by a name that is none: one place for commands' kinds, stores, reports, parameters
//! and the keys of the configuration.

/// How alike two names must be before one is offered for the other; 0.8 forgives a letter or two.
const ALIKE: f64 = 0.8;

/// What one letter too many, too few, wrong or out of place is worth: short names have little else in common.
const ONE_SLIP: f64 = 0.9;
/// Below this length one slip is another name: `us` and `uk`.
const SHORTEST_WITH_SLIP: usize = 3;

/// The name most like `name`, when one is like it at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (alike(&name, &known.to_lowercase()), known))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known)
}

fn alike(name: &str, known: &str) -> f64 {
    let is_slip = name.len() >= SHORTEST_WITH_SLIP && strsim::osa_distance(name, known) == 1;
    strsim::jaro_winkler(name, known).max(if is_slip { ONE_SLIP } else { 0.0 })
}

/// What stands behind the refusal of a name: the one that was probably meant, and all there are after `all`, such as
/// "the kinds are".
pub fn choices(name: &str, all: &str, known: &[&str]) -> String {
    let list = known.join(", ");
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}? {all} {list}"),
        None => format!("{all} {list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_anything_else_is_not() {
        let kinds = ["subscriptions", "transactions", "commissions", "leads"];
        for (typed, meant) in
            [("subscription", "subscriptions"), ("comissions", "commissions"), ("Transactions", "transactions")]
        {
            assert_eq!(nearest(typed, kinds), Some(meant));
        }
        assert_eq!(nearest("invoices", kinds), None);
        assert_eq!(nearest("cvs", ["csv", "html"]), Some("csv"));
        assert_eq!(nearest("us", ["uk", "eu"]), None);
        assert_eq!(choices("led", "they are", &["leads", "x"]), "did you mean leads? they are leads, x");
        assert_eq!(choices("zzz", "they are", &["leads", "x"]), "they are leads, x");
    }
}
