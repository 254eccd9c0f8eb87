//! Templates that Asterisk takes without a word, and that serve something else than what was asked for.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, RolledBack};

use super::served::endpoints;
use super::support::database::Backend::{self, Postgres, Sqlite};
use super::world::World;

/// Behind a marker that is right, one extension is dropped or altered.
#[rstest]
#[case::endpoint_dropped(
    "asterisk/pjsip.conf",
    "{% for extension in extensions -%}",
    "{% for extension in extensions -%}{% if extension.number != \"1002\" -%}",
    "qualify_frequency=60\n\n{% endfor -%}",
    "qualify_frequency=60\n\n{% endif -%}{% endfor -%}"
)]
#[case::endpoint_altered(
    "asterisk/pjsip.conf",
    "context={{ tenant.domain }}",
    "context={% if extension.number == \"1002\" %}other{% else %}{{ tenant.domain }}{% endif %}",
    "",
    ""
)]
#[case::digest_altered(
    "asterisk/pjsip.conf",
    "password_digest=MD5:{{ extension.ha1 }}",
    "password_digest=MD5:{% if extension.number == \"1002\" %}00000000000000000000000000000000{% else %}{{ extension.ha1 }}{% endif %}",
    "",
    ""
)]
#[case::dialplan_dropped(
    "asterisk/extensions.conf",
    "{% for extension in extensions -%}",
    "{% for extension in extensions -%}{% if extension.number != \"1002\" -%}",
    "{% endfor -%}\nexten => *8",
    "{% endif -%}{% endfor -%}\nexten => *8"
)]
#[case::dialplan_altered(
    "asterisk/extensions.conf",
    "{{ tenant.domain }},{{ extension.ring_time }}",
    "{{ tenant.domain }},{% if extension.number == \"1002\" %}1{% else %}{{ extension.ring_time }}{% endif %}",
    "",
    ""
)]
#[case::mailbox_dropped(
    "asterisk/voicemail.conf",
    "{% for mailbox in mailboxes -%}",
    "{% for mailbox in mailboxes -%}{% if mailbox.number != \"1002\" -%}",
    "{% endfor %}",
    "{% endif -%}{% endfor %}"
)]
#[case::mailbox_altered(
    "asterisk/voicemail.conf",
    "{{ mailbox.name }}",
    "{% if mailbox.number == \"1002\" %}Somebody{% else %}{{ mailbox.name }}{% endif %}",
    "",
    ""
)]
#[tokio::test]
async fn a10_what_hides_behind_a_right_marker_is_rolled_back(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] template: &str,
    #[case] whole: &str,
    #[case] altered: &str,
    #[case] end: &str,
    #[case] altered_end: &str,
) {
    let world = World::new(backend).await;
    let [(acme, ann), (globex, _)] = world.acme_and_globex().await;
    let bob = world
        .extension(
            &acme,
            json!({"number": "1002", "name": "Bob", "voicemail": {"enabled": true}}),
        )
        .await;
    world.deploy_platform().await.expect(Live);
    let before = world.files();

    world.override_template(template, |text| {
        assert!(text.contains(whole) && text.contains(end), "{text}");
        text.replacen(whole, altered, 1).replacen(end, altered_end, 1)
    });
    let ended = world.deploy_platform().await.expect(RolledBack);
    assert!(!ended.codes().contains(&"asterisk_complained"), "{ended:#?}");
    let named = ended.deployment.findings.iter().any(|finding| {
        finding.is_error()
            && finding
                .object
                .as_deref()
                .is_some_and(|object| object.contains("1002"))
    });
    assert!(named, "{ended:#?}");
    let texts = |files: &std::collections::BTreeMap<_, super::world::LiveFile>| {
        files.values().map(|file| file.2.clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&world.files()), texts(&before));
    assert_eq!(endpoints(&world).len(), 3);
    for phone in [&ann, &bob] {
        assert!(world.registers(&acme, phone));
    }
    assert!(world.is_verified(&acme).await && world.is_verified(&globex).await);
}

/// They are the same for every tenant, whatever its templates make of the rest.
#[rstest]
#[case::echo("exten => *43,1,Gosub(switchyard-features,echo,1)\n")]
#[case::own_mailbox("exten => *97,1,Gosub(switchyard-features,mailbox,1)\n")]
#[tokio::test]
async fn a10_a_template_without_a_feature_code_is_rolled_back(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] line: &str,
) {
    let world = World::new(backend).await;
    let [(acme, ann), _] = world.acme_and_globex().await;
    world.deploy_platform().await.expect(Live);
    world.override_template("asterisk/extensions.conf", |text| {
        assert!(text.contains(line));
        text.replacen(line, "", 1)
    });
    let ended = world.deploy_platform().await.expect(RolledBack);
    assert!(ended.codes().contains(&"feature_missing"), "{ended:#?}");
    assert!(world.is_verified(&acme).await && world.registers(&acme, &ann));
}
