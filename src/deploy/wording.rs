//! How a record calls what a PBX is given, by what its kind keeps: files behind a link, or rows beside a note.

use super::run::names;
use crate::domain::artifact::Artifact;
use crate::domain::instance::PbxKind;
use crate::driver::Drifted;

/// Whether it stands in a database that others write to as well.
pub(super) const fn has_rows(kind: PbxKind) -> bool {
    match kind {
        PbxKind::Asterisk | PbxKind::FreeSwitch => false,
        PbxKind::FusionPbx => true,
    }
}

/// Whether it reads all of its files as one document, and goes on with the former one where it refuses it.
pub(super) const fn is_one_document(kind: PbxKind) -> bool {
    match kind {
        PbxKind::Asterisk | PbxKind::FusionPbx => false,
        PbxKind::FreeSwitch => true,
    }
}

/// What somebody did to a text of ours.
pub(super) fn happened(kind: PbxKind, artifact: Artifact, how: Drifted) -> String {
    match (has_rows(kind), how) {
        (false, Drifted::Edited) => format!("{artifact} was edited in place since the last deploy"),
        (false, Drifted::Missing) => {
            format!("{artifact} is missing: somebody removed it since the last deploy")
        }
        (true, Drifted::Edited) => format!(
            "rows of {artifact} were edited, removed or added in the PBX's database since the last deploy"
        ),
        (true, Drifted::Missing) => {
            format!("the rows of {artifact} are missing: somebody removed them since the last deploy")
        }
        (_, Drifted::Taken) => format!(
            "rows of {artifact} are no longer marked as this instance's: their insert_user was changed"
        ),
        (_, Drifted::Lost) => format!(
            "what was written for {artifact} is no longer staged on this host, so that nobody can say whether it was edited"
        ),
    }
}

/// What stands in place of the generation that was proven last.
pub(super) fn misplaced(kind: PbxKind, standing: Option<i64>, live: i64) -> String {
    let (what, leads) = if has_rows(kind) {
        ("the note of ours in the PBX's database", "names")
    } else {
        ("the live link", "leads to")
    };
    let found = match standing {
        Some(number) => format!("{leads} generation {number}"),
        None => "is missing".to_owned(),
    };
    format!("{what} {found}, although generation {live} was proven last")
}

/// What of a PBX could not be compared any more.
pub(super) const fn not_compared(kind: PbxKind) -> &'static str {
    if has_rows(kind) {
        "the rows could not be compared: fragments in the state directory are lost; the next deploy renders them again"
    } else {
        "the files could not be compared: fragments in the state directory are lost; the next deploy renders them again"
    }
}

/// What runs is right, and what would be read next is not.
pub(super) const fn not_in_place(kind: PbxKind) -> &'static str {
    if has_rows(kind) {
        "what is served is as it should be, but the PBX's database notes another generation of ours"
    } else {
        "what runs is as it should be, but the live link leads to other files, which the PBX would read at its next start"
    }
}

/// What a generation changes.
pub(super) fn differing(kind: PbxKind, reload: &[Artifact]) -> String {
    let what = if has_rows(kind) { "rows" } else { "files" };
    format!("{what} that differ: {}", names(reload))
}

/// What applying did.
pub(super) fn applied(kind: PbxKind, reload: &[Artifact]) -> String {
    if has_rows(kind) {
        format!("rows written, and FreeSWITCH told of them: {}", names(reload))
    } else {
        format!("swapped; reloaded: {}", names(reload))
    }
}

/// Where nothing was to be done.
pub(super) const fn nothing_to_do(kind: PbxKind) -> &'static str {
    if has_rows(kind) {
        "nothing differs from what is live; nothing was written, and FreeSWITCH was told of nothing"
    } else {
        "nothing differs from what is live; nothing was written or reloaded"
    }
}

/// Why a deploy that nobody asked for goes no further.
pub(super) const fn held_back(kind: PbxKind) -> &'static str {
    if has_rows(kind) {
        "held back: our rows are not as they were written"
    } else {
        "held back: our files are not as they were written"
    }
}

/// What of ours the PBX does not have as it was proven last.
pub(super) fn unread(kind: PbxKind, artifact: Artifact) -> String {
    if has_rows(kind) {
        format!(
            "FreeSWITCH may serve what was there before the rows of {artifact}; this deploy has it look at all of them anew"
        )
    } else {
        format!("the PBX does not serve {artifact} as it was proven last; this deploy has it read again")
    }
}

/// What a record says of an order that failed although what it was about is served; `are_gone`: whether somebody is served
/// no more, whose call may go on.
pub(super) fn not_ended(kind: PbxKind, are_gone: bool, why: &str) -> Option<String> {
    let ends_calls = kind != PbxKind::Asterisk;
    (ends_calls && are_gone).then(|| {
        format!(
            "phones of who is served no more are refused and signed out, but calls of theirs that were up may go on: {why}; \
             see `show calls` in `fs_cli`, and end those with `uuid_kill` and the call's uuid"
        )
    })
}

/// How an administrator ends calls.
pub(super) const fn ending_calls(kind: PbxKind) -> &'static str {
    match kind {
        PbxKind::Asterisk => "`channel request hangup`",
        PbxKind::FusionPbx | PbxKind::FreeSwitch => {
            "`hupall MANAGER_REQUEST domain_name` and the domain, in `fs_cli`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is said of rows, or of files.
    fn all(kind: PbxKind, artifact: Artifact) -> Vec<String> {
        let hows = [Drifted::Edited, Drifted::Missing, Drifted::Lost, Drifted::Taken];
        let mut all = hows.map(|how| happened(kind, artifact, how)).to_vec();
        all.extend([
            not_compared(kind).to_owned(),
            misplaced(kind, Some(1), 2),
            misplaced(kind, None, 2),
            not_in_place(kind).to_owned(),
            differing(kind, &[artifact]),
            applied(kind, &[artifact]),
            nothing_to_do(kind).to_owned(),
            held_back(kind).to_owned(),
            unread(kind, artifact),
            ending_calls(kind).to_owned(),
        ]);
        all.extend(not_ended(kind, true, "it did not answer"));
        all
    }

    #[test]
    fn of_rows_no_message_speaks_of_files_or_a_link() {
        for message in all(PbxKind::FusionPbx, Artifact::ExtensionRows) {
            assert!(
                ["file", "link", "disk", "swap", "reload"]
                    .iter()
                    .all(|word| !message.contains(word)),
                "{message}"
            );
        }
    }

    #[test]
    fn no_message_holds_two_blanks_in_a_row() {
        for (kind, artifact) in [
            (PbxKind::Asterisk, Artifact::Pjsip),
            (PbxKind::FusionPbx, Artifact::ExtensionRows),
            (PbxKind::FreeSwitch, Artifact::DirectoryXml),
        ] {
            for message in all(kind, artifact) {
                assert!(!message.contains("  "), "{message}");
            }
        }
    }

    #[test]
    fn calls_are_ended_by_the_command_that_the_pbx_has() {
        assert!(ending_calls(PbxKind::Asterisk).contains("channel request hangup"));
        for kind in [PbxKind::FusionPbx, PbxKind::FreeSwitch] {
            assert!(ending_calls(kind).contains("hupall"));
        }
    }

    #[test]
    fn of_files_they_do() {
        let kind = PbxKind::Asterisk;
        assert_eq!(
            misplaced(kind, Some(1), 2),
            "the live link leads to generation 1, although generation 2 was proven last"
        );
        assert_eq!(
            happened(kind, Artifact::Pjsip, Drifted::Edited),
            "pjsip.conf was edited in place since the last deploy"
        );
    }
}
