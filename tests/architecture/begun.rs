//! Every change begins by looking at whoever asks for it as they are under its lock: what was taken from them since their
//! request was let in, they do no more.

use syn::visit::{self, Visit};

use crate::tree::{self, SourceFile};

/// Where changes begin, by a caller who is read anew, and where the locks are taken.
const BEGINS: &str = "src/app/standing.rs";

/// What begins a transaction that writes, and looks at nobody.
const LOOKS_AT_NOBODY: [&str; 3] = ["begin", "begin_in", "begin_on_user"];

/// Functions that begin so all the same, with why.
const EXCEPTED: [(&str, &str, &str); 33] = [
    (
        "src/app/exports/making.rs",
        "note_end",
        "what came of an export is noted; whoever asked for it was looked at before",
    ),
    (
        "src/app/auto_deploy.rs",
        "request",
        "the daemon itself asks, and nobody takes anything from it",
    ),
    (
        "src/app/webhooks.rs",
        "disable_failing",
        "the daemon itself asks, and nobody takes anything from it",
    ),
    (
        "src/app/call_events.rs",
        "tell",
        "what a PBX tells is told on; it is nobody's change",
    ),
    ("src/app/tenant_upkeep.rs", "ask_again", "the daemon itself asks"),
    (
        "src/app/tenant_upkeep.rs",
        "give_up_aliases",
        "the daemon itself asks",
    ),
    (
        "src/app/tenant_deletion.rs",
        "forget_calls",
        "of a tenant that is to go; whoever had it go was looked at before",
    ),
    ("src/app/idempotency.rs", "forget_old", "it is nobody's change"),
    ("src/app/one_time.rs", "forget_expired", "it is nobody's change"),
    ("src/app/sessions.rs", "forget_ended", "it is nobody's change"),
    ("src/app/revisions.rs", "forget_some", "it is nobody's change"),
    ("src/app/trusted_time.rs", "beat", "it is nobody's change"),
    ("src/app/purges.rs", "request_due_of", "the daemon itself asks"),
    (
        "src/app/purge_work.rs",
        "begin",
        "a part of a purge; whoever asked was looked at before",
    ),
    (
        "src/app/purge_work.rs",
        "abandon",
        "one that nobody can read is nobody's to decide on",
    ),
    (
        "src/app/purge_part.rs",
        "set_back",
        "a part of a purge; whoever asked was looked at before",
    ),
    (
        "src/app/purge_part.rs",
        "open",
        "a part of a purge; whoever asked was looked at before",
    ),
    (
        "src/app/purge_work.rs",
        "end",
        "a part of a purge; whoever asked was looked at before",
    ),
    (
        "src/app/erasures/mod.rs",
        "forget_old",
        "what nobody had run is forgotten; it is nobody's change",
    ),
    (
        "src/app/erasures/mod.rs",
        "forget_whom",
        "whom an old erasure is about is forgotten; it is nobody's change",
    ),
    (
        "src/app/erasures/noting.rs",
        "open",
        "the begin of an erasure; whoever had it run was looked at before",
    ),
    (
        "src/app/erasures/noting.rs",
        "abandon",
        "an erasure that cannot be read; whoever had it run was looked at before",
    ),
    (
        "src/app/erasures/work.rs",
        "count_failure",
        "an erasure fails; whoever had it run was looked at before",
    ),
    (
        "src/app/erasures/work.rs",
        "open",
        "a part of an erasure; whoever had it run was looked at before",
    ),
    (
        "src/app/erasures/work.rs",
        "end",
        "a part of an erasure; whoever had it run was looked at before",
    ),
    (
        "src/app/click_to_call.rs",
        "forget",
        "what was not done is no change; whoever asked was looked at before",
    ),
    (
        "src/app/recordings.rs",
        "note_use",
        "whoever only listens is looked at as whoever only reads; that they do is kept",
    ),
    (
        "src/app/instance_checks.rs",
        "keep",
        "what was found is kept; whoever had it asked was looked at before",
    ),
    (
        "src/app/sign_in.rs",
        "with_password",
        "who it is, is only found out; they are locked and read then",
    ),
    (
        "src/app/sign_in.rs",
        "with_id_token",
        "who it is, is only found out; they are locked and read then",
    ),
    (
        "src/app/invitations.rs",
        "accept",
        "whoever has the link comes in by it; the link is taken under the lock",
    ),
    (
        "src/app/password_reset.rs",
        "send",
        "anybody may ask for a link; whom it is for is read under the lock",
    ),
    (
        "src/app/password_reset.rs",
        "confirm",
        "whoever has the link chooses by it; the link is taken under the lock",
    ),
];

struct Functions<'a> {
    path: &'a str,
    /// The function that is being read.
    within: String,
    /// Which functions begin a change without looking.
    found: Vec<(String, String)>,
}

impl Functions<'_> {
    fn look(&mut self, name: &syn::Ident, body: &syn::Block) {
        let outer = std::mem::replace(&mut self.within, name.to_string());
        visit::visit_block(self, body);
        self.within = outer;
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

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        if LOOKS_AT_NOBODY.iter().any(|method| call.method == method) {
            self.found.push((self.path.to_owned(), self.within.clone()));
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// The functions of a file that begin a change without looking at whoever asks.
fn blind(file: &SourceFile) -> Vec<(String, String)> {
    let parsed = syn::parse_file(&file.text).unwrap_or_else(|e| panic!("{}: {e}", file.path));
    let mut functions = Functions {
        path: &file.path,
        within: String::new(),
        found: Vec::new(),
    };
    functions.visit_file(&parsed);
    functions.found
}

#[test]
fn a07_every_change_begins_by_looking_at_whoever_asks_for_it() {
    let files = tree::rust_files("src/app");
    let found = files.iter().filter(|file| file.path != BEGINS).flat_map(blind);
    let mut found: Vec<(String, String)> = found.collect();
    let mut expected: Vec<(String, String)> = EXCEPTED
        .iter()
        .map(|(path, function, _)| ((*path).to_owned(), (*function).to_owned()))
        .collect();
    found.sort();
    expected.sort();
    assert_eq!(
        found, expected,
        "begin a change by one of the functions of {BEGINS} that take a caller, or say here why not"
    );
}

#[test]
fn a_change_that_begins_without_looking_is_reported() {
    let count = |body: &str| {
        let text = format!("impl App {{ pub async fn change(&self) -> Result<(), AppError> {{ {body} }} }}");
        let path = "src/app/x.rs".to_owned();
        blind(&SourceFile { path, text }).len()
    };
    assert_eq!(
        count("let tx = self.begin_inside(caller, right, NAME).await?;"),
        0
    );
    assert_eq!(count("let tx = self.store.read(NAME).await?;"), 0);
    for blind in [
        "let tx = self.store.begin(NAME).await?;",
        "let tx = self.begin_in(tenant, NAME).await?;",
        "let work = async { self.begin_on_user(None, NAME).await };",
    ] {
        assert_eq!(count(blind), 1, "{blind}");
    }
}
