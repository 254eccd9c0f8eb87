//! Calls over real SIP: who may sign in, whom a number reaches, and what happens when nobody answers.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::support::bench::Bench;
use super::support::media::Media;
use super::support::sipp::{Account, SipMessage, Sipp};
use super::support::tenants::{PIN, TestTenant};
use super::support::wait::{came, until};

const ACME: &str = "acme.example.com";
const GLOBEX: &str = "globex.example.com";

/// A running PBX with tenants, and phones for them.
struct Office {
    bench: Bench,
    prompts: PathBuf,
}

impl Office {
    async fn open(tenants: &[TestTenant]) -> Self {
        let mut bench = Bench::start().await;
        bench.serve(tenants).await;
        // Asterisk tells which prompts it plays.
        let home = bench.pbx.home();
        let mut logger = OpenOptions::new()
            .append(true)
            .open(home.join("etc/logger.conf"))
            .unwrap();
        logger.write_all(b"prompts => verbose(5)\n").unwrap();
        bench.pbx.ami().console("logger reload");
        let prompts = home.join("log/prompts");
        Self { bench, prompts }
    }

    fn run(&self, scenario: &str, account: &Account, keys: &[(&str, &str)]) -> Sipp {
        let pbx = &self.bench.pbx;
        Sipp::start(scenario, pbx.private.sip(), account, keys, pbx.directory.path())
    }

    /// Signs an account in as an address; the scenario, at its end, and whether it was let in.
    async fn register(&self, account: &Account, address: &str) -> (Sipp, bool) {
        let mut register = self.run("register", account, &[("as", address)]);
        let let_in = register.ended().await;
        (register, let_in)
    }

    /// A phone that is signed in and does what the scenario says.
    async fn phone(&self, scenario: &str, number: &str, domain: &str) -> Sipp {
        // Its sound goes nowhere.
        self.phone_with(scenario, number, domain, "9").await
    }

    async fn phone_with(&self, scenario: &str, number: &str, domain: &str, media: &str) -> Sipp {
        let account = Account::new(number, domain);
        let (register, let_in) = self.register(&account, &account.address()).await;
        assert!(let_in, "{:#?}", register.heard());
        let phone = self.run(scenario, &account, &[("media", media)]);
        // Asterisk rings only phones that it knows to be there.
        let address = account.address();
        until(&format!("{address} is reachable"), || {
            let contacts = self.bench.pbx.ami().console(&format!("pjsip show aor {address}"));
            contacts
                .iter()
                .any(|line| line.contains("Contact:") && line.contains(" Avail "))
        })
        .await;
        phone
    }

    /// An account calls a number of its own domain.
    fn call(&self, account: &Account, number: &str, media: &str) -> Sipp {
        let target = format!("{number}@{}", account.domain);
        self.run("call", account, &[("target", &target), ("media", media)])
    }

    async fn hang_up_all(&self) {
        self.bench
            .pbx
            .ami()
            .ask("Hangup", &[("Channel", "/^PJSIP.*/"), ("Cause", "16")]);
    }

    /// Waits until a prompt was played.
    async fn prompt(&self, name: &str) {
        self.prompt_again(name, 1).await;
    }

    /// Waits until a prompt was played so many times.
    async fn prompt_again(&self, name: &str, times: usize) {
        let line = format!("Playing '{name}.");
        let came = came(|| self.played().matches(&line).count() >= times).await;
        assert!(came, "the prompt {name} is not played: {}", self.played());
    }

    /// What Asterisk did in all calls.
    fn played(&self) -> String {
        std::fs::read_to_string(&self.prompts).unwrap_or_default()
    }
}

fn tenant(domain: &str, extensions: &[Value]) -> TestTenant {
    TestTenant::new(domain, extensions)
}

fn plain(number: &str, name: &str) -> Value {
    json!({"number": number, "name": name})
}

async fn two_tenants() -> Office {
    Office::open(&[
        tenant(ACME, &[plain("1001", "Ann"), plain("1002", "Bob")]),
        tenant(
            GLOBEX,
            &[plain("1001", "Gina"), plain("1002", "Hugo"), plain("1003", "Ida")],
        ),
    ])
    .await
}

