//! What the built-in templates say, and what an operator's own may get wrong.

use std::fs;

use rstest::rstest;

use super::*;

fn built_in() -> MailTemplates {
    MailTemplates::built_in().unwrap_or_else(|error| panic!("{error}"))
}

fn with(name: &str, text: &str) -> (MailTemplates, Vec<RenderError>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    MailTemplates::with_usable_overrides(directory.path()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_mail_has_a_subject_and_says_its_link_in_both_forms() {
    assert_eq!(samples().len(), 10);
    for kind in MailKind::ALL {
        assert!(samples().iter().any(|sample| sample.kind() == *kind), "{kind}");
    }
    for sample in samples() {
        let letter = built_in()
            .render(&sample)
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(!letter.subject.as_str().is_empty());
        for words in [&letter.text, &letter.html] {
            assert!(words.contains("Hello "), "{words}");
            let link = sample.link().map_or("1970-01-01 00:00 UTC", |link| link.expose());
            assert!(words.contains(link), "{words}");
        }
    }
}

#[test]
fn the_worst_names_are_text_in_html_and_stay_on_their_line() {
    for sample in samples().into_iter().skip(5) {
        let letter = built_in()
            .render(&sample)
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(!letter.html.contains("<script"), "{}", letter.html);
        assert!(
            letter.html.contains("&lt;script&gt;alert(&#39;1&#39;)"),
            "{}",
            letter.html
        );
        assert!(
            letter.text.contains("<script>alert('1')</script> & {{ link }}"),
            "{}",
            letter.text
        );
        assert!(letter.text.lines().next().unwrap().starts_with("Hello Zoë"));
    }
}

#[test]
fn an_own_template_goes_first() {
    let (own, problems) = with(
        "mail/password-changed.txt",
        "Subject: Acme: changed\n\nby {{ name }}\n",
    );
    assert!(problems.is_empty(), "{problems:?}");
    let changed = &samples()[4];
    let letter = own.render(changed).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (letter.subject.as_str(), letter.text.as_str()),
        ("Acme: changed", "by Ann\n")
    );
    assert_eq!(
        letter.html,
        built_in().render(changed).unwrap_or_else(|e| panic!("{e}")).html
    );
}

#[rstest]
#[case::no_subject("Hello {{ name }}\n", "`Subject: …`")]
#[case::nothing_below("Subject: Hello", "`Subject: …`")]
#[case::empty_subject("Subject:\nHello\n", "the subject must have 1 to 250 characters")]
#[case::unknown_field("Subject: x\n\n{{ nmae }}\n", "mail/invitation.txt")]
fn what_does_not_render_is_named(#[case] text: &str, #[case] said: &str) {
    let (own, problems) = with("mail/invitation.txt", text);
    assert!(problems.is_empty(), "{problems:?}");
    let failed: Vec<String> = check(&own).iter().map(ToString::to_string).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(
        failed[0].contains("mail/invitation.txt") && failed[0].contains(said),
        "{failed:?}"
    );
}

#[rstest]
#[case::not_tera("mail/invitation.html", "{% if %}")]
#[case::unescaped("mail/invitation.html", "{{ name | safe }}")]
#[case::of_nothing("mail/greeting.txt", "Subject: x\n\nx")]
fn what_cannot_be_used_is_named_and_the_built_in_one_stays(#[case] name: &str, #[case] text: &str) {
    let (own, problems) = with(name, text);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].to_string().contains(name), "{problems:?}");
    assert!(check(&own).is_empty());
    assert_eq!(own.files(), built_in().files());
}

#[test]
fn an_edit_of_a_mail_is_no_edit_of_what_a_pbx_gets() {
    use crate::render::template_set::TemplateSet;
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("mail")).unwrap();
    fs::write(directory.path().join("mail/invitation.txt"), "{% if %}").unwrap();
    let set = TemplateSet::with_overrides(directory.path()).unwrap_or_else(|error| panic!("{error}"));
    let built_in = TemplateSet::built_in().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(set.digest(), built_in.digest());
    assert!(!set.files().keys().any(|name| name.starts_with("mail/")));
}
