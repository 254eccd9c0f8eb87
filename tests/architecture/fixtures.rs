//! Source texts that break a rule, one per way to break it: each must be reported where it stands.

use rstest::rstest;

use crate::layers::{LAYERS, broken};

#[test]
fn every_edge_that_the_table_does_not_hold_is_reported() {
    for (from, imports) in LAYERS {
        for (to, _) in LAYERS.iter().filter(|(to, _)| to != from) {
            let path = format!("src/{from}/x.rs");
            let reports = broken(&path, &format!("use crate::{to}::Thing;"));
            let report = format!("{path}:1: `{from}` may not import `{to}` (`{to}::Thing`)");
            let expected = if imports.contains(to) {
                vec![]
            } else {
                vec![report]
            };
            assert_eq!(reports, expected);
        }
    }
}

#[rstest]
#[case::plain_use("use crate::store::Pool;")]
#[case::public_use("pub use crate::store::Pool;")]
#[case::renamed("use crate::store as s;")]
#[case::grouped("use crate::{app::x, store::{self, y}};")]
#[case::glob("use crate::store::*;")]
#[case::through_super("use super::super::store::Pool;")]
#[case::through_self("use self::super::super::store::Pool;")]
#[case::by_the_crates_name("use switchyard::store::Pool;")]
#[case::by_the_crates_absolute_name("use ::switchyard::store::Pool;")]
#[case::inline_call("fn f() { crate::store::open(); }")]
#[case::inline_type("fn f(x: &crate::store::Pool) {}")]
#[case::inline_generic("struct S(Vec<Option<crate::store::Pool>>);")]
#[case::inline_bound("fn f<T: crate::store::Read>() where T: Copy {}")]
#[case::inline_pattern("fn f(x: u8) { match x { crate::store::LIMIT => {} _ => {} } }")]
#[case::inline_super("fn f() { super::super::store::open(); }")]
#[case::qualified("fn f() { <crate::store::Pool as Clone>::clone(); }")]
#[case::type_alias("pub type Pool = crate::store::Pool;")]
#[case::implementation("impl crate::store::Read for u8 {}")]
#[case::in_a_function("fn f() { use crate::store::open; }")]
#[case::in_an_inline_module("mod inner { mod more { use super::super::super::super::store::Pool; } }")]
#[case::in_a_test_module("#[cfg(test)] mod tests { use crate::store::Pool; }")]
#[case::in_a_macro("fn f() { vec![crate::store::open()]; }")]
#[case::in_a_nested_macro("fn f() { assert!(matches!(x, crate::store::Pool { .. })); }")]
#[case::in_a_macro_super("fn f() { vec![super::super::store::open()]; }")]
#[case::in_a_macro_use_tree("thing! { use crate::{app, store::Pool}; }")]
#[case::in_a_macro_definition("macro_rules! m { () => { $crate::store::open() }; }")]
#[case::as_a_macro("crate::store::statement!();")]
#[case::in_a_derive("#[derive(crate::store::Row)] struct S;")]
#[case::in_an_attribute("struct S { #[serde(with = \"crate::store::time\")] x: u8 }")]
#[case::as_an_attribute("#[crate::store::traced] fn f() {}")]
fn a_forbidden_layer_is_found(#[case] text: &str) {
    let reports = broken("src/http/x.rs", &format!("\n{text}"));
    assert!(
        reports
            .iter()
            .any(|r| r.starts_with("src/http/x.rs:2: `http` may not import `store`")),
        "{text}: {reports:?}"
    );
}

#[rstest]
#[case::root_renamed("src/http/x.rs", "use crate as all;", "names the crate's root")]
#[case::root_by_super("src/http/x.rs", "use super::super as all;", "names the crate's root")]
#[case::root_itself("src/http/x.rs", "use crate::{self as all};", "names the crate's root")]
#[case::root_glob("src/http/x.rs", "use crate::*;", "names everything of the crate's root")]
#[case::root_glob_by_super(
    "src/http/x.rs",
    "use super::super::*;",
    "names everything of the crate's root"
)]
#[case::root_item(
    "src/http/x.rs",
    "fn f() { crate::open(); }",
    "`crate::open` is not in the layer table"
)]
#[case::re_export(
    "src/app/x.rs",
    "pub use crate::store::Pool;",
    "`app` re-exports `store::Pool`"
)]
#[case::re_export_in_the_crate(
    "src/app/x.rs",
    "pub(crate) use crate::store::Pool;",
    "`app` re-exports `store::Pool`"
)]
#[case::api_and_permissions(
    "src/http/api/x.rs",
    "use crate::auth::access::Access;",
    "`http::api` may know of `auth` the caller only"
)]
#[case::api_and_all_of_auth(
    "src/http/api/x.rs",
    "use crate::auth;",
    "`http::api` may know of `auth` the caller only"
)]
#[case::api_and_routes(
    "src/http/api/x.rs",
    "use crate::http::routes::Route;",
    "`http::api` may not know of `http::routes::Route`"
)]
#[case::unknown_module("src/helpers/x.rs", "", "`helpers` is not in the layer table")]
#[case::item_at_the_root("src/lib.rs", "pub use store::Pool;", "the crate's root holds modules only")]
#[case::module_at_the_root(
    "src/lib.rs",
    "mod x { pub fn f() {} }",
    "the crate's root holds modules only"
)]
#[case::path_attribute(
    "src/http/x.rs",
    "#[path = \"../store/mod.rs\"] mod store;",
    "`#[path]` hides"
)]
#[case::include("src/http/x.rs", "include!(\"../store/mod.rs\");", "`include!` hides")]
#[case::own_name("src/http/x.rs", "extern crate self as all;", "`extern crate` hides")]
#[case::macro_at_the_root(
    "src/http/x.rs",
    "#[macro_export] macro_rules! m { () => {}; }",
    "`#[macro_export]` hides"
)]
#[case::stray_route(
    "src/http/api/x.rs",
    "fn f() { router.route(\"/\", get(x)); }",
    "`.route(…)`: routes are made in src/http/routes.rs only"
)]
fn each_other_rule_reports(#[case] path: &str, #[case] text: &str, #[case] rule: &str) {
    let reports = broken(path, text);
    assert!(
        reports
            .iter()
            .any(|r| r.starts_with(&format!("{path}:1: {rule}"))),
        "{reports:?}"
    );
}

#[rstest]
#[case::permitted("src/http/x.rs", "use crate::app::tenants;")]
#[case::own_module("src/http/x.rs", "use crate::http::problem::Problem; pub use super::y;")]
#[case::other_crates("src/http/x.rs", "use axum::{Router, extract}; use store::Pool;")]
#[case::a_value_called_self("src/http/x.rs", "impl S { fn f(self) { self.store; vec![self.store]; } }")]
#[case::visibility("src/http/x.rs", "pub(crate) fn f() {} pub(in crate::http) fn g() {}")]
#[case::words_in_strings("src/http/x.rs", "fn f() { log!(\"see crate::store for more\"); }")]
#[case::the_caller("src/http/api/x.rs", "use crate::auth::caller::Caller;")]
#[case::the_route_table("src/http/routes.rs", "fn f() { router.route(\"/\", get(x)); }")]
#[case::modules_at_the_root("src/lib.rs", "pub mod domain; pub mod store;")]
fn what_is_allowed_is_not_reported(#[case] path: &str, #[case] text: &str) {
    assert_eq!(broken(path, text), [""; 0]);
}
