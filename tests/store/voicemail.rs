//! What is known of messages in mail boxes, and which a purge is about to have removed, on both databases.

use rstest::rstest;
use switchyard::domain::export::Span;
use switchyard::domain::ids::{SystemIds, TenantId, VoicemailId};
use switchyard::domain::voicemail::{FoundMessage, MailFolder, VoicemailQuery};
use switchyard::store::{Store, purge_messages, purges, tenant_lifecycle, voicemail};

use super::bench::Backend::{self, Postgres, Sqlite};
use super::bench::Bench;
use super::call_records::SECOND;
use super::export_pages::change;
use super::purges::purge;
use super::samples::{World, at};

fn found(mailbox: &str, second: i64, caller: &str) -> FoundMessage {
    FoundMessage {
        mailbox: mailbox.parse().unwrap(),
        folder: MailFolder::Inbox,
        id: format!("{second}-00000001").parse().unwrap(),
        left_at: at(second * SECOND),
        caller: caller.parse().ok(),
        seconds: Some(5),
        bytes: 100 + second,
    }
}

async fn put(store: &Store, world: &World, tenant: TenantId, message: &FoundMessage) -> VoicemailId {
    let id = VoicemailId::fresh(&SystemIds);
    let domain = if tenant == world.acme.id {
        &world.acme.domain
    } else {
        &world.globex.domain
    };
    let mut tx = store.begin("put").await.unwrap();
    voicemail::put(&mut tx, id, tenant, world.instance.id, domain, message)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    id
}

fn query() -> VoicemailQuery {
    VoicemailQuery {
        mailbox: None,
        caller: None,
        after: None,
        most: 100,
    }
}

#[rstest]
#[tokio::test]
async fn a20_messages_are_listed_oldest_first_by_box_and_by_caller_and_of_no_other_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex, here) = (world.acme.id, world.globex.id, world.instance.id);
    let messages = [
        found("1001", 3, "5551"),
        found("1002", 1, "5552"),
        found("1001", 2, "5552"),
        found("1002", 4, ""),
    ];
    let mut ids = Vec::new();
    for message in &messages {
        ids.push(put(&store, &world, acme, message).await);
    }
    let theirs = put(&store, &world, globex, &found("1001", 1, "5552")).await;
    let mut tx = store.begin("list").await.unwrap();
    let all = voicemail::list(&mut tx, acme, &query()).await.unwrap();
    let of = |messages: &[switchyard::domain::voicemail::Voicemail]| {
        messages.iter().map(|message| message.id).collect::<Vec<_>>()
    };
    assert_eq!(of(&all), [ids[1], ids[2], ids[0], ids[3]]);
    assert_eq!(all[0].found, messages[1]);
    assert_eq!(
        (all[0].domain.clone(), all[0].instance_id),
        (world.acme.domain.clone(), here)
    );
    let page = VoicemailQuery {
        after: Some(all[1].cursor()),
        most: 1,
        ..query()
    };
    assert_eq!(
        of(&voicemail::list(&mut tx, acme, &page).await.unwrap()),
        [ids[0]]
    );
    let of_box = VoicemailQuery {
        mailbox: "1001".parse().ok(),
        ..query()
    };
    assert_eq!(
        of(&voicemail::list(&mut tx, acme, &of_box).await.unwrap()),
        [ids[2], ids[0]]
    );
    let of_caller = VoicemailQuery {
        caller: "5552".parse().ok(),
        ..query()
    };
    assert_eq!(
        of(&voicemail::list(&mut tx, acme, &of_caller).await.unwrap()),
        [ids[1], ids[2]]
    );
    assert_eq!(voicemail::find(&mut tx, globex, ids[0]).await.unwrap(), None);
    assert!(!voicemail::delete(&mut tx, globex, ids[0]).await.unwrap());

    let before = at(3 * SECOND);
    assert_eq!(voicemail::places(&mut tx, acme, before).await.unwrap(), [here]);
    assert!(
        voicemail::places(&mut tx, acme, at(SECOND))
            .await
            .unwrap()
            .is_empty()
    );
    let amount = voicemail::count(&mut tx, acme, here, before).await.unwrap();
    assert_eq!((amount.found, amount.bytes), (2, 203));
    let old = voicemail::old(&mut tx, acme, here, before, None, 1)
        .await
        .unwrap();
    assert_eq!(of(&old), [ids[1]]);
    let old = voicemail::old(&mut tx, acme, here, before, Some(old[0].cursor()), 9)
        .await
        .unwrap();
    assert_eq!(of(&old), [ids[2]]);
    let known = voicemail::of_domain(&mut tx, here, &world.acme.domain)
        .await
        .unwrap();
    assert_eq!(known.len(), 4);
    let domains = voicemail::domains(&mut tx, here).await.unwrap();
    assert_eq!(
        domains,
        [
            (acme, world.acme.domain.clone()),
            (globex, world.globex.domain.clone())
        ]
    );
    tx.commit().await.unwrap();

    // It is the same one in another folder, whoever finds it there.
    let moved = FoundMessage {
        folder: MailFolder::Old,
        bytes: 7,
        ..messages[0].clone()
    };
    put(&store, &world, acme, &moved).await;
    let mut tx = store.begin("moved").await.unwrap();
    let there = voicemail::find(&mut tx, acme, ids[0]).await.unwrap().unwrap();
    assert_eq!(there.found, moved);
    assert!(voicemail::find(&mut tx, globex, theirs).await.unwrap().is_some());
    assert_eq!(
        tenant_lifecycle::belongings(&mut tx, acme)
            .await
            .unwrap()
            .voicemail,
        4
    );
}

