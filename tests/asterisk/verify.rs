//! Every finding of a verification comes about: files altered by hand behind markers that are right.

use rstest::rstest;
use serde_json::json;
use switchyard::domain::artifact::Artifact::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::finding::Finding;
use switchyard::domain::instance::PbxKind;
use switchyard::driver::{AbsentExtension, Expected, PbxDriver};

use super::support::bench::{Bench, codes};
use super::support::tenants::{TestTenant, Texts, generation};

const ACME: &str = "acme.example.com";

/// 1001 has a mailbox and is recorded, 1002 is forwarded.
fn acme() -> TestTenant {
    TestTenant::new(
        ACME,
        &[
            json!({"number": "1001", "name": "Ann", "voicemail": {"enabled": true, "email": "ann@acme.example.com"},
                   "recording": "always", "transport": "tls", "codecs": ["g722", "alaw"]}),
            json!({"number": "1002", "name": "Bob", "forward": {"no_answer": "1001"}}),
        ],
    )
}

fn globex() -> TestTenant {
    TestTenant::new("globex.example.com", &[json!({"number": "1001", "name": "Gina"})])
}

/// How the second extension's endpoint begins.
const BOB: &str = "[1002@acme.example.com]\ntype=endpoint\n";

/// Puts altered text live and verifies what the unaltered one promises.
async fn after(file: Artifact, alter: impl FnOnce(&str) -> String) -> Vec<Finding> {
    served(file, alter).await.1
}

async fn served(file: Artifact, alter: impl FnOnce(&str) -> String) -> (Bench, Vec<Finding>) {
    let mut bench = Bench::start().await;
    let (mut texts, expected) = generation(&[acme(), globex()]);
    let text = texts.get_mut(&file).unwrap();
    let altered = alter(text);
    assert_ne!(*text, altered, "nothing was altered");
    *text = altered;
    bench.live(&texts).await;
    let findings = bench.verify(&expected).await;
    (bench, findings)
}

/// The text without the paragraph that begins with `from`.
fn without_paragraph(text: &str, from: &str) -> String {
    let begin = text.find(from).unwrap();
    let rest = text.get(begin..).unwrap();
    let end = rest.find("\n\n").map_or(rest.len(), |at| at + 2);
    format!("{}{}", text.get(..begin).unwrap(), rest.get(end..).unwrap())
}

fn assert_one(findings: &[Finding], code: &str, object: &str, says: &str) {
    assert_eq!(codes(findings), [code], "{findings:?}");
    assert_eq!(findings[0].object.as_deref(), Some(object));
    assert!(findings[0].message.contains(says), "{}", findings[0].message);
    assert!(findings[0].is_error());
}

#[rstest]
#[case::context("context=acme.example.com", "context=globex.example.com", "Context")]
#[case::account(
    "accountcode=acme.example.com",
    "accountcode=globex.example.com",
    "Accountcode"
)]
#[case::from_domain(
    "from_domain=acme.example.com",
    "from_domain=globex.example.com",
    "FromDomain"
)]
#[case::call_group("named_call_group=acme", "named_call_group=globex", "NamedCallGroup")]
#[case::pickup_group("named_pickup_group=acme", "named_pickup_group=globex", "NamedPickupGroup")]
#[case::identified_by("identify_by=username", "identify_by=auth_username", "IdentifyBy")]
#[case::foreign_aor("aors=1001@acme", "aors=1001@globex", "Aors")]
#[case::foreign_mailbox("mailboxes=1001@acme", "mailboxes=1002@acme", "Mailboxes")]
#[case::caller_name("callerid=\"Ann\"", "callerid=\"Eve\"", "Callerid")]
#[case::caller_number("<1001>", "<112>", "Callerid")]
#[case::codecs("allow=g722,alaw", "allow=alaw,g722", "Allow")]
#[case::unencrypted("media_encryption=sdes\n", "", "MediaEncryption")]
#[case::unrecorded("set_var=SWITCHYARD_RECORD_CALLER=1\n", "", "SetVar")]
#[case::username("username=1001", "username=1002", "Username")]
#[case::realm("realm=acme.example.com", "realm=asterisk", "Realm")]
#[case::more_phones("max_contacts=2", "max_contacts=9", "MaxContacts")]
#[tokio::test]
async fn an_altered_endpoint_is_found(#[case] from: &str, #[case] to: &str, #[case] field: &str) {
    let findings = after(Pjsip, |text| text.replacen(from, to, 1)).await;
    assert_one(&findings, "endpoint_altered", "extension 1001", field);
}

