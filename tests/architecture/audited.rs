//! Every use case that changes something adds one entry to the audit log, in the change's own transaction.

use syn::visit::{self, Visit};

use crate::tree::{self, SourceFile};

/// Functions that commit something which is no change of anybody's, or more than one, with why.
const NOT_AUDITED: [(&str, &str, &str); 24] = [
    (
        "src/app/idempotency.rs",
        "forget_old",
        "answers that are too old to be given again are nobody's change",
    ),
    (
        "src/app/click_to_call.rs",
        "forget",
        "an answer to what was not done; that it was asked for is in the log before",
    ),
    (
        "src/app/tenant_deletion.rs",
        "forget_calls",
        "a part of the deletion, which is in the log before and once all of it is done",
    ),
    (
        "src/app/call_events.rs",
        "tell",
        "what a PBX tells is told on, and changes nothing",
    ),
    (
        "src/app/one_time.rs",
        "forget_expired",
        "tokens that have expired count for nothing already",
    ),
    (
        "src/app/sessions.rs",
        "forget_ended",
        "sessions that reached their end count for nothing already",
    ),
    (
        "src/app/revisions.rs",
        "forget_some",
        "copies of a configuration that nothing can serve any more; each edit of it is in the log",
    ),
    (
        "src/app/purge_work.rs",
        "abandon",
        "a purge that cannot be read; the log tells who asked for it",
    ),
    (
        "src/app/purge_part.rs",
        "close",
        "a part of a purge, which is in the log before and once all of it is done",
    ),
    (
        "src/app/purge_part.rs",
        "set_back",
        "a part of a purge that failed; the log tells how the purge ends",
    ),
    (
        "src/app/erasures/mod.rs",
        "run",
        "two changes in one: the account that goes has the entry of its own that it has wherever one goes",
    ),
    (
        "src/app/erasures/mod.rs",
        "forget_old",
        "nothing was erased; that it was looked for is in the log before",
    ),
    (
        "src/app/erasures/mod.rs",
        "forget_whom",
        "nothing was erased; how it ended is in the log before",
    ),
    (
        "src/app/erasures/noting.rs",
        "note",
        "what is to be erased is noted; the log tells before that it runs, and how it ends",
    ),
    (
        "src/app/erasures/noting.rs",
        "lay_out",
        "what is to be erased is noted; the log tells before that it runs, and how it ends",
    ),
    (
        "src/app/erasures/noting.rs",
        "conclude",
        "what is to be erased is noted; the log tells before that it runs, and how it ends",
    ),
    (
        "src/app/erasures/noting.rs",
        "give_up",
        "what is to be erased is noted; the log tells before that it runs, and how it ends",
    ),
    (
        "src/app/erasures/work.rs",
        "count_failure",
        "nothing was erased; how it ends is told once it does",
    ),
    (
        "src/app/erasures/work.rs",
        "found",
        "what is to be erased is noted; the log tells before that it runs, and how it ends",
    ),
    (
        "src/app/erasures/work.rs",
        "close",
        "a part of an erasure, which is in the log before and once all of it is done",
    ),
    (
        "src/app/erasures/recordings.rs",
        "remove",
        "which files are about to go is noted; the log tells how the erasure ends",
    ),
    (
        "src/app/erasures/voicemail.rs",
        "batch",
        "which messages are about to go is noted; the log tells how the erasure ends",
    ),
    (
        "src/app/trusted_time.rs",
        "beat",
        "where the clock stands is nobody's change",
    ),
    (
        "src/app/instance_checks.rs",
        "keep",
        "what a PBX answered changes nothing of it; that somebody asked it is in the log before",
    ),
];

/// Methods that add one entry, and are held to that themselves; whoever calls one commits it.
const AUDITING: [&str; 10] = [
    "assign_role",
    "audit_user",
    "begin_session",
    "delete_user",
    "link_extension",
    "reactivate_user",
    "remove_user",
    "replace_password",
    "set_platform_manager",
    "suspend_user",
];

/// The calls of methods in one function.
#[derive(Default)]
struct Calls {
    commits: usize,
    audits: usize,
}

impl<'ast> Visit<'ast> for Calls {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if call.method == "commit" {
            self.commits += 1;
        }
        if call.method == "audit" || AUDITING.iter().any(|method| call.method == method) {
            self.audits += 1;
        }
        visit::visit_expr_method_call(self, call);
    }
}

struct Functions<'a> {
    path: &'a str,
    flaws: Vec<String>,
    seen: usize,
}

impl Functions<'_> {
    fn look(&mut self, name: &syn::Ident, body: &syn::Block) {
        let mut calls = Calls::default();
        calls.visit_block(body);
        let excepted = NOT_AUDITED
            .iter()
            .any(|(path, function, _)| *path == self.path && name == function);
        let audits = AUDITING.iter().any(|method| name == method);
        if (calls.commits == 0 && !audits) || excepted {
            return;
        }
        self.seen += 1;
        if calls.audits != 1 {
            self.flaws.push(format!(
                "{}: `{name}` commits a change and adds {} entries to the audit log; it must be one",
                self.path, calls.audits
            ));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.look(&function.sig.ident, &function.block);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.look(&function.sig.ident, &function.block);
    }
}

/// What is wrong with a file of use cases, and how many functions commit something in it.
fn flaws(file: &SourceFile) -> (Vec<String>, usize) {
    let parsed = syn::parse_file(&file.text).unwrap_or_else(|e| panic!("{}: {e}", file.path));
    let mut functions = Functions {
        path: &file.path,
        flaws: Vec::new(),
        seen: 0,
    };
    functions.visit_file(&parsed);
    (functions.flaws, functions.seen)
}

#[test]
fn o61_every_use_case_that_commits_adds_exactly_one_entry() {
    let files = tree::rust_files("src/app");
    let looked_at: Vec<(Vec<String>, usize)> = files.iter().map(flaws).collect();
    let broken: Vec<String> = looked_at.iter().flat_map(|(flaws, _)| flaws.clone()).collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
    let seen: usize = looked_at.iter().map(|(_, seen)| seen).sum();
    assert!(seen >= 13, "only {seen} functions commit something");
}

#[test]
fn a_use_case_without_its_entry_or_with_two_is_reported() {
    let count = |body: &str| {
        let text = format!("pub async fn change(app: &App) -> Result<(), AppError> {{ {body} }}");
        let path = "src/app/x.rs".to_owned();
        flaws(&SourceFile { path, text }).0.len()
    };
    assert_eq!(count("tx.read().await?;"), 0);
    assert_eq!(
        count("app.audit(&mut tx, caller, changed)?; tx.commit().await?;"),
        0
    );
    assert_eq!(count("tx.commit().await?;"), 1);
    assert_eq!(count("if x { tx.commit().await?; }"), 1);
    assert_eq!(
        count("app.audit(tx, a)?; app.audit(tx, b)?; tx.commit().await?;"),
        1
    );
}
