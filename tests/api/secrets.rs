//! Secrets: shown when they are made, revealed or rotated, and nowhere else, logs included.
//!
//! That no other answer shows one is checked by the client, for each request of each test.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Arc, Mutex};

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::operator::PASSWORD;

#[rstest]
#[tokio::test]
async fn a_secret_is_revealed_and_rotated_and_each_leaves_a_trace(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let body = json!({"number": "1001", "name": "Ann"});
    let made = server.post("/extensions", &body).send().await;
    let first = made.data(201).clone();
    let path = format!("/extensions/{}", first["id"].as_str().unwrap());
    let reveal = async || {
        let answer = server
            .ask(Method::POST, &format!("{path}/reveal-secret"))
            .send()
            .await;
        answer.data(200).clone()
    };
    let shown = json!({"secret": first["secret"], "voicemail_pin": first["voicemail_pin"]});
    assert_eq!(reveal().await, shown);
    let rotated = server
        .ask(Method::POST, &format!("{path}/rotate-secret"))
        .send()
        .await;
    let second = rotated.data(200)["secret"].clone();
    assert_ne!(second, first["secret"]);
    let shown = json!({"secret": second, "voicemail_pin": first["voicemail_pin"]});
    assert_eq!(reveal().await, shown);
    assert_eq!(
        server.audit_actions().await,
        [
            "extension.create",
            "extension.reveal_secret",
            "extension.rotate_secret",
            "extension.reveal_secret"
        ]
    );
    let other = server.ask(Method::POST, &format!("{path}/reveal-secret"));
    let other = other.in_tenant(&server.globex).send().await;
    assert_eq!(other.code(), (404, "not_found"));
}

/// Where the log of this process goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Both databases in one test, since a process has one log.
#[tokio::test]
async fn no_log_and_no_table_in_clear_holds_a_secret_however_much_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("trace"))
        .with_writer(move || writer.clone())
        .init();
    let mut secrets = vec![PASSWORD.to_owned(), "ami-secret".to_owned()];
    for backend in [Sqlite, Postgres] {
        let server = Server::start(backend).await;
        secrets.push(server.token.clone());
        let body =
            json!({"number": "1001", "name": "Ann", "voicemail": {"enabled": true, "pin": "9081726354"}});
        let made = server.post("/extensions", &body).send().await.data(201).clone();
        let path = format!("/extensions/{}", made["id"].as_str().unwrap());
        let rotated = server
            .ask(Method::POST, &format!("{path}/rotate-secret"))
            .send()
            .await;
        server
            .patch(&path, &json!({"voicemail": {"pin": "5544332211"}}))
            .send()
            .await
            .data(200);
        let chosen = json!({"number": "1002", "name": "Bob", "secret": "Correct9Horse8Battery"});
        server.post("/extensions", &chosen).send().await.data(201);
        // Refused ones count as well.
        for wrong in [
            json!({"number": "1", "name": "Eve", "secret": "Refused9Horse8Battery"}),
            json!({"number": "1003", "name": "Eve", "secret": ["Refused9Horse8Battery"]}),
            json!({"number": "1002", "name": "Eve", "secret": "Refused9Horse8Battery"}),
        ] {
            let refused = server.post("/extensions", &wrong).send().await;
            assert!(
                !refused.text.contains("Refused9Horse8Battery"),
                "{}",
                refused.text
            );
        }
        server
            .get("/extensions?search=Refused9Horse8Battery")
            .send()
            .await
            .data(200);
        import(&server).await;
        server
            .ask(Method::POST, "/config/deploy?wait=true")
            .with("idempotency-key", "deploy")
            .send()
            .await
            .data(200);
        secrets
            .extend([&made["secret"], &rotated.data(200)["secret"]].map(|s| s.as_str().unwrap().to_owned()));

        let tables = [
            "instances",
            "extensions",
            "extension_secrets",
            "revisions",
            "deployments",
            "audit_entries",
            "idempotency_keys",
        ];
        for table in tables {
            let rows = whole_table(&server, table).await;
            assert!(!rows.is_empty(), "{table}");
            for secret in secrets.iter().chain(
                &["9081726354", "5544332211", "6677889900", "Imported9Horse8Battery"].map(str::to_owned),
            ) {
                let hex = hex(secret);
                assert!(!rows.contains(secret), "{table} holds a secret");
                assert!(
                    !rows.to_lowercase().contains(&hex),
                    "{table} holds a secret in bytes"
                );
            }
        }
    }
    secrets.extend(
        [
            "9081726354",
            "5544332211",
            "6677889900",
            "Imported9Horse8Battery",
            "Correct9Horse8Battery",
            "Refused9Horse8Battery",
        ]
        .map(Into::into),
    );
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(
        log.contains("answered") && log.contains("TRACE"),
        "nothing was logged"
    );
    // What the test's own HTTP client says of what it sends is no log of ours.
    for line in log
        .lines()
        .filter(|line| line.contains("switchyard") || line.contains("sqlx"))
    {
        for secret in &secrets {
            assert!(!line.contains(secret), "the log holds a secret: {line}");
        }
    }
}

/// Sends a row with secrets, with a key under which its answer is kept.
async fn import(server: &Server) {
    let row = json!({
        "number": "1003", "name": "Eve", "secret": "Imported9Horse8Battery", "voicemail": {"pin": "6677889900"},
    });
    let ask = server.post("/extensions/import", &json!([row]));
    ask.with("idempotency-key", "import").send().await.data(201);
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// Every row as text, with bytes in hex.
async fn whole_table(server: &Server, table: &str) -> String {
    let sql = match server.database.backend {
        Postgres => format!("select cast(t.* as text) from {table} t"),
        Sqlite => {
            let columns = server
                .database
                .ask(format!("select name from pragma_table_info('{table}')"))
                .await;
            let texts: Vec<_> = columns.iter().map(|c| format!("quote({c})")).collect();
            format!("select {} from {table}", texts.join(" || ' ' || "))
        }
    };
    server.database.ask(sql).await.join("\n")
}
