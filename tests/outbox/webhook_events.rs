//! Which events there are, whose, and what they hold; and that every process sends each once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use rstest::rstest;
use switchyard::app::invitations::{self, Acceptance, InvitationInput};
use switchyard::app::precondition::IfMatch;
use switchyard::app::tenant_status::{self, SuspensionInput};
use switchyard::app::{operator, own_tenant, platform_user_changes, tenant_deletion, users};
use switchyard::auth::caller::Origin;
use switchyard::domain::webhook::EventKind;

use super::hooked::{Hooked, inside};
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::receiver::Manner::Status;
use super::support::receiver::Receiver;

fn all() -> Vec<&'static str> {
    EventKind::ALL.iter().map(|kind| kind.as_str()).collect()
}

#[rstest]
#[tokio::test]
async fn c06_a_webhook_gets_the_events_of_its_tenant_and_no_others(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let hooked = Hooked::new(backend).await;
    let (of_acme, of_globex) = (Receiver::start().await, Receiver::start().await);
    hooked.hook_at(&hooked.acme, &of_acme.url(), &all()).await;
    hooked.hook_at(&hooked.globex, &of_globex.url(), &all()).await;
    let ann = hooked.user("ann", &hooked.acme).await;
    hooked.user("eve", &hooked.globex).await;
    // Whoever moves is gone for the one and there for the other, and neither hears of the other.
    let (operator, any) = (operator::platform(None), IfMatch::default());
    let to = Some(hooked.globex.id);
    platform_user_changes::change_tenant(&hooked.app, &operator, ann, to, None, &any)
        .await
        .unwrap();
    hooked.work_off().await;
    assert_eq!(of_acme.kinds(), ["user.created", "user.deleted"]);
    assert_eq!(of_globex.kinds(), ["user.created", "user.created"]);
    for (receiver, own, other) in [
        (&of_acme, &hooked.acme, &hooked.globex),
        (&of_globex, &hooked.globex, &hooked.acme),
    ] {
        for got in receiver.got() {
            assert_eq!(got.json()["tenant_id"], own.id.to_string());
            assert!(!got.body.contains(&other.id.to_string()), "{}", got.body);
        }
    }
    let gone = &of_acme.got()[1].json()["data"];
    assert_eq!(gone, &serde_json::json!({"user": {"id": ann}}));
}

#[rstest]
#[tokio::test]
async fn what_is_done_to_users_and_tenants_is_told_in_its_order_and_a_suspended_tenant_hears_nothing(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    hooked.hook(&receiver, &all()).await;
    let other = Receiver::start().await;
    hooked.hook(&other, &["user.suspended"]).await;
    let caller = inside(&hooked.acme);
    let (app, any) = (&hooked.app, IfMatch::default());
    let bob = hooked.user("bob", &hooked.acme).await;
    users::assign_role(app, &caller, bob, "manager", &any)
        .await
        .unwrap();
    users::suspend(app, &caller, bob, &any).await.unwrap();
    users::reactivate(app, &caller, bob, &any).await.unwrap();
    let zone = own_tenant::OwnTenantInput {
        timezone: Some("Europe/Berlin".to_owned()),
        ..Default::default()
    };
    own_tenant::change(app, &caller, zone, &any).await.unwrap();
    let operator = operator::platform(None);
    suspend(&hooked).await;
    let mut tx = hooked.store.begin("meanwhile").await.unwrap();
    tx.tell([hooked.created(bob)]);
    tx.commit().await.unwrap();
    tenant_status::reactivate(app, &operator, hooked.acme.id, &any)
        .await
        .unwrap();
    users::delete(app, &caller, bob, &any).await.unwrap();
    hooked.work_off().await;
    let kinds = receiver.kinds();
    let but_deploys: Vec<&str> = kinds
        .iter()
        .map(String::as_str)
        .filter(|kind| !kind.starts_with("deployment."))
        .collect();
    assert_eq!(
        but_deploys,
        [
            "user.created",
            "user.changed",
            "user.suspended",
            "user.reactivated",
            "tenant.changed",
            "tenant.suspended",
            "tenant.reactivated",
            "user.deleted",
        ]
    );
    assert_eq!(
        receiver.numbers(),
        (1..=i64::try_from(kinds.len()).unwrap()).collect::<Vec<_>>()
    );
    let suspended = receiver
        .got()
        .into_iter()
        .find(|got| got.kind() == "tenant.suspended");
    let suspended = suspended.unwrap().json();
    assert_eq!(suspended["data"]["tenant"]["status"], "suspended");
    assert_eq!(other.kinds(), ["user.suspended"]);
    let ids = receiver
        .got()
        .iter()
        .map(|got| got.json()["id"].to_string())
        .collect::<BTreeSet<_>>();
    assert_eq!(ids.len(), kinds.len());
    for got in receiver.got() {
        for secret in ["quince medlar sloe", "argon2", "T0kenInThePath", "whs_"] {
            assert!(!got.body.contains(secret), "{}", got.body);
        }
    }
}

