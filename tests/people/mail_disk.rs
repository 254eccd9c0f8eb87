//! A disk of mail boxes that is not mounted while a running PBX goes on beneath it: what was known of it is neither purged nor
//! erased, and nobody says so.

use std::fs;

use serde_json::json;
use switchyard::domain::erasure::ErasureStatus;
use switchyard::domain::purge::PurgeStatus;
use switchyard::domain::retention::RetentionKind;
use switchyard::driver::mail::BELIEVED;

use super::erasing::amounts;
use super::mail_boxes::Mailed;
use super::purging::inside;
use super::support::database::Backend::Sqlite;

#[tokio::test]
async fn a46_messages_on_a_disk_that_is_away_are_neither_purged_nor_erased_although_others_are_left_beneath_it()
 {
    let mailed = Mailed::open(Sqlite).await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    let caller = inside(acme);
    world.extension(&caller, "1001").await.unwrap();
    let phone = world.phone(acme, "1001").await;
    mailed.put(acme, "1001", 0, 60);
    mailed.put(acme, "1001", 1, 60);
    mailed.look().await;
    let spool = mailed.pbx.pbx.home().join("spool/voicemail");
    let disk = spool.with_file_name("disk");
    fs::rename(&spool, &disk).unwrap();
    // As Asterisk makes it for the next caller.
    fs::create_dir_all(mailed.folder(acme, "1002")).unwrap();
    mailed.put(acme, "1002", 5, 60);

    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    let purge = world.report(acme, id).await;
    assert_eq!(purge.status, PurgeStatus::Partial, "{purge:#?}");
    let erasure = world.erased(acme, json!({"extension": phone})).await;
    assert_eq!(erasure.status, ErasureStatus::Partial, "{erasure:#?}");
    let (_, _, erased, kept) = amounts(&erasure)[1];
    assert!(erased == 0 && kept >= 2, "{erasure:#?}");
    assert_eq!(mailed.world.callers(acme).await.len(), 2);
    assert_eq!(
        mailed.names(acme, "1002").len(),
        2,
        "nothing goes while nobody knows which it is"
    );

    // Once it is back, it is all as if nothing had been.
    let beneath = spool.with_file_name("beneath");
    fs::rename(&spool, &beneath).unwrap();
    fs::rename(&disk, &spool).unwrap();
    world.run(&caller, erasure.id).await.unwrap();
    world.erase().await;
    let erasure = world.erasure(acme, erasure.id).await;
    assert_eq!(erasure.status, ErasureStatus::Done, "{erasure:#?}");
    assert!(mailed.names(acme, "1001").is_empty());

    // Its operator says that the other one is the right one from now on.
    fs::rename(&spool, &disk).unwrap();
    fs::rename(&beneath, &spool).unwrap();
    fs::write(spool.join(BELIEVED), "").unwrap();
    let id = world.purge(acme).await;
    world.work().await;
    let purge = world.report(acme, id).await;
    assert_eq!(purge.status, PurgeStatus::Done, "{purge:#?}");
    assert!(mailed.names(acme, "1002").is_empty());
}

/// What becomes of three messages whose disk goes as the second one is removed.
async fn without_a_disk_from_the_second_on() -> Mailed {
    let mailed = Mailed::open(Sqlite).await;
    for number in 0..3 {
        mailed.put(&mailed.world.acme, "1001", number, 60);
    }
    mailed.look().await;
    let folder = mailed.folder(&mailed.world.acme, "1001");
    let spool = mailed.pbx.pbx.home().join("spool/voicemail");
    mailed
        .when_told("VoicemailRemove", move || {
            fs::rename(&spool, spool.with_file_name("disk")).unwrap();
            fs::create_dir_all(&folder).unwrap();
        })
        .await;
    mailed
}

#[tokio::test]
async fn a46_a_purge_during_which_the_disk_goes_counts_what_has_gone_before_and_keeps_the_rest() {
    let mailed = without_a_disk_from_the_second_on().await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    world.keep(acme, json!({"voicemail": 10})).await;
    let id = world.purge(acme).await;
    world.work().await;
    let purge = world.report(acme, id).await;
    assert_eq!(purge.status, PurgeStatus::Partial, "{purge:#?}");
    assert_eq!(
        world.counts(acme, id).await,
        [(RetentionKind::Voicemail, 3, 1, 2)]
    );
    assert_eq!(mailed.world.callers(acme).await.len(), 2);
}

#[tokio::test]
async fn a46_an_erasure_during_which_the_disk_goes_counts_what_has_gone_before_and_keeps_the_rest() {
    let mailed = without_a_disk_from_the_second_on().await;
    let (world, acme) = (&mailed.world, &mailed.world.acme);
    let erasure = world.erased(acme, json!({"number": "1001"})).await;
    assert_eq!(erasure.status, ErasureStatus::Partial, "{erasure:#?}");
    assert_eq!(amounts(&erasure)[1], ("voicemail", 3, 1, 2));
    assert_eq!(mailed.world.callers(acme).await.len(), 2);
}
