//! The tour for a new user: the simulated servers, a configuration that reaches them, and the whole chain run on them.

use serde_json::Value;

/// The configuration file that reaches a simulator.
pub fn config_text(connection: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let accounts = text(&connection["accounts_url"]);
    let mut config = String::from("[database]\npath = \"mirror.db\"\n");
    for (name, store) in connection["stores"].as_object().into_iter().flatten() {
        let data_center = if name == "us" { "com" } else { name };
        config.push_str(&format!(
            "\n[stores.{name}]\ndata_center = \"{data_center}\"\nclient_id = \"{}\"\napi_url = \"{}\"\naccounts_url = \"{accounts}\"\nrequests_per_minute = 6000\n",
            text(&store["client_id"]),
            text(&store["api_url"]),
        ));
    }
    let crm = &connection["crm"];
    config.push_str(&format!(
        "\n[crm]\ndata_center = \"com\"\nclient_id = \"{}\"\napi_url = \"{}\"\naccounts_url = \"{accounts}\"\n",
        text(&crm["client_id"]),
        text(&crm["api_url"]),
    ));
    config
}

/// The secrets of a simulator, as lines for a shell.
pub fn environment_text(connection: &Value) -> String {
    let mut lines = String::new();
    let mut add = |prefix: &str, secrets: &Value| {
        for key in ["client_secret", "refresh_token"] {
            lines.push_str(&format!(
                "export {prefix}_{}={}\n",
                key.to_uppercase(),
                secrets[key].as_str().unwrap_or_default()
            ));
        }
    };
    for (name, store) in connection["stores"].as_object().into_iter().flatten() {
        add(&format!("STOREMIRROR_STORES_{}", name.to_uppercase()), store);
    }
    add("STOREMIRROR_CRM", &connection["crm"]);
    lines
}

/// What `simulate` prints: a config.toml and the environment that goes with it.
pub fn connection_text(connection: &Value) -> String {
    format!(
        "# config.toml\n{}\n# environment\n{}\n# serving on {} until Ctrl-C",
        config_text(connection),
        environment_text(connection),
        connection["accounts_url"].as_str().unwrap_or_default()
    )
}
