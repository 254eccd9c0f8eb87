//! Who goes: signed out, hung up, and in no file any more.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};

use super::freeswitch::{Admitted, NewCall, Phone as SignedIn, Refused};
use super::rig::Rig;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// Who is signed in.
fn signed_in(rig: &Rig) -> BTreeSet<String> {
    let phones = rig.plain.freeswitch.phones();
    let phones = phones.iter();
    phones
        .map(|phone| format!("{}@{}", phone.user, phone.domain))
        .collect()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn an_extension_that_goes_is_signed_out_and_its_call_ends(#[case] backend: Backend) {
    let (rig, acme, [ann, bob], globex, gina) = Rig::live(backend).await;
    for (tenant, phone) in [(&acme, &ann), (&acme, &bob), (&globex, &gina)] {
        rig.register(tenant, phone).await.unwrap();
    }
    let freeswitch = &rig.plain.freeswitch;
    freeswitch.add_call(&NewCall::within(&acme.domain, "1002", "1001"));
    let stays = freeswitch.add_call(&NewCall::within(&globex.domain, "1001", "1003"));
    rig.delete(&acme, &bob).await;
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.register(&acme, &bob).await, Err(Refused::Unknown));
    let left = ["1001@acme.example.com", "1001@globex.example.com"].map(str::to_owned);
    assert_eq!(signed_in(&rig), BTreeSet::from(left));
    assert_eq!(freeswitch.calls(), [stays]);
    assert!(rig.look().await.ok);
}

/// Its last one: FreeSWITCH serves no domain of that name any more.
#[rstest]
#[case::deleted(false)]
#[case::disabled(true)]
#[tokio::test]
async fn with_a_tenants_last_extension_its_calls_end(#[case] disabled: bool) {
    let (rig, acme, _, globex, gina) = Rig::live(Sqlite).await;
    rig.register(&globex, &gina).await.unwrap();
    let freeswitch = &rig.plain.freeswitch;
    freeswitch.add_call(&NewCall::within(&globex.domain, "1001", "1003"));
    let stays = freeswitch.add_call(&NewCall::within(&acme.domain, "1001", "1002"));
    if disabled {
        rig.patch(&globex, &gina, json!({"status": "disabled"})).await;
    } else {
        rig.delete(&globex, &gina).await;
    }
    let ended = rig.deploy(&globex).await.expect(Live);
    assert_eq!(freeswitch.calls(), [stays], "{ended:#?}");
    assert!(ended.words().contains("channels hung up"), "{ended:#?}");
    assert_eq!(signed_in(&rig), BTreeSet::new());
    assert_eq!(rig.register(&globex, &gina).await, Err(Refused::Unknown));
    assert!(rig.look().await.ok);
}

/// A phone on a profile that does not run is nowhere to be signed out.
#[tokio::test]
async fn a_phone_that_stays_signed_in_keeps_a_removal_from_being_proven() {
    let (rig, acme, [_, bob], ..) = Rig::live(Sqlite).await;
    let phone = SignedIn::at("stopped", "1002", &acme.domain, 5099, 0);
    rig.plain.freeswitch.sign_in(&phone);
    rig.delete(&acme, &bob).await;
    let ended = rig.deploy(&acme).await.expect(RolledBack);
    assert!(ended.codes().contains(&"phone_left"), "{ended:#?}");
    rig.register(&acme, &bob).await.unwrap();
}

#[tokio::test]
async fn a_blocked_tenants_phones_are_refused_and_its_calls_end_and_come_back_with_it() {
    let (rig, acme, [ann, _], globex, gina) = Rig::live(Sqlite).await;
    rig.register(&acme, &ann).await.unwrap();
    rig.register(&globex, &gina).await.unwrap();
    let freeswitch = &rig.plain.freeswitch;
    freeswitch.add_call(&NewCall::within(&acme.domain, "1001", "1002"));
    let stays = freeswitch.add_call(&NewCall::within(&globex.domain, "1001", "1002"));
    rig.suspend(&acme).await.expect(Live);
    assert_eq!(rig.register(&acme, &ann).await, Err(Refused::Unknown));
    assert_eq!(freeswitch.calls(), [stays]);
    assert_eq!(
        signed_in(&rig),
        BTreeSet::from(["1001@globex.example.com".to_owned()])
    );
    assert!(freeswitch.context(&acme.domain, "1001").await.is_none());
    assert!(rig.look().await.ok);
    rig.reactivate(&acme).await.expect(Live);
    assert_eq!(rig.register(&acme, &ann).await, Ok(Admitted::Hash));
    assert!(freeswitch.context(&acme.domain, "1001").await.is_some());
}

#[tokio::test]
async fn of_a_deleted_tenant_no_file_is_left() {
    let (rig, acme, [ann, _], globex, gina) = Rig::live(Sqlite).await;
    rig.suspend(&acme).await.expect(Live);
    rig.remove(&acme, "Tenant acme").await.expect(Live);
    assert_eq!(rig.register(&acme, &ann).await, Err(Refused::Unknown));
    assert_eq!(rig.register(&globex, &gina).await, Ok(Admitted::Hash));
    let mut files = 0;
    for entry in std::fs::read_dir(rig.plain.config_dir().join("generations")).unwrap() {
        for file in std::fs::read_dir(entry.unwrap().path()).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            assert!(!text.contains("acme"), "{text}");
            files += 1;
        }
    }
    assert!(files >= 2);
}

#[tokio::test]
async fn a_rollback_serves_a_former_generation_again() {
    let rig = Rig::new(Sqlite).await;
    let (acme, [ann, bob], globex, _) = rig.acme_and_globex().await;
    let first = rig.deploy(&acme).await.expect(Live);
    rig.deploy_platform().await.expect(Live);
    rig.patch(&acme, &ann, json!({"name": "Later", "ring_time": 55}))
        .await;
    rig.delete(&acme, &bob).await;
    rig.extension(&acme, "1007", "New").await;
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1007").await.as_deref(), Some("New"));
    rig.roll_back(&acme, &first).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    assert_eq!(rig.name_of(&acme, "1007").await, None);
    assert_eq!(rig.name_of(&globex, "1001").await.as_deref(), Some("Gina"));
    rig.register(&acme, &bob).await.unwrap();
    assert!(rig.look().await.ok);
}
