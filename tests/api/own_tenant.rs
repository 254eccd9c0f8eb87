//! The own tenant over HTTP: read, changed of the version that was seen, and what it uses.

use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::live_calls::call;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test]
async fn c12_the_own_tenant_is_changed_of_the_version_that_was_seen(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "admin").await;
    let read = server.of(&ann.token, Method::GET, "/org").send().await;
    assert_eq!(
        (
            &read.data(200)["name"],
            &read.data(200)["session_timeout_minutes"]
        ),
        (&json!("Acme"), &json!(60))
    );
    let seen = read.header("etag").to_owned();
    let change = async |body: serde_json::Value, tag: &str| {
        let ask = server.of(&ann.token, Method::PATCH, "/org").json(&body);
        ask.with("if-match", tag).send().await
    };
    let changed = change(json!({"name": "Acme Two"}), &seen).await;
    assert_eq!(changed.data(200)["name"], "Acme Two");
    assert_ne!(changed.header("etag"), seen);
    assert_eq!(changed.data(200)["recording"], "by_extension");
    let recorded = change(json!({"recording": "always"}), "*").await;
    assert_eq!(recorded.data(200)["recording"], "always");
    assert_ne!(recorded.header("etag"), changed.header("etag"));
    let (notice, sound) = ("recording_notice", "recording_notice_sound");
    assert_eq!(
        (&recorded.data(200)[notice], &recorded.data(200)[sound]),
        (&json!("none"), &json!(null))
    );
    let told = change(json!({notice: "all", sound: "custom/recorded"}), "*").await;
    assert_eq!(
        (&told.data(200)[notice], &told.data(200)[sound]),
        (&json!("all"), &json!("custom/recorded"))
    );
    assert_ne!(told.header("etag"), recorded.header("etag"));
    let other = change(json!({sound: "custom/other"}), "*").await;
    assert_eq!(
        (&other.data(200)[notice], &other.data(200)[sound]),
        (&json!("all"), &json!("custom/other"))
    );
    assert_ne!(other.header("etag"), told.header("etag"));
    let late = change(json!({"name": "Acme Three"}), &seen).await;
    assert_eq!(late.code(), (412, "precondition_failed"));
    for (body, field) in [
        (json!({"domain": "acme.example.net"}), "domain"),
        (json!({"max_users": 1000}), "max_users"),
        (json!({"status": "active"}), "status"),
        (json!({"name": null}), "name"),
        (json!({"session_timeout_minutes": 4}), "session_timeout_minutes"),
        (json!({"timezone": "Mars/Olympus"}), "timezone"),
        (json!({"recording": "sometimes"}), "recording"),
        (json!({"recording": null}), "recording"),
        (json!({notice: "some"}), notice),
        (json!({sound: "../recorded"}), sound),
        (json!({sound: null}), sound),
    ] {
        assert_eq!(change(body, "*").await.fields(), [field]);
    }
    let agent = server.person("bob", &server.acme, "manager").await;
    let denied = server.of(&agent.token, Method::GET, "/org").send().await;
    assert_eq!(denied.code(), (403, "permission_denied"));
}

#[rstest]
#[tokio::test]
async fn a12_nobody_is_to_hear_an_announcement_that_is_not_named(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "admin").await;
    let change = async |body: serde_json::Value| {
        let ask = server.of(&ann.token, Method::PATCH, "/org").json(&body);
        ask.with("if-match", "*").send().await
    };
    for hearers in ["inbound", "all"] {
        let refused = change(json!({"recording_notice": hearers})).await;
        assert_eq!(refused.fields(), ["recording_notice_sound"]);
    }
    // All that is wrong is told at once.
    let refused = change(json!({"name": "", "recording_notice": "all"})).await;
    assert_eq!(refused.fields(), ["name", "recording_notice_sound"]);
    let read = server.of(&ann.token, Method::GET, "/org").send().await;
    assert_eq!(read.data(200)["recording_notice"], "none");
}

