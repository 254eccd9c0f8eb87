//! Recordings over the API: heard whole or in parts, kept, deleted, each with its entry in the audit log, and no other file.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use reqwest::Method;
use rstest::rstest;
use serde_json::json;
use switchyard::domain::ids::{RecordingId, SystemIds, TenantId};
use switchyard::domain::recording::FoundRecording;
use switchyard::store::{recordings, tenants};

use super::client::Ask;
use super::people::each;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const ACME: &str = "acme.example.com";
/// What is heard in each.
pub const SOUND: &str = "0123456789abcdefghij";

impl Server {
    /// Where the file of a recording is.
    pub fn recorded(&self, path: &str) -> PathBuf {
        self.database.folder.path().join("recordings").join(path)
    }

    /// A recording as the service finds it, with its file.
    pub async fn recording(&self, tenant: &str, path: &str) -> String {
        let file = self.recorded(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, SOUND).unwrap();
        self.known_recording(tenant, path).await
    }

    async fn known_recording(&self, tenant: &str, path: &str) -> String {
        let found = FoundRecording {
            path: path.parse().unwrap(),
            bytes: 20,
            written_at: "2026-11-20T10:01:05Z".parse().unwrap(),
        };
        let tenant: TenantId = tenant.parse().unwrap();
        let id = RecordingId::fresh(&SystemIds);
        let mut tx = self.store.begin("recording").await.unwrap();
        let instance = tenants::find(&mut tx, tenant).await.unwrap().unwrap().instance_id;
        recordings::put(&mut tx, id, tenant, instance, &found)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        id.to_string()
    }
}

#[rstest]
#[tokio::test]
async fn a12_a_recording_is_listed_with_its_call_and_heard_whole_or_in_parts(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let call = server.call(&server.acme, ACME, 1, "1001", "1002").await;
    let id = server
        .recording(&server.acme, &format!("{ACME}/{ACME}.1.wav"))
        .await;
    let listed = server.get("/recordings").send().await;
    assert_eq!(each(&listed, "id"), [&json!(id)]);
    assert_eq!(each(&listed, "call_id"), [&json!(call)]);
    assert!(
        !listed.text.contains(".wav"),
        "where it lies is nobody's business: {}",
        listed.text
    );
    let shown = server.get(&format!("/calls/{call}")).send().await;
    assert_eq!(shown.data(200)["recording_ids"], json!([id]));
    let path = format!("/recordings/{id}/audio");
    let whole = server.get(&path).send().await;
    assert_eq!((whole.status, whole.text.as_str()), (200, SOUND));
    assert_eq!(
        [whole.header("content-type"), whole.header("accept-ranges")],
        ["audio/wav", "bytes"]
    );
    for (range, status, bytes, said) in [
        ("bytes=0-3", 206, "0123", "bytes 0-3/20"),
        ("bytes=16-", 206, "ghij", "bytes 16-19/20"),
        ("bytes=-2", 206, "ij", "bytes 18-19/20"),
        ("bytes=5-999", 206, SOUND.get(5..).unwrap(), "bytes 5-19/20"),
        ("bytes=0-1,4-5", 200, SOUND, ""),
        ("bytes=0-5,4-9", 200, SOUND, ""),
        ("pages=1-2", 200, SOUND, ""),
    ] {
        let part = server.get(&path).with("range", range).send().await;
        assert_eq!((part.status, part.text.as_str()), (status, bytes), "{range}");
        assert_eq!(part.header("content-range"), said, "{range}");
        assert_eq!(part.header("content-length"), bytes.len().to_string(), "{range}");
    }
    let beyond = server.get(&path).with("range", "bytes=20-").send().await;
    assert_eq!(
        (beyond.status, &beyond.body["code"]),
        (416, &json!("range_not_satisfiable"))
    );
    assert_eq!(beyond.header("content-range"), "bytes */20");
    let kept = server.get(&format!("/recordings/{id}/download")).send().await;
    assert_eq!((kept.status, kept.text.as_str()), (200, SOUND));
    assert_eq!(
        kept.header("content-disposition"),
        format!("attachment; filename=\"{id}.wav\"")
    );
}

