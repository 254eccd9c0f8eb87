//! The cache that never expires, and the race that one deletion loses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rstest::rstest;
use switchyard::wire::esl::{Attribute, Client, Error, Word};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::freeswitch::{Keys, Race};
use crate::fusionpbx::Booleans;
use crate::rig::{DOMAIN, Demo, LONG, word};

const KEY: &str = "directory:1001@demo.local";

#[tokio::test]
async fn what_is_cached_is_served_whatever_becomes_of_the_row() {
    let mut demo = Demo::start(Booleans::Native).await;
    let client = demo.freeswitch.client().await;
    assert_eq!(demo.name_of("1001").await.as_deref(), Some("Alice"));
    assert_eq!(
        demo.freeswitch.cache().files(),
        [
            "directory.1001@demo.local",
            "setting.demo.local.domain.dial_string.text"
        ]
    );

    demo.fusionpbx
        .run("update v_extensions set enabled = 'false' where extension = '1001'")
        .await;
    client.reload_xml(LONG).await.unwrap();
    assert!(
        client
            .user_exists(&word("1001"), &word(DOMAIN), LONG)
            .await
            .unwrap()
    );
    demo.fusionpbx
        .run("update v_domains set domain_enabled = 'false' where domain_name = 'demo.local'")
        .await;
    demo.fusionpbx
        .run("delete from v_extensions where extension = '1001'")
        .await;
    assert!(
        client
            .user_exists(&word("1001"), &word(DOMAIN), LONG)
            .await
            .unwrap()
    );

    client.delete_cached(&word(KEY), LONG).await.unwrap();
    assert!(
        !client
            .user_exists(&word("1001"), &word(DOMAIN), LONG)
            .await
            .unwrap()
    );
    // What is not there is deleted as well.
    client.delete_cached(&word(KEY), LONG).await.unwrap();
}

#[tokio::test]
async fn what_is_not_found_is_not_cached() {
    let demo = Demo::start(Booleans::Native).await;
    assert_eq!(demo.name_of("1003").await, None);
    demo.fusionpbx
        .run("update v_extensions set extension = '1003' where extension = '1001'")
        .await;
    assert_eq!(demo.name_of("1003").await.as_deref(), Some("Alice"));
}

#[tokio::test]
async fn an_extension_with_an_alias_is_cached_under_both_names() {
    let demo = Demo::start(Booleans::Native).await;
    demo.fusionpbx
        .run("update v_extensions set number_alias = '555' where effective_caller_id_name = 'Alice'")
        .await;
    assert_eq!(demo.name_of("555").await.as_deref(), Some("Alice"));
    demo.rename("Alice2").await;
    demo.freeswitch.forget("1001", DOMAIN);
    assert_eq!(
        demo.name_of("555").await.as_deref(),
        Some("Alice"),
        "its other key is still there"
    );
    demo.freeswitch.forget("555", DOMAIN);
    assert_eq!(demo.name_of("555").await.as_deref(), Some("Alice2"));
}

#[tokio::test]
async fn one_version_has_the_hosts_name_before_the_key() {
    let mut demo = Demo::start_with(Booleans::Native, Keys::WithHostname).await;
    let client = demo.freeswitch.client().await;
    let host = client.hostname(LONG).await.unwrap();
    assert_eq!(demo.name_of("1001").await.as_deref(), Some("Alice"));
    demo.rename("Alice2").await;
    client.delete_cached(&word(KEY), LONG).await.unwrap();
    assert_eq!(demo.name_of("1001").await.as_deref(), Some("Alice"));
    client
        .delete_all_cached(&[word(KEY), word(&format!("{host}:{KEY}"))], LONG)
        .await
        .unwrap();
    assert_eq!(demo.name_of("1001").await.as_deref(), Some("Alice2"));
}