async fn suspend(hooked: &Hooked) {
    let why: SuspensionInput = serde_json::from_value(serde_json::json!({"category": "pause"})).unwrap();
    let (operator, any) = (operator::platform(None), IfMatch::default());
    tenant_status::suspend(&hooked.app, &operator, hooked.acme.id, why, &any)
        .await
        .unwrap();
}

/// Has Acme go for good.
async fn let_go(hooked: &Hooked) {
    suspend(hooked).await;
    let (operator, any) = (operator::platform(None), IfMatch::default());
    tenant_deletion::delete(&hooked.app, &operator, hooked.acme.id, "Acme", &any)
        .await
        .unwrap();
}

/// Whether nothing of it is left.
async fn is_gone(hooked: &Hooked) -> bool {
    let operator = operator::platform(None);
    tenant_deletion::finish(&hooked.app, &operator, hooked.acme.id)
        .await
        .unwrap()
}

#[rstest]
#[tokio::test]
async fn a_tenant_that_is_deleted_is_gone_only_when_its_webhooks_were_told(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    hooked.hook(&receiver, &all()).await;
    let other = Receiver::start().await;
    hooked.hook_at(&hooked.globex, &other.url(), &all()).await;
    let ann = hooked.user("ann", &hooked.acme).await;
    let_go(&hooked).await;
    let mut tx = hooked.store.begin("meanwhile").await.unwrap();
    tx.tell([hooked.created(ann)]);
    tx.commit().await.unwrap();
    assert!(!is_gone(&hooked).await);
    hooked.work_off().await;
    let kinds = receiver.kinds();
    let own: Vec<&str> = kinds
        .iter()
        .map(String::as_str)
        .filter(|kind| !kind.starts_with("dep"))
        .collect();
    assert_eq!(own, ["user.created", "tenant.suspended", "tenant.deleted"]);
    let told = receiver.got().pop().unwrap().json();
    assert_eq!(told["data"]["tenant"]["status"], "deleting");
    assert_eq!(told["data"]["tenant"]["id"], hooked.acme.id.to_string());
    let id = match backend {
        Sqlite => "lower(hex(id))",
        Postgres => "replace(id::text, '-', '')",
    };
    let entry = hooked
        .bench
        .ask(format!(
            "select {id} from audit_entries where action = 'tenant.delete'"
        ))
        .await;
    assert_eq!(entry, [told["id"].as_str().unwrap().replace('-', "")]);
    assert!(is_gone(&hooked).await);
    assert!(other.got().is_empty());
}

#[rstest]
#[case::that_failed_before(true)]
#[case::that_nobody_sends_to(false)]
#[tokio::test]
async fn a_deletion_does_not_wait_for_a_webhook(
    #[case] fails: bool,
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    hooked.hook(&receiver, &["user.created", "tenant.deleted"]).await;
    if fails {
        receiver.behave(&[Status(503)]);
        hooked.user("ann", &hooked.acme).await;
        hooked.work_off().await;
        let longer =
            "update webhooks set failing_since = failing_since - 301000000 where pending = 1 returning url";
        assert_eq!(hooked.bench.ask(longer.to_owned()).await.len(), 1);
        let_go(&hooked).await;
    } else {
        let_go(&hooked).await;
        assert!(!is_gone(&hooked).await);
        let longer =
            "update tenants set updated_at = updated_at - 601000000 where status = 'deleting' returning name";
        assert_eq!(hooked.bench.ask(longer.to_owned()).await, ["Acme"]);
    }
    assert!(is_gone(&hooked).await);
}