#[tokio::test]
async fn phones_of_two_tenants_with_the_same_numbers_call_inside_their_tenant() {
    let office = two_tenants().await;
    let bob = office.phone("answer", "1002", ACME).await;
    let hugo = office.phone("answer", "1002", GLOBEX).await;
    for (domain, name, rung, other) in [(ACME, "Ann", &bob, &hugo), (GLOBEX, "Gina", &hugo, &bob)] {
        let before = other
            .heard()
            .iter()
            .filter(|message| message.is("INVITE"))
            .count();
        let mut call = office.call(&Account::new("1001", domain), "1002", "9");
        call.status(200).await;
        office.hang_up_all().await;
        assert!(call.ended().await, "{:#?}", call.heard());
        let invite = rung.request("INVITE").unwrap();
        let from = invite.header("From").unwrap();
        assert!(
            from.starts_with(&format!("\"{name}\" <sip:1001@{domain}>")),
            "{from}"
        );
        let after = other
            .heard()
            .iter()
            .filter(|message| message.is("INVITE"))
            .count();
        assert_eq!(after, before, "the other tenant's 1002 was rung");
    }
}

#[tokio::test]
async fn nobody_signs_in_with_the_other_tenants_secret_or_for_another() {
    let office = two_tenants().await;
    let ann = Account::new("1001", ACME);
    let (register, let_in) = office.register(&ann, &ann.address()).await;
    assert!(
        let_in && register.statuses() == [401, 200],
        "{:#?}",
        register.heard()
    );

    let mut thief = Account::new("1001", ACME);
    thief.secret = super::support::tenants::secret("1001", GLOBEX);
    let (register, let_in) = office.register(&thief, &thief.address()).await;
    assert!(!let_in && register.statuses() == [401], "{:#?}", register.heard());

    for address in ["1001@globex.example.com", "1002@acme.example.com"] {
        let (register, let_in) = office.register(&Account::new("1001", ACME), address).await;
        assert!(
            !let_in && !register.statuses().contains(&200),
            "{:#?}",
            register.heard()
        );
    }

    let mut call = office.call(&thief, "1002", "9");
    call.ended().await;
    assert_eq!(call.statuses(), [401]);
}

#[tokio::test]
async fn no_call_leaves_its_tenant() {
    let office = two_tenants().await;
    let bob = office.phone("answer", "1002", ACME).await;
    let hugo = office.phone("answer", "1002", GLOBEX).await;
    let ida = office.phone("answer", "1003", GLOBEX).await;
    let ann = Account::new("1001", ACME);

    // The domain that is asked for does not count, the caller's does.
    let mut call = office.run(
        "call",
        &ann,
        &[("target", "1002@globex.example.com"), ("media", "9")],
    );
    call.status(200).await;
    office.hang_up_all().await;
    call.ended().await;
    assert!(bob.request("INVITE").is_some());

    let mut call = office.run(
        "call",
        &ann,
        &[("target", "1003@globex.example.com"), ("media", "9")],
    );
    call.ended().await;
    assert_eq!(call.statuses().last(), Some(&404));
    for phone in [&hugo, &ida] {
        assert!(phone.request("INVITE").is_none());
    }
}

#[tokio::test]
async fn an_unanswered_call_leaves_a_message_in_the_mailbox() {
    let office = Office::open(&[
        tenant(
            ACME,
            &[
                plain("1001", "Ann"),
                json!({"number": "1002", "name": "Bob", "ring_time": 5, "voicemail": {"enabled": true}}),
            ],
        ),
        tenant(
            GLOBEX,
            &[json!({"number": "1002", "name": "Hugo", "voicemail": {"enabled": true}})],
        ),
    ])
    .await;
    let phone = office.phone("silent", "1002", ACME).await;
    let media = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "1002", &media.port());
    call.status(180).await;
    call.status(200).await;
    assert!(phone.request("CANCEL").is_some());
    office.prompt("vm-intro").await;
    // The key ends the prompt.
    media.press("#");
    office.prompt("beep").await;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    office.hang_up_all().await;
    assert!(call.ended().await, "{:#?}", call.heard());
    let messages = |domain: &str| {
        office
            .bench
            .pbx
            .home()
            .join(format!("spool/voicemail/{domain}/1002/INBOX"))
    };
    until("the message is there", || {
        has_sound(&messages(ACME).join("msg0000.wav"))
    })
    .await;
    assert!(!messages(GLOBEX).join("msg0000.wav").exists());

    // The phone is told, and who listens to it must know the PIN.
    until("the phone is told of the message", || {
        phone
            .heard()
            .iter()
            .any(|message| message.is("NOTIFY") && message.text.contains("Messages-Waiting: yes"))
    })
    .await;
    let listener = Account::new("1002", ACME);
    let media = Media::start();
    let mut call = office.call(&listener, "*97", &media.port());
    call.status(200).await;
    office.prompt("vm-password").await;
    media.press("111111#");
    office.prompt("vm-incorrect").await;
    office.prompt_again("vm-password", 2).await;
    assert!(!office.played().contains("vm-youhave"));
    media.press(&format!("{PIN}#"));
    office.prompt("vm-youhave").await;
    office.hang_up_all().await;
    assert!(call.ended().await, "{:#?}", call.heard());
}

