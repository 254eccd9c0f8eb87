//! Broken files of every kind that Asterisk complains about: a reload says "Success" to each of them.

use std::fmt::Write as _;

use serde_json::json;
use switchyard::domain::artifact::ConfFile::{self, Extensions, Pjsip, Voicemail};
use switchyard::domain::finding::Finding;
use switchyard::driver::PbxDriver;
use switchyard::driver::asterisk::AsteriskDriver;

use super::support::bench::{Bench, codes};
use super::support::tenants::{TestTenant, Texts, generation};

/// What is wrong, in which file, what Asterisk says to it, and whether it takes something away that was to be served.
struct Broken {
    file: ConfFile,
    what: &'static str,
    at: At,
    text: &'static str,
    says: &'static str,
    harms: bool,
}

enum At {
    /// Behind everything else.
    End,
    /// Behind the first occurrence of a text.
    Behind(&'static str),
    /// In place of its first occurrence.
    InPlaceOf(&'static str),
}
use At::{Behind, End, InPlaceOf};

const fn broken(
    file: ConfFile,
    what: &'static str,
    at: At,
    text: &'static str,
    says: &'static str,
    harms: bool,
) -> Broken {
    Broken {
        file,
        what,
        at,
        text,
        says,
        harms,
    }
}

/// The options of the second extension's endpoint begin there.
const BOB: At = Behind("[1002@acme.example.com]\ntype=endpoint\n");
const AOR: At = Behind("[1002@acme.example.com]\ntype=aor\n");
const DIALPLAN: At = Behind("[acme.example.com]\nexten => _XXXX,hint,PJSIP/${EXTEN}@acme.example.com\n");
const MAILBOXES: At = Behind("[acme.example.com]\n");

/// Where the second tenant begins; what stands before it is read before Asterisk comes to the error.
const GINA: At = InPlaceOf("[1001@globex.example.com]\n");
const GLOBEX: At = InPlaceOf("[globex.example.com]\n");

const PJSIP: [Broken; 13] = [
    broken(
        Pjsip,
        "unknown option",
        BOB,
        "frobnicate=yes\n",
        "named 'frobnicate'",
        true,
    ),
    broken(
        Pjsip,
        "bad number",
        BOB,
        "device_state_busy_at=abc\n",
        "Error parsing device_state_busy_at=abc",
        true,
    ),
    broken(
        Pjsip,
        "bad codec",
        BOB,
        "allow=nosuch\n",
        "Cannot allow unknown format 'nosuch'",
        true,
    ),
    broken(Pjsip, "bad address", AOR, "contact=no-uri\n", "contact", true),
    broken(
        Pjsip,
        "short digest",
        InPlaceOf("password_digest=MD5:"),
        "password_digest=MD5:0",
        "must be 32",
        true,
    ),
    broken(
        Pjsip,
        "line without =",
        BOB,
        "this is no option\n",
        "No '=' (equal sign)",
        false,
    ),
    broken(
        Pjsip,
        "duplicate object",
        End,
        "\n[1002@acme.example.com]\ntype=aor\n",
        "contains a duplicate object: '1002@acme.example.com'",
        true,
    ),
    broken(
        Pjsip,
        "unclosed section",
        GINA,
        "[1001@globex.example.com\n",
        "no closing ']'",
        true,
    ),
    broken(
        Pjsip,
        "missing include",
        GINA,
        "#include \"/nowhere/pjsip.conf\"\n[1001@globex.example.com]\n",
        "'/nowhere/pjsip.conf' was listed as a #include but it does not exist",
        true,
    ),
    broken(
        Pjsip,
        "undefined template",
        GINA,
        "[1001@globex.example.com](nosuch)\n",
        "category 'nosuch' does not exist",
        true,
    ),
    broken(
        Pjsip,
        "line too long",
        BOB,
        "message_context=LONG\n",
        "too long, skipping",
        false,
    ),
    broken(
        Pjsip,
        "comment too long",
        BOB,
        "; LONG\n",
        "too long, skipping",
        false,
    ),
    broken(
        Pjsip,
        "transport",
        End,
        "\n[smuggled]\ntype=transport\nprotocol=udp\nbind=300.1.2.3:99999\n",
        "Error parsing bind=300.1.2.3:99999",
        false,
    ),
];

const EXTENSIONS: [Broken; 11] = [
    broken(
        Extensions,
        "no priority",
        DIALPLAN,
        "exten => 1009\n",
        "Invalid priority/label ''",
        false,
    ),
    broken(
        Extensions,
        "bad priority",
        DIALPLAN,
        "exten => 1009,abc,NoOp(a)\n",
        "Invalid priority/label 'abc'",
        false,
    ),
    broken(
        Extensions,
        "no parenthesis",
        DIALPLAN,
        "exten => 1009,1,Dial(PJSIP/1009\n",
        "No closing parenthesis",
        false,
    ),
    broken(
        Extensions,
        "unknown context",
        DIALPLAN,
        "include => nowhere\n",
        "nonexistent context 'nowhere'",
        false,
    ),
    broken(
        Extensions,
        "duplicate extension",
        DIALPLAN,
        "exten => 1002,1,NoOp(first)\n",
        "Unable to register extension '1002' priority 1 in 'acme.example.com'",
        false,
    ),
    broken(
        Extensions,
        "duplicate label",
        DIALPLAN,
        "exten => 1009,1(a),NoOp()\n same => n(a),NoOp()\n",
        "label 'a' already in use",
        false,
    ),
    broken(
        Extensions,
        "same without a pattern",
        End,
        "\n[x.example.com]\n same => n,NoOp()\n",
        "No previous pattern",
        false,
    ),
    broken(
        Extensions,
        "unknown directive",
        DIALPLAN,
        "extern => 1009,1,NoOp()\n",
        "Unknown directive: extern",
        false,
    ),
    broken(
        Extensions,
        "unclosed section",
        GLOBEX,
        "[globex.example.com\n",
        "no closing ']'",
        true,
    ),
    broken(
        Extensions,
        "line without =",
        DIALPLAN,
        "this is no line\n",
        "No '=' (equal sign)",
        false,
    ),
    broken(
        Extensions,
        "line too long",
        DIALPLAN,
        "; LONG\n",
        "too long, skipping",
        false,
    ),
];

const VOICEMAIL: [Broken; 6] = [
    broken(
        Voicemail,
        "duplicate mailbox",
        MAILBOXES,
        "1001 => -9999,Dup\n",
        "Ignoring duplicated mailbox 1001",
        true,
    ),
    broken(
        Voicemail,
        "bad PIN",
        MAILBOXES,
        "1009 => *12,B\n",
        "Invalid password detected for mailbox 1009",
        false,
    ),
    broken(
        Voicemail,
        "line without =",
        MAILBOXES,
        "1009 -1,A\n",
        "No '=' (equal sign)",
        false,
    ),
    broken(
        Voicemail,
        "unclosed section",
        GLOBEX,
        "[globex.example.com\n",
        "no closing ']'",
        true,
    ),
    broken(
        Voicemail,
        "missing include",
        GLOBEX,
        "#include \"/nowhere/voicemail.conf\"\n[globex.example.com]\n",
        "was listed as a #include but it does not exist",
        true,
    ),
    broken(
        Voicemail,
        "line too long",
        MAILBOXES,
        "; LONG\n",
        "too long, skipping",
        false,
    ),
];

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