#[tokio::test]
async fn another_secret_is_found_and_not_shown() {
    let (texts, _) = generation(&[acme()]);
    let digest = texts[&Pjsip]
        .split_once("MD5:")
        .unwrap()
        .1
        .get(..32)
        .unwrap()
        .to_owned();
    let other = "0123456789abcdef0123456789abcdef";
    let findings = after(Pjsip, |text| text.replacen(&digest, other, 1)).await;
    assert_one(&findings, "endpoint_altered", "extension 1001", "PasswordDigest");
    let shown = serde_json::to_string(&findings).unwrap();
    assert!(!shown.contains(&digest) && !shown.contains(other), "{shown}");
}

#[rstest]
#[case::endpoint("[1002@acme.example.com]\ntype=endpoint", "endpoint_missing")]
#[case::auth("[1002@acme.example.com]\ntype=auth", "endpoint_altered")]
#[case::aor("[1002@acme.example.com]\ntype=aor", "endpoint_altered")]
#[tokio::test]
async fn a_missing_object_is_found(#[case] section: &str, #[case] code: &str) {
    let findings = after(Pjsip, |text| without_paragraph(text, section)).await;
    assert_one(&findings, code, "extension 1002", "1002@acme.example.com");
}

#[rstest]
#[case::missing(
    "1001 => -246813,Ann,ann@acme.example.com,,attach=yes\n",
    "",
    "mailbox_missing",
    "1001"
)]
#[case::renamed(",Ann,", ",Eve,", "mailbox_altered", "Fullname")]
#[case::another_address(",ann@acme", ",eve@acme", "mailbox_altered", "Email")]
#[tokio::test]
async fn an_altered_mailbox_is_found(
    #[case] from: &str,
    #[case] to: &str,
    #[case] code: &str,
    #[case] says: &str,
) {
    let findings = after(Voicemail, |text| text.replacen(from, to, 1)).await;
    assert_one(&findings, code, "mailbox 1001", says);
}

/// Neither a shadow nor the log of a reload has a word for these (measured).
#[rstest]
#[case::unknown_type(Pjsip, BOB, "[1002@acme.example.com]\ntype=endpiont\n", "endpoint_missing")]
#[case::no_type(Pjsip, BOB, "[1002@acme.example.com]\n", "endpoint_missing")]
#[case::another_name(Pjsip, BOB, "[1003@acme.example.com]\ntype=endpoint\n", "endpoint_missing")]
#[case::no_such_aor(Pjsip, "aors=1002@acme.example.com", "aors=nowhere", "endpoint_altered")]
#[case::no_such_auth(Pjsip, "auth=1002@acme.example.com", "auth=nowhere", "endpoint_altered")]
#[case::no_auth(Pjsip, "auth=1002@acme.example.com\n", "", "endpoint_altered")]
#[case::no_such_context(
    Pjsip,
    "context=acme.example.com\nmessage_context=switchyard-messages\nauth=1002",
    "context=nowhere\nmessage_context=switchyard-messages\nauth=1002",
    "endpoint_altered"
)]
#[case::unbalanced_quote(Pjsip, "callerid=\"Bob\"", "callerid=\"Bob", "endpoint_altered")]
#[case::no_first_priority(Extensions, "exten => 1002,1,", "exten => 1002,2,", "dialplan_missing")]
#[case::no_application(
    Extensions,
    "exten => 1002,1,Gosub(",
    "exten => 1002,1\n;",
    "dialplan_missing"
)]
#[tokio::test]
async fn what_asterisk_keeps_quiet_about_is_found(
    #[case] file: Artifact,
    #[case] from: &str,
    #[case] to: &str,
    #[case] code: &str,
) {
    let (bench, findings) = served(file, |text| text.replacen(from, to, 1)).await;
    assert_one(&findings, code, "extension 1002", "1002");
    assert_eq!(bench.driver.log_since_apply().await, []);
}

