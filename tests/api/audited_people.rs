//! How each route of invitations, forgotten passwords, API keys and the own tenant is asked so that it changes something.

use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::json;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::ids::{OneTimeTokenId, SystemIds};
use switchyard::domain::one_time_token::{OneTimeSecret, OneTimeToken, Purpose};
use switchyard::domain::random::SystemRandom;
use switchyard::store::one_time_tokens;

use super::client::Ask;
use super::people::Person;
use super::server::Server;

const NEW_PASSWORD: &str = "another good one";

/// Of these routes; `path` as the table has it, without `/api/v1`.
pub async fn change<'a>(server: &'a Server, method: &Method, path: &str) -> Option<Ask<'a>> {
    let inside = |path: &str| server.ask(method.clone(), path);
    let public = |path: &str| Ask::new(server, method.clone(), path);
    let change = match (method.as_str(), path) {
        ("POST", "/org-users/invite") => inside(path).json(&invitation()),
        ("POST" | "DELETE", "/org-users/{id}/invitation") => {
            let invited = server.post("/org-users/invite", &invitation()).send().await;
            let id = invited.data(201)["id"].as_str().unwrap();
            inside(&path.replace("{id}", id))
        }
        ("POST", "/auth/invitations/accept") => {
            let invited = server.post("/org-users/invite", &invitation()).send().await;
            let link = invited.data(201)["invitation"]["link"].as_str().unwrap();
            let (_, token) = link.split_once("#token=").unwrap();
            public(path).json(&json!({"token": token, "password": NEW_PASSWORD}))
        }
        ("POST", "/auth/password-reset") => {
            let ann = server.person("forgetful", &server.acme, "agent").await;
            public(path).json(&json!({"email": ann.email}))
        }
        ("POST", "/auth/password-reset/confirm") => {
            let ann = server.person("forgetful", &server.acme, "agent").await;
            let token = reset_token(server, &ann).await;
            public(path).json(&json!({"token": token, "password": NEW_PASSWORD}))
        }
        ("PATCH", "/org") => inside(path).json(&json!({"timezone": "Europe/Berlin"})),
        ("POST", "/compliance/purge") => inside(path),
        ("POST", "/compliance/exports") => inside(path).json(&json!({"tenant": true})),
        ("POST", "/compliance/erasure-requests") => inside(path).json(&erasure()),
        ("POST", "/compliance/erasure-requests/{id}/run") => {
            let asked = server
                .post("/compliance/erasure-requests", &erasure())
                .send()
                .await;
            let id = asked.data(201)["id"].as_str().unwrap();
            inside(&path.replace("{id}", id))
        }
        ("PUT", "/compliance/consent") => {
            inside(path).json(&json!({"recording_notice": "all", "recording_notice_sound": "beep"}))
        }
        ("PUT", "/compliance/retention") => inside(path).json(&json!({"call_records": 90})),
        ("POST", "/api-keys") => {
            let owner = server.person("owner", &server.acme, "owner").await;
            server.of(&owner.token, method.clone(), path).json(&key())
        }
        ("POST" | "DELETE", "/api-keys/{id}" | "/api-keys/{id}/rotate") => {
            let owner = server.person("owner", &server.acme, "owner").await;
            let made = server.of(&owner.token, Method::POST, "/api-keys").json(&key());
            let made = made.send().await;
            let id = made.data(201)["id"].as_str().unwrap();
            server.of(&owner.token, method.clone(), &path.replace("{id}", id))
        }
        ("POST", "/webhooks") => inside(path).json(&hook()),
        (_, path) if path.starts_with("/webhooks/{id}") => {
            let made = server.post("/webhooks", &hook()).send().await;
            let id = made.data(201)["id"].as_str().unwrap();
            let ask = inside(&path.replace("{id}", id));
            if *method == Method::PATCH {
                ask.json(&json!({"active": false}))
            } else {
                ask
            }
        }
        _ => return None,
    };
    Some(change)
}

/// What a link for a new password would hold.
async fn reset_token(server: &Server, person: &Person) -> String {
    let secret = OneTimeSecret::generate(&SystemRandom).unwrap();
    let now = SystemClock.now();
    let token = OneTimeToken {
        id: OneTimeTokenId::fresh(&SystemIds),
        user_id: person.id.parse().unwrap(),
        purpose: Purpose::PasswordReset,
        created_at: now,
        expires_at: now + Purpose::PasswordReset.lifetime(),
    };
    let mut tx = server.store.begin("token").await.unwrap();
    one_time_tokens::insert(&mut tx, &token, secret.digest())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    secret.text().expose_secret().to_owned()
}

fn hook() -> serde_json::Value {
    json!({"url": "https://hooks.example.com/", "events": ["tenant.reactivated"]})
}

fn erasure() -> serde_json::Value {
    json!({"number": "+4930123456"})
}

fn invitation() -> serde_json::Value {
    json!({"email": "invited@example.com", "name": "Ida", "role": "agent"})
}

fn key() -> serde_json::Value {
    json!({"name": "crm", "permissions": ["config.read"]})
}
