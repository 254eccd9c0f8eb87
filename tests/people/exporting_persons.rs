//! The export of a person: what is about them, and nothing that is about somebody else only.

use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::ids::{ExtensionId, SystemIds, UserId};

use super::exporting::MARKS;
use super::purging::ago;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, fields};

fn texts<'a>(rows: &'a [Value], field: &str) -> Vec<&'a str> {
    rows.iter().filter_map(|row| row[field].as_str()).collect()
}

#[rstest]
#[tokio::test]
async fn a46_an_export_of_a_user_holds_what_they_are_did_and_said_and_nothing_that_others_did(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (owner, secrets) = world.filled(&world.acme, MARKS[0]).await;
    let (ann, caller) = world.of_acme("ann", "owner").await;
    let own = world.ticket(&caller, "Mine alone").await;
    let others = world.ticket(&owner, "Not hers").await;
    let sql = "update tickets set extension_id = id, extension_number = '47110815' where subject = 'Not hers' returning subject";
    world.texts(sql).await;
    // What her program does she does.
    let (key, secret) = world
        .key(
            &caller,
            &["tickets.create", "tickets.update", "tickets.view", "config.write"],
        )
        .await;
    let program = world.caller(secret.expose()).await;
    let by_key = world.ticket(&program, "Her program's").await;
    world
        .say(&program, others.id, "Her program said so")
        .await
        .unwrap();
    world.extension(&program, "1003").await.unwrap();
    world.say(&caller, own.id, "I said this").await.unwrap();
    world.say(&owner, own.id, "The owner said that").await.unwrap();
    world
        .say(&caller, others.id, "I said it there too")
        .await
        .unwrap();
    let assigned = serde_json::from_value(json!({"assignee_id": ann.id})).unwrap();
    world.patch(&owner, others.id, assigned).await.unwrap();
    world.extension(&caller, "1002").await.unwrap();

    let archive = world
        .exported(&mut maker, &owner, json!({"user": ann.id}))
        .await
        .unwrap();
    archive.check();
    let manifest = archive.manifest();
    assert_eq!(manifest["subject"], json!({"kind": "user", "id": ann.id}));
    assert_eq!(texts(&archive.rows("users"), "email"), ["ann@example.com"]);
    assert_eq!(texts(&archive.rows("roles"), "name"), ["owner"]);
    assert_eq!(archive.rows("sessions").len(), 1);
    assert_eq!(archive.rows("sessions")[0]["user_id"], json!(ann.id));
    // Keys that others made are theirs.
    assert_eq!(texts(&archive.rows("api_keys"), "id"), [key.id.to_string()]);
    assert!(!archive.holds(secret.expose()));
    let tickets = archive.rows("tickets");
    assert_eq!(tickets.len(), 3, "{tickets:?}");
    let of = |id: Value| tickets.iter().find(|ticket| ticket["id"] == id).unwrap();
    assert!(of(json!(own.id))["text"].is_string());
    assert!(of(json!(by_key.id))["text"].is_string());
    assert_eq!(of(json!(by_key.id))["subject"], "Her program's");
    for field in ["text", "subject", "extension_id", "extension_number"] {
        assert!(
            of(json!(others.id))[field].is_null(),
            "somebody else wrote {field}"
        );
    }
    let said = archive.rows("ticket_comments");
    let mut said = texts(&said, "text");
    said.sort_unstable();
    assert_eq!(
        said,
        ["Her program said so", "I said it there too", "I said this"]
    );
    assert!(!archive.holds("The owner said that"));

    let entries = archive.rows("audit_entries");
    let of = |part: &str| -> Vec<&Value> { entries.iter().filter(|entry| entry["part"] == part).collect() };
    let caused = of("caused");
    let actions: Vec<&str> = caused
        .iter()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert!(
        actions.contains(&"extension.create") && actions.contains(&"ticket.create"),
        "{actions:?}"
    );
    assert!(
        caused
            .iter()
            .all(|entry| entry["after"].is_null() && entry["by_themselves"] == true)
    );
    let by_key = |entry: &&&Value| entry["actor_kind"] == "api_key" && entry["action"] == "extension.create";
    assert_eq!(caused.iter().filter(by_key).count(), 1);
    let about = of("about");
    let made = about
        .iter()
        .find(|entry| entry["action"] == "user.create")
        .unwrap();
    assert_eq!(made["after"]["email"], "ann@example.com");
    // Where whoever made her an account sat is not hers.
    assert_eq!(
        (&made["by_themselves"], &made["address"]),
        (&json!(false), &Value::Null)
    );
    let named = of("named");
    let actions: Vec<&str> = named
        .iter()
        .filter_map(|entry| entry["action"].as_str())
        .collect();
    assert!(actions.contains(&"ticket.change"), "{actions:?}");
    assert!(
        named
            .iter()
            .all(|entry| entry["after"].is_null() && entry["before"].is_null())
    );

    for alien in [MARKS[0], "quitte-owner", "Not hers", "47110815"] {
        // But for the ticket that she looks after, of which it is told who opened it.
        let rows = archive.files.iter().filter(|(name, _)| {
            *name != "manifest.json" && (alien != "quitte-owner" || !name.starts_with("tickets/"))
        });
        for (name, content) in rows {
            let text = String::from_utf8_lossy(content);
            assert!(!text.contains(alien), "{alien} is in {name}: {text}");
        }
    }
    assert!(secrets.iter().all(|secret| !archive.holds(secret)));
    for kind in ["call_records", "recordings", "extensions", "webhooks", "settings"] {
        assert!(manifest["kinds"].get(kind).is_none(), "{kind}");
    }
}