#[tokio::test]
async fn a12_a_recording_of_many_pieces_is_given_byte_by_byte_as_it_is() {
    let server = Server::start(Sqlite).await;
    let id = server.recording(&server.acme, "acme.example.com/1.0.wav").await;
    let numbers: Vec<String> = (0..20_000).map(|number| format!("{number:010}")).collect();
    let text = numbers.concat();
    fs::write(server.recorded("acme.example.com/1.0.wav"), &text).unwrap();
    let path = format!("/recordings/{id}/audio");
    let whole = server.get(&path).send().await;
    assert_eq!((whole.status, whole.text == text), (200, true));
    // Across where one piece ends and the next begins, and from one to the end.
    for (range, bytes) in [
        ("bytes=65530-65545", 65_530..65_546),
        ("bytes=65536-65536", 65_536..65_537),
        ("bytes=1-131073", 1..131_074),
        ("bytes=131071-", 131_071..200_000),
    ] {
        let part = server.get(&path).with("range", range).send().await;
        assert_eq!(
            (part.status, Some(part.text.as_str()) == text.get(bytes)),
            (206, true),
            "{range}"
        );
    }
}

#[rstest]
#[tokio::test]
async fn a12_each_listening_download_and_deletion_is_in_the_audit_log(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let id = server.recording(&server.acme, "acme.example.com/1.0.wav").await;
    let before = server.audit_actions().await.len();
    server.get("/recordings").send().await.data(200);
    for path in ["audio", "download"] {
        assert_eq!(
            server
                .get(&format!("/recordings/{id}/{path}"))
                .send()
                .await
                .status,
            200
        );
    }
    let stale = server
        .delete(&format!("/recordings/{id}"))
        .with("if-match", "\"1-1\"")
        .send()
        .await;
    assert_eq!(stale.status, 412);
    assert!(server.recorded("acme.example.com/1.0.wav").exists());
    let gone = server.delete(&format!("/recordings/{id}")).send().await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    assert!(!server.recorded("acme.example.com/1.0.wav").exists());
    let told = server.audit_actions().await;
    assert_eq!(
        told[before..],
        ["recording.listen", "recording.download", "recording.delete"]
    );
    for ask in [
        server.get(&format!("/recordings/{id}/audio")),
        server.delete(&format!("/recordings/{id}")),
    ] {
        assert_eq!(ask.send().await.status, 404);
    }
    assert!(each(&server.get("/recordings").send().await, "id").is_empty());
}

#[rstest]
#[tokio::test]
async fn a12_one_listening_is_one_entry_and_what_gives_no_sound_is_none(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let id = server.recording(&server.acme, "acme.example.com/1.0.wav").await;
    let path = format!("/recordings/{id}/audio");
    let part = async |of: Ask<'_>, range: &str| of.with("range", range).send().await.status;
    let before = server.audit_actions().await.len();
    let head = server.ask(Method::HEAD, &path).send().await;
    assert_eq!((head.status, head.header("content-length")), (200, "20"));
    assert_eq!(part(server.get(&path), "bytes=20-").await, 416);
    assert_eq!(server.audit_actions().await.len(), before);
    // A player asks for one piece after the other, and goes back; to hear it from the beginning again is another listening.
    for (range, listenings) in [
        ("bytes=4-7", 1),
        ("bytes=8-", 1),
        ("bytes=4-", 1),
        ("bytes=0-3", 2),
        ("bytes=4-", 2),
    ] {
        assert_eq!(part(server.get(&path), range).await, 206);
        let told = server.audit_actions().await;
        assert_eq!(told[before..], vec!["recording.listen"; listenings], "{range}");
    }
    // Neither another's, nor another use, nor of another recording.
    let manager = server.person("max", &server.acme, "manager").await.token;
    let other = server.recording(&server.acme, "acme.example.com/2.0.wav").await;
    let before = server.audit_actions().await.len();
    for ask in [
        server.of(&manager, Method::GET, &path),
        server.get(&format!("/recordings/{id}/download")),
        server.get(&format!("/recordings/{other}/audio")),
    ] {
        assert_eq!(part(ask, "bytes=4-").await, 206);
    }
    let told = server.audit_actions().await;
    assert_eq!(
        told[before..],
        ["recording.listen", "recording.download", "recording.listen"]
    );
}

