//! How each route of users, roles, sessions and tickets is asked so that it changes something.

use reqwest::Method;
use serde_json::json;

use super::client::Ask;
use super::people::PASSWORD;
use super::server::Server;

const NEW_PASSWORD: &str = "another good one";

/// Of these routes, a request for each action that it can leave; `path` as the table has it, without `/api/v1`.
pub async fn changes<'a>(server: &'a Server, method: &Method, path: &str) -> Option<Vec<Ask<'a>>> {
    let ann = server.person("ann", &server.acme, "agent").await;
    let own = |path: &str| server.of(&ann.token, method.clone(), path);
    let inside = |path: &str| server.ask(method.clone(), &path.replace("{id}", &ann.id));
    let platform = |path: &str| server.platform(method.clone(), &path.replace("{id}", &ann.id));
    let change = match (method.as_str(), path) {
        ("POST", "/auth/user-login") => {
            let public = || own(path).without("authorization");
            let by_password = json!({"email": ann.email, "password": PASSWORD});
            let body = json!({"email": "invited@example.com", "name": "Ida", "role": "agent"});
            let invited = server.post("/org-users/invite", &body).send().await;
            invited.data(201);
            let accepting = json!({"firebase_token": server.id_token("invited@example.com")});
            let linking = json!({"firebase_token": server.id_token(&ann.email)});
            let bodies = [by_password, accepting, linking];
            return Some(bodies.iter().map(|body| public().json(body)).collect());
        }
        ("POST", "/auth/refresh" | "/auth/logout") | ("DELETE", "/auth/sessions") => own(path),
        ("DELETE", "/auth/sessions/{id}") => {
            let list = server.of(&ann.token, Method::GET, "/auth/sessions").send().await;
            let id = list.data(200)[0]["id"].as_str().unwrap();
            own(&path.replace("{id}", id))
        }
        ("PATCH", "/org-users/me/profile") => own(path).json(&json!({"name": "Anna"})),
        ("PUT", "/org-users/me/password") => {
            own(path).json(&json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD}))
        }
        ("PUT", "/org-users/{id}/role") => inside(path).json(&json!({"role": "manager"})),
        ("PUT", "/org-users/{id}/extension") => {
            inside(path).json(&json!({"extension_id": server.extension("1009").await}))
        }
        ("POST", "/org-users/{id}/suspend") | ("DELETE", "/org-users/{id}") => inside(path),
        ("POST", "/org-users/{id}/reactivate") => {
            let suspended = server.ask(Method::POST, &format!("/org-users/{}/suspend", ann.id));
            suspended.send().await.data(200);
            inside(path)
        }
        ("POST", "/roles") => inside(path).json(&role("keeper")),
        ("PATCH" | "DELETE", "/roles/{id}") => {
            let made = server.post("/roles", &role("porter")).send().await;
            let id = made.data(201)["id"].as_str().unwrap();
            let ask = server.ask(method.clone(), &path.replace("{id}", id));
            if *method == Method::PATCH {
                ask.json(&json!({"name": "keeper"}))
            } else {
                ask
            }
        }
        ("POST", "/tickets") => inside(path).json(&ticket()),
        ("PATCH" | "DELETE", "/tickets/{id}") | ("POST", "/tickets/{id}/comments") => {
            let made = server.post("/tickets", &ticket()).send().await;
            let id = made.data(201)["id"].as_str().unwrap();
            let ask = server.ask(method.clone(), &path.replace("{id}", id));
            match method.as_str() {
                "PATCH" => ask.json(&json!({"state": "resolved", "assignee_id": ann.id})),
                "POST" => ask.json(&json!({"text": "Have you tried the other phone?"})),
                _ => ask,
            }
        }
        ("POST", "/platform/users") => {
            let body = json!({"tenant_id": server.acme, "name": "Bob", "email": "bob@example.com",
                "password": PASSWORD});
            platform(path).json(&body)
        }
        ("PUT", "/platform/users/{id}/password") => platform(path).json(&json!({"password": NEW_PASSWORD})),
        ("PUT", "/platform/users/{id}/platform-manager") => {
            let change = |manages: bool| platform(path).json(&json!({"platform_manager": manages}));
            return Some(vec![change(true), change(false)]);
        }
        _ => return None,
    };
    Some(vec![change])
}

pub fn ticket() -> serde_json::Value {
    json!({"subject": "No dial tone", "text": "Since noon."})
}

fn role(name: &str) -> serde_json::Value {
    json!({"name": name, "permissions": ["users.list"]})
}