#[tokio::test]
async fn a_key_that_cannot_be_deleted_is_named() {
    let mut demo = Demo::start(Booleans::Native).await;
    let client = demo.freeswitch.client().await;
    let keys = ["1001", "1002"].map(|number| word(&format!("directory:{number}@{DOMAIN}")));
    demo.freeswitch.cache().keep(&format!("1001@{DOMAIN}"));
    let kept = client.delete_all_cached(&keys, LONG).await.unwrap();
    assert_eq!(kept, [], "what is not there is deleted");
    for number in ["1001", "1002"] {
        demo.name_of(number).await.unwrap();
    }
    let kept = client.delete_all_cached(&keys, LONG).await.unwrap();
    assert_eq!(kept, [keys[0].clone()]);
    assert!(client.delete_cached(&keys[0], LONG).await.is_err());
    demo.freeswitch.cache().keep_none();
    let kept = client.delete_all_cached(&keys, LONG).await.unwrap();
    assert_eq!(kept, []);
}

/// Two statements: what was removed between them is an extension without settings.
#[tokio::test]
async fn a_lookup_reads_an_extension_and_then_its_settings() {
    let demo = Demo::start(Booleans::Native).await;
    demo.freeswitch.halfway().hold();
    let removing = async {
        demo.freeswitch.halfway().until_under_way(1).await;
        demo.fusionpbx
            .run("delete from v_extensions; delete from v_extension_settings")
            .await;
        demo.freeswitch.halfway().let_go();
    };
    let (found, ()) = tokio::join!(demo.name_of("1001"), removing);
    assert_eq!(found.as_deref(), Some("Alice"));
}

#[tokio::test]
async fn several_keys_are_deleted_by_one_command() {
    let mut demo = Demo::start(Booleans::Native).await;
    let client = demo.freeswitch.client().await;
    for number in ["1001", "1002"] {
        demo.name_of(number).await.unwrap();
    }
    let keys: Vec<Word> = (1001..1500)
        .map(|number| word(&format!("directory:{number}@{DOMAIN}")))
        .collect();
    client.delete_all_cached(&keys, LONG).await.unwrap();
    assert_eq!(
        demo.freeswitch.cache().files(),
        ["setting.demo.local.domain.dial_string.text"]
    );
    assert_eq!(demo.freeswitch.journal().with("api lua").len(), 1);
    client.delete_all_cached(&[], LONG).await.unwrap();
    assert_eq!(
        demo.freeswitch.journal().with("api lua").len(),
        1,
        "nothing to say"
    );
}

#[rstest]
#[case::other_program("os.execute(\"id\")")]
#[case::no_tilde("local c=require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"a\")))")]
#[case::more_behind(
    "~local c=require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"a\"))) x()"
)]
#[case::other_space(
    "~local c = require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"a\")))"
)]
#[case::code_in_a_key(
    "~local c=require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"a\")..f(\"b\")))"
)]
#[case::odd_letter("~local c=require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"a b\")))")]
#[case::empty_key("~local c=require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"\")))")]
#[case::one_bad_of_several(
    "~local c=require(\"resources.functions.cache\"); for _,k in ipairs({\"a\",b}) do c.del(k) end; stream:write(\"true\")"
)]
#[case::no_key(
    "~local c=require(\"resources.functions.cache\"); for _,k in ipairs({}) do c.del(k) end; stream:write(\"true\")"
)]
#[tokio::test]
async fn any_other_program_cannot_run(#[case] program: &str) {
    let mut demo = Demo::start(Booleans::Native).await;
    let client = demo.freeswitch.client().await;
    demo.name_of("1001").await.unwrap();
    let error = client.api(&format!("lua {program}"), LONG).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused { message, .. } if message == "-ERR Cannot execute script"),
        "{error:?}"
    );
    assert!(demo.freeswitch.cache().holds(KEY));
}

