//! O23: the domain of a new tenant that is given none is made of its name, where a suffix is configured.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::Answer;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

async fn with_suffix(backend: Backend) -> Server {
    Server::with(
        backend,
        &[("SWITCHYARD_TENANTS_DOMAIN_SUFFIX", "pbx.example.com")],
    )
    .await
}

/// Makes a tenant; the owner's address is `number`'s.
async fn make(server: &Server, number: usize, tenant: Value) -> Answer {
    let mut body = json!({"owner_name": "Bill", "owner_email": format!("bill{number}@example.net")});
    for (field, value) in tenant.as_object().unwrap() {
        body[field] = value.clone();
    }
    let ask = server.platform(Method::POST, "/platform/tenants").json(&body);
    ask.send().await
}

async fn total(server: &Server) -> Value {
    let all = server.platform(Method::GET, "/platform/tenants").send().await;
    all.body["meta"]["total"].clone()
}

#[rstest]
#[tokio::test]
async fn o23_a_name_becomes_letters_digits_and_single_hyphens_before_the_suffix(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = with_suffix(backend).await;
    let names = [
        ("Initech", "initech"),
        ("Umbrella & Co. KG", "umbrella-co-kg"),
        ("--Cyberdyne--  Systems!", "cyberdyne-systems"),
        ("Müller GmbH", "m-ller-gmbh"),
        ("株式会社 Tyrell", "tyrell"),
        ("3Com", "3com"),
        ("1234", "1234"),
        ("a_b.c/d", "a-b-c-d"),
    ];
    for (number, (name, domain)) in names.into_iter().enumerate() {
        let made = make(&server, number, json!({"name": name})).await;
        assert_eq!(
            made.data(201)["domain"],
            format!("{domain}.pbx.example.com"),
            "{name}"
        );
        assert_eq!(made.data(201)["name"], name);
    }
    for (number, domain) in [json!(null), json!("Own.Example.NET")].into_iter().enumerate() {
        let name = format!("Soylent {number}");
        let made = make(&server, 100 + number, json!({"name": name, "domain": domain})).await;
        let given = domain.as_str().map(str::to_lowercase);
        let expected = given.unwrap_or_else(|| "soylent-0.pbx.example.com".to_owned());
        assert_eq!(made.data(201)["domain"], expected);
    }
}

#[rstest]
#[tokio::test]
async fn o23_two_names_that_make_one_domain_are_not_both_given_it(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = with_suffix(backend).await;
    let first = make(&server, 0, json!({"name": "Initech"})).await;
    let first = format!("/platform/tenants/{}", first.data(201)["id"].as_str().unwrap());
    let before = total(&server).await;
    let refused = async |name: &str| {
        let refused = make(&server, 1, json!({"name": name})).await;
        assert_eq!(refused.code(), (409, "taken"), "{name}");
        let fields: Vec<&String> = refused.body["errors"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["domain"], "{name}");
        assert_eq!(total(&server).await, before, "nothing is half made");
    };
    for name in ["Initech", "INITECH!", "(initech)"] {
        refused(name).await;
    }
    // The phones of the one who had it may still sign in there.
    let moved = server
        .platform(Method::PATCH, &first)
        .json(&json!({"domain": "initech.example.com"}));
    moved.send().await.data(200);
    refused("Initech").await;
    // The name itself is nobody's: with another domain it is given.
    let given = json!({"name": "Initech", "domain": "initech2.pbx.example.com"});
    make(&server, 1, given).await.data(201);
    make(&server, 2, json!({"name": "Initech 3"})).await.data(201);
}

#[rstest]
#[tokio::test]
async fn o23_a_name_that_makes_no_domain_asks_for_one(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = with_suffix(backend).await;
    let before = total(&server).await;
    let longest = "x".repeat(50);
    let names = ["株式会社", "&&&", "ÄÖÜ", &longest];
    for (number, name) in names.into_iter().enumerate() {
        let refused = make(&server, number, json!({"name": name})).await;
        assert_eq!(refused.fields(), ["domain"], "{name}");
        let told = refused.body["errors"]["domain"][0].as_str().unwrap();
        assert!(
            told.contains("is required") && told.contains("the name"),
            "{told}"
        );
    }
    assert_eq!(total(&server).await, before);
    for (number, name) in names.into_iter().enumerate() {
        let domain = format!("t{number}.example.net");
        let made = make(&server, number, json!({"name": name, "domain": domain})).await;
        assert_eq!(made.data(201)["domain"], domain);
    }
    // What is wrong with a name is said of the name.
    assert_eq!(make(&server, 100, json!({})).await.fields(), ["name"]);
    assert_eq!(make(&server, 100, json!({"name": "ab"})).await.fields(), ["name"]);
}
