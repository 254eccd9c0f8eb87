//! Words that FreeSWITCH has for what an extension is, whoever writes its XML.

use crate::domain::codec::Codec;
use crate::domain::email::EmailAddress;
use crate::domain::extension::{OutboundClass, Voicemail};

/// Where messages are sent. Another address is written nowhere, and a deploy tells of it: FreeSWITCH puts it into a command
/// line, and FusionPBX into XML, as it is.
pub(super) fn mail_to(voicemail: &Voicemail) -> Option<&EmailAddress> {
    voicemail.email.as_ref().filter(|email| email.is_plain())
}

/// The words of FusionPBX's outbound routes, which plain ones are often written with too.
pub(super) const fn toll_allow(class: OutboundClass) -> &'static str {
    match class {
        OutboundClass::Internal => "",
        OutboundClass::National => "local,domestic",
        OutboundClass::International => "local,domestic,international",
    }
}

/// By the names that FreeSWITCH gives them in an offer.
pub(super) fn codecs(codecs: &[Codec]) -> String {
    let name = |codec: &Codec| match codec {
        Codec::Opus => "OPUS",
        Codec::G722 => "G722",
        Codec::Alaw => "PCMA",
        Codec::Ulaw => "PCMU",
        Codec::Gsm => "GSM",
        Codec::G729 => "G729",
    };
    codecs.iter().map(name).collect::<Vec<_>>().join(",")
}