#[tokio::test]
async fn a_lookup_that_is_under_way_writes_back_what_was_deleted() {
    let mut demo = Demo::start(Booleans::Native).await;
    let client = demo.freeswitch.client().await;
    let lookups = demo.freeswitch.client().await;
    // The lookup of a setting, which waits too, is done with.
    demo.name_of("1002").await.unwrap();
    demo.freeswitch.cache().hold();
    let (user, domain) = (word("1001"), word(DOMAIN));
    let looking = async { lookups.user_exists(&user, &domain, LONG).await.unwrap() };
    let changing = async {
        demo.freeswitch.cache().until_under_way(1).await;
        demo.rename("Alice2").await;
        client.delete_cached(&word(KEY), LONG).await.unwrap();
        demo.freeswitch.cache().let_go();
    };
    let (found, ()) = tokio::join!(looking, changing);
    assert!(found);
    assert_eq!(
        demo.name_of("1001").await.as_deref(),
        Some("Alice"),
        "the deletion is lost"
    );
    client.delete_cached(&word(KEY), LONG).await.unwrap();
    assert_eq!(demo.name_of("1001").await.as_deref(), Some("Alice2"));
}

/// As by lookups that took longer than anybody waited for them.
#[tokio::test]
async fn what_is_brought_back_long_after_is_served_until_it_is_deleted() {
    let mut demo = Demo::start(Booleans::Native).await;
    let client = demo.freeswitch.client().await;
    demo.name_of("1001").await.unwrap();
    let former = demo.freeswitch.cache().entries();
    client.delete_cached(&word(KEY), LONG).await.unwrap();
    demo.rename("Alice2").await;
    assert_eq!(demo.name_of("1001").await.as_deref(), Some("Alice2"));
    demo.freeswitch.cache().bring_back(former);
    assert_eq!(demo.name_of("1001").await.as_deref(), Some("Alice"));
    client.delete_cached(&word(KEY), LONG).await.unwrap();
    assert_eq!(demo.name_of("1001").await.as_deref(), Some("Alice2"));
}

/// Clients that look 1001 up without a pause.
struct Hammer {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Hammer {
    async fn start(demo: &mut Demo, count: usize) -> Self {
        let mut hammer = Self {
            stop: Arc::default(),
            clients: JoinSet::new(),
        };
        for _ in 0..count {
            let (client, stop) = (demo.freeswitch.client().await, Arc::clone(&hammer.stop));
            hammer.clients.spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    name_over(&client).await;
                }
            });
        }
        hammer
    }

    async fn end(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
    }
}

async fn name_over(client: &Client) -> Option<String> {
    let name = word("effective_caller_id_name");
    client
        .user_data(&word("1001"), &word(DOMAIN), Attribute::Var, &name, LONG)
        .await
        .unwrap()
}

/// How many of fifty changes are not served in the end, under four hammering clients; each changes the row while a lookup is
/// under way, and deletes the key.
async fn stale(race: Race, second_deletion: bool) -> usize {
    let mut demo = Demo::start(Booleans::Native).await;
    let client = demo.freeswitch.client().await;
    demo.freeswitch.cache().set_race(race);
    let hammer = Hammer::start(&mut demo, 4).await;
    let mut stale = 0;
    for change in 0..50 {
        let name = format!("Alice {change}");
        // One that was under way before may write after the deletion, and then nobody looks any further.
        loop {
            client.delete_cached(&word(KEY), LONG).await.unwrap();
            let under_way = demo.freeswitch.cache().until_under_way(1);
            if timeout(Duration::from_millis(10), under_way).await.is_ok() {
                break;
            }
        }
        demo.rename(&name).await;
        client.delete_cached(&word(KEY), LONG).await.unwrap();
        tokio::time::sleep(Duration::from_millis(30)).await;
        if second_deletion {
            client.delete_cached(&word(KEY), LONG).await.unwrap();
        }
        if name_over(&client).await.as_deref() != Some(&name) {
            stale += 1;
        }
    }
    hammer.end().await;
    stale
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_deletion_loses_some_of_many_changes() {
    let race = Race {
        pause: Duration::from_millis(15),
        window: Duration::MAX,
    };
    let lost = stale(race, false).await;
    assert!(lost > 0, "none of 50");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_deletion_after_thirty_milliseconds_loses_none() {
    let race = Race {
        pause: Duration::from_millis(5),
        ..Race::default()
    };
    assert_eq!(stale(race, true).await, 0);
}
