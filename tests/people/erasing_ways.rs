//! Which erasures run, and what is certified of them: one at a time, of who they were looked for, and of nobody who may not go.

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::erasures;
use switchyard::app::error::AppError;
use switchyard::app::idempotency::Once;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{api_keys, extensions, users};
use switchyard::auth::caller::Caller;
use switchyard::domain::change::between;
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::digest::Digest;
use switchyard::domain::erasure::{CallErasure, Erasure, ErasureStatus};
use switchyard::domain::ids::ErasureId;
use switchyard::domain::trusted_time::TrustedTime;
use switchyard::store::{deployments, revisions};
use tempfile::TempDir;

use super::erasing::amounts;
use super::gone::world;
use super::purging::inside;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::scan::{all_rows, that_name};
use super::world::{World, code, fields};

async fn certified(world: &World, caller: &Caller, id: ErasureId) -> Result<Erasure, AppError> {
    erasures::certificate(&world.app, caller, id).await
}

#[tokio::test]
async fn a22_a_certificate_is_given_once_it_has_ended_and_the_log_keeps_what_it_says() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let (ann, _) = world.of_acme("medlar", "agent").await;
    world.of_acme("quince", "owner").await;
    let caller = inside(&world.acme);
    let asked = world.look_for(&caller, json!({"user": ann.id})).await.unwrap();
    assert_eq!(code(certified(&world, &caller, asked.id).await), "not_run");
    world.run(&caller, asked.id).await.unwrap();
    assert_eq!(code(certified(&world, &caller, asked.id).await), "running");
    assert!(matches!(
        world.run(&caller, asked.id).await,
        Err(AppError::InUse { .. })
    ));
    world.erase().await;
    let ended = certified(&world, &caller, asked.id).await.unwrap();
    let digest = erasures::digest(&ended).to_string();
    let entry = world
        .texts("select after from audit_entries where action = 'data.erasure_end'")
        .await;
    let entry: Value = serde_json::from_str(&entry[0]).unwrap();
    assert_eq!(entry["certificate"], json!(digest));
    let other = Erasure {
        call_records: CallErasure::Remove,
        ..ended
    };
    assert_ne!(erasures::digest(&other).to_string(), digest);
    assert_eq!(code(world.run(&caller, asked.id).await), "done");
}

#[tokio::test]
async fn a22_who_has_another_address_than_when_they_were_looked_for_is_not_erased() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let (ann, _) = world.of_acme("medlar", "agent").await;
    let caller = inside(&world.acme);
    let asked = world.look_for(&caller, json!({"user": ann.id})).await.unwrap();
    world
        .texts(
            "update users set email = 'other@example.com' where email = 'medlar@example.com' returning email",
        )
        .await;
    assert_eq!(code(world.run(&caller, asked.id).await), "changed_since");
    world.erase().await;
    assert_eq!(
        world.erasure(&world.acme, asked.id).await.status,
        ErasureStatus::Open
    );
    assert_eq!(
        world
            .texts("select email from users where email = 'other@example.com'")
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn a22_the_last_owner_and_oneself_are_not_erased_and_nothing_of_them_is() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let (owner, caller) = world.of_acme("quince", "owner").await;
    let own = world.ticket(&caller, "Quincy").await;
    let by_host = inside(&world.acme);
    let asked = world.look_for(&by_host, json!({"user": owner.id})).await.unwrap();
    assert_eq!(code(world.run(&by_host, asked.id).await), "last_owner");
    world.of_acme("medlar", "owner").await;
    assert_eq!(code(world.run(&caller, asked.id).await), "self_protection");
    world.erase().await;
    assert_eq!(
        world.see(&caller, own.id).await.unwrap().ticket.subject.as_str(),
        "Quincy"
    );
    assert_eq!(
        world.erasure(&world.acme, asked.id).await.status,
        ErasureStatus::Open
    );
}

