//! A tenant's suspension and deletion against fifty at once: it goes suspended, under the name that was typed, or stays whole.

use futures_util::future::join_all;
use reqwest::Method;
use rstest::rstest;
use serde_json::json;

use super::client::Ask;
use super::races::{MANY, against, done};
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

impl Server {
    fn on_globex(&self, method: Method, behind: &str) -> Ask<'_> {
        self.platform(method, &format!("/platform/tenants/{}{behind}", self.globex))
    }

    fn delete_globex(&self, confirm: &str) -> Ask<'_> {
        let ask = self.on_globex(Method::DELETE, "");
        ask.json(&json!({"confirm": confirm}))
    }

    /// What the platform's managers did to the tenant, in the order in which it was done.
    async fn done_to_globex(&self) -> Vec<String> {
        let sql = "select action from audit_entries where resource = 'tenant' and actor_kind = 'manager' order by number";
        self.database.ask(sql.to_owned()).await
    }
}

/// Every change is in the log in the order in which it was done: read in that order, each one is allowed.
#[rstest]
#[tokio::test]
async fn o34_of_many_who_suspend_reactivate_and_delete_none_deletes_what_works(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    let answers = join_all((0..MANY).map(|_| server.delete_globex("Globex").send())).await;
    for refused in &answers {
        assert_eq!(refused.code(), (409, "must_suspend_first"));
    }
    assert_eq!(server.done_to_globex().await, [""; 0]);

    let asks = (0..MANY).map(|n| match n % 4 {
        0 | 2 => server.delete_globex("Globex"),
        1 => server
            .on_globex(Method::POST, "/suspend")
            .json(&json!({"category": "pause"})),
        _ => server.on_globex(Method::POST, "/reactivate"),
    });
    let answers = join_all(asks.map(Ask::send)).await;
    for refused in answers.iter().filter(|answer| answer.status >= 300) {
        let known = [
            (409, "must_suspend_first"),
            (409, "bad_transition"),
            (404, "not_found"),
        ];
        assert!(known.contains(&refused.code()), "{refused:?}");
    }
    let mut status = "active";
    let log = server.done_to_globex().await;
    for action in &log {
        status = match (status, action.as_str()) {
            ("active", "tenant.suspend") => "suspended",
            ("suspended", "tenant.reactivate") => "active",
            ("suspended", "tenant.delete") => "deleting",
            _ => panic!("{log:?}"),
        };
    }
    assert_eq!(log.len(), done(&answers), "{log:?}");
    assert!(log.iter().any(|action| action == "tenant.suspend"));
    let sql = "select status from tenants where domain = 'globex.example.com'";
    let left = server.database.ask(sql.to_owned()).await;
    let gone = status == "deleting" && left.is_empty();
    assert!(gone || left == [status], "{log:?} {left:?}");
}

#[rstest]
#[tokio::test]
async fn o34_a_tenant_is_renamed_or_deleted_by_its_name_and_never_both(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    server.hold_deploys().await;
    server.suspend(&server.globex).await;
    let answers = join_all((0..MANY).map(|_| server.delete_globex("globex").send())).await;
    for refused in &answers {
        assert_eq!(refused.code(), (409, "confirmation_mismatch"));
    }
    let [renamed, deleted] = against(
        |_| {
            let ask = server.on_globex(Method::PATCH, "");
            ask.json(&json!({"name": "Globex Two"}))
        },
        |_| server.delete_globex("Globex"),
    )
    .await;
    // Who has the name already is renamed once more without a change.
    let won = usize::from(done(&renamed) > 0) + done(&deleted);
    assert_eq!(won, 1, "{renamed:?} {deleted:?}");
    let log = server.done_to_globex().await;
    if done(&deleted) == 0 {
        assert_eq!(log, ["tenant.change"]);
        for refused in &deleted {
            assert_eq!(refused.code(), (409, "confirmation_mismatch"));
        }
    } else {
        assert_eq!(log, ["tenant.delete"]);
    }
}
