//! The files that an Asterisk reads, one for each module that reads one.

use super::parsed::word_enum;

word_enum! {
    /// A configuration file of ours.
    ///
    /// Few and large, since Asterisk reads one file of 1,000 tenants three times as fast as 1,000 included
    /// ones (measured); one for each module, since a module is reloaded only when its bytes changed.
    ConfFile {
        /// Endpoints, auths and AORs, read by `res_pjsip`.
        Pjsip = "pjsip.conf",
        /// The dialplan, read by `pbx_config`.
        Extensions = "extensions.conf",
        /// Mailboxes, read by `app_voicemail`.
        Voicemail = "voicemail.conf",
    }
}

impl ConfFile {
    /// The Asterisk module that reads it.
    #[must_use]
    pub const fn module(self) -> &'static str {
        match self {
            Self::Pjsip => "res_pjsip.so",
            Self::Extensions => "pbx_config.so",
            Self::Voicemail => "app_voicemail.so",
        }
    }
}
