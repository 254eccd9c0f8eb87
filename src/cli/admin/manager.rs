//! `switchyard admin grant` and `revoke`.

use clap::Args;

use super::user;
use crate::app::precondition::IfMatch;
use crate::app::views::UserView;
use crate::app::{operator, platform_users};
use crate::cli::{Context, Failure};
use crate::domain::email::EmailAddress;

/// Who.
#[derive(Args)]
pub struct Who {
    /// What they sign in with
    email: EmailAddress,
}

pub fn run(context: &mut Context<'_>, who: &Who, manages: bool) -> Result<(), Failure> {
    context.with_parts(async |context, parts| {
        let id = user(parts, &who.email).await?.id;
        let caller = operator::platform(None);
        let user =
            platform_users::set_platform_manager(&parts.app, &caller, id, manages, &IfMatch::Any).await?;
        context.output.result(&UserView::from(&user), |text| {
            text.line(&if manages {
                format!("{} manages the platform", user.email)
            } else {
                format!(
                    "{} manages the platform no longer, and has to sign in again",
                    user.email
                )
            })
        })
    })
}