/// An empty file takes everything away without a word.
#[rstest]
#[case(Pjsip, &["marker_missing", "endpoint_missing", "endpoint_missing", "endpoint_missing"])]
#[case(Extensions, &["marker_missing", "context_missing", "context_missing"])]
#[case(Voicemail, &["marker_missing", "mailbox_missing"])]
#[tokio::test]
async fn an_empty_file_is_found(#[case] file: Artifact, #[case] expected: &[&str]) {
    let (bench, findings) = served(file, |_| String::new()).await;
    assert_eq!(codes(&findings), expected, "{findings:?}");
    assert_eq!(bench.driver.log_since_apply().await, []);
}

#[tokio::test]
async fn a_mailbox_that_should_not_be_is_found() {
    let findings = after(Voicemail, |text| {
        text.replacen("1001 =>", "1002 => -1111,Bob\n1001 =>", 1)
    })
    .await;
    assert_one(&findings, "mailbox_left", "mailbox 1002", "1002@acme.example.com");
}

#[rstest]
#[case::missing(
    "exten => 1002,1,Gosub(",
    "exten => 1003,1,Gosub(",
    "dialplan_missing",
    "1002"
)]
#[case::another_tenant(
    "(1002,acme.example.com,",
    "(1002,globex.example.com,",
    "dialplan_altered",
    "globex"
)]
#[case::another_forward(",,,1001,0,0)", ",,,1003,0,0)", "dialplan_altered", "1003")]
#[case::ring_time(
    "(1002,acme.example.com,30",
    "(1002,acme.example.com,31",
    "dialplan_altered",
    ",31,"
)]
#[tokio::test]
async fn an_altered_line_of_the_dialplan_is_found(
    #[case] from: &str,
    #[case] to: &str,
    #[case] code: &str,
    #[case] says: &str,
) {
    let findings = after(Extensions, |text| text.replacen(from, to, 1)).await;
    assert_one(&findings, code, "extension 1002", says);
}

#[rstest]
#[case::missing("exten => _XXXX,hint,PJSIP/${EXTEN}@acme.example.com\n", "")]
#[case::of_another_tenant("PJSIP/${EXTEN}@acme", "PJSIP/${EXTEN}@globex")]
#[tokio::test]
async fn an_altered_hint_is_found(#[case] from: &str, #[case] to: &str) {
    let findings = after(Extensions, |text| text.replacen(from, to, 1)).await;
    assert_one(&findings, "hint_altered", "hint _XXXX", "acme.example.com");
}

#[rstest]
#[case::echo("*43", "exten => *43,1,Gosub(switchyard-features,echo,1)\n", "")]
#[case::own_mailbox("*97", "exten => *97,1,Gosub(switchyard-features,mailbox,1)\n", "")]
#[case::no_application("*97", "*97,1,Gosub(switchyard-features,mailbox,1)", "*97,1")]
#[tokio::test]
async fn a_missing_feature_code_is_found(#[case] code: &str, #[case] from: &str, #[case] to: &str) {
    let findings = after(Extensions, |text| text.replacen(from, to, 1)).await;
    assert_one(
        &findings,
        "feature_missing",
        &format!("feature code {code}"),
        code,
    );
}

#[tokio::test]
async fn a_missing_context_is_found() {
    let findings = after(Extensions, |text| {
        text.replacen("[acme.example.com]", "[acme.example.org]", 1)
    })
    .await;
    assert_one(
        &findings,
        "context_missing",
        "tenant acme.example.com",
        "context acme.example.com",
    );
}

