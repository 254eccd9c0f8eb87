//! Broken files of every kind that Asterisk complains about: a reload says "Success" to each of them.

mod kinds;

use std::fmt::Write as _;

use serde_json::json;
use switchyard::domain::artifact::Artifact::Extensions;
use switchyard::domain::finding::Finding;
use switchyard::driver::PbxDriver;
use switchyard::driver::asterisk::AsteriskDriver;

use self::kinds::At::{Behind, End, InPlaceOf};
use self::kinds::{Broken, EXTENSIONS, PJSIP, VOICEMAIL};
use super::support::bench::{Bench, codes};
use super::support::tenants::{TestTenant, Texts, generation};

impl Broken {
    fn in_texts(&self, whole: &Texts) -> Texts {
        let mut texts = whole.clone();
        let text = texts.get_mut(&self.file).unwrap();
        // Asterisk reads lines of 8,190 bytes.
        let breaking = self.text.replace("LONG", &"x".repeat(8_200));
        match self.at {
            End => text.push_str(&breaking),
            Behind(before) => {
                let begin = text
                    .find(before)
                    .unwrap_or_else(|| panic!("{}: {before}", self.what));
                text.insert_str(begin + before.len(), &breaking);
            }
            InPlaceOf(before) => *text = text.replacen(before, &breaking, 1),
        }
        assert_ne!(texts, *whole, "{}", self.what);
        texts
    }

    fn is_quoted_in(&self, findings: &[Finding]) -> bool {
        let mut quotes = findings.iter().filter_map(|finding| finding.quote.as_deref());
        quotes.any(|quote| quote.contains(self.says))
    }
}

/// All that differs between two of them are values of the first one's extensions.
fn tenants(name: &str) -> [TestTenant; 2] {
    let (secret, phones) = (format!("{name}Secret000"), name.len());
    [
        TestTenant::new(
            "acme.example.com",
            &[
                json!({"number": "1001", "name": name, "voicemail": {"enabled": true}, "secret": secret}),
                json!({"number": "1002", "name": name, "max_contacts": phones}),
            ],
        ),
        TestTenant::new("globex.example.com", &[json!({"number": "1001", "name": "Gina"})]),
    ]
}

/// A shadow names each of them, in Asterisk's words.
async fn rehearse_each(kinds: &[Broken]) {
    let mut bench = Bench::start().await;
    let (whole, _) = generation(&tenants("Ann"));
    let mut wrong = Vec::new();
    for broken in kinds {
        bench.stage(&broken.in_texts(&whole)).await;
        let findings = bench.rehearse().await.findings;
        let named = broken.is_quoted_in(&findings) && findings.iter().all(Finding::is_error);
        // A transport is named without Asterisk's help, who may have been kept from seeing it.
        if !named && !codes(&findings).contains(&"transport_in_template") {
            wrong.push((broken.what, findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    bench.stage(&whole).await;
    assert_eq!(bench.rehearse().await.findings, []);
}

/// Without a rehearsal, the log of the reload names each of them, and the verification what it took away.
async fn apply_each(kinds: &[Broken]) {
    let mut bench = Bench::start().await;
    let mut wrong = Vec::new();
    for broken in kinds {
        bench.serve(&tenants("Former")).await;
        let (whole, expected) = generation(&tenants("After"));
        bench.live(&broken.in_texts(&whole)).await;
        let complaints = bench.driver.log_since_apply().await;
        let missing = bench.verify(&expected).await;
        let named = broken.is_quoted_in(&complaints)
            && codes(&complaints).iter().all(|c| *c == "asterisk_complained");
        if !named || missing.is_empty() == broken.harms {
            wrong.push((broken.what, complaints, missing));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // What was broken leaves nothing behind.
    bench.serve(&tenants("Mended")).await;
}

#[tokio::test]
async fn a_shadow_refuses_broken_endpoints() {
    rehearse_each(&PJSIP).await;
}

#[tokio::test]
async fn a_shadow_refuses_a_broken_dialplan() {
    rehearse_each(&EXTENSIONS).await;
}

#[tokio::test]
async fn a_shadow_refuses_broken_mailboxes() {
    rehearse_each(&VOICEMAIL).await;
}

#[tokio::test]
async fn broken_endpoints_are_found_after_they_went_live() {
    apply_each(&PJSIP).await;
}

#[tokio::test]
async fn a_broken_dialplan_is_found_after_it_went_live() {
    apply_each(&EXTENSIONS).await;
}

#[tokio::test]
async fn broken_mailboxes_are_found_after_they_went_live() {
    apply_each(&VOICEMAIL).await;
}

#[tokio::test]
async fn a_log_of_any_length_is_told_in_few_words() {
    let mut bench = Bench::start().await;
    let (mut texts, _) = bench.serve(&tenants("Former")).await;
    let text = texts.get_mut(&Extensions).unwrap();
    for line in 0..20_000 {
        writeln!(text, "exten => _{line}X,abc,NoOp(bad)").unwrap();
    }
    bench.live(&texts).await;
    let complaints = bench.driver.log_since_apply().await;
    assert!((2..50).contains(&complaints.len()), "{complaints:#?}");
    assert!(
        codes(&complaints).contains(&"asterisk_complained"),
        "{complaints:#?}"
    );
    bench.stage(&texts).await;
    let findings = bench.rehearse().await.findings;
    assert!((2..50).contains(&findings.len()), "{findings:#?}");
}

#[tokio::test]
async fn a_log_that_is_not_this_asterisks_is_told_so() {
    let mut bench = Bench::start().await;
    let other = bench.pbx.directory.path().join("other");
    std::fs::write(&other, "").unwrap();
    let mut settings = bench.pbx.private.settings().clone();
    settings.log_file = Some(other.display().to_string().parse().unwrap());
    bench.driver = AsteriskDriver::new(settings, bench.pbx.private.secret().clone(), None);
    bench.live(&generation(&tenants("Ann")).0).await;
    assert_eq!(codes(&bench.driver.log_since_apply().await), ["log_unread"]);
}
