//! A database with two tenants, and the use cases on it with passwords that are hashed in no time.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use switchyard::app::error::AppError;
use switchyard::app::instances::NewInstance;
use switchyard::app::invitations::{self, Acceptance, InvitationInput};
use switchyard::app::platform_users::{self, UserInput};
use switchyard::app::sign_in::{self, Login, SignIn};
use switchyard::app::tenants::TenantInput;
use switchyard::app::{App, instances, operator, tenants};
use switchyard::auth::authenticator::{AuthError, Authenticator, Credentials};
use switchyard::auth::caller::{Caller, Origin};
use switchyard::auth::oidc::{Issuers, Limits};
use switchyard::auth::token::TokenKey;
use switchyard::config::{Config, Environment};
use switchyard::daemon::parts::{self, Parts};
use switchyard::domain::clock::{Clock as _, SystemClock};
use switchyard::domain::instance::{AsteriskSettings, InstanceSettings};
use switchyard::domain::instance_secrets::InstanceSecrets;
use switchyard::domain::issuer::Issuer;
use switchyard::domain::tenant::Tenant;
use switchyard::domain::user::User;
use switchyard::store::Store;

use super::support::database::{Backend, Bench};
use super::support::sign_in::cheap;
use super::support::suspension::pause;

/// What everybody signs in with.
pub const PASSWORD: &str = "quince medlar sloe";
/// As many try at the same time.
pub const MANY: usize = 50;
const NODE: &str = "node1";

pub struct World {
    pub bench: Bench,
    pub store: Store,
    pub app: App,
    pub authenticator: Authenticator,
    pub acme: Tenant,
    pub globex: Tenant,
    tokens: Arc<TokenKey>,
}

impl World {
    /// Without a mail server.
    pub async fn new(backend: Backend) -> Self {
        Self::with(backend, &[]).await
    }

    /// With more of the configuration.
    pub async fn with(backend: Backend, more: &[(&str, String)]) -> Self {
        let (bench, store) = Bench::migrated(backend).await;
        let tokens = Arc::new(TokenKey::new(&[7; 32]));
        let app = parts_of(&bench, more).await.app;
        let app = app.with_sign_in(Some(cheap(Arc::clone(&tokens))));
        let platform = operator::platform(None);
        instances::create(&app, &platform, instance(&bench, "pbx1", "asterisk"))
            .await
            .unwrap();
        let (acme, globex) = (tenant(&app, "Acme").await, tenant(&app, "Globex").await);
        Self {
            authenticator: authenticator(&tokens, &store),
            bench,
            store,
            app,
            acme,
            globex,
            tokens,
        }
    }

    /// The same with an issuer of identities that is believed.
    pub fn believing(mut self, issuer: Issuer) -> Self {
        let issuers = Issuers::new(vec![issuer], Limits::default(), Arc::new(SystemClock)).unwrap();
        let sign_in = SignIn {
            issuers,
            ..cheap(Arc::clone(&self.tokens))
        };
        self.app = self.app.with_sign_in(Some(sign_in));
        self
    }

    /// Finds out who is calling as another process on the same database does.
    pub async fn elsewhere(&self) -> Authenticator {
        let store = self
            .bench
            .another_store(Some(super::support::database::key('a')))
            .await;
        authenticator(&self.tokens, &store)
    }

    /// Makes a user of a tenant and signs them in.
    pub async fn person(&self, name: &str, tenant: &Tenant, role: &str) -> Person {
        let input = UserInput {
            tenant_id: Some(tenant.id.to_string()),
            role: Some(role.to_owned()),
            ..person(name)
        };
        self.made(input).await
    }

    /// The same without tenant.
    pub async fn manager(&self, name: &str) -> Person {
        let input = UserInput {
            platform_manager: Some(true),
            ..person(name)
        };
        self.made(input).await
    }

    async fn made(&self, input: UserInput) -> Person {
        let (user, invitation) = platform_users::create(&self.app, &operator::platform(None), input)
            .await
            .unwrap();
        assert!(invitation.is_none());
        let login = self.log_in(user.email.as_str(), PASSWORD).await.unwrap();
        let token = login.token.expose_secret().to_owned();
        Person { user, token }
    }

    pub async fn log_in(&self, email: &str, password: &str) -> Result<Login, AppError> {
        let email = email.parse().unwrap();
        sign_in::with_password(&self.app, Origin::default(), &email, &password.into()).await
    }

    /// Who presents this, at home.
    pub async fn caller(&self, bearer: &str) -> Caller {
        admitted(&self.authenticator, bearer).await.unwrap()
    }

    /// The same of a platform manager who enters a tenant.
    pub async fn inside(&self, manager: &Person, tenant: &Tenant) -> Caller {
        let credentials = Credentials {
            bearer: Some(manager.token.as_str().into()),
            operate_as: Some(tenant.id.to_string()),
            reason: Some("asked by phone".to_owned()),
            origin: origin(),
        };
        self.authenticator.caller(credentials).await.unwrap()
    }

