//! A tenant that has one of everything a path can name.

use axum::http::Method;
use serde_json::json;
use switchyard::domain::call_part::CallPart;
use switchyard::domain::ids::{CallRecordId, RecordingId, SystemIds, TenantId};
use switchyard::domain::recording::FoundRecording;
use switchyard::store::call_records::{self, OfCall};
use switchyard::store::{recordings, tenants};

use crate::people::Who;
use crate::server::{Answer, As, Server};
use crate::support::board::{a_call, told};

/// A tenant with one of everything.
pub struct TestTenant {
    pub id: String,
    pub extension: String,
    pub user: String,
    pub role: String,
    pub session: String,
    pub deployment: String,
    pub api_key: String,
    pub webhook: String,
    pub instance: String,
    pub call: String,
    pub active_call: String,
    pub recording: String,
    pub ticket: String,
    pub purge: String,
    pub erasure: String,
}

impl Server {
    /// Gives a tenant an extension, a deployment, a user with a session and a role of its own.
    pub async fn fill(&self, domain: &str) -> TestTenant {
        let tenant = self.tenant(domain).await;
        let id = tenant.to_string();
        let person = self.people().one(Who::Agent, tenant, tenant).await.unwrap();
        let role = json!({"name": "porter", "permissions": ["users.list"]});
        let role = self
            .ask(As::Inside(&id), &Method::POST, "/api/v1/roles", Some(role))
            .await;
        let session = self.session_of(&person.token).await;
        let extension = json!({"number": "1001", "name": "Ann"});
        let extension = self
            .ask(
                As::Inside(&id),
                &Method::POST,
                "/api/v1/extensions",
                Some(extension),
            )
            .await;
        let deployment = self
            .ask(As::Inside(&id), &Method::POST, "/api/v1/config/deploy", None)
            .await;
        assert_eq!(
            (extension.status, deployment.status),
            (201, 202),
            "{extension:?} {deployment:?}"
        );
        let owner = self.people().one(Who::Owner, tenant, tenant).await.unwrap();
        let key = json!({"name": "crm", "permissions": ["config.read"]});
        let key = self
            .ask(
                As::Bearer(&owner.token),
                &Method::POST,
                "/api/v1/api-keys",
                Some(key),
            )
            .await;
        assert_eq!(key.status, 201, "{key:?}");
        let ticket = json!({"subject": "No dial tone", "text": "Since noon."});
        let ticket = self
            .ask(As::Inside(&id), &Method::POST, "/api/v1/tickets", Some(ticket))
            .await;
        assert_eq!(ticket.status, 201, "{ticket:?}");
        let hook = json!({"url": "https://hooks.example.com/", "events": ["tenant.reactivated"]});
        let hook = self
            .ask(
                As::Bearer(&owner.token),
                &Method::POST,
                "/api/v1/webhooks",
                Some(hook),
            )
            .await;
        assert_eq!(hook.status, 201, "{hook:?}");
        let purge = self
            .ask(As::Inside(&id), &Method::POST, "/api/v1/compliance/purge", None)
            .await;
        assert_eq!(purge.status, 202, "{purge:?}");
        let erasure = json!({"number": "+4930123456"});
        let erasure = self
            .ask(
                As::Inside(&id),
                &Method::POST,
                "/api/v1/compliance/erasure-requests",
                Some(erasure),
            )
            .await;
        assert_eq!(erasure.status, 201, "{erasure:?}");
        let text = |answer: &Answer| answer.body["data"]["id"].as_str().unwrap().to_owned();
        let (call, recording) = self.recorded_call(tenant, domain).await;
        TestTenant {
            active_call: self.call_that_is_up(tenant).await,
            call,
            recording,
            extension: text(&extension),
            instance: self.instance().await,
            deployment: text(&deployment),
            role: text(&role),
            purge: text(&purge),
            erasure: text(&erasure),
            api_key: text(&key),
            ticket: text(&ticket),
            webhook: text(&hook),
            user: person.user.to_string(),
            session,
            id,
        }
    }

