//! What of an endpoint is lost, and who comes disabled.

use rstest::rstest;

use super::*;

/// What becomes of an extension of these lines, whose `aor` takes two phones.
fn with(lines: &str) -> FoundExtension {
    let pjsip = format!(
        "[1001]\ntype=endpoint\nauth=1001\naors=1001\n{lines}\n[1001]\ntype=auth\nusername=1001\npassword=x\n\
         [1001]\ntype=aor\nmax_contacts=2\n"
    );
    only(&[("pjsip.conf", &pjsip)])
}

fn is_told(extension: &FoundExtension, part: &str) -> bool {
    extension.notes.iter().any(|note| note.contains(part))
}

#[rstest]
#[case::none_taken("[1001]\ntype=endpoint\nauth=a\naors=b\n[b]\ntype=aor\nmax_contacts=0\n")]
#[case::a_fixed_address("[1001]\ntype=endpoint\nauth=a\naors=b\n[b]\ntype=aor\ncontact=sip:192.0.2.1\n")]
#[case::no_aor("[1001]\ntype=endpoint\nauth=a\n")]
#[case::an_aor_that_is_not_there("[1001]\ntype=endpoint\nauth=a\naors=c\n")]
fn c18_where_no_phone_can_sign_in_none_can_here(#[case] pjsip: &str) {
    let pjsip = format!("{pjsip}[a]\ntype=auth\nusername=1001\npassword=x\n");
    let found = only(&[("pjsip.conf", &pjsip)]);
    assert_eq!(found.input.status.as_deref(), Some("disabled"));
    assert!(is_told(&found, "it comes disabled"), "{:?}", found.notes);
    assert_eq!(is_told(&found, "(contact)"), pjsip.contains("contact="));
    let open = with("");
    assert_eq!((open.input.status, open.input.max_contacts), (None, Some(2)));
}

#[rstest]
#[case::all_refused("deny=0.0.0.0/0", true, Some("deny=0.0.0.0/0"))]
#[case::all_refused_by_a_mask("permit=192.0.2.0/24\ndeny=0.0.0.0/0.0.0.0", true, Some("deny=0.0.0.0"))]
#[case::all_but_none("permit=!0.0.0.0/0", true, Some("deny=0.0.0.0/0"))]
#[case::one_network("deny=0.0.0.0/0\npermit=192.0.2.0/24", false, Some("permit=192.0.2.0/24"))]
#[case::one_refused("deny=192.0.2.1", false, Some("deny=192.0.2.1"))]
#[case::of_where_the_phone_is(
    "contact_deny=0.0.0.0/0\ncontact_permit=192.0.2.0/24",
    false,
    Some("contact_permit=")
)]
#[case::nowhere_a_phone_may_be("contact_deny=0.0.0.0/0", true, Some("contact_deny="))]
#[case::a_list("acl=office", false, Some("acl=office"))]
#[case::a_list_of_where("contact_acl=office", false, Some("contact_acl=office"))]
#[case::open_to_all("deny=0.0.0.0/0.0.0.0\npermit=0.0.0.0/0.0.0.0", false, None)]
fn c18_who_may_not_sign_in_from_everywhere_is_told_and_nobody_is_let_in_who_was_not(
    #[case] lines: &str,
    #[case] is_closed: bool,
    #[case] told: Option<&str>,
) {
    let found = with(lines);
    assert_eq!(found.input.status.is_some(), is_closed, "{:?}", found.notes);
    assert_eq!(is_told(&found, "addresses"), told.is_some(), "{:?}", found.notes);
    assert!(told.is_none_or(|part| is_told(&found, part)), "{:?}", found.notes);
}

/// What a dialplan lets somebody call is written nowhere.
#[test]
fn c18_nobody_calls_further_than_before_and_that_is_told() {
    let found = with("context=from-internal");
    assert_eq!(found.input.outbound_class.as_deref(), Some("internal"));
    assert!(is_told(&found, "outbound_class"), "{:?}", found.notes);
}

#[test]
fn c18_second_values_groups_and_what_else_is_lost_is_told_without_secrets() {
    let found = with(
        "auth=1001,more\naors=1001,more\nmailboxes=1001@default,1002@default\ncall_group=1\npickup_group=2\n\
         named_call_group=a\nnamed_pickup_group=b\nset_var=KEY=s3cret\noutbound_proxy=sip:me:s3cret@192.0.2.1",
    );
    for part in [
        "auth=1001,more",
        "aors=1001,more",
        "mailboxes=1001@default,1002@default",
        "(call_group: \"1\")",
        "(pickup_group: \"2\")",
        "(named_call_group: \"a\")",
        "(named_pickup_group: \"b\")",
        "(set_var)",
        "(outbound_proxy)",
    ] {
        assert!(is_told(&found, part), "{part}: {:?}", found.notes);
    }
    assert!(!is_told(&found, "s3cret"), "{:?}", found.notes);
}