    /// Invites somebody; gives them, and the token of their link.
    pub async fn invited(&self, caller: &Caller, name: &str, role: &str) -> (User, SecretString) {
        let (user, invitation) = invitations::invite(&self.app, caller, invitation(name, role))
            .await
            .unwrap();
        (user, invitation.link.unwrap().token().into())
    }

    pub async fn accept(&self, token: &SecretString, password: &str) -> Result<Login, AppError> {
        let password = password.into();
        let by = Acceptance::Password(&password);
        invitations::accept(&self.app, origin(), token.clone(), by).await
    }

    pub async fn suspend(&self, tenant: &Tenant) {
        let mut tx = self.store.begin("suspend").await.unwrap();
        switchyard::store::tenant_lifecycle::suspend(&mut tx, tenant.id, &pause(SystemClock.now()))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn reactivate(&self, tenant: &Tenant) {
        let mut tx = self.store.begin("reactivate").await.unwrap();
        switchyard::store::tenant_lifecycle::reactivate(&mut tx, tenant.id, SystemClock.now())
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// What the audit log holds but for sign-ins, and what the command line did: action, kind of actor, actor's name.
    pub async fn audited(&self) -> Vec<String> {
        let sql = "select action || ' ' || actor_kind || ' ' || actor_name from audit_entries \
            where action <> 'session.begin' and actor_name <> 'system:cli' order by number";
        self.bench.ask(sql.to_owned()).await
    }

    /// Every text of a column, as SQL shows it.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.bench.ask(sql.to_owned()).await
    }
}

/// Somebody who has signed in.
pub struct Person {
    pub user: User,
    pub token: String,
}

pub fn origin() -> Origin {
    Origin {
        address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        ..Origin::default()
    }
}

/// Who presents this, at home.
pub async fn admitted(authenticator: &Authenticator, bearer: &str) -> Result<Caller, AuthError> {
    let credentials = Credentials {
        bearer: Some(bearer.into()),
        origin: origin(),
        ..Credentials::default()
    };
    authenticator.caller(credentials).await
}

pub fn invitation(name: &str, role: &str) -> InvitationInput {
    InvitationInput {
        email: Some(format!("{name}@example.com")),
        name: Some(name.to_owned()),
        role: Some(role.to_owned()),
    }
}

pub fn person(name: &str) -> UserInput {
    UserInput {
        name: Some(name.to_owned()),
        email: Some(format!("{name}@example.com")),
        password: Some(PASSWORD.into()),
        ..UserInput::default()
    }
}

/// The stable code of a conflict.
pub fn code<T>(done: Result<T, AppError>) -> &'static str {
    match done {
        Err(AppError::Conflict { code, .. }) => code,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was done"),
    }
}

/// The fields that an input is refused for.
pub fn fields<T>(done: Result<T, AppError>) -> Vec<String> {
    match done {
        Err(AppError::Invalid(errors)) => errors.iter().map(|(field, _)| field.to_owned()).collect(),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it was done"),
    }
}

async fn parts_of(bench: &Bench, more: &[(&str, String)]) -> Parts {
    let given = [
        ("SWITCHYARD_DATABASE_URL", bench.text.clone()),
        ("SWITCHYARD_SEALING_KEY", "a".repeat(64)),
        ("SWITCHYARD_HTTP_PUBLIC_URL", "https://pbx.example.com".to_owned()),
        ("SWITCHYARD_NODE_NAME", NODE.to_owned()),
    ];
    let environment: Environment = given.iter().chain(more).cloned().collect();
    let loaded = Config::load(None, &environment).unwrap_or_else(|error| panic!("{error}"));
    parts::assemble(&loaded.config).await.unwrap()
}

fn authenticator(tokens: &Arc<TokenKey>, store: &Store) -> Authenticator {
    Authenticator::new(
        Some(Arc::clone(tokens)),
        Arc::new(store.clone()),
        Arc::new(SystemClock),
    )
}

async fn tenant(app: &App, name: &str) -> Tenant {
    let input = TenantInput {
        name: Some(name.to_owned()),
        domain: Some(format!("{}.example.com", name.to_lowercase())),
        ..TenantInput::default()
    };
    tenants::create(app, &operator::platform(None), input)
        .await
        .unwrap()
}

/// A PBX with its configuration in this directory of the bench.
pub fn instance(bench: &Bench, name: &str, directory: &str) -> NewInstance {
    let config_dir = bench.folder.path().join(directory);
    NewInstance {
        name: name.parse().unwrap(),
        node: NODE.parse().unwrap(),
        settings: InstanceSettings::Asterisk(AsteriskSettings {
            ami_host: "127.0.0.1".parse().unwrap(),
            ami_port: 1,
            ami_username: "switchyard".parse().unwrap(),
            config_dir: config_dir.to_str().unwrap().parse().unwrap(),
            ami_tls: None,
            log_file: None,
            recordings_dir: bench
                .folder
                .path()
                .join("recordings")
                .to_str()
                .unwrap()
                .parse()
                .ok(),
            emergency_numbers: Vec::new(),
        }),
        secrets: InstanceSecrets::of_control("ami-secret".into()),
    }
}
