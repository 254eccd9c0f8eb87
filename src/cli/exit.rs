//! The exit codes, which scripts may rely on.

use std::fmt::Write as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// As asked.
    Ok,
    /// Something failed that no other code names.
    Failure,
    /// The arguments are wrong.
    Usage,
    /// What was named is not there.
    NotFound,
    /// What was given is wrong: a configuration, a field, a file.
    InvalidInput,
    /// It contradicts what is there.
    Conflict,
    /// Validation refused the deploy; nothing was touched.
    DeployRejected,
    /// The deploy was not proven, and the former generation is proven to run again.
    DeployRolledBack,
    /// The deploy could not be carried out: nothing was touched, or what it touched was neither proven nor proven back.
    DeployFailed,
    /// The PBX does not answer.
    Unreachable,
    /// Proven to run, less the tenants that the findings name.
    DeployPartial,
    /// A newer request took the deploy's place.
    DeploySuperseded,
    /// The deploy had not ended when patience had.
    DeployPending,
    /// What runs, or stands on disk, is not what was deployed.
    NotVerified,
    /// The audit log is not as it was written.
    AuditAltered,
}

/// Code, name for programs, and meaning of each.
const TABLE: [(Exit, u8, &str, &str); 15] = [
    (Exit::Ok, 0, "ok", "done as asked"),
    (
        Exit::Failure,
        1,
        "failure",
        "something failed that no other code names",
    ),
    (Exit::Usage, 2, "usage", "the arguments are wrong"),
    (Exit::NotFound, 3, "not_found", "what was named is not there"),
    (
        Exit::InvalidInput,
        4,
        "invalid_input",
        "what was given is wrong: a configuration, a field, a file",
    ),
    (Exit::Conflict, 5, "conflict", "it contradicts what is there"),
    (
        Exit::DeployRejected,
        6,
        "deploy_rejected",
        "validation refused the deploy; nothing was touched",
    ),
    (
        Exit::DeployRolledBack,
        7,
        "deploy_rolled_back",
        "the deploy was not proven, and the former generation is proven to run again",
    ),
    (
        Exit::DeployFailed,
        8,
        "deploy_failed",
        "the deploy could not be begun and touched nothing, or was neither proven nor proven back; its findings say which, and what to do",
    ),
    (
        Exit::Unreachable,
        9,
        "unreachable",
        "the PBX does not answer, or does not let us in; a deploy touched nothing",
    ),
    (
        Exit::DeployPartial,
        10,
        "deploy_partial",
        "the deploy is proven to run, less the tenants that its findings name",
    ),
    (
        Exit::DeploySuperseded,
        11,
        "deploy_superseded",
        "a newer request took the deploy's place; its finding names that one",
    ),
    (
        Exit::DeployPending,
        12,
        "deploy_pending",
        "the deploy had not ended in the given time, and goes on without this command",
    ),
    (
        Exit::NotVerified,
        13,
        "not_verified",
        "what runs or stands on disk is not what was deployed; the findings say what",
    ),
    (
        Exit::AuditAltered,
        14,
        "audit_altered",
        "the audit log is not as it was written; the findings say which entry and what",
    ),
];

impl Exit {
    /// What the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        self.row().0
    }

    /// The same as a word, in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (u8, &'static str) {
        let row = TABLE.iter().find(|(exit, ..)| *exit == self);
        row.map_or((1, "failure"), |(_, code, name, _)| (*code, name))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// The table as it stands in `docs/cli.md`.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| code | in JSON | meaning |\n|---|---|---|\n");
    for (_, code, name, meaning) in TABLE {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {code} | `{name}` | {meaning} |");
    }
    table
}