#[rstest]
#[tokio::test]
async fn a20_what_messages_are_about_to_go_is_noted_once_and_forgotten_by_part_or_by_message(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let (acme, globex) = (world.acme.id, world.globex.id);
    let mut ids = Vec::new();
    for second in 0..4 {
        ids.push(put(&store, &world, acme, &found("1001", second, "5551")).await);
    }
    let theirs = put(&store, &world, globex, &found("1001", 0, "5551")).await;
    let asked = purge(acme, 10);
    let mut tx = store.begin("note").await.unwrap();
    purges::insert(&mut tx, &asked, 2).await.unwrap();
    let before = at(3 * SECOND);
    for (id, is_noted) in [
        (ids[0], true),
        (ids[1], true),
        (ids[2], true),
        (ids[3], false),
        (theirs, false),
    ] {
        let noted = purge_messages::note(&mut tx, acme, asked.id, (1, id), before, "here").await;
        assert_eq!(noted.unwrap(), is_noted);
    }
    let noted = purge_messages::note(&mut tx, globex, asked.id, (1, theirs), before, "here").await;
    assert!(!noted.unwrap(), "of another tenant's purge");
    let noted = purge_messages::noted(&mut tx, acme, asked.id, 1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(noted.place, "here");
    let of: Vec<_> = noted
        .messages
        .iter()
        .map(|noted| (noted.id, noted.bytes))
        .collect();
    assert_eq!(of, [(ids[0], 100), (ids[1], 101), (ids[2], 102)]);
    assert_eq!(
        purge_messages::noted(&mut tx, globex, asked.id, 1).await.unwrap(),
        None
    );
    assert_eq!(
        purge_messages::noted(&mut tx, acme, asked.id, 0).await.unwrap(),
        None
    );
    // They outlive their rows.
    voicemail::delete(&mut tx, acme, ids[0]).await.unwrap();
    for (tenant, position) in [(globex, 1), (acme, 0)] {
        purge_messages::forget_one(&mut tx, tenant, asked.id, (position, ids[1]))
            .await
            .unwrap();
    }
    let left = purge_messages::noted(&mut tx, acme, asked.id, 1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.messages.len(), 3);
    purge_messages::forget_one(&mut tx, acme, asked.id, (1, ids[1]))
        .await
        .unwrap();
    let left = purge_messages::noted(&mut tx, acme, asked.id, 1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        left.messages.iter().map(|noted| noted.id).collect::<Vec<_>>(),
        [ids[0], ids[2]]
    );
    purge_messages::forget(&mut tx, globex, asked.id, 1)
        .await
        .unwrap();
    let left = purge_messages::noted(&mut tx, acme, asked.id, 1)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.messages.len(), 2);
    purge_messages::forget(&mut tx, acme, asked.id, 1).await.unwrap();
    assert_eq!(
        purge_messages::noted(&mut tx, acme, asked.id, 1).await.unwrap(),
        None
    );
}

#[rstest]
#[case::moves_up("update voicemail_messages set left_at = left_at + 1000000000")]
#[case::is_turned_round("update voicemail_messages set left_at = -left_at")]
#[tokio::test]
async fn a46_a_message_of_which_the_time_becomes_another_meanwhile_is_exported_once(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[case] sql: &str,
) {
    let (bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let mut ids = Vec::new();
    for second in 0..5 {
        ids.push(put(&store, &world, world.acme.id, &found("1001", second, "5551")).await);
        put(&store, &world, world.globex.id, &found("1001", second, "5551")).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..5 {
        let mut tx = store.read("page").await.unwrap();
        let page = voicemail::behind(&mut tx, world.acme.id, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|message| message.id));
        drop(tx);
        change(&bench, sql).await;
        // What is added between pages is in none.
        put(
            &store,
            &world,
            world.acme.id,
            &found("1001", 100 + i64::try_from(seen.len()).unwrap(), "5551"),
        )
        .await;
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(seen, ids);
}

#[rstest]
#[tokio::test]
async fn a46_messages_of_a_person_are_those_in_their_box_or_by_their_number_in_the_time_and_of_no_other_tenant(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let (_bench, store) = Bench::migrated(backend).await;
    let world = World::store(&store).await;
    let acme = world.acme.id;
    let mut ids = Vec::new();
    for message in [
        found("1001", 1, "5551"),
        found("1001", 2, "1002"),
        found("1002", 3, "1001"),
        found("1002", 4, "5551"),
        found("1001", 5, ""),
    ] {
        ids.push(put(&store, &world, acme, &message).await);
    }
    put(&store, &world, world.globex.id, &found("1001", 1, "5551")).await;
    let span = |from: i64, to: i64| Span {
        from: Some(at(from * SECOND)),
        to: Some(at(to * SECOND)),
    };
    let mut tx = store.read("persons").await.unwrap();
    for (within, of_box, of_box_and_caller, of_caller) in [
        (Span::default(), &[0, 1, 4][..], &[0, 1, 2, 4][..], &[0, 3][..]),
        (span(2, 5), &[1], &[1, 2], &[3]),
        (span(3, 4), &[], &[2], &[]),
    ] {
        let expected = |which: &[usize]| which.iter().map(|place| ids[*place]).collect::<Vec<_>>();
        let sorted = |mut ids: Vec<VoicemailId>| {
            ids.sort_unstable();
            ids
        };
        let mailbox = "1001".parse().unwrap();
        let left = voicemail::left_in(&mut tx, acme, &mailbox, within).await.unwrap();
        assert_eq!(sorted(left), expected(of_box), "{within:?}");
        for (number, which) in [("1001", of_box_and_caller), ("5551", of_caller)] {
            let number = number.parse().unwrap();
            let left = voicemail::left_by_or_in(&mut tx, acme, &number, within)
                .await
                .unwrap();
            assert_eq!(sorted(left), expected(which), "{number} {within:?}");
        }
    }
}
