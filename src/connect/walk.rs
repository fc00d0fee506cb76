//! The way through Zoho's Self Client, in words: which page, which scopes, how long the code lives.

use crate::config::{DataCenter, Party};

/// The scopes of a store (store contract §1). Leads only when they are listed: less asked for is less to lose.
const STORE_SCOPES: [&str; 3] =
    ["ZohoPayments.subscriptions.READ", "ZohoPayments.transactions.READ", "ZohoPayments.commissions.READ"];
const LEADS_SCOPE: &str = "ZohoPayments.leads.READ";
/// What stands in for the commissions' scope, which Zoho's own page does not name (store contract §1).
const FALLBACK_SCOPE: &str = "ZohoPayments.fullaccess.READ";

/// The scopes of the CRM (CRM contract §9): records, the modules and fields `crm setup` makes, and what it reads for it.
const CRM_SCOPES: [&str; 8] = [
    "ZohoCRM.modules.custom.ALL",
    "ZohoCRM.modules.accounts.READ",
    "ZohoCRM.settings.modules.ALL",
    "ZohoCRM.settings.fields.ALL",
    "ZohoCRM.settings.layouts.READ",
    "ZohoCRM.settings.profiles.READ",
    "ZohoCRM.org.READ",
    "ZohoCRM.coql.READ",
];

/// The scopes, as the console wants them: commas, no spaces.
pub(super) fn scopes(party: &Party, with_leads: bool) -> String {
    match party {
        Party::Crm => CRM_SCOPES.join(","),
        Party::Store(_) if with_leads => format!("{},{LEADS_SCOPE}", STORE_SCOPES.join(",")),
        Party::Store(_) => STORE_SCOPES.join(","),
    }
}

/// What the person has to do; without a data centre, it is being looked for.
pub(super) fn text(party: &Party, center: Option<&DataCenter>, with_leads: bool) -> String {
    let label = party.label();
    let (title, page) = match center {
        Some(center) => (format!("Connecting {label}, data centre {}.", center.name), center.console()),
        None => (
            format!("Connecting {label}, data centre to be found."),
            "https://api-console.zoho.com/, or its sister where you sign in (api-console.zoho.eu, …),".to_owned(),
        ),
    };
    let scopes = scopes(party, with_leads);
    let note = match party {
        Party::Crm => "\n  4. If Zoho asks, choose CRM and the organisation that the mirror goes to.".to_owned(),
        Party::Store(_) => {
            format!(
                "\n     If Zoho refuses ZohoPayments.commissions.READ, put {FALLBACK_SCOPE} in its place.\
                 \n  4. If Zoho asks, choose the account of the partner."
            )
        }
    };
    format!(
        "{title}\n\
         \x20 1. Open {page} and choose Self Client (make one if there is none).\n\
         \x20 2. Its tab \"Client Secret\" shows the client id and the client secret.\n\
         \x20 3. In its tab \"Generate Code\" enter exactly this scope, and the longest time (10 minutes):\n\
         \x20    {scopes}{note}\n\
         \x20 5. Copy the code. It works once, and only for the minutes chosen (3 unless you chose more)."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::data_center::find;

    #[test]
    fn leads_are_asked_for_only_where_they_are_listed() {
        let us = Party::Store("us".to_owned());
        let plain = "ZohoPayments.subscriptions.READ,ZohoPayments.transactions.READ,ZohoPayments.commissions.READ";
        assert_eq!(scopes(&us, false), plain);
        assert_eq!(scopes(&us, true), format!("{plain},ZohoPayments.leads.READ"));
    }

    #[test]
    fn the_crm_scopes_are_those_of_the_contract() {
        assert_eq!(
            scopes(&Party::Crm, false),
            "ZohoCRM.modules.custom.ALL,ZohoCRM.modules.accounts.READ,ZohoCRM.settings.modules.ALL,\
             ZohoCRM.settings.fields.ALL,ZohoCRM.settings.layouts.READ,ZohoCRM.settings.profiles.READ,\
             ZohoCRM.org.READ,ZohoCRM.coql.READ"
        );
    }

    #[test]
    fn the_way_names_page_scope_and_time() {
        let walk = text(&Party::Store("eu".to_owned()), find("eu"), false);
        for part in ["https://api-console.zoho.eu/", "commissions.READ\n", "fullaccess.READ", "10 minutes", "3 unless"]
        {
            assert!(walk.contains(part), "{part} in {walk}");
        }
        assert!(text(&Party::Crm, None, false).contains("https://api-console.zoho.com/"));
    }
}
