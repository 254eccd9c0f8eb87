//! Templates that render what Asterisk does not take, on a first and on a later deploy, with and without a shadow.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::json;
use switchyard::deploy::ShadowPolicy::{Auto, Never};
use switchyard::domain::deployment::DeploymentStatus::{Live, Rejected, RolledBack};
use switchyard::domain::deployment::Stage::{self, Applying, Planning, RollingBack, Validating, Verifying};
use switchyard::domain::deployment::StageResult::{self, Ok as Well, Refused};

use super::served::{endpoints, mailboxes, reloads};
use super::support::ami::field;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::{Ended, Phone, TestTenant, World};

/// A template with one thing wrong in it.
#[derive(Clone, Copy)]
struct Broken {
    template: &'static str,
    /// The first occurrence of this is replaced.
    whole: &'static str,
    instead: &'static str,
    /// What Asterisk says to it; what a shadow says where that is not the same.
    says: &'static str,
    shadow_code: &'static str,
}

const UNKNOWN_OPTION: Broken = Broken {
    template: "asterisk/pjsip.conf",
    whole: "direct_media=no",
    instead: "direct_media=no\nfrobnicate=yes",
    says: "frobnicate",
    shadow_code: "shadow_complained",
};
const DUPLICATE_OBJECT: Broken = Broken {
    template: "asterisk/pjsip.conf",
    whole: "qualify_frequency=60",
    instead: "qualify_frequency=60\n\n[{{ extension.number }}@{{ tenant.domain }}]\ntype=aor\n",
    says: "duplicate object",
    shadow_code: "shadow_complained",
};
const UNCLOSED_SECTION: Broken = Broken {
    template: "asterisk/pjsip.conf",
    whole: "type=auth",
    instead: "type=auth\n[unclosed",
    says: "no closing ']'",
    shadow_code: "shadow_complained",
};
const BAD_DIALPLAN_LINE: Broken = Broken {
    template: "asterisk/extensions.conf",
    whole: "exten => {{ extension.number }},1,Gosub",
    instead: "exten => {{ extension.number }},abc,Gosub",
    says: "Invalid priority/label 'abc'",
    shadow_code: "shadow_complained",
};
const BAD_TRANSPORT: Broken = Broken {
    template: "asterisk/pjsip-instance.conf",
    whole: "[switchyard-marker]",
    instead: "[smuggled]\ntype=transport\nprotocol=udp\nbind=300.1.2.3:99999\n\n[switchyard-marker]",
    says: "Error parsing bind=300.1.2.3:99999",
    shadow_code: "transport_in_template",
};

impl Broken {
    fn break_it(&self, world: &World) {
        world.override_template(self.template, |text| {
            assert!(text.contains(self.whole), "{}", self.whole);
            text.replacen(self.whole, self.instead, 1)
        });
    }
}

/// Nothing of ours, seen from outside.
fn assert_serves_nothing(world: &World) {
    assert_eq!(
        (endpoints(world), mailboxes(world)),
        (BTreeSet::new(), BTreeSet::new())
    );
    let answer = world
        .pbx
        .ami()
        .ask("ShowDialPlan", &[("Context", "acme.example.com")]);
    assert_eq!(field(&answer, "Response"), Some("Error"), "{answer:?}");
}

async fn assert_serves(world: &World, phones: &[(TestTenant, Phone)]) {
    let names: BTreeSet<String> = phones
        .iter()
        .map(|(tenant, _)| format!("1001@{}", tenant.domain))
        .collect();
    assert_eq!((endpoints(world), mailboxes(world)), (names.clone(), names));
    for (tenant, phone) in phones {
        assert!(
            world.registers(tenant, phone),
            "{} no longer registers",
            tenant.domain
        );
        assert!(world.is_verified(tenant).await);
    }
}

fn assert_stages(ended: &Ended, expected: &[(Stage, StageResult)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(stage, result)| (*stage, Some(*result)))
        .collect();
    assert_eq!(ended.stages(), expected, "{ended:#?}");
}

/// A shadow reads it first: nothing that is live is touched, on disk or in the PBX.
async fn assert_rejected(world: &World, broken: &Broken) {
    let app = world.shadowed(Auto);
    let before = (world.files(), world.live().await, world.standing());
    let (reloaded, ended) = reloads(world, world.deploy_platform_with(&app)).await;
    let ended = ended.expect(Rejected);
    assert_stages(&ended, &[(Planning, Well), (Validating, Refused)]);
    assert!(
        ended.quotes(broken.says) || ended.codes().contains(&broken.shadow_code),
        "{ended:#?}"
    );
    assert_eq!(reloaded, BTreeSet::new());
    assert_eq!((world.files(), world.live().await, world.standing()), before);
}

/// No shadow: the running PBX tells, and gets back what it had.
async fn assert_rolled_back(world: &World, broken: &Broken) {
    let app = world.shadowed(Never);
    let texts = |world: &World| {
        world
            .files()
            .into_iter()
            .map(|(file, live)| (file, live.2))
            .collect::<Vec<_>>()
    };
    let before = (texts(world), world.live().await);
    let ended = world.deploy_platform_with(&app).await.expect(RolledBack);
    let stages = [
        (Planning, Well),
        (Validating, Well),
        (Applying, Well),
        (Verifying, Refused),
        (RollingBack, Well),
    ];
    assert_stages(&ended, &stages);
    assert!(ended.quotes(broken.says), "{ended:#?}");
    if before.1.is_some() {
        assert_eq!((texts(world), world.live().await), before);
    }
    assert_eq!(world.standing(), world.live().await.or(Some(0)));
}

#[rstest]
#[case::unknown_option(UNKNOWN_OPTION)]
#[case::duplicate_object(DUPLICATE_OBJECT)]
#[case::unclosed_section(UNCLOSED_SECTION)]
#[case::bad_dialplan_line(BAD_DIALPLAN_LINE)]
#[case::bad_transport(BAD_TRANSPORT)]
#[tokio::test]
async fn a10_a_broken_template_never_goes_live(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] broken: Broken,
) {
    let world = World::new(backend).await;
    let phones = world.acme_and_globex().await;

    // On a first deploy, where there is nothing to go back to.
    broken.break_it(&world);
    assert_rejected(&world, &broken).await;
    assert_eq!(world.standing(), None);
    assert_serves_nothing(&world);
    assert_rolled_back(&world, &broken).await;
    assert_serves_nothing(&world);
    assert!(!world.registers(&phones[0].0, &phones[0].1));
    // Again, from the state that a rolled back first deploy leaves.
    assert_rolled_back(&world, &broken).await;
    assert_serves_nothing(&world);

    world.remove_override(broken.template);
    let mended = world
        .deploy_platform_with(&world.shadowed(Auto))
        .await
        .expect(Live);
    assert_eq!(mended.codes(), Vec::<&str>::new());
    assert_serves(&world, &phones).await;

    // On a later one.
    broken.break_it(&world);
    assert_rejected(&world, &broken).await;
    assert_serves(&world, &phones).await;
    assert_rolled_back(&world, &broken).await;
    assert_serves(&world, &phones).await;

    // A tenant's own deploy keeps the templates that are live, so it is not in the way of anybody.
    let (acme, ann) = &phones[0];
    world.patch(acme, ann, json!({"name": "Ann"})).await;
    world.deploy(acme).await.expect(Live);
    assert_serves(&world, &phones).await;
}