    /// A call of everybody in the tenant, with its recording.
    async fn recorded_call(&self, tenant: TenantId, domain: &str) -> (String, String) {
        // As Asterisk names channels: a file of another name is no recording.
        let channel = "1763632800.1".to_owned();
        let told: CallPart = serde_json::from_value(json!({
            "key": format!("{channel}:1"), "channel": channel, "caller": {"number": "1001", "domain": domain},
            "called": null, "left": false, "is_of_called": false, "from_number": "1001", "from_name": "=Ann",
            "to": "1777", "started": "2026-11-20T10:00:00Z", "answered": null, "ended": "2026-11-20T10:00:05Z",
            "disposition": "no_answer", "cause": null,
        }))
        .unwrap();
        let path = format!("{domain}/{channel}.wav");
        let file = self.bench.folder.path().join("recordings").join(&path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "RIFF").unwrap();
        let found = FoundRecording {
            path: path.parse().unwrap(),
            bytes: 4,
            written_at: told.ended,
        };
        let mut tx = self.store.begin("recorded_call").await.unwrap();
        let instance = tenants::find(&mut tx, tenant).await.unwrap().unwrap().instance_id;
        let id = CallRecordId::fresh(&SystemIds);
        let of = OfCall {
            id,
            tenant,
            instance,
            call: &told.channel,
            is_rough: false,
        };
        let call = call_records::keep(&mut tx, of, &told, |own| own == domain)
            .await
            .unwrap();
        let recording = RecordingId::fresh(&SystemIds);
        recordings::put(&mut tx, recording, tenant, instance, &found)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        (call.to_string(), recording.to_string())
    }

    /// A call of the tenant that is up.
    async fn call_that_is_up(&self, tenant: TenantId) -> String {
        let mut tx = self.store.read("instance").await.unwrap();
        let instance = tenants::find(&mut tx, tenant).await.unwrap().unwrap().instance_id;
        let call = a_call(instance, tenant);
        let id = call.id.to_string();
        self.board.add(instance);
        self.board.report(instance, told(call));
        id
    }

    /// The id of the session that a token was given in, the only one of whoever has it.
    pub async fn session_of(&self, token: &str) -> String {
        let sessions = self
            .ask_as(Some(token), None, "GET", "/api/v1/auth/sessions")
            .await;
        let sessions = sessions.body["data"].as_array().unwrap();
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        sessions[0]["id"].as_str().unwrap().to_owned()
    }

    /// The id of the only PBX instance.
    async fn instance(&self) -> String {
        let path = "/api/v1/platform/pbx-instances";
        let all = self.ask(As::Operator, &Method::GET, path, None).await;
        all.body["data"][0]["id"].as_str().unwrap().to_owned()
    }
}

/// The id that a path's parameter stands for, in a tenant. A new kind of route belongs here.
pub fn id_in<'a>(path: &str, tenant: &'a TestTenant) -> &'a str {
    match path {
        path if path.starts_with("/api/v1/extensions/{id}") => &tenant.extension,
        path if path.starts_with("/api/v1/calls/active/{id}") => &tenant.active_call,
        path if path.starts_with("/api/v1/calls/{id}") => &tenant.call,
        path if path.starts_with("/api/v1/recordings/{id}") => &tenant.recording,
        path if path.starts_with("/api/v1/tickets/{id}") => &tenant.ticket,
        path if path.starts_with("/api/v1/org-users/{id}") => &tenant.user,
        path if path.starts_with("/api/v1/api-keys/{id}") => &tenant.api_key,
        path if path.starts_with("/api/v1/webhooks/{id}") => &tenant.webhook,
        path if path.starts_with("/api/v1/roles/{id}") => &tenant.role,
        path if path.starts_with("/api/v1/auth/sessions/{id}") => &tenant.session,
        path if path.starts_with("/api/v1/platform/users/{id}") => &tenant.user,
        path if path.starts_with("/api/v1/config/deployments/{id}") => &tenant.deployment,
        path if path.starts_with("/api/v1/compliance/purges/{id}") => &tenant.purge,
        path if path.starts_with("/api/v1/compliance/erasure-requests/{id}") => &tenant.erasure,
        path if path.starts_with("/api/v1/platform/deployments/{id}") => &tenant.deployment,
        path if path.starts_with("/api/v1/platform/tenants/{id}") => &tenant.id,
        path if path.starts_with("/api/v1/platform/pbx-instances/{id}") => &tenant.instance,
        other => panic!("{other}: which id is it?"),
    }
}
