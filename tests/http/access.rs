//! Who may do what: each route with each kind of caller, held to lists that are kept by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use switchyard::auth::access::Access;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::permission::Permission;
use switchyard::http::routes::table;
use switchyard::store::roles;

use crate::people::Who;
use crate::server::Server;

/// Rights whose routes come later. In the end there is none.
const WITHOUT_ROUTE: [Permission; 17] = [
    Permission::CallsViewAll,
    Permission::CallsViewOwn,
    Permission::CallsListenRecording,
    Permission::CallsDownloadRecording,
    Permission::CallsDeleteRecording,
    Permission::CallsClickToCall,
    Permission::TicketsView,
    Permission::TicketsCreate,
    Permission::TicketsUpdate,
    Permission::TicketsDelete,
    Permission::WorkflowsRead,
    Permission::WorkflowsWrite,
    Permission::BotsManage,
    Permission::ComplianceRead,
    Permission::ComplianceWrite,
    Permission::DataExport,
    Permission::DataErasure,
];

/// `METHOD path` and what it asks for.
fn by_hand() -> BTreeMap<String, &'static str> {
    let lines = include_str!("routes.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let routes = lines.map(|line| {
        let [method, path, right] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        (format!("{method} {path}"), right)
    });
    routes.collect()
}

/// The reviewed matrix: role and what it holds.
fn matrix() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut lines = include_str!("permissions.tsv").lines();
    let roles: Vec<&str> = lines.next().unwrap().split('\t').skip(1).collect();
    let mut held: BTreeMap<_, BTreeSet<_>> = roles.iter().map(|role| (*role, BTreeSet::new())).collect();
    for line in lines {
        let mut fields = line.split('\t');
        let permission = fields.next().unwrap();
        for (role, field) in roles.iter().zip(fields) {
            if field == "1" {
                held.get_mut(role).unwrap().insert(permission);
            }
        }
    }
    held
}

/// What a caller who may not is answered; `None` for who may.
fn refusal(who: Who, right: &str) -> Option<(u16, &'static str)> {
    const UNKNOWN: Option<(u16, &str)> = Some((401, "credentials_invalid"));
    const DENIED: Option<(u16, &str)> = Some((403, "permission_denied"));
    if right == "public" {
        return None;
    }
    let role = match who {
        Who::Nobody | Who::SuspendedUser | Who::DeletedUser => return UNKNOWN,
        Who::OfSuspendedTenant => return Some((403, "tenant_suspended")),
        Who::PlatformManager => {
            return match right {
                "own" => None,
                right if right.starts_with("platform.") => None,
                "org.api_keys" => DENIED,
                _ => Some((400, "tenant_required")),
            };
        }
        Who::PlatformManagerInside => return if right == "org.api_keys" { DENIED } else { None },
        Who::OwnerEntering => return if right == "own" { None } else { DENIED },
        Who::Custom => {
            return if matches!(right, "member" | "users.list") {
                None
            } else {
                DENIED
            };
        }
        // What a right names is open to a key with that right; what is a person's, or makes keys, is not.
        Who::Key => {
            let open = !right.starts_with("platform.") && !matches!(right, "own" | "member" | "org.api_keys");
            return if open { None } else { DENIED };
        }
        Who::NarrowKey => return if right == "users.list" { None } else { DENIED },
        Who::Owner => "owner",
        Who::Admin => "admin",
        Who::Manager => "manager",
        Who::Agent => "agent",
    };
    let held = &matrix()[role];
    match right {
        "member" => None,
        "own" => (!held.contains("users.view_self")).then_some((403, "permission_denied")),
        right if held.contains(right) => None,
        _ => DENIED,
    }
}

#[test]
fn a01_every_route_asks_for_what_the_list_by_hand_says() {
    let routed: BTreeMap<String, String> = table()
        .iter()
        .map(|route| {
            (
                format!("{} {}", route.method(), route.path()),
                route.access().right().to_owned(),
            )
        })
        .collect();
    let expected: BTreeMap<String, String> = by_hand()
        .into_iter()
        .map(|(route, right)| (route, right.to_owned()))
        .collect();
    assert_eq!(routed, expected);
}

