//! Erasures of whoever is there no more, where somebody else has their number or their address by now: these lose nothing.

use rstest::rstest;
use serde_json::json;
use switchyard::app::precondition::IfMatch;
use switchyard::app::{extensions, users};
use switchyard::domain::erasure::{ErasurePlace, ErasureStatus};
use switchyard::domain::ids::ExtensionId;
use tempfile::TempDir;

use super::erasing::{amounts, foreseen};
use super::gone::world;
use super::purging::{ago, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{World, code, fields};

impl World {
    /// Acme's extension goes, and its number is given to somebody else; gives who had it and who has it.
    async fn given_again(&self, number: &str) -> [ExtensionId; 2] {
        let caller = inside(&self.acme);
        let before = self.extension(&caller, number).await.unwrap().id;
        self.delete_extension(before).await;
        [before, self.extension(&caller, number).await.unwrap().id]
    }

    async fn delete_extension(&self, id: ExtensionId) {
        let caller = inside(&self.acme);
        extensions::delete(&self.app, &caller, id, &IfMatch::Any)
            .await
            .unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn a22_of_a_deleted_extension_only_what_came_before_it_went_is_erased(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let (acme, caller) = (&world.acme, inside(&world.acme));
    let [before, now] = world.given_again("1001").await;
    world.message(acme, "1001", "5550001", 3).await;
    world.message(acme, "1001", "5550002", -3).await;
    world.refused(acme, "before", 3).await;
    world.refused(acme, "since", -3).await;
    let asked = world
        .look_for(&caller, json!({"extension": before}))
        .await
        .unwrap();
    assert_eq!(foreseen(&asked, ErasurePlace::Voicemail), 1);
    let to = asked.subject.within().to.unwrap();
    assert!(to > ago(1) && to < ago(-1), "{to}");
    assert!(
        foreseen(&asked, ErasurePlace::AuditPayloads) >= 2,
        "that it was made and that it went"
    );
    // Said by whoever asks, an earlier time counts, and a later one does not.
    let five = ago(5);
    let early = json!({"extension": before, "to": five});
    let early = world.look_for(&caller, early).await.unwrap();
    assert_eq!(foreseen(&early, ErasurePlace::Voicemail), 0);
    assert_eq!(early.subject.within().to, Some(five));
    let late = json!({"extension": before, "to": ago(-9)});
    assert_eq!(
        world.look_for(&caller, late).await.unwrap().subject,
        asked.subject
    );
    let never = json!({"extension": before, "from": ago(-1)});
    assert_eq!(fields(world.look_for(&caller, never).await), ["from"]);
    // Of the one that is there, all of it is.
    let there = world.look_for(&caller, json!({"extension": now})).await.unwrap();
    assert_eq!(there.subject.within().to, None);
    assert_eq!(foreseen(&there, ErasurePlace::Voicemail), 2);
    // It is the same one when it is run.
    world.run(&caller, asked.id).await.unwrap();
    world.erase().await;
    let ended = world.erasure(acme, asked.id).await;
    assert_eq!(amounts(&ended)[1].1, 1, "{ended:#?}");
    assert_eq!(world.phone(acme, "1001").await, now);
}

#[rstest]
#[tokio::test]
async fn a22_an_extension_that_was_deleted_since_it_was_looked_for_is_to_be_looked_for_anew(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_again: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    let caller = inside(&world.acme);
    let phone = world.extension(&caller, "1001").await.unwrap().id;
    let asked = world
        .look_for(&caller, json!({"extension": phone}))
        .await
        .unwrap();
    if is_again {
        // There is no Asterisk in whose mail boxes somebody could look.
        world.run(&caller, asked.id).await.unwrap();
        world.erase().await;
        let status = world.erasure(&world.acme, asked.id).await.status;
        assert_eq!(status, ErasureStatus::Partial);
    }
    world.delete_extension(phone).await;
    assert_eq!(code(world.run(&caller, asked.id).await), "changed_since");
    let anew = world.look_for(&caller, json!({"extension": phone})).await;
    if is_again {
        // By then the log tells of it only that it went, under its number.
        assert!(anew.unwrap().subject.within().to.is_some());
    } else {
        world.run(&caller, anew.unwrap().id).await.unwrap();
    }
}

/// While it runs, and the host of the mail boxes, or anybody at all, is still to come.
#[rstest]
#[tokio::test]
async fn a22_messages_for_whoever_is_given_the_number_while_it_runs_stay(
    #[values(false, true)] is_noted: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(Sqlite, &state).await;
    let (acme, caller) = (&world.acme, inside(&world.acme));
    let phone = world.extension(&caller, "1001").await.unwrap().id;
    world.message(acme, "1001", "5550001", 3).await;
    let node = async |node: &str| {
        let sql = format!("update instances set node = '{node}' returning name");
        assert!(!world.texts(&sql).await.is_empty());
    };
    node("node2").await;
    let running = world
        .look_for(&caller, json!({"extension": phone}))
        .await
        .unwrap();
    world.run(&caller, running.id).await.unwrap();
    if is_noted {
        world.erase().await;
    }
    world.delete_extension(phone).await;
    world.extension(&caller, "1001").await.unwrap();
    world.message(acme, "1001", "5550002", -3).await;
    node("node1").await;
    world.erase().await;
    let ended = world.erasure(acme, running.id).await;
    assert_eq!(amounts(&ended)[1].1, 1, "{ended:#?}");
    let settings = extensions::find_by_number(&world.app, &caller, &"1001".parse().unwrap()).await;
    let settings = settings.unwrap().settings;
    assert_ne!(settings.name.as_str(), "extension 1001", "it is somebody else's");
}

#[rstest]
#[tokio::test]
async fn a22_an_address_that_somebody_else_has_by_now_is_no_trace_of_who_had_it(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values(false, true)] is_given: bool,
) {
    let state = TempDir::new().unwrap();
    let world = world(backend, &state).await;
    world.forget_log().await;
    let (_, owner) = world.of_acme("quince", "owner").await;
    let (first, caller) = world.of_acme("medlar", "owner").await;
    let ticket = world.ticket(&caller, "Hers").await;
    users::delete(&world.app, &owner, first.id, &IfMatch::Any)
        .await
        .unwrap();
    if is_given {
        world.of_acme("medlar", "owner").await;
    }
    world.refused(&world.acme, "theirs", 1).await;
    let sql = "update deployments set requested_by = 'medlar@example.com' returning status";
    world.texts(sql).await;
    let done = world.erased(&world.acme, json!({"user": first.id})).await;
    assert_eq!(done.status, ErasureStatus::Done, "{done:#?}");
    let seen = world.see(&owner, ticket.id).await.unwrap();
    assert_eq!(seen.ticket.subject.as_str(), "erased", "it is known by her id");
    let tables = world.stand_in(&["medlar@example.com"]).await;
    let kept: &[&str] = if is_given {
        &["audit_entries", "deployments", "users"]
    } else {
        &[]
    };
    assert_eq!(tables, kept);
}