#[rstest]
#[tokio::test]
async fn a46_a_person_is_exported_by_extension_or_number_with_the_calls_they_took_part_in(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (owner, secrets) = world.filled(&world.acme, MARKS[0]).await;
    world.filled(&world.globex, MARKS[1]).await;
    let eve = world.extension(&owner, "1002").await.unwrap();
    let sql = "select id::text from extensions where number = '1001' and tenant_id = (select id from tenants where domain = 'acme.example.com')";
    let ann: ExtensionId = match backend {
        Postgres => world.texts(sql).await[0].parse().unwrap(),
        Sqlite => world.texts(&sql.replace("id::text", "hex(id)")).await[0]
            .parse()
            .unwrap(),
    };
    let archive = world
        .exported(&mut maker, &owner, json!({"extension": ann}))
        .await
        .unwrap();
    archive.check();
    assert_eq!(texts(&archive.rows("extensions"), "number"), ["1001"]);
    let calls = archive.rows("call_records");
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls.iter().all(|call| call["extension_ids"] == json!([ann])));
    let recordings = archive.rows("recordings");
    assert_eq!(recordings.len(), 1);
    let file = recordings[0]["file"].as_str().unwrap();
    assert_eq!(archive.files[file], b"RIFF");
    assert_eq!(
        archive.manifest()["recordings"],
        json!({"files": 1, "bytes": 4, "missing": {}})
    );
    for kind in ["users", "tickets", "audit_entries", "settings"] {
        assert!(archive.manifest()["kinds"].get(kind).is_none(), "{kind}");
    }
    let messages = archive.rows("voicemail");
    assert_eq!(texts(&messages, "caller"), ["1777"]);
    assert_eq!(texts(&messages, "missing"), ["pbx_does_not_answer"]);
    // She took part in none.
    let other = world
        .exported(&mut maker, &owner, json!({"extension": eve.id}))
        .await
        .unwrap();
    assert_eq!(
        (other.rows("call_records").len(), other.rows("recordings").len()),
        (0, 0)
    );
    assert!(other.rows("voicemail").is_empty());
    assert_eq!(other.manifest()["kinds"]["voicemail"]["rows"], 0);
    assert_eq!(other.manifest()["kinds"]["call_records"]["rows"], 0);

    for (number, count) in [("1777", 2), ("1001", 2), ("+4930123456", 0)] {
        let archive = world
            .exported(&mut maker, &owner, json!({"number": number}))
            .await
            .unwrap();
        archive.check();
        assert_eq!(archive.rows("call_records").len(), count, "{number}");
        assert_eq!(archive.rows("recordings").len(), count.min(1), "{number}");
        // By the one, in the mail box of the other.
        assert_eq!(archive.rows("voicemail").len(), count.min(1), "{number}");
        assert!(archive.rows("extensions").is_empty());
        assert!(!archive.holds(MARKS[1]) && !archive.holds("globex"));
        assert!(secrets.iter().all(|secret| !archive.holds(secret)));
        let told = "select after from audit_entries where action = 'data.export' order by number desc";
        let told: Value = serde_json::from_str(&world.texts(told).await[0]).unwrap();
        assert_eq!(told, json!({"subject": {"kind": "number", "id": number}}));
    }
}

