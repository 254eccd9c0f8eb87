//! Exports over HTTP: an archive that is read while it is made, and that nobody takes for a whole one where it is not.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::Ask;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

const EXPORTS: &str = "/compliance/exports";
const ACME: &str = "acme.example.com";
/// More than the sockets on the way hold.
const LONG: u64 = 256 * 1024 * 1024;

impl Server {
    fn export(&self, subject: &Value) -> Ask<'_> {
        self.post(EXPORTS, subject)
    }

    /// A recording of Acme's that takes a while to be read.
    async fn long_recording(&self) {
        let path = format!("{ACME}/1.0.wav");
        self.recording(&self.acme, &path).await;
        let file = fs::File::options().write(true).open(self.recorded(&path));
        file.unwrap().set_len(LONG).unwrap();
    }

    /// What the audit log tells of what came of exports.
    async fn came_of(&self) -> Vec<Value> {
        let sql = "select after from audit_entries where action = 'data.export_end' order by number";
        let told = self.database.ask(sql.to_owned()).await;
        told.iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect()
    }

    /// The same once there are so many.
    async fn came_of_all(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let told = self.came_of().await;
            if told.len() >= count {
                return told;
            }
            assert!(Instant::now() < deadline, "{told:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(name, content);
    }
    files
}

/// Unpacked by the `tar` of the host, and held to the manifest by its `sha256sum`; gives how many files that were.
fn checked_by_others(archive: &[u8]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &str| folder.path().join(name);
    fs::write(inside("export.tar"), archive).unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .output();
        let done = done.unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    run("tar", &["-xf", "export.tar"]);
    let manifest: Value = serde_json::from_slice(&fs::read(inside("manifest.json")).unwrap()).unwrap();
    let rows = fs::read_to_string(inside("recordings/000001.jsonl")).unwrap();
    let sounds = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap());
    let sounds = sounds.map(|row| (row["sha256"].clone(), row["file"].clone()));
    let files = manifest["files"].as_array().unwrap().iter();
    let files = files.map(|file| (file["sha256"].clone(), file["name"].clone()));
    let sums = files
        .chain(sounds)
        .map(|(sum, name)| format!("{}  {}\n", sum.as_str().unwrap(), name.as_str().unwrap()));
    fs::write(inside("sums"), sums.collect::<String>()).unwrap();
    run("sha256sum", &["--check", "--strict", "sums"]).lines().count()
}

#[rstest]
#[tokio::test]
async fn a46_an_archive_is_downloaded_with_its_manifest_and_is_in_the_log_from_begin_to_end(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.extension("1001").await;
    server.call(&server.acme, ACME, 1, "1001", "1002").await;
    server
        .recording(&server.acme, &format!("{ACME}/{ACME}.1.wav"))
        .await;
    let owner = server.person("ann", &server.acme, "owner").await;
    let body = json!({"tenant": true});
    let response = server
        .of(&owner.token, Method::POST, EXPORTS)
        .json(&body)
        .open()
        .await;
    assert_eq!(response.status(), 200);
    let header = |name: &str| {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let id = header("export-id").unwrap();
    assert_eq!(header("content-type").as_deref(), Some("application/x-tar"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(
        header("content-disposition"),
        Some(format!("attachment; filename=\"export-{id}.tar\""))
    );
    assert_eq!(header("content-length"), None, "nobody knows it before");
    let bytes = response.bytes().await.unwrap();
    let archive = files(&bytes);
    assert_eq!(
        checked_by_others(&bytes),
        archive.len() - 1,
        "all but the manifest"
    );
    let manifest: Value = serde_json::from_slice(&archive["manifest.json"]).unwrap();
    assert_eq!(manifest["export_id"], json!(id));
    assert_eq!(manifest["requested_by"], json!(owner.email));
    for kind in ["extensions", "call_records", "recordings"] {
        assert_eq!(manifest["kinds"][kind]["rows"], 1, "{manifest}");
        assert!(archive.contains_key(&format!("{kind}/000001.jsonl")));
    }
    assert_eq!(manifest["recordings"]["files"], 1);
    assert_eq!(
        server.came_of().await[0]["outcome"],
        "complete",
        "it is told before the end is read"
    );
    let told =
        "select action || ' ' || target_id from audit_entries where resource = 'export' order by number";
    let told = server.database.ask(told.to_owned()).await;
    assert_eq!(
        told,
        [format!("data.export {id}"), format!("data.export_end {id}")]
    );
}

#[rstest]
#[tokio::test]
async fn a46_who_breaks_off_ends_the_export_and_has_no_manifest(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.long_recording().await;
    let mut response = server.export(&json!({"tenant": true})).open().await;
    for _ in 0..3 {
        response.chunk().await.unwrap().unwrap();
    }
    assert!(server.came_of().await.is_empty(), "it goes on");
    drop(response);
    let told = server.came_of_all(1).await;
    assert_eq!(
        (&told[0]["outcome"], &told[0]["why"]),
        (&json!("cut"), &json!("reader_gone"))
    );
    assert!(told[0]["bytes"].as_u64().unwrap() < LONG);
}

#[rstest]
#[tokio::test]
async fn a46_what_names_nobody_is_refused_by_its_field_and_a_key_is_not_honoured(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let foreign = server.extension_in(&server.globex, "1001").await;
    for (body, fields) in [
        (json!({}), ["body"]),
        (json!({"tenant": true, "number": "1001"}), ["body"]),
        (json!({"tenant": false}), ["tenant"]),
        (json!({"number": "../x"}), ["number"]),
        (json!({"extension": foreign}), ["extension"]),
        (json!({"extension": server.acme}), ["extension"]),
        (json!({"user": server.acme}), ["user"]),
        (json!({"everything": true}), ["everything"]),
    ] {
        let refused = server.export(&body).send().await;
        assert_eq!(refused.fields(), fields, "{body}");
    }
    let once = server
        .export(&json!({"tenant": true}))
        .with("idempotency-key", "once");
    assert_eq!(once.send().await.fields(), ["Idempotency-Key"]);
    for role in ["manager", "agent"] {
        let person = server.person(&format!("an-{role}"), &server.acme, role).await;
        let denied = server
            .of(&person.token, Method::POST, EXPORTS)
            .json(&json!({"tenant": true}));
        assert_eq!(denied.send().await.code(), (403, "permission_denied"));
    }
    let why = server
        .export(&json!({"tenant": true}))
        .without("x-reason")
        .send()
        .await;
    assert_eq!(why.code(), (400, "reason_required"));
    server.suspend(&server.acme).await;
    let suspended = server.export(&json!({"tenant": true})).send().await;
    assert_eq!(suspended.code(), (403, "tenant_suspended"));
    let begun = "select action from audit_entries where action like 'data.export%'";
    assert!(server.database.ask(begun.to_owned()).await.is_empty());
}

#[rstest]
#[tokio::test]
async fn a46_a_service_that_is_stopped_cuts_its_exports_and_says_so_before_it_ends(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let mut server = Server::start(backend).await;
    server.long_recording().await;
    let mut response = server.export(&json!({"tenant": true})).open().await;
    response.chunk().await.unwrap().unwrap();
    let reading = async move {
        loop {
            match response.chunk().await {
                Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    };
    let ((), whole) = tokio::join!(server.stop(), reading);
    assert!(!whole, "nobody takes it for a whole one");
    let told = server.came_of().await;
    assert_eq!(
        (&told[0]["outcome"], &told[0]["why"]),
        (&json!("cut"), &json!("stopped"))
    );
}
