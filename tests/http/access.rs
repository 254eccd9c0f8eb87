//! Who may do what: each route with each kind of caller, held to lists that are kept by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use rstest::rstest;
use switchyard::domain::ids::{SystemIds, TenantId};
use switchyard::domain::permission::Permission;
use switchyard::http::routes::table;
use switchyard::store::roles;

use crate::people::Who;
use crate::server::Server;
use crate::support::database::Backend::{self, Postgres, Sqlite};
use crate::support::database::Bench;
use crate::tenants::id_in;

/// Rights whose routes come later, and the one that only says how much a route shows.
const WITHOUT_ROUTE: [Permission; 3] = [
    Permission::CallsViewAll,
    Permission::WorkflowsRead,
    Permission::WorkflowsWrite,
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

#[rstest]
#[tokio::test]
async fn a01_the_database_holds_the_reviewed_matrix(#[values(Sqlite, Postgres)] backend: Backend) {
    let (_bench, store) = Bench::migrated(backend).await;
    let mut tx = store.read("roles").await.unwrap();
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

/// Each route, each caller, with an id of their own, of another tenant and of nobody. Nothing comes before who may: there is
/// no body, and what would change something names a version that it never had.
#[rstest]
#[tokio::test]
async fn a01_c02_each_caller_gets_what_the_lists_by_hand_say_and_for_a_foreign_id_what_an_absent_one_gets(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::on(backend).await;
    let acme = server.fill("acme.example.com").await;
    let beta = server.fill("beta.example.com").await;
    let (tenant, suspended): (TenantId, TenantId) = (acme.id.parse().unwrap(), beta.id.parse().unwrap());
    let absent = TenantId::fresh(&SystemIds).to_string();
    let mut seen = BTreeMap::new();
    // What takes away what others are asked with comes last.
    let (last, first): (Vec<_>, Vec<_>) = by_hand()
        .into_iter()
        .partition(|(route, _)| route.starts_with("DELETE"));
    for (route, right) in first.into_iter().chain(last) {
        let (method, path) = route.split_once(' ').unwrap();
        let mut line = String::new();
        for who in Who::ALL {
            let person = server.people().one(who, tenant, suspended).await;
            let token = person.map(|person| person.token);
            let entering = who.enters().then_some(tenant);
            let ask = async |id: &str| {
                let path = path.replace("{id}", id);
                server.ask_as(token.as_deref(), entering, method, &path).await
            };
            let answer = ask(&absent).await;
            let sees_own_calls_only = refusal(who, "calls.view_all").is_some();
            let refusal = refusal(who, right);
            if let Some(refusal) = refusal {
                assert_eq!(answer.code(), refusal, "{who:?} {route}");
            } else {
                assert!(!matches!(answer.status, 401 | 403), "{who:?} {route}: {answer:?}");
                assert_ne!(answer.code().1, "tenant_required", "{who:?} {route}");
            }
            write!(line, " {who:?}={}", answer.status).unwrap();
            if !path.contains("{id}") {
                continue;
            }
            let (home, elsewhere) = match who {
                Who::OfSuspendedTenant => (&beta, &acme),
                _ => (&acme, &beta),
            };
            let foreign = ask(id_in(path, elsewhere)).await;
            // Last, since it may be the session that asks.
            let own = if right == "own" && refusal.is_none() {
                ask(&server.session_of(token.as_deref().unwrap()).await).await
            } else {
                ask(id_in(path, home)).await
            };
            let sees_all = right.starts_with("platform.");
            if refusal.is_some() || !sees_all {
                assert_eq!(foreign, answer, "{who:?} {route}: another tenant's id");
            }
            if refusal.is_some() {
                assert_eq!(own, answer, "{who:?} {route}: an id of their own");
                continue;
            }
            assert_eq!(answer.code(), (404, "not_found"), "{who:?} {route}");
            // Of calls, whoever does not see all of them sees those of their own extension, and none of these has one. Of
            // tickets an agent sees those that they opened or look after, and this one is neither.
            let sees_own_only = (path.contains("/calls/") && sees_own_calls_only)
                || (path.contains("/tickets/") && who == Who::Agent);
            if sees_own_only {
                assert_eq!(own, answer, "{who:?} {route}: one that is not their own");
                write!(line, "/{}/{}", foreign.status, own.status).unwrap();
                continue;
            }
            let found = [Some(&own), sees_all.then_some(&foreign)];
            for found in found.into_iter().flatten() {
                assert!(
                    !matches!(found.status, 401 | 403 | 404),
                    "{who:?} {route}: {found:?}"
                );
            }
            write!(line, "/{}/{}", foreign.status, own.status).unwrap();
        }
        seen.insert(route, format!("({right}):{line}"));
    }
    let seen: Vec<String> = seen
        .iter()
        .map(|(route, line)| format!("{route} {line}\n"))
        .collect();
    // Of what has an id: for an absent one, another tenant's, and one of their own.
    // The same on both databases.
    insta::assert_snapshot!("whole_table", seen.concat());
}
