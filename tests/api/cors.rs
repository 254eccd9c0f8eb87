//! Pages of other origins: those that are configured may call the API from a browser, and no other.

use std::collections::BTreeSet;

use reqwest::{Method, Response};

use super::server::Server;
use super::support::database::Backend::Sqlite;

const OURS: &str = "https://dashboard.example.com";

async fn ask(server: &Server, method: Method, origin: &str, more: &[(&str, &str)]) -> Response {
    let url = format!("http://{}/api/v1/extensions", server.address);
    let mut request = reqwest::Client::new()
        .request(method, url)
        .header("origin", origin);
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(',').map(|word| word.trim().to_lowercase()).collect()
}

#[tokio::test]
async fn a_page_of_a_configured_origin_is_told_what_it_may_send_and_read() {
    let server = Server::with_origins(Sqlite, &format!("{OURS} http://localhost:5173")).await;
    let preflight = [
        ("access-control-request-method", "PATCH"),
        (
            "access-control-request-headers",
            "authorization,if-match,x-operate-as-tenant,x-reason,idempotency-key",
        ),
    ];
    for origin in [OURS, "http://localhost:5173"] {
        let told = ask(&server, Method::OPTIONS, origin, &preflight).await;
        assert_eq!(
            told.status(),
            200,
            "no sign-in is asked for: a browser sends none"
        );
        assert_eq!(header(&told, "access-control-allow-origin"), origin);
        assert!(words(header(&told, "access-control-allow-methods")).contains("patch"));
        let allowed = words(header(&told, "access-control-allow-headers"));
        assert!(allowed.is_superset(&words(preflight[1].1)), "{allowed:?}");
        assert_eq!(header(&told, "access-control-allow-credentials"), "");
        // What it is told depends on who asks: no cache may give one origin's answer to another.
        assert!(words(header(&told, "vary")).contains("origin"));
    }
    // The answer itself still asks who is calling, and the page may read why it was refused.
    let refused = ask(&server, Method::GET, OURS, &[]).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(header(&refused, "access-control-allow-origin"), OURS);
    let exposed = words(header(&refused, "access-control-expose-headers"));
    assert!(
        exposed.is_superset(&words(
            "etag,retry-after,x-request-id,idempotency-replayed,export-id,content-disposition"
        )),
        "{exposed:?}"
    );
}

#[tokio::test]
async fn a_page_of_any_other_origin_is_told_nothing() {
    let with = Server::with_origins(Sqlite, OURS).await;
    let without = Server::start(Sqlite).await;
    let strangers = [
        "https://dashboard.example.com.evil.example",
        "http://dashboard.example.com",
        "null",
    ];
    for (server, origin) in strangers
        .map(|origin| (&with, origin))
        .into_iter()
        .chain([(&without, OURS)])
    {
        for method in [Method::OPTIONS, Method::GET] {
            let told = ask(
                server,
                method.clone(),
                origin,
                &[("access-control-request-method", "GET")],
            )
            .await;
            assert_eq!(
                header(&told, "access-control-allow-origin"),
                "",
                "{method} {origin}"
            );
        }
    }
}
