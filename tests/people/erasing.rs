//! An erasure from its preview to its certificate: what there was of a person is nowhere any more but where it says so, and
//! everything of others is.

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::erasures::{self, work};
use switchyard::app::error::AppError;
use switchyard::app::precondition::IfMatch;
use switchyard::app::setbacks::Setbacks;
use switchyard::app::{audit_log, extensions, operator};
use switchyard::auth::caller::Caller;
use switchyard::domain::erasure::{Erasure, ErasurePlace, ErasureStatus};
use switchyard::domain::ids::{ErasureId, ExtensionId};
use switchyard::domain::tenant::Tenant;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::gone::world;
use super::purging::inside;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::scan::{all_rows, files_that_hold, tables_that_name, that_name};
use super::world::World;

impl World {
    /// Has somebody looked for.
    pub async fn look_for(&self, caller: &Caller, whom: Value) -> Result<Erasure, AppError> {
        let input = serde_json::from_value(whom).unwrap();
        let asked = erasures::request(&self.app, caller, input, None).await?;
        Ok(asked.into_inner())
    }

    /// Has what was found of them erased.
    pub async fn run(&self, caller: &Caller, id: ErasureId) -> Result<Erasure, AppError> {
        let run = erasures::run(&self.app, caller, id, &IfMatch::Any, None).await?;
        Ok(run.into_inner())
    }

    /// Does what a daemon does each time that it looks.
    pub async fn erase(&self) {
        let (stop, mut setbacks) = (CancellationToken::new(), Setbacks::default());
        for _ in 0..100 {
            if !work::work(&self.app, &mut setbacks, &stop).await.unwrap() {
                return;
            }
        }
        panic!("it does not come to an end");
    }

    /// What has become of one.
    pub async fn erasure(&self, tenant: &Tenant, id: ErasureId) -> Erasure {
        erasures::find(&self.app, &inside(tenant), id).await.unwrap()
    }

    /// All of it: somebody is looked for, and erased.
    pub async fn erased(&self, tenant: &Tenant, whom: Value) -> Erasure {
        let caller = inside(tenant);
        let asked = self.look_for(&caller, whom).await.unwrap();
        self.run(&caller, asked.id).await.unwrap();
        self.erase().await;
        self.erasure(tenant, asked.id).await
    }

    /// The tables in whose rows one of these stands.
    pub async fn stand_in(&self, texts: &[&str]) -> Vec<String> {
        tables_that_name(&self.bench, texts).await
    }

    /// Also what is no row of a table any more names none of these: SQLite has one file, which is read as it lies there.
    pub async fn is_written_over(&self, texts: &[&str]) {
        if self.bench.backend == Sqlite {
            self.bench.sql("pragma wal_checkpoint(truncate)").await;
            assert_eq!(files_that_hold(self.bench.folder.path(), texts), [""; 0]);
        }
    }

    /// The id of a tenant's extension.
    pub async fn phone(&self, tenant: &Tenant, number: &str) -> ExtensionId {
        let number = number.parse().unwrap();
        let found = extensions::find_by_number(&self.app, &inside(tenant), &number).await;
        found.unwrap().id
    }

    /// Whether the log is as it was written.
    pub async fn is_log_whole(&self) -> bool {
        let log = audit_log::verify(&self.app, &operator::platform(None), None).await;
        log.unwrap().ok
    }
}

/// Of each place how many were found, erased and kept.
pub fn amounts(erasure: &Erasure) -> Vec<(&'static str, i64, i64, i64)> {
    let parts = erasure.parts.iter();
    parts
        .map(|part| {
            let found = part.found.unwrap_or(-1);
            (part.place.as_str(), found, part.erased, part.kept)
        })
        .collect()
}

/// How many were foreseen at a place.
pub fn foreseen(erasure: &Erasure, place: ErasurePlace) -> i64 {
    let of = erasure.preview.iter().filter(|found| found.place == place);
    of.map(|found| found.found).sum()
}

