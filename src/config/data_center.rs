//! Zoho's data centres and the hosts that follow from each (store contract §1, CRM contract §9). Nothing else is ever
//! contacted, unless the configuration overrides an address.

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

    pub fn crm_api(&self) -> String {
        format!("https://www.{}", self.api)
    }
}

pub(super) fn find(name: &str) -> Option<&'static DataCenter> {
    DATA_CENTERS.iter().find(|center| center.name == name)
}

pub(super) fn unknown(name: &str) -> String {
    let names: Vec<&str> = DATA_CENTERS.iter().map(|center| center.name).collect();
    format!("no data centre {name:?}; they are {}", names.join(", "))
}
