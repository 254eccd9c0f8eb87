//! Mail boxes in another directory than the one that they were in: what is known of them stays until it is known to be the right one.

use std::sync::atomic::AtomicUsize;

use rstest::rstest;
use switchyard::driver::mail::{BELIEVED, MailError, MailboxContent};
use switchyard::monitor::voicemail::{LookError, Looked, place};
use tempfile::TempDir;

use super::mail_looks::{Shelf, content_of, known, looked_at, one};

/// Another directory, with what somebody left there meanwhile beside nothing or one of what is known.
#[rstest]
#[case(false)]
#[case(true)]
#[tokio::test]
async fn a46_in_another_directory_nothing_is_taken_to_have_gone_until_all_is_there_or_somebody_says_so(
    #[case] has_one: bool,
) {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    let before = std::mem::take(&mut shelf.domains);
    shelf.mark = "beneath".to_owned();
    for tenant in [&world.acme, &world.globex] {
        shelf.put(tenant, "1003", Some(one("1003", 1)));
        let one_of_them = if has_one {
            content_of(&before, tenant, "1001")
        } else {
            MailboxContent::default()
        };
        shelf.put(tenant, "1001", Some(one_of_them));
    }
    for _ in 0..2 {
        let error = shelf.look(&world).await.unwrap_err();
        let LookError::Mail(error @ MailError::Unavailable { .. }) = error else {
            panic!("{error:?}");
        };
        let told = format!("`touch /var/spool/voicemail/{BELIEVED}`");
        assert!(error.full().contains(&told), "{}", error.full());
        assert!(place(&world.store, world.acme.instance_id, &shelf).await.is_err());
        assert_eq!(known(&world, &world.acme).await, ["1001", "1002"]);
    }
    let mounted = Shelf {
        domains: before.clone(),
        ..Shelf::default()
    };
    assert_eq!(mounted.look(&world).await.unwrap(), Looked::default());

    // All of it was moved as a whole: that is the directory from now on.
    let moved = |domains| Shelf {
        domains,
        mark: "moved".to_owned(),
        ..Shelf::default()
    };
    assert_eq!(
        moved(before.clone()).look(&world).await.unwrap(),
        Looked::default()
    );
    assert!(mounted.look(&world).await.is_ok(), "all is there too");
    assert_eq!(moved(before).look(&world).await.unwrap(), Looked::default());

    // An older copy was put back, and its operator says so.
    shelf.is_believed = true;
    let looked = shelf.look(&world).await.unwrap();
    assert_eq!(looked.lost, if has_one { 2 } else { 4 });
    shelf.is_believed = false;
    assert!(place(&world.store, world.acme.instance_id, &shelf).await.is_ok());
    assert_eq!(
        shelf.look(&world).await.unwrap(),
        Looked::default(),
        "it is known by itself"
    );
}

#[tokio::test]
async fn a46_a_directory_that_was_never_known_is_doubted_where_nothing_that_is_known_is_in_it() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    world
        .texts("update instances set voicemail_place = null returning node")
        .await;
    let before = std::mem::take(&mut shelf.domains);
    let new = one("1003", 1);
    shelf.put(&world.acme, "1003", Some(new.clone()));
    shelf.put(&world.globex, "1003", Some(new.clone()));
    // What is found meanwhile vouches for nothing, whoever looks; nor where a domain has no directory there.
    for has_both in [true, true, false, false] {
        if !has_both {
            shelf.domains.remove(&world.globex.domain);
        }
        assert!(shelf.look(&world).await.is_err());
        for tenant in [&world.acme, &world.globex] {
            assert!(shelf.look_for(&world, Some(tenant.id)).await.is_err());
            assert_eq!(known(&world, tenant).await, ["1001", "1002"]);
        }
    }
    shelf.domains = before;
    shelf.put(&world.acme, "1003", Some(new));
    let looked = shelf.look_for(&world, Some(world.globex.id)).await.unwrap();
    assert_eq!((looked.kept, looked.lost), (0, 0));
    let looked = shelf.look(&world).await.unwrap();
    assert_eq!((looked.kept, looked.lost), (1, 0));
    shelf.mark = "beneath".to_owned();
    assert!(place(&world.store, world.acme.instance_id, &shelf).await.is_err());
}

