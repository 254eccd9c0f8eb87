//! Extensions of which no password is known: their phones sign in by the digest that was brought in.

use std::fmt::Write as _;

use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::pbx_import::{self, Manner};
use switchyard::app::precondition::IfMatch;
use switchyard::app::tenant_change;
use switchyard::domain::deployment::DeploymentStatus::Live;
use switchyard::domain::secret::SipSecret;

use super::rig::{Kind, Pbx as _, Rig};
use super::support::database::Backend::Sqlite;
use super::support::world::{Tenant, operator};
use super::switches::OnFiles;

const SECRET: &str = "OnlyTheirsToKnow2468";

/// Brings in extensions of an Asterisk that knows digests alone, each for its realm.
async fn bring_in(rig: &Rig, tenant: &Tenant, found: &[(&str, &str)]) {
    let mut text = String::new();
    for (number, realm) in found {
        let secret = SipSecret::parse(SECRET.to_owned().into()).unwrap();
        let digest = secret.ha1(&number.parse().unwrap(), &realm.parse().unwrap());
        write!(
            text,
            "[{number}]\ntype=endpoint\ncontext=from-internal\nallow=ulaw\nauth={number}\n\
             aors={number}\n[{number}]\ntype=aor\nmax_contacts=2\n\
             [{number}]\ntype=auth\nauth_type=md5\nusername={number}\nrealm={realm}\nmd5_cred={}\n",
            digest.expose()
        )
        .unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pjsip.conf"), text).unwrap();
    let manner = Manner {
        dry_run: false,
        skip_wrong: false,
    };
    let from = directory.path().to_owned();
    let report = pbx_import::from_asterisk(&rig.world.app, &tenant.caller, from, None, manner).await;
    assert_eq!(report.unwrap().good, found.len());
}

/// What whoever changes a tenant is told.
async fn change(rig: &Rig, tenant: &Tenant, patch: Value) -> Vec<String> {
    let patch = serde_json::from_value(patch).unwrap();
    let app = &rig.world.app;
    let changed = tenant_change::change(app, &operator(), tenant.id, patch, &IfMatch::Any).await;
    changed.unwrap().1
}

#[rstest]
#[tokio::test]
async fn a_phone_signs_in_by_the_digest_for_its_domain_and_by_one_for_another_realm_where_realms_can_be_told(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let rig = Rig::new(kind, Sqlite).await;
    let acme = rig.world.tenant("acme").await;
    bring_in(
        &rig,
        &acme,
        &[("1001", &acme.domain), ("1002", "former.example.com")],
    )
    .await;
    let ended = rig.world.deploy_platform().await.expect(Live);
    let lets_in = async |number: &str, secret: &str| rig.pbx.lets_in(number, &acme.domain, secret).await;
    assert!(lets_in("1001", SECRET).await);
    assert!(!lets_in("1001", "SomethingElse2468").await);
    // Elsewhere it was given a new one.
    assert_eq!(lets_in("1002", SECRET).await, kind == Kind::Asterisk);
    assert!(!ended.words().contains(SECRET));
    rig.assert_well().await;
}

/// Before anything is deployed, and once it is.
#[tokio::test]
async fn whom_a_move_to_a_pbx_that_tells_no_realm_puts_out_is_told() {
    let rig = Rig::new(Kind::Asterisk, Sqlite).await;
    let acme = rig.world.tenant("acme").await;
    let found = [("1001", acme.domain.as_str()), ("1002", "former.example.com")];
    bring_in(&rig, &acme, &found).await;
    let files = OnFiles::start().await;
    let second = rig.add("second", &files).await;
    let told = change(&rig, &acme, json!({"pbx_instance_id": second})).await;
    let told: Vec<&String> = told.iter().filter(|told| told.contains("realm")).collect();
    assert!(
        told.len() == 1 && told[0].starts_with("phones of 1002 cannot sign in"),
        "{told:?}"
    );
    let ended = rig.world.deploy_to(second).await.expect(Live);
    let named = ended.deployment.findings.iter();
    let named = named.filter(|finding| finding.code == "secret_of_other_realm");
    let named: Vec<_> = named.map(|finding| finding.object.as_deref()).collect();
    assert_eq!(named, [Some("extension 1002")]);
    assert!(files.lets_in("1001", &acme.domain, SECRET).await);
    assert!(!files.lets_in("1002", &acme.domain, SECRET).await);
}

/// Asterisk tells phones a realm, and knows domains by other names.
#[rstest]
#[tokio::test]
async fn what_another_domain_means_for_phones_is_told_by_the_kind_that_serves_them(
    #[values(Kind::Asterisk, Kind::FusionPbx, Kind::FreeSwitch)] kind: Kind,
) {
    let rig = Rig::new(kind, Sqlite).await;
    let acme = rig.world.tenant("acme").await;
    let ann = rig.world.extension(&acme, "1000", "Ann").await;
    bring_in(
        &rig,
        &acme,
        &[("1001", &acme.domain), ("1002", "new.example.com")],
    )
    .await;
    let told = change(&rig, &acme, json!({"domain": "new.example.com"})).await;
    if kind == Kind::Asterisk {
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].contains("phones may sign in at acme.example.com for 30 days"),
            "{told:?}"
        );
    } else {
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].contains("sign in at acme.example.com are refused"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("phones of 1001 cannot sign in at new.example.com on main"),
            "{told:?}"
        );
    }
    let ended = rig.world.deploy_platform().await.expect(Live);
    let named = ended.deployment.findings.iter();
    let named = named.filter(|finding| finding.code == "secret_of_other_realm");
    let named: Vec<_> = named.map(|finding| finding.object.as_deref()).collect();
    let tells_realms = kind == Kind::Asterisk;
    assert_eq!(named.is_empty(), tells_realms, "{ended:#?}");
    assert!(
        named.iter().all(|named| *named == Some("extension 1001")),
        "{named:?}"
    );
    let lets_in = rig.pbx.lets_in("1001", "new.example.com", SECRET).await;
    assert_eq!(lets_in, tells_realms);
    let ann = rig.pbx.lets_in("1000", "new.example.com", ann.secret()).await;
    assert!(ann, "whose password is known gets another digest");
    rig.assert_well().await;
}
