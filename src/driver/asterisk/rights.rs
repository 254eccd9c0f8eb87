//! The actions that the driver sends, and the rights that its manager account has them by.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::domain::instance::AccountName;
use crate::domain::parsed::word_enum;

word_enum! {
    /// Every action that the driver sends beside the login. What an account must be allowed follows from it.
    ActionName {
        /// A sign of life.
        Ping = "Ping",
        /// What the account may send.
        ListCommands = "ListCommands",
        /// The version.
        CoreSettings = "CoreSettings",
        /// Whether a module is loaded.
        ModuleCheck = "ModuleCheck",
        /// Has a module read its files.
        Reload = "Reload",
        /// What stands in a section of its own files.
        GetConfig = "GetConfig",
        /// An endpoint with its auth and AOR.
        PjsipShowEndpoint = "PJSIPShowEndpoint",
        /// A global or a dialplan function.
        Getvar = "Getvar",
        /// A context.
        ShowDialPlan = "ShowDialPlan",
        /// A mailbox.
        VoicemailUserStatus = "VoicemailUserStatus",
        /// Every channel that is up.
        CoreShowChannels = "CoreShowChannels",
        /// Every phone that has signed in.
        PjsipShowContacts = "PJSIPShowContacts",
        /// Ends a channel.
        Hangup = "Hangup",
        /// Which events are sent.
        Filter = "Filter",
        /// Has a phone of the PBX called, and leads it into the dialplan.
        Originate = "Originate",
        /// Removes a message of a mail box.
        VoicemailRemove = "VoicemailRemove",
        /// Has phones told what a mail box holds by now.
        VoicemailRefresh = "VoicemailRefresh",
    }
}

impl ActionName {
    /// The right that the action takes; one of several that Asterisk 22 would take, as `ListCommands` names them.
    const fn right(self) -> Option<Right> {
        match self {
            Self::Ping | Self::ListCommands => None,
            Self::ModuleCheck
            | Self::Reload
            | Self::GetConfig
            | Self::PjsipShowEndpoint
            | Self::PjsipShowContacts
            | Self::Hangup
            | Self::Filter => Some(Right::WriteSystem),
            Self::Originate => Some(Right::WriteOriginate),
            Self::VoicemailRemove | Self::VoicemailRefresh => Some(Right::WriteUser),
            Self::CoreSettings
            | Self::Getvar
            | Self::ShowDialPlan
            | Self::VoicemailUserStatus
            | Self::CoreShowChannels => Some(Right::WriteReporting),
        }
    }

    /// Whether Asterisk knows it from the first login on, whatever modules it has (measured).
    const fn is_core(self) -> bool {
        !matches!(
            self,
            Self::PjsipShowEndpoint
                | Self::PjsipShowContacts
                | Self::VoicemailUserStatus
                | Self::VoicemailRemove
                | Self::VoicemailRefresh
        )
    }
}

word_enum! {
    /// A right that the manager account needs.
    Right {
        /// To hear that Asterisk has started, `FullyBooted`, and of phones that sign in.
        ReadSystem = "read = system",
        /// To hear of calls.
        ReadCall = "read = call",
        /// To hear what is on record of calls.
        ReadCdr = "read = cdr",
        /// To reload, to ask for modules, endpoints and what its own files lead to, and to end calls.
        WriteSystem = "write = system",
        /// To ask for globals, contexts, mailboxes, channels and the version.
        WriteReporting = "write = reporting",
        /// To have a phone called for whoever wants to call from it.
        WriteOriginate = "write = originate",
        /// To remove messages of mail boxes.
        WriteUser = "write = user",
    }
}

impl Right {
    /// The check that tests it.
    pub const fn check(self) -> &'static str {
        match self {
            Self::ReadSystem => "ami_read_system",
            Self::ReadCall => "ami_read_call",
            Self::ReadCdr => "ami_read_cdr",
            Self::WriteSystem => "ami_write_system",
            Self::WriteReporting => "ami_write_reporting",
            Self::WriteOriginate => "ami_write_originate",
            Self::WriteUser => "ami_write_user",
        }
    }

    /// Whether an account that may send these actions has it; `None` where that is not told by actions.
    fn is_among(self, allowed: &BTreeSet<&str>) -> Option<bool> {
        let mut actions = ActionName::ALL
            .iter()
            .filter(|action| action.right() == Some(self) && action.is_core())
            .peekable();
        actions.peek()?;
        Some(actions.all(|action| allowed.contains(action.as_str())))
    }
}

/// The rights that an account lacks, of those that a deploy needs, which may send only these actions.
pub fn lacking(allowed: &BTreeSet<&str>) -> Vec<Right> {
    Right::ALL
        .iter()
        .copied()
        .filter(|right| right.is_among(allowed) == Some(false))
        .filter(|right| !matches!(right, Right::WriteOriginate | Right::WriteUser))
        .collect()
}

/// The lines of the account in `manager.conf` that give it every right, and no more.
#[must_use]
pub fn account_lines() -> [String; 2] {
    ["read", "write"].map(|direction| {
        let classes: Vec<&str> = Right::ALL
            .iter()
            .filter_map(|right| right.as_str().split_once(" = "))
            .filter_map(|(given, class)| (given == direction).then_some(class))
            .collect();
        format!("{direction} = {}", classes.join(","))
    })
}

/// What to type where rights are lacking.
pub fn mend(account: &AccountName) -> String {
    format!(
        "in manager.conf have `{}` under [{account}], without blanks beside commas, then type \
         `asterisk -rx 'manager reload'`",
        account_lines().join("` and `")
    )
}

/// The account may not do all that the driver does.
#[derive(Debug, Error)]
#[error("it lacks {}; {}", words(.lacking), mend(.account))]
pub struct LackingRights {
    /// Whose.
    pub account: AccountName,
    /// Which.
    pub lacking: Vec<Right>,
}

fn words(lacking: &[Right]) -> String {
    let words: Vec<String> = lacking.iter().map(|right| format!("`{right}`")).collect();
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_is_needed_by_an_action_or_by_the_start() {
        for right in Right::ALL {
            // An account that may remove no messages is told so by the removal (`why`), not by what is known at the login.
            let is_told = |action: ActionName| action.is_core() || *right == Right::WriteUser;
            let needed = ActionName::ALL
                .iter()
                .any(|action| action.right() == Some(*right) && is_told(*action));
            let is_heard = matches!(right, Right::ReadSystem | Right::ReadCall | Right::ReadCdr);
            assert_ne!(needed, is_heard, "{right}");
        }
    }

    #[test]
    fn what_is_not_allowed_names_its_right() {
        let all: BTreeSet<&str> = ActionName::ALL.iter().map(|action| action.as_str()).collect();
        assert_eq!(lacking(&all), []);
        let mut without = all.clone();
        // A module that is not loaded is no lacking right.
        without.remove("VoicemailUserStatus");
        assert_eq!(lacking(&without), []);
        // Without it everything is deployed as before.
        without.remove("Originate");
        assert_eq!(lacking(&without), []);
        without.remove("ShowDialPlan");
        assert_eq!(lacking(&without), [Right::WriteReporting]);
        assert_eq!(
            lacking(&BTreeSet::new()),
            [Right::WriteSystem, Right::WriteReporting]
        );
    }

    #[test]
    fn the_lines_of_the_account_give_every_right_once() {
        assert_eq!(
            account_lines(),
            [
                "read = system,call,cdr",
                "write = system,reporting,originate,user"
            ]
        );
    }
}