#[test]
fn a01_every_right_has_a_route_but_for_the_ones_that_come_later() {
    let asked: BTreeSet<&str> = by_hand().into_values().collect();
    let without: Vec<Permission> = Permission::ALL
        .iter()
        .copied()
        .filter(|permission| !asked.contains(permission.as_str()))
        // `own` stands for it.
        .filter(|permission| *permission != Permission::UsersViewSelf)
        .collect();
    assert_eq!(without, WITHOUT_ROUTE);
}

#[tokio::test]
async fn a01_the_database_holds_the_reviewed_matrix() {
    let server = Server::start().await;
    let mut tx = server.store.read("roles").await.unwrap();
    let there = roles::list(&mut tx, None).await.unwrap();
    let held: BTreeMap<String, BTreeSet<&str>> = there
        .iter()
        .map(|role| {
            let words = role.permissions.iter().map(|permission| permission.as_str());
            (role.name.to_string(), words.collect())
        })
        .collect();
    let expected: BTreeMap<String, BTreeSet<&str>> = matrix()
        .into_iter()
        .map(|(role, held)| (role.to_owned(), held))
        .collect();
    assert_eq!(held, expected);
    assert!(
        there
            .iter()
            .all(|role| role.is_built_in() && role.rank.as_str() == role.name.as_str())
    );
    let counts = ["owner", "admin", "manager", "agent"].map(|role| expected[role].len());
    assert_eq!(counts, [30, 29, 14, 7]);
}

/// Each route, each caller, with an id that is not there and without a body: so nothing comes before who may.
#[tokio::test]
async fn a01_c02_each_caller_gets_what_the_lists_by_hand_say() {
    let server = Server::start().await;
    let tenant = server.tenant("acme.example.com").await;
    let suspended = server.tenant("beta.example.com").await;
    let absent = TenantId::fresh(&SystemIds).to_string();
    let mut seen = String::new();
    for (route, right) in by_hand() {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path.replace("{id}", &absent);
        let mut line = format!("{route} ({right}):");
        for who in Who::ALL {
            let person = server.people().one(who, tenant, suspended).await;
            let token = person.map(|person| person.token);
            let entering = who.enters().then_some(tenant);
            let answer = server.ask_as(token.as_deref(), entering, method, &path).await;
            if let Some(refusal) = refusal(who, right) {
                assert_eq!(answer.code(), refusal, "{who:?} {route}");
            } else {
                assert!(!matches!(answer.status, 401 | 403), "{who:?} {route}: {answer:?}");
                assert_ne!(answer.code().1, "tenant_required", "{who:?} {route}");
            }
            write!(line, " {who:?}={}", answer.status).unwrap();
        }
        seen.push_str(&line);
        seen.push('\n');
    }
    insta::assert_snapshot!("whole_table", seen);
}

#[tokio::test]
async fn c02_no_role_learns_whether_an_id_is_another_tenants() {
    let server = Server::start().await;
    let own = server.fill("acme.example.com").await;
    let other = server.fill("beta.example.com").await;
    let tenant: TenantId = own.id.parse().unwrap();
    let absent = TenantId::fresh(&SystemIds).to_string();
    for route in table().iter().filter(|route| route.path().contains("{id}")) {
        if !matches!(route.access(), Access::Tenant(_) | Access::Own) {
            continue;
        }
        for who in [Who::Owner, Who::Admin, Who::Manager, Who::Agent, Who::Custom] {
            let answer = async |id: &str| {
                let person = server.people().one(who, tenant, tenant).await.unwrap();
                let path = route.path().replace("{id}", id);
                server
                    .ask_as(Some(&person.token), None, route.method().as_str(), &path)
                    .await
            };
            let expected = answer(&absent).await;
            let foreign = crate::every_route::id_in(route.path(), &other);
            assert_eq!(
                answer(foreign).await,
                expected,
                "{who:?} {} {}",
                route.method(),
                route.path()
            );
        }
    }
}
