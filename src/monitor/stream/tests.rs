//! Each reader hears what happens in its tenant, and what nobody follows is kept nowhere.

use uuid::Uuid;

use super::*;

fn tenant(number: u128) -> TenantId {
    TenantId::from_uuid(Uuid::from_u128(number))
}

fn tell(streams: &Streams, contacts: usize) {
    let happening = Happening::Phones {
        extension_id: None,
        number: "1001".parse().unwrap(),
        contacts,
    };
    streams.tell(tenant(1), happening);
}

/// The numbers of what is there, and how many were missed.
fn read(reader: &mut Reader) -> (Vec<usize>, u64) {
    let (mut read, mut missed) = (Vec::new(), 0);
    while let Some(heard) = reader.ready() {
        match heard {
            Heard::Event(_, happening) => match &*happening {
                Happening::Phones { contacts, .. } => read.push(*contacts),
                other => panic!("{other:?}"),
            },
            Heard::Missed(count) => missed += count,
        }
    }
    (read, missed)
}

#[test]
fn o10_each_reader_hears_what_happens_in_its_tenant_from_then_on() {
    let streams = Streams::new(7);
    tell(&streams, 1);
    let (mut first, mut other) = (streams.follow(tenant(1), None), streams.follow(tenant(2), None));
    tell(&streams, 2);
    let mut second = streams.follow(tenant(1), None);
    tell(&streams, 3);
    assert_eq!(read(&mut first), (vec![2, 3], 0));
    assert_eq!(read(&mut second), (vec![3], 0));
    assert_eq!(read(&mut other), (vec![], 0));
}

#[test]
fn o10_who_comes_again_goes_on_behind_what_they_saw() {
    let streams = Streams::new(7);
    let mut reader = streams.follow(tenant(1), None);
    assert!(!reader.goes_on());
    tell(&streams, 1);
    tell(&streams, 2);
    let Some(Heard::Event(seen, _)) = reader.ready() else {
        panic!()
    };
    drop(reader);
    tell(&streams, 3);
    let seen: EventId = seen.to_string().parse().unwrap();
    let mut again = streams.follow(tenant(1), Some(seen));
    assert!(again.goes_on());
    assert_eq!(read(&mut again), (vec![2, 3], 0));
    for other in [
        EventId { process: 8, ..seen },
        EventId { ring: 99, ..seen },
        EventId { number: 99, ..seen },
    ] {
        assert!(!streams.follow(tenant(1), Some(other)).goes_on(), "{other}");
    }
}

#[test]
fn o10_a_slow_reader_is_told_how_much_it_missed_and_goes_on() {
    let streams = Streams::new(7);
    let mut reader = streams.follow(tenant(1), None);
    for number in 0..KEPT + 5 {
        tell(&streams, number);
    }
    let (heard, missed) = read(&mut reader);
    assert_eq!((heard.len(), missed, heard[0]), (KEPT, 5, 5));
}

#[test]
fn what_nobody_follows_any_more_is_forgotten_once_nobody_could_go_on() {
    let streams = Streams::new(7);
    drop(streams.follow(tenant(1), None));
    for number in 0..KEPT {
        tell(&streams, number);
        assert!(streams.is_followed(tenant(1)), "{number}");
    }
    tell(&streams, 0);
    assert!(!streams.is_followed(tenant(1)));
}

#[test]
fn what_is_no_name_of_an_event_is_none() {
    for text in ["", "1", "1-2", "x-1-1", "1-2-x", "1-2-3-4"] {
        assert!(text.parse::<EventId>().is_err(), "{text}");
    }
}

#[test]
fn what_nobody_follows_any_more_is_forgotten_after_a_while_and_not_before() {
    let streams = Streams::new(7);
    let before = Instant::now();
    let stays = streams.follow(tenant(2), None);
    drop(streams.follow(tenant(1), None));
    assert_eq!(
        streams
            .followed_at(before + FORGOTTEN - Duration::from_millis(1))
            .len(),
        2,
        "who lost the connection may come again"
    );
    let after = Instant::now();
    assert_eq!(streams.followed_at(after + FORGOTTEN), [tenant(2)]);
    assert!(!streams.is_followed(tenant(1)));
    drop(stays);
}

#[test]
fn what_is_followed_for_long_is_kept_for_a_while_after_its_reader_has_gone() {
    let streams = Streams::new(7);
    let reader = streams.follow(tenant(1), None);
    std::thread::sleep(Duration::from_millis(5));
    let gone = Instant::now();
    drop(reader);
    assert_eq!(
        streams.followed_at(gone + FORGOTTEN - Duration::from_millis(1)),
        [tenant(1)]
    );
}
