//! Erasures over HTTP: looked for, shown, run, and certified.

use std::time::{Duration, Instant};

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::client::{Answer, Ask};
use super::people::each;
use super::server::Server;
use super::support::database::Backend::{self, Postgres, Sqlite};

pub const REQUESTS: &str = "/compliance/erasure-requests";
const ACME: &str = "acme.example.com";
pub const NUMBER: &str = "+4930123456";

impl Server {
    pub fn erase(&self, whom: &Value) -> Ask<'_> {
        self.post(REQUESTS, whom)
    }

    /// Asks for one, and gives where it is and its tag.
    pub async fn looked_for(&self, whom: &Value) -> (String, String) {
        let asked = self.erase(whom).send().await;
        let id = asked.data(201)["id"].as_str().unwrap();
        (format!("{REQUESTS}/{id}"), asked.header("etag").to_owned())
    }

    pub async fn run_erasure(&self, path: &str) -> Answer {
        self.ask(Method::POST, &format!("{path}/run")).send().await
    }

    pub async fn certificate(&self, path: &str) -> Answer {
        self.get(&format!("{path}/certificate")).send().await
    }

    /// The erasure once the daemon has ended it.
    pub async fn erased(&self, path: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = self.get(path).send().await;
            let erasure = found.data(200).clone();
            if erasure["status"] != "running" {
                return erasure;
            }
            assert!(Instant::now() < deadline, "{erasure}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All that entries of the audit log say.
    async fn told_in_log(&self) -> String {
        let sql = "select coalesce(actor_name, '') || coalesce(cast(before as text), '') || coalesce(cast(after as text), '') \
            || coalesce(reason, '') || target_id from audit_entries order by number";
        self.database.ask(sql.to_owned()).await.join("\n")
    }

    /// What entries with this action say, oldest first.
    pub async fn said(&self, action: &str) -> Vec<Value> {
        let sql = format!("select after from audit_entries where action = '{action}' order by number");
        let told = self.database.ask(sql).await;
        told.iter()
            .map(|text| serde_json::from_str(text).unwrap())
            .collect()
    }
}

fn at<'a>(parts: &'a Value, place: &str) -> &'a Value {
    let mut parts = parts.as_array().unwrap().iter();
    let part = parts.find(|part| part["place"] == place);
    part.unwrap_or_else(|| panic!("nothing is said of {place}"))
}

#[rstest]
#[tokio::test]
async fn a22_a_person_is_looked_for_shown_erased_and_certified(#[values(Sqlite, Postgres)] backend: Backend) {
    let server = Server::start(backend).await;
    let eve = server.person("eve", &server.acme, "agent").await;
    let ticket = json!({"subject": "My phone", "text": "It rings at night."});
    let ticket = server.of(&eve.token, Method::POST, "/tickets").json(&ticket);
    let ticket = ticket.send().await.data(201)["id"].as_str().unwrap().to_owned();
    let asked = server.erase(&json!({"user": eve.id})).send().await;
    let erasure = asked.data(201);
    let path = format!("{REQUESTS}/{}", erasure["id"].as_str().unwrap());
    assert_eq!(
        [&erasure["status"], &erasure["subject"]["user"], &erasure["parts"]],
        [&json!("open"), &json!(eve.id), &json!([])]
    );
    for (place, found) in [("account", 1), ("tickets", 1), ("ticket_comments", 0)] {
        let foreseen = at(&erasure["preview"], place);
        assert_eq!(foreseen["found"], found, "{place}");
    }
    let left = erasure["left"].as_array().unwrap();
    let says = |member: &str| left.iter().all(|left| !left[member].as_str().unwrap().is_empty());
    assert!(left.len() > 2 && says("what") && says("why"), "{left:?}");
    let shown = server.get(&path).send().await;
    assert_eq!(
        (shown.data(200), shown.header("etag")),
        (erasure, asked.header("etag"))
    );
    // Nothing is erased so far.
    assert_eq!(server.certificate(&path).await.code(), (409, "not_run"));
    assert_eq!(server.standing(&eve.token).await.0, 200);

    let run = server.ask(Method::POST, &format!("{path}/run"));
    let run = run.with("if-match", asked.header("etag")).send().await;
    assert_eq!(run.data(202)["status"], "running");
    assert_eq!(at(&run.data(202)["parts"], "account")["erased"], 1);
    assert_eq!(server.standing(&eve.token).await.0, 401);
    let ended = server.erased(&path).await;
    assert_eq!(ended["status"], "done", "{ended}");
    for part in ended["parts"].as_array().unwrap() {
        assert_eq!(
            (&part["erased"], &part["kept"]),
            (&part["found"], &json!(0)),
            "{part}"
        );
    }
    let ticket = server.get(&format!("/tickets/{ticket}")).send().await;
    let ticket = ticket.data(200);
    assert_eq!(
        [&ticket["subject"], &ticket["text"], &ticket["opened_by"]["name"]],
        ["erased"; 3]
    );
    assert!(!server.told_in_log().await.contains(&eve.email));

    let certificate = server.certificate(&path).await;
    let certificate = certificate.data(200);
    assert_eq!(
        (&certificate["complete"], &certificate["subject_kind"]),
        (&json!(true), &json!("user"))
    );
    for member in ["parts", "left", "ended_at", "subject"] {
        assert_eq!(certificate[member], ended[member], "{member}");
    }
    let end = server.said("data.erasure_end").await;
    assert_eq!(
        (&end[0]["certificate"], &end[0]["status"]),
        (&certificate["digest"], &json!("done"))
    );
    assert_eq!(server.run_erasure(&path).await.code(), (409, "done"));
    let listed = server.get(REQUESTS).send().await;
    assert_eq!(each(&listed, "id"), [&ended["id"]]);
    assert_eq!(each(&listed, "parts"), [&json!([])]);
}