#[rstest]
#[case(Pjsip)]
#[case(Extensions)]
#[case(Voicemail)]
#[tokio::test]
async fn another_marker_is_found(#[case] file: Artifact) {
    let findings = after(file, |text| text.replacen("sy-", "sy-0", 1)).await;
    assert_one(&findings, "marker_missing", file.as_str(), "sy-0");
}

#[rstest]
#[case(Pjsip)]
#[case(Extensions)]
#[case(Voicemail)]
#[tokio::test]
async fn a_file_that_is_not_reloaded_is_found(#[case] file: Artifact) {
    let mut bench = Bench::start().await;
    bench.serve(&[acme()]).await;
    let (texts, expected) = generation(&[acme(), globex()]);
    bench.stage(&texts).await;
    let others: Vec<Artifact> = Artifact::of(PbxKind::Asterisk)
        .iter()
        .copied()
        .filter(|f| *f != file)
        .collect();
    bench.apply(&others).await;
    let findings = bench.verify(&expected).await;
    assert!(codes(&findings).contains(&"marker_missing"), "{findings:?}");
    assert!(
        findings
            .iter()
            .any(|finding| finding.object.as_deref() == Some(file.as_str()))
    );
}

#[tokio::test]
async fn nothing_of_ours_is_served_before_the_first_generation_and_after_the_last() {
    let mut bench = Bench::start().await;
    let (_, served) = generation(&[acme()]);
    let nothing = Expected {
        markers: served.markers.keys().map(|file| (*file, None)).collect(),
        absent: absent(&acme()),
        ..Expected::default()
    };
    assert_eq!(bench.verify(&nothing).await, []);
    assert_eq!(
        codes(&bench.verify(&served).await),
        [
            "marker_missing",
            "marker_missing",
            "marker_missing",
            "context_missing",
            "endpoint_missing",
            "mailbox_missing",
            "endpoint_missing"
        ]
    );

    bench.serve(&[acme()]).await;
    let left = bench.verify(&nothing).await;
    assert_eq!(
        codes(&left),
        [
            "marker_unexpected",
            "marker_unexpected",
            "marker_unexpected",
            "endpoint_left",
            "mailbox_left",
            "endpoint_left",
            "dialplan_left",
            "dialplan_left"
        ]
    );

    let empty = Artifact::of(PbxKind::Asterisk)
        .iter()
        .map(|file| (*file, String::new()))
        .collect::<Texts>();
    bench.live(&empty).await;
    assert_eq!(bench.verify(&nothing).await, []);
}

fn absent(tenant: &TestTenant) -> Vec<AbsentExtension> {
    tenant
        .config
        .active()
        .map(|extension| AbsentExtension {
            tenant_id: tenant.id,
            id: extension.id,
            domain: tenant.config.domain.clone(),
            number: extension.number.clone(),
            is_removed: false,
        })
        .collect()
}

#[tokio::test]
async fn a_removed_extension_and_a_removed_tenant_are_gone() {
    let mut bench = Bench::start().await;
    bench.serve(&[acme(), globex()]).await;
    let mut smaller = acme();
    let removed = smaller.config.extensions.remove(0);
    assert_eq!(removed.number.as_str(), "1001");
    let (texts, mut expected) = generation(std::slice::from_ref(&smaller));
    let mut gone = absent(&globex());
    gone.extend(
        absent(&acme())
            .into_iter()
            .filter(|extension| extension.number == removed.number),
    );
    expected.absent = gone;
    bench.live(&texts).await;
    assert_eq!(bench.verify(&expected).await, []);
}

#[tokio::test]
async fn a_stopped_asterisk_is_unreachable_and_not_a_finding() {
    let mut bench = Bench::start().await;
    let (_, expected) = bench.serve(&[acme()]).await;
    super::support::pbx::kill(super::support::pbx::pid(&bench.pbx.home()));
    assert!(bench.driver.verify(&expected).await.is_err());
    let ready = bench.driver.ready().await;
    assert!(
        matches!(ready, Err(switchyard::driver::DriverError::Unreachable { .. })),
        "{ready:?}"
    );
}