#[rstest]
#[tokio::test]
async fn a_deletion_is_told_to_a_webhook_that_fails_once(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    hooked.hook(&receiver, &["tenant.deleted"]).await;
    receiver.behave(&[Status(503), Status(200)]);
    let_go(&hooked).await;
    hooked.work_off().await;
    assert!(!is_gone(&hooked).await);
    hooked.clock.forward(Duration::from_mins(1));
    hooked.work_off().await;
    assert_eq!(receiver.kinds(), ["tenant.deleted"; 2]);
    assert!(is_gone(&hooked).await);
}

#[rstest]
#[tokio::test]
async fn what_invitations_and_phones_change_is_told_too(#[values(Sqlite, Postgres)] backend: Backend) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    hooked.hook(&receiver, &all()).await;
    let (caller, any) = (inside(&hooked.acme), IfMatch::default());
    let app = &hooked.app;
    let invited = async |name: &str| {
        let input = InvitationInput {
            email: Some(format!("{name}@example.com")),
            name: Some(name.to_owned()),
            role: None,
        };
        let (user, invitation) = invitations::invite(app, &caller, input).await.unwrap();
        (user.id, invitation.link.unwrap().token().to_owned())
    };
    let (bob, _) = invited("bob").await;
    invitations::revoke(app, &caller, bob).await.unwrap();
    let (eve, token) = invited("eve").await;
    let password = "quince medlar sloe".into();
    let by = Acceptance::Password(&password);
    let accepted = invitations::accept(app, Origin::default(), token.as_str().into(), by).await;
    accepted.map(drop).unwrap();
    users::link_extension(app, &caller, eve, None, &any)
        .await
        .unwrap();
    hooked.work_off().await;
    let told: Vec<String> = receiver
        .got()
        .iter()
        .map(|got| {
            let user = &got.json()["data"]["user"];
            format!("{} {} {}", got.kind(), user["name"], user["status"])
        })
        .collect();
    assert_eq!(
        told,
        [
            "user.created \"bob\" \"invited\"",
            "user.deleted null null",
            "user.created \"eve\" \"invited\"",
            "user.changed \"eve\" \"active\"",
        ]
    );
    assert!(receiver.got().iter().all(|got| !got.body.contains(&token)));
}

#[rstest]
#[tokio::test]
async fn a_deploy_is_told_of_when_it_is_asked_for_and_when_it_ends(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (hooked, receiver) = (Hooked::new(backend).await, Receiver::start().await);
    hooked
        .hook(&receiver, &["deployment.requested", "deployment.ended"])
        .await;
    let id = hooked.deployed().await;
    hooked.work_off().await;
    assert_eq!(receiver.kinds(), ["deployment.requested", "deployment.ended"]);
    let [asked, ended] = [0, 1].map(|index| receiver.got()[index].json()["data"]["deployment"].clone());
    assert_eq!(
        (&asked["id"], &asked["status"]),
        (&id.to_string().into(), &"queued".into())
    );
    assert_eq!(
        (&ended["id"], &ended["status"]),
        (&id.to_string().into(), &"failed".into())
    );
    assert!(ended["ended_at"].is_string());
}

#[tokio::test]
async fn several_processes_on_one_postgresql_send_each_event_once_and_in_order() {
    let hooked = Hooked::new(Postgres).await;
    let mut receivers = Vec::new();
    for _ in 0..6 {
        let receiver = Receiver::start().await;
        hooked.hook(&receiver, &["user.created"]).await;
        receivers.push(receiver);
    }
    for number in 0..8 {
        hooked.user(&format!("user{number}"), &hooked.acme).await;
    }
    let mut senders = Vec::new();
    for _ in 0..4 {
        senders.push(hooked.another_sender().await);
    }
    let sent = join_all(senders.iter().map(|sender| sender.work_off(&hooked.stop))).await;
    let attempts: usize = sent.into_iter().map(|sent| sent.unwrap()).sum();
    assert_eq!(attempts, 6 * 8);
    for receiver in receivers {
        assert_eq!(receiver.numbers(), (1..=8).collect::<Vec<_>>());
    }
}
