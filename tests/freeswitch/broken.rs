//! XML that is not as it must be, ours or the operator's: nothing of it goes live.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::deployment::DeploymentStatus::{Live, Rejected, RolledBack};

use super::plain_freeswitch::write;
use super::rig::Rig;
use super::support::database::Backend::Sqlite;

/// A template of the operator's that renders, and FreeSWITCH makes nothing or too much of it.
#[rstest]
#[case::not_closed("</users>", "", "line ")]
#[case::shares_its_line("<domain ", "<include><domain ", "line of its own")]
#[case::everybody("<user id", "<user type=\"\" id", "`type`")]
#[case::open_to_all("a1-hash", "a1-hush", "lets everybody in")]
#[tokio::test]
async fn a_template_that_freeswitch_would_misread_is_rejected_before_anything_is_touched(
    #[case] from: &str,
    #[case] to: &str,
    #[case] said: &str,
) {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let before = rig.standing().await;
    rig.override_template("freeswitch/directory.xml", |text| {
        assert!(text.contains(from));
        text.replacen(from, to, 1)
    });
    let ended = rig.deploy_platform().await.expect(Rejected);
    assert!(ended.codes().contains(&"xml_broken"), "{ended:#?}");
    assert!(
        ended.words().contains(said) && ended.words().contains("directory.xml"),
        "{ended:#?}"
    );
    assert_eq!((rig.standing().await, rig.reloads()), (before, 0));
    rig.register(&acme, &ann).await.unwrap();
    // A tenant's deploy goes on with the templates that are live.
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    rig.deploy(&acme).await.expect(Live);
}

/// It is well-formed, and FreeSWITCH serves it; it is not what was asked for.
#[rstest]
#[case::another_context("directory", "<variable name=\"user_context\" value=\"", "user_differs")]
#[case::another_marker("directory-instance", "value=\"", "marker_missing")]
#[case::context_of_another_name("dialplan", "<context name=\"", "context_missing")]
#[tokio::test]
async fn what_is_served_otherwise_than_meant_is_put_back_and_that_is_proven(
    #[case] template: &str,
    #[case] from: &str,
    #[case] code: &str,
) {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let before = rig.standing().await;
    rig.override_template(&format!("freeswitch/{template}.xml"), |text| {
        assert!(text.contains(from));
        text.replacen(from, &format!("{from}not-"), 1)
    });
    let ended = rig.deploy_platform().await.expect(RolledBack);
    assert!(ended.codes().contains(&code), "{ended:#?}");
    assert_eq!(rig.standing().await, before);
    assert_eq!(rig.reloads(), 2);
    rig.register(&acme, &ann).await.unwrap();
    let looked = rig.look().await;
    assert!(looked.ok, "{looked:#?}");
}

/// FreeSWITCH says yes to it and goes on with what it had.
#[tokio::test]
async fn a_document_that_freeswitch_refuses_is_rolled_back_with_its_words_and_proven() {
    let (rig, acme, [ann, _], ..) = Rig::live(Sqlite).await;
    let before = rig.standing().await;
    let own = rig.plain.conf().join("directory/a-broken.xml");
    write(&own, "<include>\n<domain name=\"x\">\n</include>\n");
    rig.patch(&acme, &ann, json!({"name": "Anne"})).await;
    let ended = rig.deploy(&acme).await.expect(RolledBack);
    for code in ["marker_missing", "xml_refused"] {
        assert!(ended.codes().contains(&code), "{ended:#?}");
    }
    assert!(ended.words().contains("[error near line "), "{ended:#?}");
    assert_eq!(rig.standing().await, before);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Ann"));
    std::fs::remove_file(own).unwrap();
    rig.deploy(&acme).await.expect(Live);
    assert_eq!(rig.name_of(&acme, "1001").await.as_deref(), Some("Anne"));
}

#[tokio::test]
async fn a_first_deploy_that_freeswitch_refuses_serves_nothing_and_says_so() {
    let rig = Rig::new(Sqlite).await;
    rig.acme_and_globex().await;
    write(
        &rig.plain.conf().join("dialplan/z.xml"),
        "<include>\n</section>\n</include>\n",
    );
    rig.deploy_platform().await.expect(RolledBack);
    assert_eq!(rig.standing().await, Some(0));
    assert_eq!(rig.world.live().await, None);
}

/// Somebody else's domain of that name stands before ours, and only the first one counts.
#[tokio::test]
async fn a_domain_that_the_operator_has_already_is_not_taken_for_ours() {
    let rig = Rig::new(Sqlite).await;
    let (acme, ..) = rig.acme_and_globex().await;
    let own = "<include>\n<domain name=\"acme.example.com\">\n<user id=\"9\"><params><param name=\"password\" value=\"x\"/></params></user>\n\
               </domain>\n</include>\n";
    write(&rig.plain.conf().join("directory/acme.xml"), own);
    let ended = rig.deploy_platform().await.expect(RolledBack);
    assert!(ended.codes().contains(&"user_missing"), "{ended:#?}");
    assert!(rig.plain.freeswitch.user("1001", &acme.domain).await.is_none());
}
