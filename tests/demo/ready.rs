//! A demo that is ready: what it writes down is true.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use serde_json::{Value, json};

use super::support::ami::{Ami, field};
use super::support::demo::{Place, run, sign_in, sip};
use super::support::phone;

/// The keys of an object.
fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn register_all(record: &Value) {
    for tenant in record["tenants"].as_array().unwrap() {
        let domain = tenant["domain"].as_str().unwrap();
        for extension in tenant["extensions"].as_array().unwrap() {
            let number = extension["number"].as_str().unwrap();
            let secret = extension["secret"].as_str().unwrap();
            assert!(
                phone::registers(sip(record), number, domain, secret),
                "{number}@{domain}"
            );
            assert!(
                !phone::registers(sip(record), number, domain, "not-its-secret"),
                "{number}@{domain}"
            );
        }
    }
}

/// Everybody who is there: one manager without tenant, and one of each role in each tenant.
#[tokio::test]
async fn a01_the_demos_users_sign_in_each_with_the_rights_of_their_role() {
    let place = Place::new();
    let running = place.ready();
    let record = place.record();
    let users = record["users"].as_array().unwrap();
    assert_eq!(users.len(), 9);
    let client = reqwest::Client::new();
    for (index, user) in users.iter().enumerate() {
        assert_eq!(
            keys(user),
            BTreeSet::from(["id", "email", "password", "role", "tenant_id", "platform_manager"])
        );
        let token = sign_in(&record, user).await;
        let api = record["api"].as_str().unwrap();
        let status = async |path: &str| {
            let asked = client.get(format!("{api}/api/v1{path}")).bearer_auth(&token);
            asked.send().await.unwrap().status().as_u16()
        };
        let (tenant, role) = match index {
            0 => (&Value::Null, Value::Null),
            index => (
                &record["tenants"][(index - 1) / 4]["id"],
                json!(["owner", "admin", "manager", "agent"][(index - 1) % 4]),
            ),
        };
        assert_eq!((&user["tenant_id"], &user["role"]), (tenant, &role));
        assert_eq!(user["platform_manager"], index == 0);
        let expected = match role.as_str() {
            None => [200, 400, 400, 400],
            Some("owner" | "admin") => [403, 200, 200, 200],
            Some("manager") => [403, 403, 200, 200],
            _ => [403, 403, 403, 200],
        };
        let seen = [
            status("/platform/users").await,
            status("/config/plan").await,
            status("/org-users").await,
            status("/extensions").await,
        ];
        assert_eq!(seen, expected, "{user}");
    }
    assert_eq!(running.terminate().code(), Some(0));
}