#[rstest]
#[tokio::test]
async fn a12_by_role_and_by_own_calls_and_another_tenants_is_not_there(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ann = server.extension("1001").await;
    server.call(&server.acme, ACME, 1, "1001", "1002").await;
    server.call(&server.acme, ACME, 2, "1002", "1003").await;
    let mine = server
        .recording(&server.acme, &format!("{ACME}/{ACME}.1.wav"))
        .await;
    let others = server
        .recording(&server.acme, &format!("{ACME}/{ACME}.2.wav"))
        .await;
    let theirs = server
        .recording(&server.globex, "globex.example.com/1.0.wav")
        .await;
    let agent = server.agent_at("ann", &ann).await;
    let manager = server.person("max", &server.acme, "manager").await.token;
    let denied = server.of(&agent, Method::GET, "/recordings").send().await;
    assert_eq!(denied.status, 403);
    let listened = server
        .of(&manager, Method::GET, &format!("/recordings/{mine}/audio"))
        .send()
        .await;
    assert_eq!(listened.status, 200);
    for method in [Method::GET, Method::DELETE] {
        let path = format!(
            "/recordings/{mine}{}",
            if method == Method::GET { "/download" } else { "" }
        );
        assert_eq!(server.of(&manager, method, &path).send().await.status, 403);
    }
    for path in ["audio", "download"] {
        let foreign = server.get(&format!("/recordings/{theirs}/{path}")).send().await;
        let absent = server
            .get(&format!("/recordings/{}/{path}", RecordingId::fresh(&SystemIds)))
            .send()
            .await;
        assert_eq!((foreign.status, &foreign.text), (404, &absent.text));
    }
    assert_eq!(
        server
            .delete(&format!("/recordings/{theirs}"))
            .send()
            .await
            .status,
        404
    );
    assert!(server.recorded("globex.example.com/1.0.wav").exists());
    // Who may listen, and sees own calls only, hears those.
    let role = json!({"name": "listener", "permissions": ["calls.view_own", "calls.listen_recording"]});
    server.post("/roles", &role).send().await.data(201);
    let listener = server.person("lea", &server.acme, "listener").await;
    let path = format!("/org-users/{}/extension", listener.id);
    let unlink = json!({"extension_id": null});
    let agent_id = server
        .of(&agent, Method::GET, "/org-users/me/profile")
        .send()
        .await
        .data(200)["id"]
        .clone();
    let from = format!("/org-users/{}/extension", agent_id.as_str().unwrap());
    server
        .ask(Method::PUT, &from)
        .json(&unlink)
        .send()
        .await
        .data(200);
    server
        .ask(Method::PUT, &path)
        .json(&json!({"extension_id": ann}))
        .send()
        .await
        .data(200);
    let heard = server
        .of(&listener.token, Method::GET, "/recordings")
        .send()
        .await;
    assert_eq!(each(&heard, "id"), [&json!(mine)]);
    let hidden = server.of(
        &listener.token,
        Method::GET,
        &format!("/recordings/{others}/audio"),
    );
    assert_eq!(hidden.send().await.status, 404);
}

#[rstest]
#[tokio::test]
async fn a12_a_link_in_the_place_of_a_recording_leads_nowhere(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let theirs = server
        .recording(&server.globex, "globex.example.com/1.0.wav")
        .await;
    let secret = server.database.folder.path().join("secret.wav");
    fs::write(&secret, "sealing key").unwrap();
    fs::create_dir_all(server.recorded(ACME)).unwrap();
    symlink(&secret, server.recorded("acme.example.com/1.0.wav")).unwrap();
    symlink(
        server.recorded("globex.example.com"),
        server.recorded("acme.example.com/sub"),
    )
    .unwrap();
    for path in ["acme.example.com/1.0.wav", "acme.example.com/sub/1.0.wav"] {
        let id = server.known_recording(&server.acme, path).await;
        let answer = server.get(&format!("/recordings/{id}/audio")).send().await;
        assert!(matches!(answer.status, 404 | 409), "{path}: {}", answer.text);
        assert!(!answer.text.contains("sealing key") && !answer.text.contains(SOUND));
    }
    assert!(server.recorded("globex.example.com/1.0.wav").exists() && secret.exists());
    let heard = server
        .get(&format!("/recordings/{theirs}/audio"))
        .in_tenant(&server.globex)
        .send()
        .await;
    assert_eq!(heard.status, 200);
}
