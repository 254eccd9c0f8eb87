//! How each route of the platform's tenants, users and PBX instances is asked so that it changes something.

use reqwest::Method;
use serde_json::{Value, json};

use super::client::Ask;
use super::server::Server;

/// Of these routes, a request for each action that it can leave; `path` as the table has it, without `/api/v1`.
pub async fn changes<'a>(server: &'a Server, method: &Method, path: &str) -> Option<Vec<Ask<'a>>> {
    let at = |id: &str| server.platform(method.clone(), &path.replace("{id}", id));
    let change = match (method.as_str(), path) {
        ("POST", "/platform/tenants") => at("")
            .json(&json!({"name": "Initech", "domain": "initech.example.com",
            "owner_name": "Bill", "owner_email": "bill@initech.example"})),
        ("PATCH", "/platform/tenants/{id}") => at(&server.acme).json(&json!({"max_users": 7})),
        ("POST", "/platform/tenants/{id}/suspend") => at(&server.acme).json(&json!({"category": "pause"})),
        ("POST", "/platform/tenants/{id}/reactivate") => {
            server.suspend(&server.acme).await;
            at(&server.acme)
        }
        ("DELETE", "/platform/tenants/{id}") => {
            server.suspend(&server.globex).await;
            at(&server.globex).json(&json!({"confirm": "Globex"}))
        }
        ("PATCH" | "DELETE", "/platform/users/{id}") | ("PUT", "/platform/users/{id}/tenant") => {
            let bob = server.person("bob", &server.acme, "agent").await;
            match method.as_str() {
                "PATCH" => at(&bob.id).json(&json!({"name": "Robert"})),
                "PUT" => at(&bob.id).json(&json!({"tenant_id": server.globex})),
                _ => at(&bob.id),
            }
        }
        ("POST", "/platform/pbx-instances" | "/platform/pbx-instances/test") => {
            at("").json(&instance("second"))
        }
        ("PATCH", "/platform/pbx-instances/{id}") => {
            at(&server.instance().await).json(&json!({"log_file": "/var/log/asterisk/ours"}))
        }
        ("DELETE", "/platform/pbx-instances/{id}") | ("POST", "/platform/pbx-instances/{id}/give-up") => {
            let made = server.platform(Method::POST, "/platform/pbx-instances");
            let made = made.json(&instance("second")).send().await;
            let ask = at(made.data(201)["id"].as_str().unwrap());
            if method == Method::DELETE {
                ask
            } else {
                ask.json(&json!({"confirm": "second"}))
            }
        }
        ("POST", "/platform/pbx-instances/{id}/test" | "/platform/pbx-instances/{id}/deploy") => {
            at(&server.instance().await)
        }
        _ => return None,
    };
    Some(vec![change])
}

/// An instance that nothing listens for.
pub fn instance(name: &str) -> Value {
    json!({"name": name, "ami_port": 1, "ami_username": "switchyard", "ami_secret": "not a secret",
        "config_dir": format!("/nowhere/{name}")})
}