#[rstest]
#[tokio::test]
async fn a46_whoever_had_an_extension_or_number_for_a_time_gets_what_was_in_it_and_nothing_of_who_has_it_now(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (owner, _) = world.filled(&world.acme, MARKS[0]).await;
    world.call(&world.acme, "179000003.1", MARKS[0], 1).await;
    // The first call has one already.
    for channel in 2..4 {
        let file = format!("17900000{channel}.1.wav");
        world.recording(&world.acme, &file, 1).await;
    }
    let sql = match backend {
        Postgres => "select id::text from extensions",
        Sqlite => "select hex(id) from extensions",
    };
    let ann: ExtensionId = world.texts(sql).await[0].parse().unwrap();
    let day = |half_days: i64| ago(half_days / 2) - Duration::from_hours(12 * (half_days % 2).unsigned_abs());
    // Three days, two days and one day ago.
    for (from, to, calls) in [
        (None, None, 3),
        (Some(day(5)), None, 2),
        (None, Some(day(5)), 1),
        (Some(day(5)), Some(day(3)), 1),
        (Some(day(1)), None, 0),
    ] {
        for (subject, id) in [("extension", json!(ann)), ("number", json!("1001"))] {
            let mut asked = json!({(subject): id});
            let mut told = json!({"kind": subject, "id": id});
            for (name, moment) in [("from", from), ("to", to)] {
                if let Some(moment) = moment {
                    asked[name] = json!(moment);
                    told[name] = json!(moment);
                }
            }
            let archive = world.exported(&mut maker, &owner, asked).await.unwrap();
            archive.check();
            let manifest = archive.manifest();
            assert_eq!(manifest["subject"], told);
            let found = archive.rows("call_records");
            assert_eq!(found.len(), calls, "{told}");
            let within = |call: &Value| {
                let started: Timestamp = call["started_at"].as_str().unwrap().parse().unwrap();
                from.is_none_or(|from| from <= started) && to.is_none_or(|to| started < to)
            };
            assert!(found.iter().all(within), "{told}");
            assert_eq!(archive.rows("recordings").len(), calls, "{told}");
            let has_settings = subject == "extension" && to.is_none();
            assert_eq!(archive.rows("extensions").len(), usize::from(has_settings));
            assert_eq!(manifest["kinds"].get("extensions").is_some(), has_settings);
            let left_out = manifest["left_out"].as_array().unwrap();
            let names_settings = left_out
                .iter()
                .any(|left| left["what"] == "the settings of the extension");
            assert_eq!(names_settings, subject == "extension" && to.is_some());
        }
    }
}

#[rstest]
#[tokio::test]
async fn c02_a_person_of_another_tenant_is_answered_like_one_who_is_not_there(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let mut maker = world.maker();
    let (_, owner) = world.of_acme("ann", "owner").await;
    let eve = world.person("eve", &world.globex, "owner").await;
    let theirs = world.caller(&eve.token).await;
    let extension = world.extension(&theirs, "1001").await.unwrap().id;
    let asked = [
        ("user", json!(eve.user.id), json!(UserId::fresh(&SystemIds))),
        (
            "extension",
            json!(extension),
            json!(ExtensionId::fresh(&SystemIds)),
        ),
    ];
    for (field, foreign, absent) in asked {
        let mut answers = Vec::new();
        for id in [foreign, absent] {
            let refused = world
                .exported(&mut maker, &owner, json!({(field): id}))
                .await
                .err()
                .unwrap();
            answers.push(refused.to_string());
            assert_eq!(fields::<()>(Err(refused)), [field]);
        }
        assert_eq!(answers[0], answers[1]);
    }
    let begun = "select action from audit_entries where action like 'data.export%'";
    assert!(world.texts(begun).await.is_empty(), "nothing was exported");
}
