//! The canonical form, held to its promise: two different entries never have the same bytes.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

/// Reads a form back into its parts.
fn parts(mut form: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut parts = Vec::new();
    while let Some((is_there, rest)) = form.split_first() {
        if *is_there == 0 {
            parts.push(None);
            form = rest;
            continue;
        }
        let (length, rest) = rest.split_at(8);
        let length = usize::try_from(u64::from_le_bytes(length.try_into().unwrap())).unwrap();
        let (part, rest) = rest.split_at(length);
        parts.push(Some(part.to_vec()));
        form = rest;
    }
    parts
}

fn text(part: Option<&Vec<u8>>) -> String {
    String::from_utf8(part.unwrap().clone()).unwrap()
}

fn id(part: Option<&Vec<u8>>) -> Option<Uuid> {
    part.map(|bytes| Uuid::from_slice(bytes).unwrap())
}

fn number(part: Option<&Vec<u8>>) -> i64 {
    i64::from_le_bytes(part.unwrap().clone().try_into().unwrap())
}

/// The entry that a form is of, with the digest in front of it. What comes back equal was not confused with another.
fn read_link(form: &[u8]) -> (Vec<u8>, Link) {
    let parts = parts(form);
    assert_eq!((text(parts[0].as_ref()).as_str(), parts.len()), (ENTRY, 13));
    let link = Link {
        number: number(parts[2].as_ref()),
        id: id(parts[3].as_ref()).unwrap(),
        at: number(parts[4].as_ref()),
        actor_kind: text(parts[5].as_ref()),
        actor_id: id(parts[6].as_ref()),
        operating_as: parts[7] == Some(vec![1]),
        action: text(parts[8].as_ref()),
        resource: text(parts[9].as_ref()),
        target_id: text(parts[10].as_ref()),
        tenant_id: id(parts[11].as_ref()),
        payload: None,
        payload_digest: parts[12].clone().unwrap(),
        digest: Vec::new(),
    };
    (parts[1].clone().unwrap(), link)
}

fn read_payload(form: &[u8]) -> Payload {
    let parts = parts(form);
    assert_eq!((text(parts[0].as_ref()).as_str(), parts.len()), (PAYLOAD, 9));
    let optional = |part: &Option<Vec<u8>>| part.as_ref().map(|bytes| text(Some(bytes)));
    Payload {
        salt: parts[1].clone().unwrap(),
        actor_name: text(parts[2].as_ref()),
        before: optional(&parts[3]),
        after: optional(&parts[4]),
        reason: optional(&parts[5]),
        request_id: optional(&parts[6]),
        address: optional(&parts[7]),
        agent: optional(&parts[8]),
    }
}

fn ids() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

/// Also the empty text, and texts that look like the parts of a form.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        ".{0,20}",
        "[\u{0}\u{1}\u{8}]{0,20}".prop_map(String::from),
    ]
}

prop_compose! {
    fn links()(
        (number, at, operating_as) in any::<(i64, i64, bool)>(),
        (id, actor_id, tenant_id) in (ids(), option::of(ids()), option::of(ids())),
        (actor_kind, action, resource, target_id) in (texts(), texts(), texts(), texts()),
        payload_digest in vec(any::<u8>(), 0..40),
    ) -> Link {
        Link {
            number, id, at, actor_kind, actor_id, operating_as, action, resource, target_id, tenant_id,
            payload: None, payload_digest, digest: Vec::new(),
        }
    }
}

prop_compose! {
    fn payloads()(
        salt in vec(any::<u8>(), 0..20),
        actor_name in texts(),
        (before, after, reason) in (option::of(texts()), option::of(texts()), option::of(texts())),
        (request_id, address, agent) in (option::of(texts()), option::of(texts()), option::of(texts())),
    ) -> Payload {
        Payload { salt, actor_name, before, after, reason, request_id, address, agent }
    }
}

proptest! {
    #[test]
    fn o61_the_form_of_an_entry_is_of_no_other_entry(link in links(), previous in vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(read_link(&link.form(&previous)), (previous, link));
    }

    #[test]
    fn o61_the_form_of_a_payload_is_of_no_other_payload(payload in payloads()) {
        prop_assert_eq!(read_payload(&payload.form()), payload);
    }
}

#[test]
fn o61_text_that_moves_to_the_next_field_changes_the_digest() {
    let payload = |actor_name: &str, before: Option<&str>, after: Option<&str>| Payload {
        salt: vec![7; 16],
        actor_name: actor_name.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        reason: None,
        request_id: None,
        address: None,
        agent: None,
    };
    let all = [
        payload("ab", None, None),
        payload("a", Some("b"), None),
        payload("a", None, Some("b")),
        payload("ab", Some(""), None),
        payload("ab", None, Some("")),
    ];
    for (place, one) in all.iter().enumerate() {
        for other in &all[place + 1..] {
            assert_ne!(one.digest(), other.digest());
        }
    }
}

#[test]
fn o61_the_form_does_not_change_from_one_version_of_the_program_to_the_next() {
    let payload = Payload {
        salt: vec![7; 16],
        actor_name: "ann@example.com".to_owned(),
        before: None,
        after: Some("{\"name\":\"Ann\"}".to_owned()),
        reason: Some("asked by phone".to_owned()),
        request_id: Some("req-1".to_owned()),
        address: Some("192.0.2.1".to_owned()),
        agent: Some("curl/8.5.0".to_owned()),
    };
    let mut link = Link {
        number: 0,
        id: Uuid::from_u128(1),
        at: 1_800_000_000_000_000,
        actor_kind: "user".to_owned(),
        actor_id: Some(Uuid::from_u128(2)),
        operating_as: false,
        action: "extension.create".to_owned(),
        resource: "extension".to_owned(),
        target_id: Uuid::from_u128(3).to_string(),
        tenant_id: Some(Uuid::from_u128(4)),
        payload: Some(payload),
        payload_digest: Vec::new(),
        digest: Vec::new(),
    };
    link.take_place(1, &BEGINNING);
    let hex = |bytes: &[u8]| Digest::try_from(bytes).unwrap().to_string();
    assert_eq!(
        [hex(&link.payload_digest), hex(&link.digest)],
        [
            "9952f6753177f3f73c9bd6a4e47e339194ebb9e4a113e84a065ffe01fbd6d45a",
            "0add9747ef4042773eafe48fad44f359a5bfd058b686ee34be5ddba76bf65f1a"
        ]
    );
}