#[tokio::test]
async fn a22_one_of_a_tenant_runs_at_a_time_and_one_that_nobody_runs_is_forgotten_after_a_week() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let caller = inside(&world.acme);
    let one = world
        .look_for(&caller, json!({"number": "+49301"}))
        .await
        .unwrap();
    let other = world
        .look_for(&caller, json!({"number": "+49302"}))
        .await
        .unwrap();
    world.run(&caller, one.id).await.unwrap();
    assert!(matches!(
        world.run(&caller, other.id).await,
        Err(AppError::InUse { .. })
    ));
    // Another tenant's is not kept waiting.
    let foreign = world
        .look_for(&inside(&world.globex), json!({"number": "+49301"}))
        .await
        .unwrap();
    world.run(&inside(&world.globex), foreign.id).await.unwrap();
    assert_eq!(erasures::forget_old(&world.app).await.unwrap(), 0);
    let week = 7 * 24 * 3_600 * 1_000_000_i64;
    world
        .texts(&format!(
            "update erasures set requested_at = requested_at - {week} - 1000000 returning status"
        ))
        .await;
    world.beat(2, &TrustedTime::first(SystemClock.now())).await;
    assert_eq!(erasures::forget_old(&world.app).await.unwrap(), 1);
    assert_eq!(
        world.texts("select status from erasures").await,
        ["running", "running"]
    );
}

