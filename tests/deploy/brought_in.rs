//! Extensions of another Asterisk that were brought in: their phones sign in at ours as they did there.

use rstest::rstest;
use serde_json::json;
use switchyard::app::extensions;
use switchyard::app::pbx_import::{self, Manner};
use switchyard::app::precondition::IfMatch;
use switchyard::domain::deployment::DeploymentStatus::Live;

use super::support::database::Backend::{self, Postgres, Sqlite};
use super::support::phone;
use super::world::World;

/// A password of ours, one with characters that none of ours may have, and a digest:
/// `printf %s 1003:asterisk:OnlyTheirsToKnow | md5sum`.
const PJSIP: &str = "\
[phone](!)\ntype=endpoint\ncontext=from-internal\nallow=ulaw\naors=phones\n[phones]\ntype=aor\nmax_contacts=2\n\
[1001](phone)\nauth=1001\n[1001]\ntype=auth\nusername=1001\npassword=AnnsOwnSecret2468\n\
[1002](phone)\nauth=1002\n[1002]\ntype=auth\nusername=1002\npassword=b-o_b!x\n\
[1003](phone)\nauth=1003\n[1003]\ntype=auth\nauth_type=md5\nusername=1003\nmd5_cred=6f513369f39dfabaf9604b6194224a3f\n";

#[rstest]
#[case(Sqlite)]
#[case(Postgres)]
#[tokio::test]
async fn c18_phones_sign_in_as_before_whether_their_password_is_known_or_its_digest(
    #[case] backend: Backend,
) {
    let world = World::new(backend).await;
    let acme = world.tenant("acme").await;
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pjsip.conf"), PJSIP).unwrap();
    let manner = Manner {
        dry_run: false,
        skip_wrong: false,
    };
    let from = directory.path().to_owned();
    let report = pbx_import::from_asterisk(&world.app, &acme.caller, from, None, manner)
        .await
        .unwrap();
    assert_eq!((report.imported, report.good, report.bad), (true, 3, 0));
    world.deploy(&acme).await.expect(Live);
    let registers = |number: &str, secret: &str| {
        phone::registers(world.pbx.private.sip(), number, acme.domain.as_str(), secret)
    };
    for (number, password) in [
        ("1001", "AnnsOwnSecret2468"),
        ("1002", "b-o_b!x"),
        ("1003", "OnlyTheirsToKnow"),
    ] {
        assert!(registers(number, password), "{number}");
        assert!(!registers(number, "SomethingElse1234"), "{number}");
    }

    let number = "1003".parse().unwrap();
    let third = extensions::find_by_number(&world.app, &acme.caller, &number)
        .await
        .unwrap();
    assert!(!third.secret_known);
    let revealed = extensions::reveal_secret(&world.app, &acme.caller, third.id, &IfMatch::Any)
        .await
        .unwrap();
    assert!(revealed.sip.is_none(), "a digest was revealed");

    let secret = extensions::rotate_secret(&world.app, &acme.caller, third.id, &IfMatch::Any)
        .await
        .unwrap();
    world.deploy(&acme).await.expect(Live);
    assert!(registers("1003", secret.expose()) && !registers("1003", "OnlyTheirsToKnow"));
    let third = extensions::find(&world.app, &acme.caller, third.id)
        .await
        .unwrap();
    assert!(third.secret_known);
    let shown = extensions::reveal_secret(&world.app, &acme.caller, third.id, &IfMatch::Any)
        .await
        .unwrap();
    assert_eq!(shown.sip.unwrap().expose(), secret.expose());
    assert_eq!(shown.pin.expose(), revealed.pin.expose());

    let entries = world
        .database
        .ask("select cast(after as text) from audit_entries where action = 'extension.import'".to_owned())
        .await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    let numbers = json!(["1001", "1002", "1003"]).to_string();
    assert!(
        entries[0].replace(' ', "").contains(&numbers) && !entries[0].contains("b-o_b"),
        "{entries:?}"
    );
}
