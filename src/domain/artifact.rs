//! What a PBX is given: for each kind the texts that it reads, or that rows are made of.

use super::instance::PbxKind;
use super::parsed::word_enum;

word_enum! {
    /// One of the texts that a generation consists of.
    ///
    /// Few and large, since Asterisk reads one file of 1,000 tenants three times as fast as 1,000 included
    /// ones (measured); one for each module, since a module is reloaded only when its bytes changed.
    Artifact {
        /// Asterisk's endpoints, auths and AORs, read by `res_pjsip`.
        Pjsip = "pjsip.conf",
        /// Asterisk's dialplan, read by `pbx_config`.
        Extensions = "extensions.conf",
        /// Asterisk's mailboxes, read by `app_voicemail`.
        Voicemail = "voicemail.conf",
        /// FusionPBX's domains and extensions, a row a line, from which FreeSWITCH's directory is made.
        ExtensionRows = "extensions.jsonl",
        /// FusionPBX's mailboxes, a row a line.
        VoicemailRows = "voicemails.jsonl",
        /// FusionPBX's dialplans, a row a line.
        DialplanRows = "dialplans.jsonl",
        /// FreeSWITCH's users, in XML.
        DirectoryXml = "directory.xml",
        /// FreeSWITCH's contexts, in XML.
        DialplanXml = "dialplan.xml",
    }
}

impl Artifact {
    /// All of a kind, in the order in which the PBX takes them.
    #[must_use]
    pub const fn of(kind: PbxKind) -> &'static [Self] {
        match kind {
            PbxKind::Asterisk => &[Self::Pjsip, Self::Extensions, Self::Voicemail],
            PbxKind::FusionPbx => &[Self::ExtensionRows, Self::VoicemailRows, Self::DialplanRows],
            PbxKind::FreeSwitch => &[Self::DirectoryXml, Self::DialplanXml],
        }
    }

    /// What of the PBX reads it, by the name that its administrators know.
    #[must_use]
    pub const fn module(self) -> &'static str {
        match self {
            Self::Pjsip => "res_pjsip.so",
            Self::Extensions => "pbx_config.so",
            Self::Voicemail => "app_voicemail.so",
            Self::ExtensionRows | Self::DirectoryXml => "directory",
            Self::VoicemailRows => "voicemail",
            Self::DialplanRows | Self::DialplanXml => "dialplan",
        }
    }
}
