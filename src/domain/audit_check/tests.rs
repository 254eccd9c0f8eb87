//! A log of a few entries, and everything that somebody may make of it.

use rstest::rstest;

use super::*;
use crate::domain::audit_chain::Payload;
use crate::domain::digest::Digest;

fn link(number: i64) -> Link {
    Link {
        number: 0,
        id: Uuid::from_u128(u128::try_from(number).unwrap()),
        at: number,
        actor_kind: "user".to_owned(),
        actor_id: None,
        operating_as: false,
        action: "extension.create".to_owned(),
        resource: "extension".to_owned(),
        target_id: number.to_string(),
        tenant_id: None,
        payload: Some(Payload {
            salt: vec![7; 16],
            actor_name: "Ann".to_owned(),
            before: None,
            after: Some("{}".to_owned()),
            reason: None,
            request_id: None,
            address: None,
            agent: None,
        }),
        payload_digest: Vec::new(),
        digest: Vec::new(),
    }
}

/// A log as it was written.
struct Log {
    links: Vec<StoredLink>,
    head: Option<AuditHead>,
}

impl Log {
    fn of(length: i64) -> Self {
        let mut previous = BEGINNING.to_vec();
        let mut links = Vec::new();
        for number in 1..=length {
            let mut link = link(number);
            link.take_place(number, &previous);
            previous.clone_from(&link.digest);
            links.push(StoredLink {
                link,
                in_part: false,
                told: false,
            });
        }
        let digest = Digest::try_from(previous.as_slice()).unwrap();
        let head = Some(AuditHead {
            number: length,
            digest,
        });
        Self { links, head }
    }

    fn at(&mut self, number: i64) -> &mut Link {
        &mut self.stored(number).link
    }

    fn stored(&mut self, number: i64) -> &mut StoredLink {
        self.links
            .iter_mut()
            .find(|stored| stored.link.number == number)
            .unwrap()
    }

    fn check(&self, kept: Option<AuditHead>) -> AuditReport {
        let mut check = AuditCheck::new(self.head, kept);
        let mut links = self.links.clone();
        links.sort_by_key(|stored| stored.link.number);
        for link in links {
            check.see(link);
        }
        check.finish()
    }

    /// The findings, such as `altered 3` or `removed 2-4`.
    fn found(&self) -> Vec<String> {
        found(&self.check(None))
    }
}

fn found(report: &AuditReport) -> Vec<String> {
    assert_eq!(report.ok, report.findings.is_empty());
    let one = |finding: &AuditFinding| match (finding.entry, finding.last) {
        (entry, last) if entry == last => format!("{} {entry}", finding.code),
        (entry, last) => format!("{} {entry}-{last}", finding.code),
    };
    report.findings.iter().map(one).collect()
}

#[test]
fn o61_a_log_as_it_was_written_is_whole() {
    for length in 0..4 {
        let log = Log::of(length);
        let report = log.check(log.head);
        assert_eq!(
            (found(&report), report.entries),
            (vec![], u64::try_from(length).unwrap())
        );
    }
}

#[rstest]
#[case::the_first(1, 1, "removed 1")]
#[case::in_the_middle(4, 4, "removed 4")]
#[case::several(2, 4, "removed 2-4")]
#[case::the_last(6, 6, "removed 6")]
#[case::all(1, 6, "removed 1-6")]
fn o61_a_removed_entry_is_named(#[case] first: i64, #[case] last: i64, #[case] expected: &str) {
    let mut log = Log::of(6);
    log.links
        .retain(|stored| !(first..=last).contains(&stored.link.number));
    assert_eq!(log.found(), [expected]);
}

#[rstest]
#[case::time(|link: &mut Link| link.at += 1)]
#[case::id(|link: &mut Link| link.id = Uuid::nil())]
#[case::kind(|link: &mut Link| link.actor_kind = "manager".to_owned())]
#[case::actor(|link: &mut Link| link.actor_id = Some(Uuid::nil()))]
#[case::operating(|link: &mut Link| link.operating_as = true)]
#[case::action(|link: &mut Link| link.action = "extension.delete".to_owned())]
#[case::resource(|link: &mut Link| link.resource = "tenant".to_owned())]
#[case::target(|link: &mut Link| link.target_id = String::new())]
#[case::tenant(|link: &mut Link| link.tenant_id = Some(Uuid::nil()))]
#[case::digest(|link: &mut Link| link.digest = vec![1; 32])]
#[case::short_digest(|link: &mut Link| link.digest.clear())]
fn o61_a_changed_entry_is_named_wherever_it_stands(#[case] change: fn(&mut Link)) {
    for number in 1..=6 {
        let mut log = Log::of(6);
        change(log.at(number));
        assert_eq!(log.found(), [format!("altered {number}")]);
    }
}