#[rstest]
#[tokio::test]
async fn a22_after_the_erasure_of_a_user_nothing_is_left_of_them_and_all_of_the_others(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    world.forget_log().await;
    let (acme, globex) = (&world.acme, &world.globex);
    let (_, owner) = world.of_acme("quince", "owner").await;
    let (ann, caller) = world.of_acme("medlar", "owner").await;
    let eve = world.person("sloe", globex, "owner").await;
    let eve = world.caller(&eve.token).await;
    // What she does, herself and by a program of hers.
    let own = world.ticket(&caller, "Medlarish trouble").await;
    let others = world.ticket(&owner, "Quincy trouble").await;
    let foreign = world.ticket(&eve, "Sloey trouble").await;
    world.say(&caller, others.id, "Medlarish words").await.unwrap();
    world.say(&owner, own.id, "Quincy words").await.unwrap();
    let (_, secret) = world
        .key(&caller, &["tickets.create", "tickets.view", "config.write"])
        .await;
    let program = world.caller(secret.expose()).await;
    world.ticket(&program, "Medlarish program").await;
    world.extension(&caller, "1002").await.unwrap();
    let assigned = serde_json::from_value(json!({"assignee_id": ann.id})).unwrap();
    world.patch(&owner, others.id, assigned).await.unwrap();
    world.forgot("medlar@example.com").await.unwrap();
    world.refused(acme, "broken", 1).await;
    world
        .texts("update deployments set requested_by = 'medlar@example.com' returning status")
        .await;
    let who = ["medlar@example.com", "medlarish"];
    let before = world.stand_in(&who).await;
    for table in [
        "audit_entries",
        "deployments",
        "tickets",
        "ticket_comments",
        "users",
    ] {
        assert!(before.contains(&table.to_owned()), "{table}: {before:?}");
    }
    // What is in a mail is sealed; to whom it is, is not.
    let mails = format!("select subject from outbox where subject like '%{}'", ann.id);
    assert_eq!(world.texts(&mails).await.len(), 1);
    let others_before = world.stand_in(&["quincy", "sloey", "sloe@example.com"]).await;

    let asked = world.look_for(&owner, json!({"user": ann.id})).await.unwrap();
    assert_eq!(asked.status, ErasureStatus::Open);
    assert_eq!(foreseen(&asked, ErasurePlace::Account), 1);
    assert_eq!(foreseen(&asked, ErasurePlace::Tickets), 3);
    assert_eq!(foreseen(&asked, ErasurePlace::TicketComments), 1);
    assert_eq!(foreseen(&asked, ErasurePlace::Requests), 1);
    assert!(foreseen(&asked, ErasurePlace::AuditPayloads) > 5);
    assert_eq!(
        world.see(&owner, own.id).await.unwrap().ticket.subject.as_str(),
        "Medlarish trouble",
        "nothing is erased so far"
    );
    world.run(&owner, asked.id).await.unwrap();
    world.erase().await;
    let done = world.erasure(acme, asked.id).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert!(
        done.parts
            .iter()
            .all(|part| part.found == Some(part.erased) && part.kept == 0),
        "{done:#?}"
    );
    assert_eq!(done.marks, None);

    let left: Vec<String> = that_name(&all_rows(&world.bench).await, &who.map(str::to_owned));
    assert!(left.is_empty(), "{left:#?}");
    assert!(world.texts(&mails).await.is_empty());
    world.is_written_over(&who).await;
    assert_eq!(
        world.stand_in(&["quincy", "sloey", "sloe@example.com"]).await,
        others_before
    );
    assert_eq!(world.see(&owner, own.id).await.unwrap().text.as_str(), "erased");
    let ticket = world.see(&owner, others.id).await.unwrap();
    assert_eq!(ticket.ticket.subject.as_str(), "Quincy trouble");
    assert_eq!(ticket.comments[0].text.as_str(), "erased");
    assert_eq!(
        world.see(&eve, foreign.id).await.unwrap().ticket.subject.as_str(),
        "Sloey trouble"
    );
    let in_again = world.log_in("medlar@example.com", super::world::PASSWORD).await;
    assert!(matches!(in_again, Err(AppError::Denied(_))));
    assert!(world.is_log_whole().await);
}

