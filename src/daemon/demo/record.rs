//! `demo.json`, which holds all that programs need to try the demo, secrets too, and is for its owner alone.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::seed::DemoTenant;
use super::users::DemoUser;
use crate::daemon::private_pbx::PrivatePbx;
use crate::domain::ids::InstanceId;
use crate::domain::instance::AbsolutePath;

/// The contents of `demo.json`.
pub(super) struct Record(Value);

/// Its `pbx`.
pub(super) struct Pbx(Value);

impl Pbx {
    /// `pbx`: absent where no Asterisk runs.
    pub fn new(
        instance_id: InstanceId,
        pbx: Option<&PrivatePbx>,
        config_dir: &AbsolutePath,
        generation: Option<i64>,
        live: bool,
    ) -> Self {
        let ami = pbx.map(|pbx| {
            let outside = pbx.outside();
            let settings = pbx.settings();
            json!({"host": settings.ami_host, "port": settings.ami_port, "username": outside.username,
                "secret": outside.secret.expose_secret()})
        });
        Self(json!({
            "id": instance_id, "kind": "asterisk", "live": live,
            "sip": pbx.map(|pbx| pbx.sip().to_string()), "ami": ami,
            "config_dir": config_dir, "generation": generation,
        }))
    }
}

impl Record {
    pub fn new(api: &str, users: &[DemoUser], tenants: &[DemoTenant], pbx: &Pbx) -> Self {
        let tenants: Vec<Value> = tenants.iter().map(tenant).collect();
        let users: Vec<Value> = users.iter().map(user).collect();
        Self(json!({"api": api, "users": users, "tenants": tenants, "pbx": pbx.0}))
    }

    /// As it is written.
    pub fn text(&self) -> Result<SecretString, serde_json::Error> {
        serde_json::to_string_pretty(&self.0).map(|text| format!("{text}\n").into())
    }
}

fn user(user: &DemoUser) -> Value {
    json!({"id": user.id, "email": user.email, "password": user.password.expose_secret(), "role": user.role,
        "tenant_id": user.tenant_id, "platform_manager": user.platform_manager})
}

fn tenant(tenant: &DemoTenant) -> Value {
    let extensions: Vec<Value> = tenant
        .extensions
        .iter()
        .map(|e| json!({"id": e.id, "number": e.number, "secret": e.secret.expose_secret()}))
        .collect();
    json!({"id": tenant.id, "name": tenant.name, "domain": tenant.domain, "extensions": extensions})
}
