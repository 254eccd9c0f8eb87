//! The platform at a glance: its rights, its newest tenants, how its instances are, and every order of its tenants.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use switchyard::app::tenants::{self, TenantInput};

use super::audited_platform::instance;
use super::people::{PASSWORD, each};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

/// By hand from the contract.
const OF_THE_PLATFORM: [&str; 16] = [
    "platform.audit",
    "platform.dashboard",
    "platform.instances.deploy",
    "platform.instances.read",
    "platform.instances.test",
    "platform.instances.write",
    "platform.managers",
    "platform.tenants.create",
    "platform.tenants.delete",
    "platform.tenants.read",
    "platform.tenants.suspend",
    "platform.tenants.write",
    "platform.users.create",
    "platform.users.delete",
    "platform.users.read",
    "platform.users.write",
];

impl Server {
    async fn shown(&self, path: &str) -> Value {
        self.platform(Method::GET, path).send().await.data(200).clone()
    }

    /// A tenant without an owner; gives its id.
    async fn tenant(&self, name: &str) -> String {
        let input = TenantInput {
            name: Some(name.to_owned()),
            domain: Some(format!("{}.example.com", name.to_lowercase())),
            ..TenantInput::default()
        };
        let operator = switchyard::app::operator::platform(None);
        let made = tenants::create(&self.app, &operator, input).await.unwrap();
        made.id.to_string()
    }

    async fn owner(&self, tenant: &str, name: &str, email: &str) {
        let body =
            json!({"tenant_id": tenant, "name": name, "email": email, "role": "owner", "password": PASSWORD});
        let made = self.platform(Method::POST, "/platform/users").json(&body);
        made.send().await.data(201);
    }
}

#[rstest]
#[tokio::test]
async fn a07_the_platforms_rights_stand_beside_the_roles_and_no_role_holds_one(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let agent = server.person("agnes", &server.acme, "agent").await;
    for ask in [
        server.of(&agent.token, Method::GET, "/roles"),
        server.get("/roles"),
    ] {
        let roles = ask.send().await;
        let mut told: Vec<&str> = roles.body["meta"]["platform_permissions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|right| right.as_str().unwrap())
            .collect();
        told.sort_unstable();
        assert_eq!(told, OF_THE_PLATFORM);
        for held in each(&roles, "permissions") {
            let held = held.as_array().unwrap();
            assert!(!held.is_empty());
            assert!(
                held.iter()
                    .all(|right| !right.as_str().unwrap().starts_with("platform")),
                "{held:?}"
            );
        }
    }
}

#[rstest]
#[tokio::test]
async fn o11_the_dashboard_shows_the_newest_tenants_newest_first_as_the_list_shows_them(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let mut made = vec!["Acme".to_owned(), "Globex".to_owned()];
    for number in 10..19 {
        let name = format!("Tenant {number}");
        let domain = json!({"name": name, "domain": format!("t{number}.example.com"), "owner_name": "Olga",
            "owner_email": format!("olga{number}@example.com")});
        let ask = server.platform(Method::POST, "/platform/tenants").json(&domain);
        ask.send().await.data(201);
        made.push(name);
    }
    server.extension_in(&server.globex, "1001").await;
    let dashboard = server.shown("/platform/dashboard").await;
    let recent = dashboard["recent_tenants"].as_array().unwrap();
    let names: Vec<&str> = recent.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let newest: Vec<&String> = made.iter().rev().take(10).collect();
    assert_eq!(names, newest);
    // Of eleven, the oldest is left out; what is counted stands with each.
    assert_eq!(recent[9]["extensions"], 1);
    assert_eq!(recent[0]["owner"]["email"], "olga18@example.com");
    let listed = server
        .shown("/platform/tenants?sort=-created_at&per_page=10")
        .await;
    assert_eq!(&dashboard["recent_tenants"], &listed);
}

#[rstest]
#[tokio::test]
async fn c31_the_dashboard_shows_what_the_last_test_of_each_instance_found(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let second = server.platform(Method::POST, "/platform/pbx-instances");
    second.json(&instance("second")).send().await.data(201);
    let last_checks = async || {
        let dashboard = server.shown("/platform/dashboard").await;
        let all = dashboard["instances"].as_array().unwrap().clone();
        let named: Vec<_> = all
            .into_iter()
            .map(|shown| (shown["name"].clone(), shown["last_check"].clone()))
            .collect();
        named
    };
    let never = [(json!("pbx1"), Value::Null), (json!("second"), Value::Null)];
    assert_eq!(last_checks().await, never);
    let first = server.shown("/platform/pbx-instances").await;
    let first = first.as_array().unwrap().iter();
    let first = first.clone().find(|shown| shown["name"] == "pbx1").unwrap();
    let path = format!("/platform/pbx-instances/{}", first["id"].as_str().unwrap());
    let mut seen = Vec::new();
    for _ in 0..2 {
        let test = server.platform(Method::POST, &format!("{path}/test"));
        let test = test.json(&json!({})).send().await;
        let told = last_checks().await;
        let (_, check) = told[0].clone();
        // As it was answered, kept, and when.
        assert_eq!(
            (&check["ok"], &check["checks"]),
            (&json!(false), &test.data(200)["checks"])
        );
        let kept = server.shown(&format!("{path}/checks")).await;
        assert_eq!(kept[0], check);
        assert_eq!(told[1].1, Value::Null, "it was not tested");
        seen.push(check["at"].as_str().unwrap().to_owned());
    }
    assert!(seen[0] < seen[1], "{seen:?}");
}

/// Two owners of one name, one in capitals, and tenants without any: the order over equal ones is by id, both ways.
#[rstest]
#[tokio::test]
async fn o20_tenants_are_sorted_by_id_owner_and_files_both_ways_over_equal_ones(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let mut all = vec![(server.acme.clone(), "zoe"), (server.globex.clone(), "")];
    for (name, owner) in [
        ("Initech", "zoe"),
        ("Hooli", "adam"),
        ("Umbrella", ""),
        ("Wonka", "mia"),
    ] {
        all.push((server.tenant(name).await, owner));
    }
    let written = ["ZOE", "", "Zoe", "adam", "", "Mia"];
    for ((tenant, _), (name, number)) in all.iter().zip(written.iter().zip(1..)) {
        if !name.is_empty() {
            server
                .owner(tenant, name, &format!("owner{number}@example.com"))
                .await;
        }
    }
    // A second owner, who came later, is not the one that counts.
    server.owner(&all[0].0, "Aaron", "aaron@example.com").await;
    let by = |key: fn(&(String, &str)) -> (String, String)| {
        let mut sorted = all.clone();
        sorted.sort_by_key(key);
        sorted.into_iter().map(|(id, _)| id).collect::<Vec<String>>()
    };
    let by_id = by(|(id, _)| (String::new(), id.clone()));
    let by_owner = by(|(id, owner)| ((*owner).to_owned(), id.clone()));
    for (sort, up) in [("id", &by_id), ("files", &by_id), ("owner", &by_owner)] {
        let down: Vec<String> = up.iter().rev().cloned().collect();
        for (sort, expected) in [(sort.to_owned(), up), (format!("-{sort}"), &down)] {
            let mut pages = Vec::new();
            for page in 1..=3 {
                let path = format!("/platform/tenants?sort={sort}&per_page=2&page={page}");
                let shown = server.platform(Method::GET, &path).send().await;
                let ids = each(&shown, "id");
                pages.extend(ids.into_iter().map(|id| id.as_str().unwrap().to_owned()));
            }
            assert_eq!(&pages, expected, "{sort}");
        }
    }
}