#[rstest]
#[tokio::test]
async fn a22_after_the_erasure_of_an_extension_its_calls_recordings_and_names_are_gone_and_those_of_others_stay(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("pseudonymise", "remove")] calls: &str,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    world.forget_log().await;
    let (acme, globex) = (&world.acme, &world.globex);
    for tenant in [acme, globex] {
        let caller = inside(tenant);
        let input = json!({"number": "1001", "name": "Medlar", "caller_id": {"number": "+49301", "name": "Medlar too"},
            "forward": {"busy": "+49302"}, "voicemail": {"email": "medlar@example.com"}});
        let input = serde_json::from_value(input).unwrap();
        extensions::create(&world.app, &caller, input).await.unwrap();
        world.call(tenant, "1790000001.1", "Medlar", 3).await;
        world.call(tenant, "1790000002.1", "Medlar", 2).await;
        world.recording(tenant, "1790000001.1.wav", 3).await;
        world.recording(tenant, "1790000009.1.wav", 3).await;
    }
    let who = ["medlar", "+49301", "+49302", "medlar@example.com"];
    let phone = world.phone(acme, "1001").await;
    let done = world
        .erased(acme, json!({"extension": phone, "call_records": calls}))
        .await;
    // There is no Asterisk in whose mail boxes somebody could look.
    assert_eq!(done.status, ErasureStatus::Partial, "{done:#?}");
    assert_eq!(
        amounts(&done),
        [
            ("recordings", 1, 1, 0),
            ("voicemail", 0, 0, 1),
            ("call_records", 2, 2, 0),
            ("extension", 1, 1, 0),
            ("audit_payloads", 1, 1, 0),
            ("deployments", 0, 0, 0),
            ("webhook_events", 0, 0, 0),
            ("kept_answers", 0, 0, 0),
        ]
    );
    let names = std::fs::read_dir(world.recorded(acme)).unwrap();
    let names: Vec<_> = names.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["1790000009.1.wav"], "a recording of nobody's call stays");
    assert!(world.recorded(globex).join("1790000001.1.wav").exists());
    let of = |tenant: &Tenant, what: &str| {
        format!(
            "select {what} from call_records r where r.tenant_id = (select id from tenants where domain = '{}') order by r.started_at",
            tenant.domain
        )
    };
    let texts =
        "coalesce(r.from_number, '') || ' ' || coalesce(r.from_name, '') || ' ' || coalesce(r.to_number, '')";
    let pseudonym = done.pseudonym().unwrap();
    let expected = match calls {
        "remove" => Vec::new(),
        _ => vec![format!("{pseudonym}  1777"); 2],
    };
    assert_eq!(world.texts(&of(acme, texts)).await, expected);
    assert_eq!(world.texts(&of(globex, texts)).await, ["1001 Medlar 1777"; 2]);
    let linked = "select '1' from call_record_extensions e join extensions x on x.id = e.extension_id \
        where x.tenant_id = (select id from tenants where name = 'Acme')";
    assert!(world.texts(linked).await.is_empty());
    // Of the other tenant it is all there, and of this one only that of the other.
    let rows = that_name(&all_rows(&world.bench).await, &who.map(str::to_owned));
    let acme_id = acme.id.uuid().simple().to_string();
    let of_acme: Vec<_> = rows
        .iter()
        .filter(|row| row.to_lowercase().replace('-', "").contains(&acme_id))
        .collect();
    assert!(of_acme.is_empty(), "{of_acme:#?}");
    assert_eq!(
        world.stand_in(&who).await,
        ["audit_entries", "call_record_parts", "call_records", "extensions"].map(str::to_owned)
    );
    let shown = extensions::find(&world.app, &inside(acme), phone).await.unwrap();
    assert_eq!(shown.settings.name.as_str(), "extension 1001");
    assert_eq!(shown.settings.forward.busy, None);
    assert!(world.is_log_whole().await);
}

#[rstest]
#[tokio::test]
async fn a22_a_number_is_erased_wherever_a_call_names_it_and_is_not_kept_by_what_says_so(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    world.forget_log().await;
    let acme = &world.acme;
    for tenant in [acme, &world.globex] {
        // Dialled, calling, and only forwarded to.
        world.call(tenant, "1790000001.1", "Quince", 3).await;
        world.call(tenant, "1790000002.1", "Quince", 3).await;
        world.call(tenant, "1790000003.1", "Quince", 3).await;
        world.recording(tenant, "1790000003.1.wav", 3).await;
    }
    let told = match backend {
        Sqlite => "told = replace(told, '\"to\":\"1777\"', '\"to\":\"+49301\"')",
        Postgres => "told = jsonb_set(told, '{to}', '\"+49301\"')",
    };
    world
        .texts("update call_records set to_number = '+49301' where call = '1790000001.1' returning call")
        .await;
    world.texts("update call_records set from_number = '+49301', from_name = 'Medlar' where call = '1790000002.1' returning call").await;
    world
        .texts(&format!(
            "update call_record_parts set {told} where channel = '1790000003.1' returning part"
        ))
        .await;
    world.message(acme, "1001", "+49301", 3).await;
    let asked = world
        .look_for(&inside(acme), json!({"number": "+49301"}))
        .await
        .unwrap();
    assert_eq!(foreseen(&asked, ErasurePlace::CallRecords), 3);
    assert_eq!(foreseen(&asked, ErasurePlace::Recordings), 1);
    assert_eq!(foreseen(&asked, ErasurePlace::Voicemail), 1);
    world.run(&inside(acme), asked.id).await.unwrap();
    world.erase().await;
    let done = world.erasure(acme, asked.id).await;
    assert_eq!(done.status, ErasureStatus::Partial, "{done:#?}");
    let parts = amounts(&done);
    assert_eq!(parts[0], ("recordings", 1, 1, 0));
    assert_eq!(parts[2], ("call_records", 3, 3, 0));
    let rows = that_name(&all_rows(&world.bench).await, &["+49301".to_owned()]);
    let globex = world.globex.id.uuid().simple().to_string();
    let of_acme = |row: &&String| !row.to_lowercase().replace('-', "").contains(&globex);
    let left: Vec<&str> = rows
        .iter()
        .filter(of_acme)
        .map(|row| row.split(':').next().unwrap())
        .collect();
    // A part names no tenant: that one is the other's.
    let mut ours: Vec<&&str> = left
        .iter()
        .filter(|table| **table != "call_record_parts")
        .collect();
    ours.sort();
    assert_eq!(
        ours,
        [&"erasures", &"voicemail_messages"],
        "what could not be reached, and that it is to be erased"
    );
    let entries = world
        .texts("select coalesce(after, '') from audit_entries where action like 'data.erasure%'")
        .await;
    assert_eq!(entries.len(), 3);
    assert!(
        entries.iter().all(|entry| !entry.contains("49301")),
        "{entries:?}"
    );
}