#[rstest]
#[case::actor(|payload: &mut Payload| payload.actor_name = "Eve".to_owned())]
#[case::after(|payload: &mut Payload| payload.after = None)]
#[case::reason(|payload: &mut Payload| payload.reason = Some(String::new()))]
#[case::salt(|payload: &mut Payload| payload.salt = vec![8; 16])]
fn o61_a_changed_payload_is_named(#[case] change: fn(&mut Payload)) {
    let mut log = Log::of(6);
    change(log.at(3).payload.as_mut().unwrap());
    assert_eq!(log.found(), ["payload_altered 3"]);
    // Who adapts the digest of it has changed the entry.
    let digest = log.at(3).payload.as_ref().unwrap().digest();
    log.at(3).payload_digest = digest.as_bytes().to_vec();
    assert_eq!(log.found(), ["altered 3"]);
}

#[test]
fn o61_swapped_neighbours_are_named() {
    for number in 1..=5 {
        let mut log = Log::of(6);
        log.at(number).number = 99;
        log.at(number + 1).number = number;
        log.at(99).number = number + 1;
        assert_eq!(log.found(), [format!("swapped {number}-{}", number + 1)]);
    }
}

#[test]
fn o61_entries_that_were_swapped_from_afar_are_named() {
    let mut log = Log::of(6);
    log.at(2).number = 99;
    log.at(5).number = 2;
    log.at(99).number = 5;
    assert_eq!(
        log.found(),
        ["altered 2", "unconfirmed 3", "altered 5", "unconfirmed 6"]
    );
}

/// Whoever writes an entry anew together with its digest is found at the next one, or at the head.
#[test]
fn o61_an_entry_that_was_written_anew_breaks_what_follows() {
    for (number, expected) in [(3, "altered 4"), (6, "head_altered 6")] {
        let mut log = Log::of(6);
        let previous = log.at(number - 1).digest.clone();
        log.at(number).action = "extension.delete".to_owned();
        log.at(number).take_place(number, &previous);
        assert_eq!(log.found(), [expected]);
    }
}

#[test]
fn o61_a_forged_entry_is_named() {
    let forged = |log: &mut Log, number: i64| {
        let mut link = link(number.abs() + 100);
        link.take_place(number, &log.at(6).digest.clone());
        log.links.push(StoredLink {
            link,
            in_part: false,
            told: false,
        });
    };
    for number in [-1, 0, 7] {
        let mut log = Log::of(6);
        forged(&mut log, number);
        assert_eq!(log.found(), [format!("forged {number}")]);
    }
    // With the head set to it, but not what it must hold.
    let mut log = Log::of(6);
    forged(&mut log, 7);
    log.head.as_mut().unwrap().number = 7;
    assert_eq!(log.found(), ["head_altered 7"]);
    let mut log = Log::of(6);
    forged(&mut log, 3);
    assert!(
        log.found().iter().any(|found| found.ends_with('3')),
        "{:?}",
        log.found()
    );
}

#[test]
fn o61_a_head_that_is_gone_or_changed_is_named() {
    let mut log = Log::of(3);
    log.head = None;
    assert_eq!(log.found(), ["head_altered 3"]);
    let mut log = Log::of(3);
    log.head.as_mut().unwrap().digest = Digest::of("x");
    assert_eq!(log.found(), ["head_altered 3"]);
    let mut log = Log::of(3);
    log.head.as_mut().unwrap().number = 2;
    assert_eq!(log.found(), ["head_altered 2", "forged 3"]);
}

#[test]
fn o61_a_blanked_payload_leaves_the_chain_whole_and_must_be_told_of() {
    let mut log = Log::of(4);
    log.at(2).payload = None;
    assert_eq!(log.found(), ["untold 2"]);
    log.stored(2).told = true;
    let report = log.check(None);
    assert_eq!((found(&report), report.blanked), (vec![], 1));
    log.at(2).action = "tenant.delete".to_owned();
    assert_eq!(log.found(), ["altered 2"]);
    log.stored(3).link.payload = None;
    log.stored(3).in_part = true;
    log.stored(4).in_part = true;
    assert_eq!(log.found(), ["altered 2", "payload_altered 3-4"]);
}

#[test]
fn o61_a_head_that_was_kept_is_still_in_the_log() {
    let kept = Log::of(3).head;
    let longer = Log::of(6);
    assert!(longer.check(kept).ok);
    assert!(longer.check(Log::of(0).head).ok);
    // The whole log was written anew, from the second entry on, and is whole in itself.
    let mut anew = Log::of(6);
    let mut previous = anew.at(1).digest.clone();
    for number in 2..=6 {
        anew.at(number).at += 1;
        anew.at(number).take_place(number, &previous);
        previous.clone_from(&anew.at(number).digest);
    }
    anew.head = Some(AuditHead {
        number: 6,
        digest: Digest::try_from(previous.as_slice()).unwrap(),
    });
    assert!(anew.check(None).ok);
    assert_eq!(found(&anew.check(kept)), ["not_the_kept 3"]);
    assert_eq!(found(&Log::of(2).check(kept)), ["not_the_kept 3"]);
}

#[test]
fn o61_a_report_stays_short_when_very_much_was_changed() {
    let mut log = Log::of(500);
    for stored in log.links.iter_mut().step_by(2) {
        stored.link.payload.as_mut().unwrap().salt.clear();
    }
    let report = log.check(None);
    assert_eq!((report.findings.len(), report.further_findings), (MOST, 150));
}
