//! A FreeSWITCH with files, and what it silently makes of them.

use std::path::Path;

use switchyard::wire::esl::{AnswerError, Attribute, Client, Error};
use tempfile::TempDir;

use crate::freeswitch::{Admitted, FreeSwitch, Refused};
use crate::rig::{DOMAIN, LONG, word};

const ROOT: &str = "<?xml version=\"1.0\"?>\n<document type=\"freeswitch/xml\">\n\
                    <X-PRE-PROCESS cmd=\"set\" data=\"domain=demo.local\"/>\n\
                    <section name=\"directory\">\n<X-PRE-PROCESS cmd=\"include\" data=\"directory/*.xml\"/>\n</section>\n\
                    <section name=\"dialplan\">\n<X-PRE-PROCESS cmd=\"include\" data=\"dialplan/*.xml\"/>\n</section>\n\
                    </document>\n";

/// A directory with `demo.local`, where 1001 has a hash of `secret`, and a FreeSWITCH that reads it.
async fn demo() -> (TempDir, FreeSwitch, Client) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "freeswitch.xml", ROOT);
    write(
        folder.path(),
        "directory/demo.xml",
        &domain(&user("1001", "Alice")),
    );
    let context = "<include>\n<context name=\"demo.local\"><extension name=\"all\"/></context>\n</include>\n";
    write(folder.path(), "dialplan/demo.xml", context);
    let mut freeswitch = FreeSwitch::with_files(folder.path()).await;
    let client = freeswitch.client().await;
    (folder, freeswitch, client)
}

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

fn user(number: &str, name: &str) -> String {
    format!(
        "<user id=\"{number}\">\n<params><param name=\"a1-hash\" value=\"ca5abb1c369d27f10773ccbce6a6c7f3\"/></params>\n\
         <variables><variable name=\"effective_caller_id_name\" value=\"{name}\"/></variables>\n</user>\n"
    )
}

fn domain(users: &str) -> String {
    format!(
        "<include>\n<domain name=\"$${{domain}}\">\n<params>\n<param name=\"dial-string\" value=\"x\"/>\n</params>\n\
         <variables>\n<variable name=\"office\" value=\"lent\"/>\n</variables>\n\
         <groups>\n<group name=\"default\">\n<users>\n{users}</users>\n</group>\n</groups>\n</domain>\n</include>\n"
    )
}

async fn var(client: &Client, user: &str, name: &str) -> Option<String> {
    let found = client
        .user_data(&word(user), &word(DOMAIN), Attribute::Var, &word(name), LONG)
        .await;
    found.unwrap()
}

#[tokio::test]
async fn users_and_contexts_are_read_at_a_reload_and_not_before() {
    let (folder, freeswitch, client) = demo().await;
    assert_eq!(
        var(&client, "1001", "effective_caller_id_name").await.as_deref(),
        Some("Alice")
    );
    assert_eq!(
        var(&client, "1001", "office").await.as_deref(),
        Some("lent"),
        "the domain lends it"
    );
    assert!(
        client
            .user_exists(&word("1001"), &word("DEMO.LOCAL"), LONG)
            .await
            .unwrap(),
        "letters do not count"
    );
    assert_eq!(
        freeswitch.register("internal", "1001", DOMAIN, "secret").await,
        Ok(Admitted::Hash)
    );
    assert_eq!(
        freeswitch.register("internal", "1002", DOMAIN, "secret").await,
        Err(Refused::Unknown)
    );

    write(
        folder.path(),
        "directory/demo.xml",
        &domain(&(user("1001", "Alice2") + &user("1002", "Bob"))),
    );
    assert!(
        !client
            .user_exists(&word("1002"), &word(DOMAIN), LONG)
            .await
            .unwrap()
    );
    client.reload_xml(LONG).await.unwrap();
    assert_eq!(freeswitch.reloads(), 1);
    assert!(
        client
            .user_exists(&word("1002"), &word(DOMAIN), LONG)
            .await
            .unwrap()
    );
    assert_eq!(
        var(&client, "1001", "effective_caller_id_name").await.as_deref(),
        Some("Alice2")
    );

    let context = freeswitch.context(DOMAIN, "1001").await.unwrap();
    assert_eq!(context.child("extension").unwrap().attribute("name"), Some("all"));
    let located = client
        .api("xml_locate dialplan context name demo.local", LONG)
        .await
        .unwrap();
    assert_eq!(
        located,
        "<context name=\"demo.local\">\n  <extension name=\"all\"/>\n</context>\n"
    );
    let none = client
        .api("xml_locate directory domain name other.example", LONG)
        .await
        .unwrap();
    assert_eq!(none, "can't find anything\n");
}

