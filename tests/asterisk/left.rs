//! What must be gone from the dialplan beside the first line of an extension, and what may stay there.

use std::collections::BTreeSet;

use rstest::rstest;
use serde_json::json;
use switchyard::domain::artifact::Artifact::Extensions;
use switchyard::domain::finding::Finding;
use switchyard::domain::ids::ExtensionId;
use switchyard::driver::{AbsentExtension, ClearedContext, Expected};
use uuid::Uuid;

use super::support::bench::{Bench, codes};
use super::support::tenants::{TestTenant, generation};

const ACME: &str = "acme.example.com";

fn acme(numbers: &[&str]) -> TestTenant {
    let extensions: Vec<_> = numbers
        .iter()
        .map(|number| json!({"number": number, "name": "Ann"}))
        .collect();
    TestTenant::new(ACME, &extensions)
}

/// That the extension 1002 is gone, and with it the length of number 4; `whole`: the tenant too.
fn gone(whole: bool) -> Expected {
    let tenant = acme(&[]);
    Expected {
        absent: vec![AbsentExtension {
            tenant_id: tenant.id,
            id: ExtensionId::from_uuid(Uuid::from_u128(1002)),
            domain: tenant.config.domain.clone(),
            number: "1002".parse().unwrap(),
            is_removed: !whole,
        }],
        cleared: vec![ClearedContext {
            tenant_id: tenant.id,
            domain: tenant.config.domain,
            number_lengths: BTreeSet::from([4]),
            whole,
        }],
        ..Expected::default()
    }
}

/// Serves a tenant that still has its short number, and these lines.
async fn with_lines(lines: &str) -> Bench {
    let mut bench = Bench::start().await;
    let (mut texts, _) = generation(&[acme(&["30"])]);
    let text = texts.get_mut(&Extensions).unwrap();
    assert!(text.contains("exten => *8,1,Pickup()\n"));
    *text = text.replacen("exten => *8,1,Pickup()\n", lines, 1);
    bench.live(&texts).await;
    bench
}

fn assert_codes(findings: &[Finding], expected: &[&str]) {
    assert_eq!(codes(findings), expected, "{findings:?}");
    assert!(findings.iter().all(Finding::is_error));
}

#[rstest]
#[case::a_later_priority("exten => 1002,2,NoOp()\n", &["dialplan_left"])]
#[case::a_label("exten => 1002,50(here),NoOp()\n", &["dialplan_left"])]
#[case::the_pattern_hint("exten => _XXXX,hint,PJSIP/${EXTEN}@acme.example.com\n", &["hint_left"])]
#[case::another_length("exten => _XXX,hint,PJSIP/${EXTEN}@acme.example.com\n", &[])]
#[tokio::test]
async fn what_is_left_of_a_number_is_found(#[case] lines: &str, #[case] expected: &[&str]) {
    let bench = with_lines(lines).await;
    assert_codes(&bench.verify(&gone(false)).await, expected);
}

#[tokio::test]
async fn a_context_that_is_left_of_a_tenant_is_found() {
    let bench = with_lines("").await;
    let findings = bench.verify(&gone(true)).await;
    assert_codes(&findings, &["context_left"]);
    assert_eq!(findings[0].object.as_deref(), Some("tenant acme.example.com"));
}

/// Of an operator who adds to a tenant's context in files of their own, nothing is ours to miss.
#[tokio::test]
async fn what_somebody_else_has_in_the_context_may_stay() {
    let mut bench = Bench::start().await;
    bench.serve(&[acme(&["1002"])]).await;
    let (mut texts, _) = generation(&[]);
    let text = texts.get_mut(&Extensions).unwrap();
    *text = format!("[{ACME}]\nexten => 900,1,NoOp()\n\n{text}");
    bench.live(&texts).await;
    assert_codes(&bench.verify(&gone(true)).await, &[]);
}

/// Asterisk makes a hint of its own for a number that somebody watches, and keeps it.
#[tokio::test]
async fn a_watched_number_is_gone_although_its_watcher_stays() {
    let mut bench = Bench::start().await;
    bench.serve(&[acme(&["1002", "1003"])]).await;
    let mut ami = bench.pbx.ami();
    ami.ask("ExtensionState", &[("Exten", "1002"), ("Context", ACME)]);
    let shown = ami.console(&format!("dialplan show 1002@{ACME}"));
    assert!(
        format!("{shown:?}").contains("PJSIP/1002@acme.example.com"),
        "{shown:?}"
    );
    let (texts, _) = generation(&[acme(&["1003"])]);
    bench.live(&texts).await;
    let mut expected = gone(false);
    expected.cleared.clear();
    assert_codes(&bench.verify(&expected).await, &[]);
}
