//! The demo's rights as a stranger finds them over HTTP: every route, asked by everybody whom `demo.json` names.

use std::collections::BTreeMap;

use reqwest::{Client, Method};
use serde_json::Value;

use super::support::demo::{Place, sign_in};

const ROUTES: &str = include_str!("../http/routes.tsv");
const MATRIX: &str = include_str!("../http/permissions.tsv");
/// What nobody has: so that whoever may ask is told 404 or what is wrong, and nothing changes.
const ABSENT: &str = "0197b9c4-0000-7000-8000-000000000000";

/// By right, the roles that hold it.
fn matrix() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut lines = MATRIX.lines();
    let roles: Vec<&str> = lines.next().unwrap().split('\t').skip(1).collect();
    let holding = |line: &'static str| {
        let mut cells = line.split('\t');
        let right = cells.next().unwrap();
        let held = roles.iter().zip(cells).filter(|(_, cell)| *cell == "1");
        (right, held.map(|(role, _)| *role).collect())
    };
    lines.map(holding).collect()
}

/// The status that somebody is refused with, where they are.
fn refusal(matrix: &BTreeMap<&str, Vec<&str>>, right: &str, user: Option<&Value>) -> Option<u16> {
    let Some(user) = user else {
        return (right != "public").then_some(401);
    };
    let role = user["role"].as_str();
    match right {
        "public" | "own" => None,
        right if right.starts_with("platform.") => (user["platform_manager"] != true).then_some(403),
        "org.api_keys" if role.is_none() => Some(403),
        // The platform's manager has to say which tenant.
        _ if role.is_none() => Some(400),
        "member" => None,
        right => (!matrix[right].contains(&role.unwrap())).then_some(403),
    }
}

#[tokio::test]
async fn a01_the_demos_users_may_what_the_matrix_says_of_every_route_and_nothing_else() {
    let place = Place::new();
    let running = place.ready();
    let record = place.record();
    let (api, users) = (
        record["api"].as_str().unwrap(),
        record["users"].as_array().unwrap(),
    );
    let (client, matrix) = (Client::new(), matrix());
    let mut asked = 0;
    for user in users.iter().map(Some).chain([None]) {
        let token = match user {
            Some(user) => Some(sign_in(&record, user).await),
            None => None,
        };
        for line in ROUTES.lines().filter(|line| !line.starts_with('#')) {
            let [method, path, right] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
            let method: Method = method.parse().unwrap();
            let url = format!("{api}{}", path.replace("{id}", ABSENT).replace("{file}", "none"));
            let mut request = client.request(method.clone(), url);
            if !method.is_safe() {
                // No body that anything could be done by.
                request = request.header("content-type", "application/json").body("[");
            }
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let streams = answer
                .headers()
                .get("content-type")
                .is_some_and(|kind| kind == "text/event-stream");
            // A stream has no end of its own.
            let body: Value = if streams {
                Value::Null
            } else {
                answer.json().await.unwrap_or_default()
            };
            let who = user.map_or("nobody", |user| user["email"].as_str().unwrap());
            match refusal(&matrix, right, user) {
                Some(400) => assert_eq!(body["code"], "tenant_required", "{who} {method} {path}: {body}"),
                Some(refused) => assert_eq!(status, refused, "{who} {method} {path}: {body}"),
                None => assert!(
                    !matches!(status, 401 | 403) && body["code"] != "tenant_required" && status < 500,
                    "{who} {method} {path}: {status} {body}"
                ),
            }
            asked += 1;
        }
    }
    assert!(asked > 10 * 80, "{asked}");
    // Whoever may change something has changed nothing: everybody is still there.
    for user in users {
        sign_in(&record, user).await;
    }
    assert_eq!(running.terminate().code(), Some(0));
}
