//! `switchyard extension add`.

use clap::Args;
use clap::builder::PossibleValuesParser;

use crate::app::views::CreatedView;
use crate::app::{extensions, operator};
use crate::cli::{Context, Failure, lookup};
use crate::domain::codec::Codec;
use crate::domain::extension::{ExtensionStatus, OutboundClass, Recording, Transport};
use crate::domain::extension_input::{CallerIdInput, ExtensionInput, ForwardInput, VoicemailInput};
use crate::domain::sip_domain::SipDomain;

pub const EXAMPLE: &str = "Example:\n  switchyard extension add --tenant acme.example.com --number 1001 --name 'Ann Lee' \
    --voicemail --voicemail-email ann@acme.example.com --forward-no-answer 1002 --codec opus --codec alaw";

/// A new extension; what is not given takes its default.
#[derive(Args)]
pub struct Add {
    /// Whose it is, by SIP domain
    #[arg(long, value_name = "DOMAIN")]
    tenant: SipDomain,
    /// 2 to 8 digits, no emergency number; cannot be changed later
    #[arg(long)]
    number: String,
    /// As phones show it
    #[arg(long)]
    name: String,
    /// Whether phones may sign in [default: active]
    #[arg(long, value_parser = words(ExtensionStatus::ALL, ExtensionStatus::as_str))]
    status: Option<String>,
    /// Shown to called parties instead of the name
    #[arg(long, value_name = "NAME")]
    caller_id_name: Option<String>,
    /// Shown to called parties instead of the number
    #[arg(long, value_name = "NUMBER")]
    caller_id_number: Option<String>,
    /// Give it a mailbox
    #[arg(long)]
    voicemail: bool,
    /// Where a notice of each message goes
    #[arg(long, value_name = "ADDRESS", requires = "voicemail")]
    voicemail_email: Option<String>,
    /// Where all calls go at once
    #[arg(long, value_name = "NUMBER")]
    forward_always: Option<String>,
    /// Where calls go when it is busy
    #[arg(long, value_name = "NUMBER")]
    forward_busy: Option<String>,
    /// Where calls go when nobody answers
    #[arg(long, value_name = "NUMBER")]
    forward_no_answer: Option<String>,
    /// How long it rings: 5 to 300 [default: 30]
    #[arg(long, value_name = "SECONDS")]
    ring_time: Option<i64>,
    /// Which calls are recorded [default: never]
    #[arg(long, value_parser = words(Recording::ALL, Recording::as_str))]
    recording: Option<String>,
    /// How many phones may be signed in at once: 1 to 10 [default: 2]
    #[arg(long, value_name = "COUNT")]
    max_contacts: Option<i64>,
    /// A codec that it may speak, first choice first; can be given more than once [default: g722, alaw, ulaw]
    #[arg(long = "codec", value_name = "CODEC", value_parser = words(Codec::ALL, Codec::as_str))]
    codecs: Vec<String>,
    /// How its phones reach the PBX [default: udp]
    #[arg(long, value_parser = words(Transport::ALL, Transport::as_str))]
    transport: Option<String>,
    /// How far it may call [default: national]
    #[arg(long, value_name = "CLASS", value_parser = words(OutboundClass::ALL, OutboundClass::as_str))]
    outbound_class: Option<String>,
}

/// The words of an enum, so that help and errors list them.
fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> PossibleValuesParser {
    PossibleValuesParser::new(all.iter().map(|value| word(*value)))
}

impl From<Add> for ExtensionInput {
    fn from(add: Add) -> Self {
        Self {
            number: Some(add.number),
            name: Some(add.name),
            status: add.status,
            secret: None,
            caller_id: Some(CallerIdInput {
                name: add.caller_id_name,
                number: add.caller_id_number,
            }),
            voicemail: Some(VoicemailInput {
                enabled: Some(add.voicemail),
                pin: None,
                email: add.voicemail_email,
            }),
            forward: Some(ForwardInput {
                always: add.forward_always,
                busy: add.forward_busy,
                no_answer: add.forward_no_answer,
            }),
            ring_time: add.ring_time,
            recording: add.recording,
            max_contacts: add.max_contacts,
            codecs: (!add.codecs.is_empty()).then_some(add.codecs),
            transport: add.transport,
            outbound_class: add.outbound_class,
        }
    }
}

pub fn run(context: &mut Context<'_>, add: Add) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let tenant = lookup::tenant(parts, &add.tenant).await?;
        let caller = operator::in_tenant(&tenant, None);
        let (extension, secrets) = extensions::create(&parts.app, &caller, add.into()).await?;
        let number = extension.number.to_string();
        let (secret, pin) = (secrets.sip.expose().to_owned(), secrets.pin.expose().to_owned());
        let view = CreatedView::new(extension, &secrets);
        context.output.result(&view, |text| {
            text.line(&format!(
                "extension {number} of {} is added; `switchyard extension reveal` shows its secrets again:",
                tenant.domain
            ))?;
            text.fields(&[("secret", secret), ("voicemail pin", pin)])
        })
    })
}
