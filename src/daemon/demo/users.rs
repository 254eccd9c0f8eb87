//! Who can sign in to the demo: a manager of the platform, and in each tenant one user of each built-in role.

use secrecy::SecretString;

use super::DemoError;
use super::seed::DemoTenant;
use crate::app::App;
use crate::app::error::AppError;
use crate::app::platform_users::{self, UserInput};
use crate::app::precondition::IfMatch;
use crate::auth::caller::Caller;
use crate::domain::email::EmailAddress;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::random::{self, SystemRandom};
use crate::domain::role::Rank;

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A user of the demo.
pub struct DemoUser {
    /// Its id.
    pub id: UserId,
    /// What they sign in with.
    pub email: EmailAddress,
    /// What they sign in with; another one each time the demo starts.
    pub password: SecretString,
    /// The name of their role; absent without tenant.
    pub role: Option<Rank>,
    /// The tenant they work for.
    pub tenant_id: Option<TenantId>,
    /// Whether they manage the platform.
    pub platform_manager: bool,
}

/// Makes those that are missing, and gives the others a new password.
pub(super) async fn ensure(
    app: &App,
    caller: &Caller,
    tenants: &[DemoTenant],
) -> Result<Vec<DemoUser>, DemoError> {
    let mut users = vec![one(app, caller, "manager@example.com".parse()?, None).await?];
    for tenant in tenants {
        for role in Rank::ALL.iter().rev() {
            let email = format!("{role}@{}", tenant.domain).parse()?;
            users.push(one(app, caller, email, Some((tenant.id, *role))).await?);
        }
    }
    Ok(users)
}

async fn one(
    app: &App,
    caller: &Caller,
    email: EmailAddress,
    place: Option<(TenantId, Rank)>,
) -> Result<DemoUser, DemoError> {
    let password: SecretString = random::text(&SystemRandom, LETTERS, 24)?.into();
    let (tenant_id, role) = place.unzip();
    let id = match platform_users::find_by_email(app, caller, &email).await {
        Err(AppError::NotFound) => {
            let input = UserInput {
                tenant_id: tenant_id.map(|id| id.to_string()),
                name: Some(role.map_or("Demo manager".to_owned(), |role| format!("Demo {role}"))),
                email: Some(email.to_string()),
                role: role.map(|role| role.to_string()),
                password: Some(password.clone()),
                platform_manager: Some(role.is_none()),
                ..UserInput::default()
            };
            platform_users::create(app, caller, input).await?.0.id
        }
        found => {
            let id = found?.id;
            platform_users::set_password(app, caller, id, &password, &IfMatch::Any).await?;
            id
        }
    };
    Ok(DemoUser {
        id,
        email,
        password,
        role,
        tenant_id,
        platform_manager: role.is_none(),
    })
}