#[rstest]
#[tokio::test]
async fn a22_an_answer_that_is_kept_names_the_erasure_and_goes_with_whom_it_names(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (ann, _) = world.of_acme("medlar", "agent").await;
    let caller = inside(&world.acme);
    let once = Once {
        key: "once".parse().unwrap(),
        request: Digest::of("x"),
        secret: false,
    };
    let input = || serde_json::from_value(json!({"user": ann.id})).unwrap();
    let first = erasures::request(&world.app, &caller, input(), Some(&once))
        .await
        .unwrap();
    let again = erasures::request(&world.app, &caller, input(), Some(&once))
        .await
        .unwrap();
    assert!(again.is_repeated() && !first.is_repeated());
    assert_eq!(first.into_inner().id, again.into_inner().id);
    assert_eq!(world.texts("select status from erasures").await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a22_whoever_is_deleted_already_is_erased_as_long_as_the_log_tells_who_they_were(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    world.forget_log().await;
    let acme = &world.acme;
    let (_, owner) = world.of_acme("quince", "owner").await;
    let (ann, caller) = world.of_acme("medlar", "owner").await;
    let own = world.ticket(&caller, "Medlarish").await;
    // A key of hers that is there no more, and what somebody else did with her ticket.
    let (key, secret) = world.key(&caller, &["tickets.create", "tickets.view"]).await;
    let program = world.caller(secret.expose()).await;
    let by_key = world.ticket(&program, "Medlarish program").await;
    api_keys::revoke(&world.app, &caller, key.id).await.unwrap();
    let closed = serde_json::from_value(json!({"state": "closed"})).unwrap();
    world.patch(&owner, own.id, closed).await.unwrap();
    users::delete(&world.app, &owner, ann.id, &IfMatch::Any)
        .await
        .unwrap();
    let phone = world.extension(&owner, "1001").await.unwrap().id;
    world.call(acme, "1790000001.1", "Medlarish", 3).await;
    extensions::delete(&world.app, &owner, phone, &IfMatch::Any)
        .await
        .unwrap();

    let done = world.erased(acme, json!({"user": ann.id})).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    assert_eq!(amounts(&done)[0], ("account", 0, 0, 0));
    let texts = ["medlar@example.com", "medlarish"].map(str::to_owned);
    let left: Vec<_> = that_name(&all_rows(&world.bench).await, &texts);
    assert!(left.iter().all(|row| row.starts_with("call_record")), "{left:#?}");
    for id in [own.id, by_key.id] {
        assert_eq!(
            world.see(&owner, id).await.unwrap().ticket.subject.as_str(),
            "erased"
        );
    }
    world.erased(acme, json!({"extension": phone})).await;
    let left: Vec<_> = that_name(&all_rows(&world.bench).await, &texts);
    assert!(left.is_empty(), "{left:#?}");
    // Nobody is told who was another tenant's.
    let foreign = world
        .look_for(&inside(&world.globex), json!({"user": ann.id}))
        .await;
    assert_eq!(fields(foreign), ["user"]);
    assert!(world.is_log_whole().await);
}

#[rstest]
#[tokio::test]
async fn a22_a_deploy_after_an_erasure_does_not_write_down_what_was_erased(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (acme, caller) = (&world.acme, inside(&world.acme));
    let input = json!({"number": "1001", "name": "Medlar", "forward": {"busy": "+49302"}});
    let input = serde_json::from_value(input).unwrap();
    let (extension, _) = extensions::create(&world.app, &caller, input).await.unwrap();
    let mut tx = world.store.begin("before").await.unwrap();
    let before = revisions::head(&mut tx, acme.id).await.unwrap().unwrap();
    drop(tx);
    world.erased(acme, json!({"extension": extension.id})).await;
    world.refused(acme, "broken", 1).await;
    let mut tx = world.store.begin("after").await.unwrap();
    let after = revisions::head(&mut tx, acme.id).await.unwrap().unwrap();
    let changes = between(acme.id, Some(&before), Some(&after));
    assert_eq!(changes[0].fields.len(), 2, "{changes:?}");
    drop(tx);
    world
        .texts("update deployments set ended_at = null, status = 'planning' returning status")
        .await;
    let id = world.texts(match backend {
        Sqlite => "select hex(id) from deployments",
        Postgres => "select id::text from deployments",
    });
    let id = id.await[0].parse().unwrap();
    let mut tx = world.store.begin("plan").await.unwrap();
    deployments::set_plan(&mut tx, id, None, &changes).await.unwrap();
    tx.commit().await.unwrap();
    let kept = world.texts("select cast(changes as text) from deployments").await;
    assert!(
        kept[0].contains("forward.busy") && kept[0].contains("not kept"),
        "{kept:?}"
    );
    assert!(
        !kept[0].contains("Medlar") && !kept[0].contains("49302"),
        "{kept:?}"
    );
}

#[tokio::test]
async fn a22_what_keeps_something_for_a_month_is_forgotten_whom_it_is_about() {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let caller = inside(&world.acme);
    // There is no Asterisk in whose mail boxes somebody could look.
    let partial = world.erased(&world.acme, json!({"number": "+49301"})).await;
    assert_eq!(partial.status, ErasureStatus::Partial);
    assert_eq!(erasures::forget_old(&world.app).await.unwrap(), 0);
    let month = 30 * 24 * 3_600 * 1_000_000_i64;
    let sql = format!("update erasures set ended_at = ended_at - {month} - 1000000 returning status");
    world.texts(&sql).await;
    assert_eq!(erasures::forget_old(&world.app).await.unwrap(), 1);
    assert_eq!(erasures::forget_old(&world.app).await.unwrap(), 0);
    let rows = that_name(&all_rows(&world.bench).await, &["+49301".to_owned()]);
    assert!(rows.is_empty(), "{rows:?}");
    assert_eq!(code(world.run(&caller, partial.id).await), "forgotten");
}

#[rstest]
#[tokio::test]
async fn a22_where_no_mail_boxes_are_looked_after_an_erasure_ends_partial_however_often_and_says_why(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    world.call(&world.acme, "1790000001.1", "Ann", 3).await;
    let place = world.is_on_freeswitch(&state).await;
    let caller = inside(&world.acme);
    let mut ended = world.erased(&world.acme, json!({"number": "1001"})).await;
    for runs in 1..=3 {
        if runs > 1 {
            world.run(&caller, ended.id).await.unwrap();
            world.erase().await;
            ended = world.erasure(&world.acme, ended.id).await;
        }
        assert_eq!(ended.status, ErasureStatus::Partial, "{ended:#?}");
        let (kept, gone): (Vec<_>, Vec<_>) = ended.parts.iter().partition(|part| part.kept > 0);
        let [kept] = kept[..] else { panic!("{ended:#?}") };
        assert_eq!(
            (kept.place.as_str(), kept.instance_id, kept.kept),
            ("voicemail", Some(place), 1)
        );
        let detail = kept.detail.as_ref().unwrap();
        assert!(
            detail.contains("voicemail_dir") && detail.contains("nobody looks after"),
            "{detail}"
        );
        assert!(
            gone.iter()
                .any(|part| part.place.as_str() == "call_records" && part.erased == 1),
            "{gone:#?}"
        );
    }
    let left = erasures::left(&ended.subject);
    assert!(
        left.iter().any(|left| left.what.contains("FreeSWITCH")),
        "{left:#?}"
    );
}