#[rstest]
#[tokio::test]
async fn usage_shows_what_is_used_beside_the_limit(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let ann = server.person("ann", &server.acme, "owner").await;
    server.extension("1001").await;
    server
        .database
        .sql("update tenants set max_extensions = 1, max_concurrent_calls = 4")
        .await;
    let usage = async || {
        server
            .of(&ann.token, Method::GET, "/org/usage")
            .send()
            .await
            .data(200)
            .clone()
    };
    let used = usage().await;
    assert_eq!(used["users"], json!({"used": 1, "limit": null}));
    assert_eq!(used["extensions"], json!({"used": 1, "limit": 1}));
    // Nobody listens yet, and nothing was recorded.
    let unknown = json!({"used": null, "as_of": null, "stale": true, "limit": 4});
    assert_eq!(used["concurrent_calls"], unknown);
    assert_eq!(
        (&used["calls"]["used"], &used["calls"]["stale"]),
        (&json!(0), &json!(false))
    );

    let pbx = server.listened_to().await;
    let theirs = call(pbx, "2", &server.globex, &[]);
    server.report(pbx, &[call(pbx, "1", &server.acme, &[]), theirs]);
    server
        .recording(&server.acme, "acme.example.com/1764151265.1.wav")
        .await;
    server
        .recording(&server.globex, "globex.example.com/1764151265.2.wav")
        .await;
    let used = usage().await;
    let calls = &used["concurrent_calls"];
    assert_eq!(
        (&calls["used"], &calls["stale"], &calls["limit"]),
        (&json!(1), &json!(false), &json!(4))
    );
    assert!(calls["as_of"].is_string());
    assert_eq!(used["storage"]["used"], json!(20));
    // C14, as whoever makes one more is told.
    let more = json!({"number": "1002", "name": "Bob"});
    let refused = server.post("/extensions", &more).send().await;
    assert_eq!(refused.code(), (409, "max_extensions_reached"));
}

/// As if so many minutes had passed without any request.
async fn rest(server: &Server, minutes: i64) {
    let by = minutes * 60_000_000;
    let sql = format!("update sessions set last_used_at = last_used_at - {by} returning 'rests'");
    server.database.ask(sql).await;
}

#[rstest]
#[tokio::test]
async fn c12_how_long_a_session_may_rest_is_its_own_tenants(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let owner = server.person("owner", &server.acme, "owner").await;
    let ann = server.person("ann", &server.acme, "agent").await;
    let bob = server.person("bob", &server.globex, "agent").await;
    let five = json!({"session_timeout_minutes": 5});
    let set = server.of(&owner.token, Method::PATCH, "/org").json(&five);
    set.send().await.data(200);
    let standing = async |token: &str| server.standing(token).await.0;
    // Each request begins it anew.
    for _ in 0..3 {
        rest(&server, 4).await;
        assert_eq!(
            (standing(&ann.token).await, standing(&bob.token).await),
            (200, 200)
        );
    }
    rest(&server, 6).await;
    assert_eq!(
        (standing(&ann.token).await, standing(&bob.token).await),
        (401, 200)
    );
    let refreshed = server.of(&ann.token, Method::POST, "/auth/refresh").send().await;
    assert_eq!(refreshed.code(), (401, "credentials_invalid"));
    // Whoever enters the tenant is at home elsewhere.
    server.get("/extensions").send().await.data(200);

    // Another setting holds for the sessions that there are.
    let ann = server.sign_in(&ann.email, super::people::PASSWORD).await.body["token"].clone();
    let ann = ann.as_str().unwrap();
    let path = format!("/platform/tenants/{}", server.acme);
    let minutes = async |minutes: i64| {
        let ask = server.platform(Method::PATCH, &path);
        let set = ask.json(&json!({"session_timeout_minutes": minutes}));
        set.send().await.data(200);
    };
    minutes(1440).await;
    rest(&server, 50).await;
    assert_eq!((standing(ann).await, standing(&bob.token).await), (200, 200));
    assert_eq!(standing(&server.token).await, 200);
    rest(&server, 50).await;
    minutes(30).await;
    assert_eq!((standing(ann).await, standing(&bob.token).await), (401, 200));
    rest(&server, 61).await;
    assert_eq!(
        (standing(&bob.token).await, standing(&server.token).await),
        (401, 401)
    );
}
