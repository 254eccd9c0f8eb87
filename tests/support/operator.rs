//! A platform manager who has signed in.

use secrecy::ExposeSecret as _;
use switchyard::app::platform_users::UserInput;
use switchyard::app::{App, operator, platform_users, sign_in};
use switchyard::auth::caller::Origin;

/// What the manager signs in with.
pub const EMAIL: &str = "manager@example.com";
/// What the manager signs in with.
pub const PASSWORD: &str = "apples pears plums";

/// Makes the manager; gives a token of theirs.
pub async fn token(app: &App) -> String {
    let input = UserInput {
        name: Some("Manager".to_owned()),
        email: Some(EMAIL.to_owned()),
        password: Some(PASSWORD.into()),
        platform_manager: Some(true),
        ..UserInput::default()
    };
    platform_users::create(app, &operator::platform(None), input)
        .await
        .unwrap();
    let email = EMAIL.parse().unwrap();
    let login = sign_in::with_password(app, Origin::default(), &email, &PASSWORD.into()).await;
    login.unwrap().token.expose_secret().to_owned()
}