#[rstest]
#[tokio::test]
async fn a22_a_number_goes_from_calls_and_is_in_no_entry_of_the_log(
    #[values(Sqlite, Postgres)] backend: Backend,
    #[values("pseudonymise", "remove")] calls: &str,
) {
    let server = Server::start(backend).await;
    server.call(&server.acme, ACME, 1, NUMBER, "1001").await;
    server.call(&server.acme, ACME, 2, NUMBER, "1002").await;
    server.call(&server.acme, ACME, 3, "1001", "1002").await;
    let theirs = "globex.example.com";
    server.call(&server.globex, theirs, 1, NUMBER, "1001").await;
    let whom = json!({"number": NUMBER, "call_records": calls, "to": "2026-11-20T10:02:30+00:00"});
    let (path, _) = server.looked_for(&whom).await;
    let shown = server.get(&path).send().await;
    let erasure = shown.data(200);
    assert_eq!(
        [&erasure["subject"]["number"], &erasure["call_records"]],
        [NUMBER, calls]
    );
    assert_eq!(at(&erasure["preview"], "call_records")["found"], 2);
    assert_eq!(server.run_erasure(&path).await.status, 202);
    let ended = server.erased(&path).await;
    // Nobody can look at its mail boxes: there is no PBX.
    assert_eq!(ended["status"], "partial", "{ended}");
    let messages = at(&ended["parts"], "voicemail");
    assert_eq!(messages["kept"], 1);
    assert!(messages["detail"].as_str().unwrap().contains("mail boxes"));
    let records = at(&ended["parts"], "call_records");
    assert_eq!((&records["erased"], &records["kept"]), (&json!(2), &json!(0)));
    let listed = server.get("/calls").send().await;
    assert!(!listed.text.contains(NUMBER));
    let from: Vec<&str> = each(&listed, "from")
        .iter()
        .map(|from| from.as_str().unwrap())
        .collect();
    if calls == "remove" {
        assert_eq!(from, ["1001"]);
    } else {
        let id = ended["id"].as_str().unwrap();
        let pseudonym = format!("erased-{}", id.rsplit_once('-').unwrap().1);
        assert_eq!(from, ["1001", &pseudonym, &pseudonym]);
        let found = server.get(&format!("/calls?number={pseudonym}")).send().await;
        assert_eq!(each(&found, "from_name"), [&Value::Null, &Value::Null]);
    }
    let others = server.get("/calls").in_tenant(&server.globex).send().await;
    assert_eq!(each(&others, "from"), [NUMBER]);

    let certificate = server.certificate(&path).await;
    let subject = &certificate.data(200)["subject"];
    assert_eq!(
        (&subject["number"], &certificate.data(200)["complete"]),
        (&Value::Null, &json!(false))
    );
    assert!(!certificate.text.contains(NUMBER));
    assert_eq!(
        ended["subject"]["number"], NUMBER,
        "what stays is tried again by it"
    );
    assert_eq!(server.run_erasure(&path).await.data(202)["status"], "running");
    let again = server.erased(&path).await;
    assert_eq!(at(&again["parts"], "call_records")["erased"], 2);
    let log = server.told_in_log().await;
    assert!(log.contains("pseudonymise") || log.contains("remove"), "{log}");
    assert!(!log.contains(NUMBER), "{log}");
}

