//! Zoho's data centres and the hosts that follow from each (store contract §1, CRM contract §9). Nothing else is ever
//! contacted, unless the configuration overrides an address.

use crate::model::nearest::choices;

pub struct DataCenter {
    pub name: &'static str,
    /// The domain of the accounts server and the store.
    zoho: &'static str,
    /// The domain of the API host.
    api: &'static str,
}

/// Main ones first: the order in which they are tried when a user does not know theirs.
pub const DATA_CENTERS: [DataCenter; 9] = [
    DataCenter { name: "com", zoho: "zoho.com", api: "zohoapis.com" },
    DataCenter { name: "eu", zoho: "zoho.eu", api: "zohoapis.eu" },
    DataCenter { name: "in", zoho: "zoho.in", api: "zohoapis.in" },
    DataCenter { name: "com.au", zoho: "zoho.com.au", api: "zohoapis.com.au" },
    DataCenter { name: "com.cn", zoho: "zoho.com.cn", api: "zohoapis.com.cn" },
    DataCenter { name: "jp", zoho: "zoho.jp", api: "zohoapis.jp" },
    DataCenter { name: "ca", zoho: "zohocloud.ca", api: "zohoapis.ca" },
    DataCenter { name: "sa", zoho: "zoho.sa", api: "zohoapis.sa" },
    DataCenter { name: "uk", zoho: "zoho.uk", api: "zohoapis.uk" },
];

impl DataCenter {
    pub fn accounts(&self) -> String {
        format!("https://accounts.{}", self.zoho)
    }

    pub fn store_api(&self) -> String {
        format!("https://store.{}/api/v1/partner", self.zoho)
    }

    /// The page where a Self Client is made.
    pub fn console(&self) -> String {
        format!("https://api-console.{}/", self.zoho)
    }

    pub fn crm_api(&self) -> String {
        format!("https://www.{}", self.api)
    }
}

pub fn find(name: &str) -> Option<&'static DataCenter> {
    DATA_CENTERS.iter().find(|center| center.name == name)
}

pub fn unknown(name: &str) -> String {
    let names: Vec<&str> = DATA_CENTERS.iter().map(|center| center.name).collect();
    format!("no data centre {name:?}; {}", choices(name, "they are", &names))
}

/// The order in which the data centres are tried: the one that is configured, then the main ones.
pub fn order(configured: Option<&str>) -> Vec<&'static DataCenter> {
    let is_configured = |center: &&DataCenter| Some(center.name) == configured;
    let first = DATA_CENTERS.iter().filter(is_configured);
    first.chain(DATA_CENTERS.iter().filter(|center| !is_configured(center))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(configured: Option<&str>) -> Vec<&'static str> {
        order(configured).into_iter().map(|center| center.name).collect()
    }

    #[test]
    fn the_main_data_centres_are_tried_first_and_each_once() {
        assert_eq!(names(None), ["com", "eu", "in", "com.au", "com.cn", "jp", "ca", "sa", "uk"]);
        assert_eq!(names(Some("jp")), ["jp", "com", "eu", "in", "com.au", "com.cn", "ca", "sa", "uk"]);
    }

    #[test]
    fn the_console_stands_beside_the_accounts_server() {
        let console = |name| find(name).map(DataCenter::console);
        assert_eq!(console("com").as_deref(), Some("https://api-console.zoho.com/"));
        assert_eq!(console("ca").as_deref(), Some("https://api-console.zohocloud.ca/"));
        assert_eq!(console("de"), None);
    }
}