#[tokio::test]
async fn what_shares_its_line_with_include_is_dropped_and_the_answer_is_yes() {
    let (folder, _freeswitch, client) = demo().await;
    let text = domain(&user("1001", "Alice")).replace("<include>\n<domain", "<include><domain");
    write(folder.path(), "directory/demo.xml", &text);
    let error = client.reload_xml(LONG).await.unwrap_err();
    assert!(
        matches!(error, Error::Answer { .. }),
        "here the rest is no XML: {error:?}"
    );

    write(
        folder.path(),
        "directory/demo.xml",
        &format!("<include>{}</include>", text.replace('\n', " ")),
    );
    client.reload_xml(LONG).await.unwrap();
    assert!(
        !client
            .user_exists(&word("1001"), &word(DOMAIN), LONG)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn what_shares_its_line_with_an_instruction_is_dropped_and_a_comment_hides_none() {
    let (folder, _freeswitch, client) = demo().await;
    let set = |name: &str| format!("<X-PRE-PROCESS cmd=\"set\" data=\"{name}=yes\"/>");
    let lines = [
        // The user on this line is lost.
        format!("{} {}", user("1002", "Bob").replace('\n', " "), set("before")),
        format!("{} {}", set("behind"), user("1003", "Eve").replace('\n', " ")),
        format!("<!--\n{}\n-->", set("hidden")),
        format!("{} {}", set("first"), set("second")),
        "<X-PRE-PROCESS cmd=\"set\" data=\" spaced = out \"/>".to_owned(),
    ];
    write(
        folder.path(),
        "directory/demo.xml",
        &domain(&(lines.join("\n") + "\n")),
    );
    client.reload_xml(LONG).await.unwrap();
    for number in ["1002", "1003"] {
        assert!(
            !client
                .user_exists(&word(number), &word(DOMAIN), LONG)
                .await
                .unwrap(),
            "{number}"
        );
    }
    for (name, value) in [
        ("before", Some("yes")),
        ("behind", Some("yes")),
        ("hidden", Some("yes")),
        ("first", Some("yes")),
        ("second", None),
        ("never", None),
        ("domain", Some(DOMAIN)),
    ] {
        assert_eq!(
            client.global(&word(name), LONG).await.unwrap().as_deref(),
            value,
            "{name}"
        );
    }
    assert!(
        client
            .api("global_getvar", LONG)
            .await
            .unwrap()
            .contains(" spaced=out \n")
    );
}

#[tokio::test]
async fn files_include_files_beside_them_in_the_order_of_their_names() {
    let (folder, _freeswitch, client) = demo().await;
    let included = "<X-PRE-PROCESS cmd=\"include\" data=\"users/*.xml\"/>\n<X-PRE-PROCESS cmd=\"include\" data=\"none/*.xml\"/>\n";
    write(folder.path(), "directory/demo.xml", &domain(included));
    for (file, name) in [
        ("b.xml", "Second"),
        ("a.xml", "First"),
        (".c.xml", "Hidden"),
        ("d.txt", "Other"),
    ] {
        write(
            folder.path(),
            &format!("directory/users/{file}"),
            &user("1001", name),
        );
    }
    write(folder.path(), "directory/users/z.xml", &user("1002", "Bob"));
    client.reload_xml(LONG).await.unwrap();
    assert_eq!(
        var(&client, "1001", "effective_caller_id_name").await.as_deref(),
        Some("First")
    );
    assert_eq!(
        var(&client, "1002", "effective_caller_id_name").await.as_deref(),
        Some("Bob")
    );
}

#[tokio::test]
async fn malformed_xml_is_told_in_a_yes_and_the_old_document_stays_but_not_the_old_variables() {
    let (folder, freeswitch, client) = demo().await;
    for (text, said) in [
        ("<user id=\"1002\">\n", "unexpected closing tag </users>"),
        ("<x /y>", "missing >"),
        ("<a><b></a></b>", "unexpected closing tag </a>"),
        ("< a/>", "unexpected <"),
        ("<!-- no end", "unclosed <!--"),
    ] {
        let generation = "<X-PRE-PROCESS cmd=\"set\" data=\"generation=2\"/>\n";
        write(
            folder.path(),
            "directory/demo.xml",
            &domain(&format!("{generation}{text}")),
        );
        let printed = client.api("reloadxml", LONG).await.unwrap();
        assert!(
            printed.starts_with("+OK [[error near line ") && printed.contains(said),
            "{text}: {printed}"
        );
        let error = client.reload_xml(LONG).await.unwrap_err();
        let reason = |expected| matches!(&error, Error::Answer { reason: AnswerError::Form { expected: e, .. }, .. } if *e == expected);
        assert!(reason("+OK [Success]"), "{error:?}");
        assert!(
            client
                .user_exists(&word("1001"), &word(DOMAIN), LONG)
                .await
                .unwrap()
        );
        assert_eq!(
            client.global(&word("generation"), LONG).await.unwrap().as_deref(),
            Some("2")
        );
    }
    // A variable that is no longer set keeps its value.
    write(
        folder.path(),
        "directory/demo.xml",
        &domain(&user("1001", "Alice")),
    );
    client.reload_xml(LONG).await.unwrap();
    assert_eq!(
        client.global(&word("generation"), LONG).await.unwrap().as_deref(),
        Some("2")
    );
    std::fs::remove_file(folder.path().join("freeswitch.xml")).unwrap();
    let printed = client.api("reloadxml", LONG).await.unwrap();
    assert_eq!(printed, "+OK [Cannot Open log directory or XML Root!]\n");
    assert_eq!(freeswitch.reloads(), 12);
}

#[tokio::test]
async fn what_freeswitch_forgives_it_reads() {
    let (folder, _freeswitch, client) = demo().await;
    let users = "<user id='1001' id=\"other\" cacheable>\n<variables>\n<variable name=\"office\" value=\"a &amp; b &c; &#x41;&lt;\"/>\n\
                 <variable name=\"office\" value=\"the last one\"/>\n<!-- one -->\n<![CDATA[<x>]]>\n</variables>\n</user>\n";
    write(folder.path(), "directory/demo.xml", &domain(users));
    client.reload_xml(LONG).await.unwrap();
    assert_eq!(
        var(&client, "1001", "office").await.as_deref(),
        Some("the last one")
    );
    write(
        folder.path(),
        "directory/demo.xml",
        &domain(&users.replace("the last one", "a &amp; b &c; &#x41;&lt;")),
    );
    client.reload_xml(LONG).await.unwrap();
    assert_eq!(
        var(&client, "1001", "office").await.as_deref(),
        Some("a & b &c; A<")
    );
}

#[tokio::test]
async fn only_the_first_domain_of_a_name_counts_and_a_user_with_a_type_is_everybody() {
    let (folder, _freeswitch, client) = demo().await;
    write(folder.path(), "directory/z.xml", &domain(&user("1002", "Bob")));
    client.reload_xml(LONG).await.unwrap();
    assert!(
        !client
            .user_exists(&word("1002"), &word(DOMAIN), LONG)
            .await
            .unwrap()
    );
    let typed = user("1001", "Alice").replace("<user ", "<user type=\"\" ");
    write(folder.path(), "directory/demo.xml", &domain(&typed));
    client.reload_xml(LONG).await.unwrap();
    let name = var(&client, "4711", "effective_caller_id_name").await;
    assert_eq!(name.as_deref(), Some("Alice"));
}

#[tokio::test]
async fn a_module_that_is_not_there_is_an_error_behind_a_yes() {
    let (_folder, freeswitch, client) = demo().await;
    let printed = client.api("load mod_nosuch", LONG).await.unwrap();
    assert_eq!(
        printed,
        "+OK Reloading XML\n-ERR [module load file routine returned an error]\n"
    );
    let printed = client.api("reload mod_sofia", LONG).await.unwrap();
    assert_eq!(
        printed,
        "+OK Reloading XML\n+OK module unloaded\n+OK module loaded\n"
    );
    let error = client.api("unload mod_nosuch", LONG).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert_eq!(freeswitch.reloads(), 2);
}