#[tokio::test]
async fn a46_a_directory_that_was_never_known_is_known_by_one_message_that_is_there() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    world
        .texts("update instances set voicemail_place = null returning node")
        .await;
    shelf.put(&world.acme, "1001", Some(MailboxContent::default()));
    assert_eq!(shelf.look(&world).await.unwrap().lost, 1);
    shelf.put(&world.globex, "1001", Some(MailboxContent::default()));
    assert_eq!(shelf.look(&world).await.unwrap().lost, 1);
    shelf.mark = "beneath".to_owned();
    shelf.put(&world.acme, "1002", Some(MailboxContent::default()));
    assert!(shelf.look(&world).await.is_err());
}

#[tokio::test]
async fn a46_a_disk_that_goes_while_it_is_looked_at_loses_nothing() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    let before = std::mem::take(&mut shelf.domains);
    for tenant in [&world.acme, &world.globex] {
        shelf.put(tenant, "1001", Some(MailboxContent::default()));
    }
    (shelf.goes_after, shelf.asked) = (Some(1), AtomicUsize::new(0));
    let error = shelf.look(&world).await.unwrap_err();
    let LookError::Mail(error @ MailError::Unavailable { .. }) = error else {
        panic!("{error:?}");
    };
    assert!(error.full().contains("meanwhile"), "{}", error.full());
    (shelf.domains, shelf.goes_after) = (before, None);
    assert_eq!(shelf.look(&world).await.unwrap(), Looked::default());
}

/// Once it is seen that it is the right one, and before or after something is kept of what is found beneath.
#[rstest]
#[case(1, &["1001", "1002"])]
#[case(2, &["1001", "1002", "1003"])]
#[tokio::test]
async fn a46_what_is_found_beneath_a_disk_that_goes_while_it_is_recognised_never_vouches_for_that_place(
    #[case] asked: usize,
    #[case] kept: &[&str],
) {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    let acme = &world.acme;
    world
        .texts("update instances set voicemail_place = null returning node")
        .await;
    let before = shelf.domains.clone();
    let beneath = one("1003", 1);
    shelf.put(acme, "1003", Some(beneath.clone()));
    (shelf.goes_after, shelf.asked) = (Some(asked), AtomicUsize::new(0));
    assert!(shelf.look(&world).await.is_err());
    assert_eq!(known(&world, acme).await, kept);
    // Nothing else is there as long as it is away.
    shelf.domains.clear();
    for tenant in [acme, &world.globex] {
        shelf.put(tenant, "1003", Some(MailboxContent::default()));
    }
    shelf.put(acme, "1003", Some(beneath));
    assert!(shelf.look(&world).await.is_err());
    assert_eq!(known(&world, acme).await, kept);
    (shelf.domains, shelf.goes_after) = (before, None);
    shelf.look(&world).await.unwrap();
    assert_eq!(known(&world, acme).await, ["1001", "1002"]);
}

#[tokio::test]
async fn a46_of_a_place_that_may_not_be_there_yet_nothing_is_kept() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    shelf.is_nowhere = true;
    shelf.put(&world.acme, "1001", Some(MailboxContent::default()));
    shelf.put(&world.acme, "1003", Some(one("1003", 1)));
    assert_eq!(shelf.look(&world).await.unwrap(), Looked::default());
    assert_eq!(known(&world, &world.acme).await, ["1001", "1002"]);
}

/// Of a box that holds more than is looked at, nobody knows whether all is there.
#[tokio::test]
async fn a46_another_directory_with_a_box_that_is_not_looked_at_whole_is_not_known_by_itself() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    shelf.mark = "other".to_owned();
    let whole = content_of(&shelf.domains, &world.acme, "1001");
    let full = MailboxContent {
        has_more: true,
        ..MailboxContent::default()
    };
    shelf.put(&world.acme, "1001", Some(full));
    assert!(shelf.look(&world).await.is_err());
    shelf.put(&world.acme, "1001", Some(whole));
    assert_eq!(shelf.look(&world).await.unwrap(), Looked::default());
}

/// Nothing can be lost there, and what is found is kept.
#[tokio::test]
async fn a46_another_directory_is_taken_where_no_message_is_known() {
    let state = TempDir::new().unwrap();
    let (world, mut shelf) = looked_at(&state).await;
    world
        .texts("delete from voicemail_messages returning mailbox")
        .await;
    shelf.mark = "new".to_owned();
    assert_eq!(shelf.look(&world).await.unwrap().kept, 4);
    shelf.put(&world.acme, "1001", Some(MailboxContent::default()));
    assert_eq!(shelf.look(&world).await.unwrap().lost, 1);
}