/// A header alone has 44 bytes.
fn has_sound(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 8_000)
}

#[tokio::test]
async fn star_43_is_an_echo() {
    let office = two_tenants().await;
    let media = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "*43", &media.port());
    call.status(200).await;
    office.prompt("demo-echotest").await;
    until("the prompt is heard", || media.heard() > 20).await;
    assert!(!media.hears_the_voice());
    until("the caller hears himself", || media.hears_the_voice()).await;
    office.hang_up_all().await;
    assert!(call.ended().await, "{:#?}", call.heard());
}

#[tokio::test]
async fn a_number_that_leads_nowhere_is_told_so_and_404() {
    let office = two_tenants().await;
    let media = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "1777", &media.port());
    assert!(call.ended().await, "{:#?}", call.heard());
    let statuses = call.statuses();
    assert!(statuses.ends_with(&[183, 404]), "{statuses:?}");
    assert!(
        office.played().contains("Playing 'ss-noservice."),
        "{}",
        office.played()
    );
    assert!(media.heard() > 20, "{} packets were heard", media.heard());
}

#[tokio::test]
async fn nobody_is_there_and_a_busy_phone_are_told_apart() {
    let office = two_tenants().await;
    let ann = Account::new("1001", ACME);
    let mut call = office.call(&ann, "1002", "9");
    call.ended().await;
    assert_eq!(call.statuses().last(), Some(&480));
    assert!(
        office.played().contains("Playing 'vm-nobodyavail."),
        "{}",
        office.played()
    );
    let _bob = office.phone("busy", "1002", ACME).await;
    let mut call = office.call(&ann, "1002", "9");
    call.ended().await;
    assert_eq!(call.statuses().last(), Some(&486));
}

#[tokio::test]
async fn a_recorded_call_is_heard_by_both_and_kept() {
    let office = Office::open(&[tenant(
        ACME,
        &[
            plain("1001", "Ann"),
            json!({"number": "1002", "name": "Bob", "recording": "inbound"}),
        ],
    )])
    .await;
    let bobs = Media::start();
    let _bob = office.phone_with("answer", "1002", ACME, &bobs.port()).await;
    let anns = Media::start();
    let mut call = office.call(&Account::new("1001", ACME), "1002", &anns.port());
    call.status(200).await;
    anns.speak_to(call.media_of_the_other_side());
    until("Bob hears Ann", || bobs.hears_the_voice()).await;
    until("Ann hears Bob", || anns.hears_the_voice()).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    office.hang_up_all().await;
    assert!(call.ended().await, "{:#?}", call.heard());
    let directory = office
        .bench
        .pbx
        .home()
        .join("spool/monitor/switchyard")
        .join(ACME);
    let kept = || {
        std::fs::read_dir(&directory).map(|entries| entries.map(|e| e.unwrap().path()).collect::<Vec<_>>())
    };
    until("the recording is there", || {
        kept().is_ok_and(|files| files.len() == 1 && has_sound(&files[0]))
    })
    .await;
}

/// What a display name in quotes says (RFC 3261, quoted-string).
fn unquoted(from: &str) -> String {
    let mut name = String::new();
    let mut rest = from.strip_prefix('"').unwrap().chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => name.extend(rest.next()),
            c => name.push(c),
        }
    }
    name
}

