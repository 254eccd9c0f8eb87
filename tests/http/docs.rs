//! The description as others get it, and the page that shows it.

use axum::http::Method;

use crate::server::{As, Server};

#[tokio::test]
async fn everybody_gets_the_document_that_the_table_makes() {
    let server = Server::start().await;
    let answer = server
        .ask(As::Nobody, &Method::GET, "/api/openapi.json", None)
        .await;
    let table = switchyard::http::routes::table();
    let made = switchyard::http::openapi::document::document(&table);
    assert_eq!((answer.status, answer.body), (200, made));
}

#[tokio::test]
async fn the_page_and_its_parts_name_no_other_server_and_run_no_script_of_their_own() {
    let server = Server::start().await;
    let (page, policy) = server.text("/api/docs").await;
    assert!(!page.contains("//"), "{page}");
    assert!(!page.contains("<style") && !page.contains("style="), "{page}");
    let mut parts = 0;
    for mention in page.split(['"', '>']) {
        let Some(part) = mention.strip_prefix("docs/") else {
            continue;
        };
        let (text, _) = server.text(&format!("/api/docs/{part}")).await;
        assert!(!text.is_empty(), "{part}");
        parts += 1;
    }
    assert_eq!(parts, 4, "{page}");
    for script in page.split("<script").skip(1) {
        assert!(script.starts_with(" defer src="), "{script}");
        assert_eq!(
            script.split_once('>').unwrap().1.trim_start().find("</script>"),
            Some(0),
            "{script}"
        );
    }
    let policy: Vec<&str> = policy.split(';').map(str::trim).collect();
    assert_eq!(
        policy,
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    );
}

#[tokio::test]
async fn no_other_file_is_there() {
    let server = Server::start().await;
    for file in [
        "index.html",
        "swagger-initializer.js",
        "..%2Fopenapi.json",
        "x",
        "start.js%00",
    ] {
        let path = format!("/api/docs/{file}");
        let answer = server.ask(As::Nobody, &Method::GET, &path, None).await;
        assert_eq!(answer.code(), (404, "not_found"), "{file}");
    }
}
