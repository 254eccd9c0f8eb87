//! `PATCH` and `DELETE /extensions/{id}`.

use rstest::rstest;
use serde_json::{Value, json};

use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// An extension with something in every field; gives its path.
async fn full(server: &Server) -> String {
    let body = json!({
        "number": "1001", "name": "Ann", "caller_id": {"name": "Acme", "number": "030123"},
        "voicemail": {"enabled": true, "email": "ann@example.com", "pin": "9081726354"},
        "forward": {"always": "1002", "busy": "1003", "no_answer": "1004"},
        "ring_time": 45, "recording": "always", "codecs": ["opus"], "transport": "tls",
    });
    let made = server.post("/extensions", &body).send().await;
    format!("/extensions/{}", made.data(201)["id"].as_str().unwrap())
}

/// What a patch is to change, and nothing else.
#[rstest]
#[case(json!({"name": "Eve"}), json!({"name": "Eve"}))]
#[case(json!({"status": "disabled"}), json!({"status": "disabled"}))]
#[case(json!({"forward": {"busy": "1009"}}), json!({"forward": {"always": "1002", "busy": "1009", "no_answer": "1004"}}))]
#[case(json!({"forward": {"busy": null}}), json!({"forward": {"always": "1002", "busy": null, "no_answer": "1004"}}))]
#[case(json!({"forward": null}), json!({"forward": {"always": null, "busy": null, "no_answer": null}}))]
#[case(json!({"voicemail": null}), json!({"voicemail": {"enabled": false, "email": null}}))]
#[case(json!({"voicemail": {"email": null}}), json!({"voicemail": {"enabled": true, "email": null}}))]
#[case(json!({"voicemail": {"enabled": false}}), json!({"voicemail": {"enabled": false, "email": "ann@example.com"}}))]
#[case(json!({"caller_id": {"name": null}}), json!({"caller_id": {"name": null, "number": "030123"}}))]
#[case(json!({"ring_time": null, "codecs": null}), json!({"ring_time": 30, "codecs": ["g722", "alaw", "ulaw"]}))]
#[case(json!({"codecs": ["alaw", "opus"]}), json!({"codecs": ["alaw", "opus"]}))]
#[case(json!({"number": "1001", "name": "Eve"}), json!({"name": "Eve"}))]
#[case(json!({}), json!({}))]
#[case(json!({"forward": {}}), json!({}))]
#[tokio::test]
async fn a_patch_changes_what_it_names(
    #[case] patch: Value,
    #[case] expected: Value,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let path = full(&server).await;
    let before = server.get(&path).send().await.data(200).clone();
    let answer = server.patch(&path, &patch).send().await.data(200).clone();
    assert_eq!(server.get(&path).send().await.data(200), &answer);
    for (field, value) in before.as_object().unwrap() {
        let changed = expected.get(field).unwrap_or(value);
        if field != "updated_at" {
            assert_eq!(&answer[field], changed, "{field}");
        }
    }
    let traced = server
        .audit_actions()
        .await
        .contains(&"extension.change".to_owned());
    let differs = expected != json!({});
    assert_eq!(traced, differs, "what changes nothing leaves no trace");
    assert_eq!(answer["updated_at"] != before["updated_at"], differs);
}

#[rstest]
#[tokio::test]
async fn a_patch_that_is_wrong_changes_nothing(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let path = full(&server).await;
    let before = server.get(&path).send().await;
    let cases = [
        (json!({"number": "1002"}), "number"),
        (json!({"number": null}), "number"),
        (json!({"number": 1001}), "number"),
        (json!({"secret": "Correct9Horse8Battery"}), "secret"),
        (json!({"secret": null}), "secret"),
        (json!({"name": null}), "name"),
        (json!({"name": 1}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"colour": "red"}), "colour"),
        (json!({"colour": null}), "colour"),
        (json!({"id": null}), "id"),
        (json!({"voicemail": "on"}), "voicemail"),
        (json!({"voicemail": []}), "voicemail"),
        (json!({"voicemail": {"pin": null}}), "voicemail.pin"),
        (json!({"voicemail": {"pin": "12"}}), "voicemail.pin"),
        (json!({"voicemail": {"pin": 123_456}}), "voicemail.pin"),
        (json!({"voicemail": {"colour": null}}), "voicemail.colour"),
        (json!({"forward": {"busy": "${EXTEN}"}}), "forward.busy"),
        (json!({"ring_time": "30"}), "ring_time"),
        (json!({"codecs": [null]}), "codecs[0]"),
        (json!([]), "body"),
        (json!(null), "body"),
    ];
    for (patch, field) in cases {
        let refused = server.patch(&path, &patch).send().await;
        assert_eq!(refused.fields(), [field], "{}", refused.text);
        assert!(
            !refused.text.contains("123456"),
            "the value is repeated: {}",
            refused.text
        );
    }
    assert_eq!(server.get(&path).send().await.body, before.body);
    assert_eq!(server.audit_actions().await, ["extension.create"]);
}

#[rstest]
#[tokio::test]
async fn a_new_pin_is_taken_and_told_to_nobody(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let path = full(&server).await;
    let patch = json!({"voicemail": {"pin": "5544332211"}});
    let answer = server.patch(&path, &patch).send().await;
    assert_eq!(
        answer.data(200)["voicemail"],
        json!({"enabled": true, "email": "ann@example.com"})
    );
    let revealed = server
        .post(&format!("{path}/reveal-secret"), &json!({}))
        .send()
        .await;
    assert_eq!(revealed.data(200)["voicemail_pin"], "5544332211");
    let written = server
        .database
        .ask("select cast(after as text) from audit_entries where after is not null".to_owned())
        .await
        .concat();
    assert!(written.contains("changed; not shown") && !written.contains("5544332211"));
}

#[rstest]
#[tokio::test]
async fn what_is_deleted_is_gone_and_its_number_is_free(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let path = full(&server).await;
    assert_eq!(server.delete(&path).send().await.status, 204);
    for ask in [
        server.get(&path),
        server.delete(&path),
        server.patch(&path, &json!({"name": "Eve"})),
        server.post(&format!("{path}/reveal-secret"), &json!({})),
    ] {
        assert_eq!(ask.send().await.code(), (404, "not_found"));
    }
    assert_eq!(server.get("/extensions").send().await.body["meta"]["total"], 0);
    server.extension("1001").await;
    let again = server.get("/extensions").send().await;
    assert_eq!(again.body["data"][0]["name"], "Phone 1001");
}
