//! Users of the two tenants, made on the host and signed in by password.

use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use switchyard::app::platform_users::UserInput;
use switchyard::app::{operator, platform_users, sign_in};
use switchyard::auth::caller::Origin;

use super::client::{Answer, Ask};
use super::server::Server;

/// What everybody signs in with.
pub const PASSWORD: &str = "quince medlar sloe";

/// Somebody who has signed in.
pub struct Person {
    pub id: String,
    pub email: String,
    pub token: String,
}

impl Server {
    /// A request of somebody, in no other tenant than their own.
    pub fn of(&self, token: &str, method: Method, path: &str) -> Ask<'_> {
        Ask::new(self, method, path).with("authorization", &format!("Bearer {token}"))
    }

    /// A request of the platform manager on the platform.
    pub fn platform(&self, method: Method, path: &str) -> Ask<'_> {
        self.of(&self.token, method, path)
    }

    /// The id of the only PBX instance.
    pub async fn instance(&self) -> String {
        let all = self.platform(Method::GET, "/platform/pbx-instances").send().await;
        all.data(200)[0]["id"].as_str().unwrap().to_owned()
    }

    /// Tries to sign in.
    pub async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        Ask::new(self, Method::POST, "/auth/user-login")
            .json(&body)
            .send()
            .await
    }

    /// Makes a user, and signs them in. `name` is the first part of their address.
    pub async fn person(&self, name: &str, tenant: &str, role: &str) -> Person {
        let user = UserInput {
            tenant_id: Some(tenant.to_owned()),
            role: Some(role.to_owned()),
            ..UserInput::default()
        };
        self.signed_in(name, user).await
    }

    /// The same without tenant.
    pub async fn platform_manager(&self, name: &str) -> Person {
        let user = UserInput {
            platform_manager: Some(true),
            ..UserInput::default()
        };
        self.signed_in(name, user).await
    }

    async fn signed_in(&self, name: &str, user: UserInput) -> Person {
        let email = format!("{name}@example.com");
        let input = UserInput {
            name: Some(name.to_owned()),
            email: Some(email.clone()),
            password: Some(PASSWORD.into()),
            ..user
        };
        let app = &self.hurried;
        let made = platform_users::create(app, &operator::platform(None), input).await;
        let (address, password) = (email.parse().unwrap(), PASSWORD.into());
        let login = sign_in::with_password(app, Origin::default(), &address, &password).await;
        Person {
            id: made.unwrap().0.id.to_string(),
            email,
            token: login.unwrap().token.expose_secret().to_owned(),
        }
    }

    /// Whether somebody is still signed in: what their profile answers.
    pub async fn standing(&self, token: &str) -> (u16, String) {
        let answer = self.of(token, Method::GET, "/org-users/me/profile").send().await;
        let code = answer.body["code"].as_str().unwrap_or_default().to_owned();
        (answer.status, code)
    }
}

/// Of a list, one member of each item.
pub fn each<'a>(answer: &'a Answer, member: &str) -> Vec<&'a Value> {
    let items = answer.data(200).as_array().unwrap();
    items.iter().map(|item| &item[member]).collect()
}