async fn get(record: &Value, path: &str, tenant: &str) -> Value {
    let request = reqwest::Client::new()
        .get(format!("{}{path}", record["api"].as_str().unwrap()))
        .bearer_auth(sign_in(record, &record["users"][0]).await)
        .header("X-Operate-As-Tenant", tenant);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn a10_demo_json_is_as_programs_expect_and_true() {
    let place = Place::new();
    let running = place.ready();
    // Written before it was ready, for its owner alone.
    let metadata = std::fs::metadata(place.demo().join("demo.json")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!(metadata.uid(), rustix::process::geteuid().as_raw());
    let record = place.record();

    assert_eq!(keys(&record), BTreeSet::from(["api", "users", "tenants", "pbx"]));
    let tenants = record["tenants"].as_array().unwrap();
    assert_eq!(tenants.len(), 2);
    for tenant in tenants {
        assert_eq!(
            keys(tenant),
            BTreeSet::from(["id", "name", "domain", "extensions"])
        );
        let extensions = tenant["extensions"].as_array().unwrap();
        assert!(extensions.iter().any(|extension| extension["number"] == "1001"));
        for extension in extensions {
            assert_eq!(keys(extension), BTreeSet::from(["id", "number", "secret"]));
        }
    }
    let pbx = &record["pbx"];
    assert_eq!(
        keys(pbx),
        BTreeSet::from(["id", "kind", "live", "sip", "ami", "config_dir", "generation"])
    );
    assert_eq!(
        keys(&pbx["ami"]),
        BTreeSet::from(["host", "port", "username", "secret"])
    );
    assert_eq!(
        (&pbx["kind"], &pbx["live"], &pbx["generation"]),
        (&json!("asterisk"), &json!(true), &json!(1))
    );

    // Phones of both tenants.
    register_all(&record);

    // The account for looking from outside has every right.
    let port = u16::try_from(pbx["ami"]["port"].as_u64().unwrap()).unwrap();
    let (username, secret) = (
        pbx["ami"]["username"].as_str().unwrap(),
        pbx["ami"]["secret"].as_str().unwrap(),
    );
    let mut ami = Ami::sign_in(port, username, secret);
    assert!(ami.console("core show version").join("\n").contains("Asterisk"));
    let originate = [
        ("Channel", "Local/*43@acme.example.com"),
        ("Application", "NoOp"),
        ("Async", "true"),
    ];
    assert_eq!(
        field(&ami.ask("Originate", &originate), "Response"),
        Some("Success")
    );
    assert_eq!(ami.list("PJSIPShowEndpoints", &[]).len(), 4);

    // The files are where it says.
    let config_dir = std::path::Path::new(pbx["config_dir"].as_str().unwrap());
    assert!(config_dir.join("live/pjsip.conf").is_file());
    assert_eq!(
        std::fs::read_link(config_dir.join("live")).unwrap(),
        std::path::Path::new("generations/1")
    );

    // Whoever starts it, Asterisk runs as an ordinary user.
    let asterisks = place.asterisks();
    assert!(!asterisks.is_empty());
    for pid in &asterisks {
        let owner = std::fs::metadata(format!("/proc/{pid}")).unwrap().uid();
        assert_ne!(owner, 0);
    }

    let ended = running.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.err);
    assert!(
        place.asterisks().is_empty(),
        "an orderly end takes the PBX with it"
    );
}

#[tokio::test]
async fn a10_the_demos_api_answers_to_its_manager() {
    let place = Place::new();
    let running = place.ready();
    let record = place.record();
    for tenant in record["tenants"].as_array().unwrap() {
        let id = tenant["id"].as_str().unwrap();
        let answer = get(&record, "/api/v1/extensions", id).await;
        let ids = |list: &Value| {
            list.as_array()
                .unwrap()
                .iter()
                .map(|e| e["id"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&answer["data"]), ids(&tenant["extensions"]));
        assert_eq!(answer["meta"]["total"], 2);
        let verified = get(&record, "/api/v1/config/verify", id).await;
        assert_eq!(verified["data"]["ok"], true, "{verified}");
    }
    let url = format!("{}/api/v1/extensions", record["api"].as_str().unwrap());
    let client = reqwest::Client::new();
    let without = client.get(&url).send().await.unwrap();
    let wrong = client.get(&url).bearer_auth("wrong").send().await.unwrap();
    assert_eq!((without.status().as_u16(), wrong.status().as_u16()), (401, 401));
    assert_eq!(running.terminate().code(), Some(0));
}

/// The button over HTTP, worked off by the demo's own daemon; and all of it is still there the next time.
#[tokio::test]
async fn a10_a_demo_goes_on_where_the_last_one_ended() {
    let place = Place::new();
    let running = place.ready();
    let first = place.record();
    let tenant = first["tenants"][0]["id"].as_str().unwrap().to_owned();
    let token = sign_in(&first, &first["users"][0]).await;
    let post = |path: &str, body: Value| {
        reqwest::Client::new()
            .post(format!("{}{path}", first["api"].as_str().unwrap()))
            .bearer_auth(&token)
            .header("X-Operate-As-Tenant", &tenant)
            .header("X-Reason", "to see that it stays")
            .json(&body)
            .send()
    };
    let made = post(
        "/api/v1/extensions",
        json!({"number": "1777", "name": "Made later"}),
    )
    .await
    .unwrap();
    assert_eq!(made.status().as_u16(), 201);
    let deployed = post("/api/v1/config/deploy?wait=true", json!({})).await.unwrap();
    assert_eq!(deployed.status().as_u16(), 200);
    let deployed: Value = deployed.json().await.unwrap();
    assert_eq!(
        (&deployed["data"]["status"], &deployed["data"]["generation"]),
        (&json!("live"), &json!(2))
    );
    assert_eq!(running.terminate().code(), Some(0));

    let again = place.ready();
    let second = place.record();
    let ids = |record: &Value| {
        record["users"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&second), ids(&first));
    assert_eq!(second["pbx"]["id"], first["pbx"]["id"]);
    assert_eq!(second["pbx"]["live"], true);
    let extensions = |record: &Value, tenant: usize| {
        let mut list = record["tenants"][tenant]["extensions"]
            .as_array()
            .unwrap()
            .clone();
        list.retain(|extension| extension["number"] != "1777");
        list
    };
    for tenant in 0..2 {
        assert_eq!(
            extensions(&second, tenant),
            extensions(&first, tenant),
            "ids and secrets stay"
        );
    }
    assert!(
        second["tenants"][0]["extensions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|e| e["number"] == "1777")
    );
    register_all(&second);
    assert_eq!(again.terminate().code(), Some(0));
}

#[tokio::test]
async fn a10_once_tells_by_its_exit_code_how_the_deploy_ended() {
    let place = Place::new();
    let once = |templates: Option<&std::path::Path>| {
        let mut command = place.command();
        command.arg("--once");
        if let Some(templates) = templates {
            command.arg("--templates").arg(templates);
        }
        run(command)
    };
    let broken = place.break_template("direct_media=no", "direct_media=no\nfrobnicate=yes");
    let first = once(Some(&broken));
    assert_eq!(first.code(), Some(6), "{}", first.out);
    let record = place.record();
    assert_eq!(
        (&record["pbx"]["live"], &record["pbx"]["generation"]),
        (&json!(false), &Value::Null)
    );

    let good = once(None);
    assert_eq!(good.code(), Some(0), "{}{}", good.out, good.err);
    assert!(
        good.out.contains("is live") && good.out.ends_with("ready"),
        "{}",
        good.out
    );
    let served = place.record()["pbx"]["generation"].clone();
    assert_eq!(place.record()["pbx"]["live"], true);

    let rejected = once(Some(&broken));
    assert_eq!(rejected.code(), Some(6), "{}", rejected.out);
    assert!(
        rejected.out.contains("frobnicate"),
        "Asterisk is quoted: {}",
        rejected.out
    );
    let record = place.record();
    assert_eq!(
        (&record["pbx"]["live"], &record["pbx"]["generation"]),
        (&json!(true), &served)
    );
    let live = std::fs::read_link(place.demo().join("pbx/config/live")).unwrap();
    assert_eq!(
        live.file_name().unwrap().to_str(),
        Some(served.to_string().as_str())
    );
    place.assert_nothing_is_left("after --once");
}

#[tokio::test]
async fn a10_without_asterisk_the_files_are_written_and_it_says_so() {
    let place = Place::new();
    let mut command = place.bare_command();
    command.arg("--once");
    let ended = run(command);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains("scripts/get-asterisk") && ended.out.contains("No Asterisk runs"),
        "{}",
        ended.out
    );
    let pbx = &place.record()["pbx"];
    assert_eq!(
        (&pbx["live"], &pbx["sip"], &pbx["ami"]),
        (&json!(false), &Value::Null, &Value::Null)
    );
    assert_eq!(pbx["generation"], 1);
    let live = place.demo().join("pbx/config/live");
    let text = std::fs::read_to_string(live.join("pjsip.conf")).unwrap();
    for domain in ["acme.example.com", "globex.example.com"] {
        assert!(text.contains(&format!("[1001@{domain}]")));
    }
    // With an Asterisk the same demo goes live, with the same secrets.
    let before = place.record()["tenants"].clone();
    let running = place.ready();
    assert_eq!(place.record()["tenants"], before);
    assert_eq!(place.record()["pbx"]["live"], true);
    register_all(&place.record());
    assert_eq!(running.terminate().code(), Some(0));
}
