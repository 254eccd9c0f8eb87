//! How the dialplan of a context is put together of rows.

use rstest::rstest;

use crate::freeswitch::FreeSwitch;
use crate::fusionpbx::{Booleans, OPERATOR};
use crate::rig::{DOMAIN, Demo};

async fn extensions(freeswitch: &FreeSwitch, context: &str, number: &str) -> Vec<String> {
    let found = freeswitch.context(context, number).await;
    let context = found.unwrap_or_default();
    let names = context
        .named("extension")
        .map(|extension| extension.attribute("name").unwrap().to_owned());
    names.collect()
}

#[rstest]
#[case::native(Booleans::Native)]
#[case::text(Booleans::Text)]
#[tokio::test]
async fn a_domain_has_its_own_dialplans_and_those_of_everybody_by_their_order(#[case] booleans: Booleans) {
    let demo = Demo::start(booleans).await;
    let freeswitch = &demo.freeswitch;
    let all = ["variables", "user_exists", "local_extension"];
    assert_eq!(extensions(freeswitch, DOMAIN, "1001").await, all);
    // Not the disabled one, nor those of another host.
    assert_eq!(extensions(freeswitch, OPERATOR, "1001").await, all);
    // Of a disabled domain all the same, and of one that does not exist.
    let old = ["variables", "user_exists", "old", "local_extension"];
    assert_eq!(extensions(freeswitch, "old.operator.example", "2001").await, old);
    assert_eq!(extensions(freeswitch, "no.such.domain", "1").await, all);
    // `public` has nothing of everybody's.
    assert_eq!(
        extensions(freeswitch, "public", "5550100").await,
        ["call_direction-inbound", "5550100"]
    );
}

#[tokio::test]
async fn a_context_is_cached_and_one_without_a_dialplan_is_not() {
    let demo = Demo::start(Booleans::Native).await;
    let freeswitch = &demo.freeswitch;
    assert_eq!(extensions(freeswitch, "public", "5550100").await.len(), 2);
    demo.fusionpbx
        .run("update v_dialplans set dialplan_enabled = 'false' where dialplan_context = 'public'")
        .await;
    assert_eq!(
        extensions(freeswitch, "public", "4711").await.len(),
        2,
        "the same for every number"
    );
    assert!(freeswitch.cache().holds("dialplan:public"));
    assert_eq!(extensions(freeswitch, "park@demo.local", "1").await, [""; 0]);
    assert!(!freeswitch.cache().holds("dialplan:park@demo.local"));
}

#[tokio::test]
async fn in_mode_single_each_number_has_its_own_public_dialplan() {
    let demo = Demo::start(Booleans::Native).await;
    demo.fusionpbx
        .run("update v_default_settings set default_setting_value = 'single' where default_setting_category = 'destinations'")
        .await;
    let freeswitch = &demo.freeswitch;
    for number in ["5550100", "15550100", "+15550100"] {
        assert_eq!(
            extensions(freeswitch, "public", number).await,
            ["call_direction-inbound", "5550100"],
            "{number}"
        );
        assert!(freeswitch.cache().holds(&format!("dialplan:public:{number}")));
    }
    assert_eq!(
        extensions(freeswitch, "public", "4711").await,
        ["call_direction-inbound"]
    );
    assert!(
        freeswitch.cache().holds("dialplan:mode"),
        "the mode is cached as well"
    );
}

#[tokio::test]
async fn one_broken_dialplan_takes_the_whole_context_with_it() {
    let demo = Demo::start(Booleans::Native).await;
    demo.fusionpbx
        .run(
            "insert into v_dialplans (dialplan_uuid, dialplan_context, dialplan_order, dialplan_enabled, dialplan_xml) values \
             ('d1a10000-0000-4000-8000-0000000000ff', 'demo.local', 300, 'true', '<extension name=\"x\"><condition>')",
        )
        .await;
    assert_eq!(demo.freeswitch.context(DOMAIN, "1001").await, None);
    assert!(
        demo.freeswitch.cache().holds("dialplan:demo.local"),
        "cached as it is"
    );
}