#[tokio::test]
async fn a_callers_name_arrives_on_the_other_phone_as_it_was_written() {
    let names = [
        "\"".repeat(64),
        "\\".repeat(64),
        "é".repeat(39),
        "Zoë \"The Doc\" O'Hara; #exec ${EXTEN} $[1+1] ] \\".to_owned(),
        "<5> => ;-- [evil] <sip:x@y>".to_owned(),
    ];
    let mut extensions = vec![plain("1001", "Bob")];
    for (index, name) in names.iter().enumerate() {
        extensions.push(plain(&(2000 + index).to_string(), name));
    }
    let office = Office::open(&[tenant(ACME, &extensions)]).await;
    let bob = office.phone("answer", "1001", ACME).await;
    for (index, name) in names.iter().enumerate() {
        let number = (2000 + index).to_string();
        let mut call = office.call(&Account::new(&number, ACME), "1001", "9");
        call.status(200).await;
        office.hang_up_all().await;
        assert!(call.ended().await, "{:#?}", call.heard());
        let heard = bob.heard();
        let invite = heard.iter().rfind(|message| message.is("INVITE")).unwrap();
        let from = invite.header("From").unwrap();
        assert_eq!(unquoted(from), *name, "{from}");
        assert!(from.contains(&format!("\" <sip:{number}@{ACME}>")), "{from}");
    }
}

/// Everything goes to 1002 sooner or later.
async fn forwarding(extension: Value, scenario: Option<&str>) -> SipMessage {
    let number = extension["number"].as_str().unwrap().to_owned();
    let office = Office::open(&[
        tenant(ACME, &[plain("1001", "Ann"), plain("1002", "Bob"), extension]),
        tenant(GLOBEX, &[plain("1002", "Hugo")]),
    ])
    .await;
    let hugo = office.phone("answer", "1002", GLOBEX).await;
    let bob = office.phone("answer", "1002", ACME).await;
    let first = match scenario {
        Some(scenario) => Some(office.phone(scenario, &number, ACME).await),
        None => None,
    };
    let mut call = office.call(&Account::new("1001", ACME), &number, "9");
    call.status(200).await;
    office.hang_up_all().await;
    assert!(call.ended().await, "{:#?}", call.heard());
    assert!(hugo.request("INVITE").is_none());
    if let Some(first) = first {
        let rung = first.request("INVITE").is_some();
        assert_eq!(rung, scenario != Some("answer"), "{number} was rung");
    }
    bob.request("INVITE").unwrap()
}

#[tokio::test]
async fn forward_always_rings_the_other_phone_only() {
    let extension = json!({"number": "1003", "name": "Cleo", "forward": {"always": "1002"}});
    let invite = forwarding(extension, Some("answer")).await;
    let diversion = invite.header("Diversion").unwrap();
    assert!(
        diversion.contains("sip:1003@") && diversion.contains("reason=unconditional"),
        "{diversion}"
    );
}

#[tokio::test]
async fn forward_when_busy() {
    let extension = json!({"number": "1003", "name": "Cleo", "forward": {"busy": "1002"}});
    let invite = forwarding(extension, Some("busy")).await;
    let diversion = invite.header("Diversion").unwrap();
    assert!(
        diversion.contains("sip:1003@") && diversion.contains("reason=user-busy"),
        "{diversion}"
    );
}

#[tokio::test]
async fn forward_when_nobody_answers() {
    let extension =
        json!({"number": "1003", "name": "Cleo", "ring_time": 5, "forward": {"no_answer": "1002"}});
    let invite = forwarding(extension, Some("silent")).await;
    let diversion = invite.header("Diversion").unwrap();
    assert!(
        diversion.contains("sip:1003@") && diversion.contains("reason=no-answer"),
        "{diversion}"
    );
}

#[tokio::test]
async fn forward_when_no_phone_is_signed_in() {
    let extension = json!({"number": "1003", "name": "Cleo", "forward": {"no_answer": "1002"}});
    let invite = forwarding(extension, None).await;
    assert!(invite.header("Diversion").unwrap().contains("sip:1003@"));
}
