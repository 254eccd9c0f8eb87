//! Random requests: whatever is sent, the answer is one that the contract knows, and never the server's own fault.
//!
//! What every answer promises is checked by the client.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Map, Value, json};
use switchyard::http::routes::table;

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// Who sends them.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Sender {
    /// One of the operator's people, in a tenant.
    Manager,
    /// Of that tenant, who alone may have to do with its API keys.
    Owner,
}

/// With each database.
const REQUESTS: usize = 1_000;

const FIELDS: [&str; 22] = [
    "number",
    "name",
    "status",
    "secret",
    "caller_id",
    "voicemail",
    "forward",
    "ring_time",
    "recording",
    "max_contacts",
    "codecs",
    "transport",
    "outbound_class",
    "enabled",
    "pin",
    "email",
    "busy",
    "always",
    "id",
    "tenant_id",
    "permissions",
    "expires_at",
];

const WORDS: [&str; 10] = [
    "1001",
    "2002",
    "Ann",
    "active",
    "alaw",
    "udp",
    "always",
    "a@b.example",
    "+49301",
    "config.read",
];

#[derive(Clone, Debug)]
struct Drawn {
    method: String,
    path: &'static str,
    id: String,
    query: String,
    content_type: String,
    body: Vec<u8>,
    headers: Vec<(&'static str, Vec<u8>)>,
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-5..400_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,9}".prop_map(Value::from),
        proptest::sample::select(&WORDS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let name = prop_oneof![9 => proptest::sample::select(&FIELDS[..]).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name, inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Mostly an extension or an API key, with something replaced in three of four, otherwise any JSON, otherwise any bytes.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let replaced = (proptest::sample::select(&FIELDS[..]), json_value());
    let good = prop_oneof![
        3 => "[0-9]{2,8}".prop_map(|number| json!({"number": number, "name": "Ann"})),
        2 => Just(json!({"name": "crm", "permissions": ["config.read"]})),
    ];
    let nearly_good = (good, proptest::option::weighted(0.75, replaced)).prop_map(|(mut body, replaced)| {
        if let Some((field, value)) = replaced {
            body[field] = value;
        }
        body.to_string().into_bytes()
    });
    let rows = vec(json_value(), 0..4).prop_map(|rows| Value::from(rows).to_string().into_bytes());
    prop_oneof![
        5 => nearly_good,
        3 => json_value().prop_map(|value| value.to_string().into_bytes()),
        2 => rows,
        1 => vec(any::<u8>(), 0..200),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "page",
        "per_page",
        "sort",
        "search",
        "status",
        "wait",
        "dry_run",
        "[a-z]{1,6}"
    ];
    let value = prop_oneof![
        "[0-9]{1,20}",
        "-?(name|number|status)",
        "(%[0-9A-F]{2}){0,6}",
        "[ -\"$-~]{0,12}",
        "true|false|",
    ];
    let pairs = vec((name, value), 0..3);
    // What cannot stand in a URL at all never reaches the server.
    pairs.prop_map(|pairs| {
        let text: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        text.join("&").replace(' ', "+")
    })
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let header = prop_oneof![
        Just("x-operate-as-tenant"),
        Just("x-reason"),
        Just("authorization"),
        Just("x-request-id"),
        Just("idempotency-key"),
        Just("if-match"),
        Just("last-event-id"),
        Just("content-encoding"),
        Just("accept"),
    ];
    let value = vec(prop_oneof![9 => 0x20..0x7f_u8, 1 => 0x80..=0xff_u8], 0..40);
    let content_type = prop_oneof![9 => Just("application/json".to_owned()), 1 => "[ -~]{0,30}"];
    // Mostly a route that is there, and every third time one that makes extensions or API keys: what else makes something
    // takes bodies that are hardly drawn.
    let routes: Vec<_> = table()
        .iter()
        // After which every answer would be the same.
        .filter(|route| route.path() != "/api/v1/auth/logout")
        .map(|route| (route.method().to_string(), route.path()))
        .chain(std::iter::repeat_n(("POST".to_owned(), "/api/v1/extensions"), 24))
        .chain(std::iter::repeat_n(("POST".to_owned(), "/api/v1/api-keys"), 12))
        .collect();
    let methods = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"];
    let mixed = (
        proptest::sample::select(methods.map(str::to_owned).to_vec()),
        proptest::sample::select(routes.clone()),
    );
    let route = prop_oneof![
        9 => proptest::sample::select(routes),
        1 => mixed.prop_map(|(method, (_, path))| (method, path)),
    ];
    // A client takes these two for `.` and `..`, and asks for another path.
    let encoded = "(%[0-9A-F]{2}){1,6}".prop_filter("a dot segment", |id| id != "%2E" && id != "%2E%2E");
    (
        route,
        prop_oneof![8 => Just("{known}".to_owned()), 1 => "[0-9a-f-]{1,40}", 1 => encoded],
        query(),
        content_type,
        body(),
        vec((header, value), 0..2),
    )
        .prop_map(|((method, path), id, query, content_type, body, headers)| {
            let takes_none = method == "DELETE" || path.contains("{id}/") || path.ends_with("/deploy");
            Drawn {
                method,
                path,
                id,
                query: if body.len() % 3 == 0 { query } else { String::new() },
                content_type,
                headers: if body.len() % 4 == 0 { headers } else { Vec::new() },
                // What takes no body mostly gets none.
                body: if takes_none && body.len() % 3 != 0 {
                    Vec::new()
                } else {
                    body
                },
            }
        })
}

/// Neither all good nor all refused at the door.
const REACHED: [u16; 7] = [200, 201, 204, 400, 404, 405, 422];

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_sent_is_the_servers_fault(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(Sender::Manager, Sender::Owner)] sender: Sender,
) {
    let server = Server::start(backend).await;
    let owner = server.person("olga", &server.acme, "owner").await;
    let mut extension = server.extension("1001").await;
    let deployment = server.deployment_in(&server.acme).await;
    let key = json!({"name": "first", "permissions": ["users.list"]});
    let key = server.of(&owner.token, Method::POST, "/api-keys").json(&key);
    let key = key.send().await.data(201)["id"].as_str().unwrap().to_owned();
    let mut runner = TestRunner::new(ProptestConfig::default());
    let mut seen = std::collections::BTreeMap::<u16, u32>::new();
    let mut keys = 0;
    for number in 0..4 * REQUESTS {
        // What is drawn decides how soon each answer has come; the bound ends a run in which one never does.
        let whole = keys > 0 || sender == Sender::Manager;
        if number >= REQUESTS && whole && REACHED.iter().all(|status| seen.contains_key(status)) {
            break;
        }
        let request = drawn().new_tree(&mut runner).unwrap().current();
        let known = match request.path {
            path if path.contains("deployments") => &deployment,
            path if path.contains("api-keys") => &key,
            _ => &extension,
        };
        let path = request
            .path
            .replace("{id}", &request.id.replace("{known}", known));
        let path = if request.query.is_empty() {
            path
        } else {
            format!("{path}?{}", request.query)
        };
        let method: Method = request.method.parse().unwrap();
        let ask = match sender {
            Sender::Manager => server.ask(method, ""),
            Sender::Owner => server.of(&owner.token, method, ""),
        };
        let mut ask = ask.at(&path).bytes(request.body.clone());
        ask = ask.with("content-type", &request.content_type);
        for (name, value) in &request.headers {
            ask = ask.with_bytes(name, value);
        }
        let answer = ask.send().await;
        let known = [200, 201, 202, 204, 400, 401, 404, 405, 409, 412, 413, 415, 422];
        let denied = match sender {
            // The operator's people have no right to a tenant's keys.
            Sender::Manager => request.path.contains("/api-keys"),
            // Tenants' people have none on the platform, and enter no other tenant.
            Sender::Owner => {
                let enters = request
                    .headers
                    .iter()
                    .any(|(name, _)| *name == "x-operate-as-tenant");
                enters || request.path.contains("/platform/")
            }
        };
        assert!(
            known.contains(&answer.status) || denied && answer.status == 403,
            "{request:?}: {answer:?}"
        );
        *seen.entry(answer.status).or_default() += 1;
        if request.path == "/api/v1/api-keys" && answer.status == 201 {
            keys += 1;
        }
        if request.method == "DELETE" && answer.status == 204 {
            // Numbers come to an end otherwise.
            let made = server.post("/extensions", &json!({"number": "77777777", "name": "Next"}));
            let made = made.send().await;
            if made.status == 201 {
                made.data(201)["id"].as_str().unwrap().clone_into(&mut extension);
            }
        }
    }
    for status in REACHED {
        assert!(seen.contains_key(&status), "no {status}: {seen:?}");
    }
    assert_eq!(keys > 0, sender == Sender::Owner, "{keys} API keys were made");
}
