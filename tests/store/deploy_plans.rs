//! What is noted of a deploy that was planned: that something of a person was changed, and not what it was.

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::domain::change::{Change, ChangeKind, FieldChange, NOT_KEPT};
use switchyard::domain::deployment::Scope;
use switchyard::store::deployments;

use super::bench::Backend::{Postgres, Sqlite};
use super::bench::{Backend, Bench};
use super::samples::{World, deployment, store_generation};

#[rstest]
#[tokio::test]
async fn a22_a_plan_keeps_no_value_that_may_say_something_of_a_person(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let generation = store_generation(&store, world.instance.id, &[]).await;
    let row = deployment(world.instance.id, Scope::Platform, 50);
    let instead = || json!(NOT_KEPT);
    let fields = [
        ("name", json!("Ann Secret"), json!("Anna Secret"), true),
        ("caller_id.number", json!("+49secret"), json!(null), true),
        ("forward.busy", json!(null), json!("+49secret2"), true),
        ("forward.no_answer", json!("+49secret2"), json!("1002"), true),
        ("voicemail.email", json!("secret@x.example"), json!(null), true),
        ("voicemail.enabled", json!(false), json!(true), false),
        ("ring_time", json!(20), json!(30), false),
        ("names", json!("a"), json!("b"), false),
        ("recording", json!(null), json!("always"), false),
    ];
    let (mut planned, mut kept) = (Vec::new(), Vec::new());
    for (field, before, after, is_personal) in fields {
        let change = |before, after| FieldChange {
            field: field.to_owned(),
            before,
            after,
        };
        // That there was none before, or is none any more, is told.
        let shown = |value: &Value| match value {
            Value::Null => Value::Null,
            value if is_personal => {
                assert!(!value.is_null());
                instead()
            }
            value => value.clone(),
        };
        kept.push(change(shown(&before), shown(&after)));
        planned.push(change(before, after));
    }
    let changes = |fields| {
        let changed = Change {
            fields,
            ..Change::whole(ChangeKind::Changed, Some(world.acme.id), "extension 1001")
        };
        let theirs = Change {
            tenant_id: Some(world.globex.id),
            ..changed.clone()
        };
        let added = Change::whole(ChangeKind::Added, Some(world.acme.id), "extension 1002");
        vec![changed, theirs, added]
    };
    let mut tx = store.begin("plan").await.unwrap();
    deployments::insert(&mut tx, &row).await.unwrap();
    let (planned, kept) = (changes(planned), changes(kept));
    // Whoever plans it once more is told the same.
    for _ in 0..2 {
        let set = deployments::set_plan(&mut tx, row.id, Some(&generation), &planned).await;
        assert!(set.unwrap());
        let found = deployments::find_anywhere(&mut tx, row.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.changes, kept);
    }
    tx.commit().await.unwrap();
    let stored = bench
        .ask("select cast(changes as text) from deployments".to_owned())
        .await;
    assert_eq!(stored.len(), 1);
    assert!(!stored[0].to_lowercase().contains("secret"), "{stored:?}");
    assert_eq!(stored[0].matches(NOT_KEPT).count(), 2 * 7);
}