#[rstest]
#[tokio::test]
async fn a22_a_request_that_is_sent_again_is_the_same_one_and_a_run_is_the_same_run(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let ask = |number: &str| {
        server
            .erase(&json!({"number": number}))
            .with("idempotency-key", "a")
    };
    let (first, again) = (ask(NUMBER).send().await, ask(NUMBER).send().await);
    assert_eq!(first.data(201), again.data(201));
    assert_eq!(
        [
            first.header("idempotency-replayed"),
            again.header("idempotency-replayed")
        ],
        ["", "true"]
    );
    assert_eq!(first.header("etag"), again.header("etag"));
    let other = ask("+4930654321").send().await;
    assert_eq!(other.code(), (422, "idempotency_key_reused"));
    assert_eq!(server.get(REQUESTS).send().await.body["meta"]["total"], 1);
    assert_eq!(server.said("data.erasure").await.len(), 1);

    let path = format!("{REQUESTS}/{}", first.data(201)["id"].as_str().unwrap());
    let run = |path: &str| {
        let run = server.ask(Method::POST, &format!("{path}/run"));
        run.with("idempotency-key", "b")
    };
    let begun = run(&path).with("if-match", first.header("etag")).send().await;
    assert_eq!(begun.data(202)["status"], "running");
    assert_eq!(begun.header("idempotency-replayed"), "");
    let ended = server.erased(&path).await;
    assert_eq!(ended["status"], "partial", "{ended}");
    // The tag is another one by now, and it is run once all the same.
    let again = run(&path).with("if-match", first.header("etag")).send().await;
    assert_eq!(again.data(202), &ended);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(server.said("data.erasure_run").await.len(), 1);
    let (other, _) = server.looked_for(&json!({"number": "+4930654321"})).await;
    assert_eq!(run(&other).send().await.code(), (422, "idempotency_key_reused"));
    let kept = "select answer from idempotency_keys";
    let kept = server.database.ask(kept.to_owned()).await.concat();
    assert!(!kept.contains(NUMBER), "{kept}");
}

#[rstest]
#[tokio::test]
async fn a22_whoever_has_left_is_erased_as_long_as_the_log_tells_who_they_were(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let eve = server.person("eve", &server.acme, "owner").await;
    let key = json!({"name": "crm", "permissions": ["tickets.create"]});
    let key = server.of(&eve.token, Method::POST, "/api-keys").json(&key);
    let key = key.send().await.data(201)["secret"].as_str().unwrap().to_owned();
    let mut tickets = Vec::new();
    for (token, subject) in [(&eve.token, "My phone"), (&key, "My other phone")] {
        let ticket = json!({"subject": subject, "text": "It rings at night."});
        let opened = server.of(token, Method::POST, "/tickets").json(&ticket);
        tickets.push(opened.send().await.data(201)["id"].as_str().unwrap().to_owned());
    }
    // What others do with it says the subject once more.
    let path = format!("/tickets/{}", tickets[0]);
    let change = server
        .ask(Method::PATCH, &path)
        .json(&json!({"state": "resolved"}));
    assert_eq!(change.send().await.status, 200);
    let owner = server.person("ann", &server.acme, "owner").await;
    let left = format!("/org-users/{}", eve.id);
    let left = server.of(&owner.token, Method::DELETE, &left).send().await;
    assert_eq!(left.status, 204, "{}", left.text);

    let whom = json!({"user": eve.id});
    let theirs = server.erase(&whom).in_tenant(&server.globex).send().await;
    assert_eq!(theirs.fields(), ["user"], "nobody else's log tells of them");
    let asked = server.erase(&whom).send().await;
    let path = format!("{REQUESTS}/{}", asked.data(201)["id"].as_str().unwrap());
    for (place, found) in [("account", 0), ("tickets", 2)] {
        let foreseen = at(&asked.data(201)["preview"], place);
        assert_eq!(foreseen["found"], found, "{place}");
    }
    assert!(server.told_in_log().await.contains("My phone"));
    assert_eq!(server.run_erasure(&path).await.status, 202);
    let ended = server.erased(&path).await;
    assert_eq!(ended["status"], "done", "{ended}");
    for ticket in tickets {
        let ticket = server.get(&format!("/tickets/{ticket}")).send().await;
        let ticket = ticket.data(200);
        assert_eq!([&ticket["subject"], &ticket["opened_by"]["name"]], ["erased"; 2]);
    }
    let log = server.told_in_log().await;
    for said in [eve.email.as_str(), "My phone", "My other phone"] {
        assert!(!log.contains(said), "{said}: {log}");
    }
    // Nothing tells by now who that was.
    let refused = server.erase(&whom).send().await;
    assert_eq!(refused.fields(), ["user"]);
    assert!(refused.text.contains("audit log"), "{}", refused.text);
}

#[rstest]
#[tokio::test]
async fn a22_an_extension_that_was_deleted_is_erased_by_what_the_log_tells(
    #[values(Sqlite, Postgres)] backend: Backend,
) {
    let server = Server::start(backend).await;
    let extension = server.extension("1001").await;
    server.call(&server.acme, ACME, 1, "1001", "1002").await;
    let gone = server.delete(&format!("/extensions/{extension}")).send().await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    let (path, _) = server.looked_for(&json!({"extension": extension})).await;
    let shown = server.get(&path).send().await;
    for (place, found) in [("extension", 0), ("call_records", 1)] {
        assert_eq!(at(&shown.data(200)["preview"], place)["found"], found, "{place}");
    }
    assert_eq!(server.run_erasure(&path).await.status, 202);
    let ended = server.erased(&path).await;
    assert_eq!(at(&ended["parts"], "call_records")["erased"], 1);
    let calls = server.get("/calls").send().await;
    let from = each(&calls, "from")[0].as_str().unwrap();
    assert!(from.starts_with("erased-"), "{from}");
    let refused = server.erase(&json!({"extension": extension})).send().await;
    assert_eq!(refused.fields(), ["extension"]);
}
