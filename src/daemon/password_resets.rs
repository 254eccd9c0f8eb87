//! Works off what was asked for by whoever has forgotten a password: after the answer, so that this does not tell.

use std::convert::Infallible;

use tokio_util::sync::CancellationToken;

use crate::app::{App, password_reset};

/// Until the soft stop, and then for as long as something waits.
pub async fn run(app: App, stop: CancellationToken) -> Result<(), Infallible> {
    let mut is_open = true;
    loop {
        tokio::select! {
            biased;
            asked = password_reset::next(&app) => match asked {
                Some(asked) => password_reset::see_to(&app, asked).await,
                None => return Ok(()),
            },
            () = stop.cancelled(), if is_open => {
                password_reset::close(&app).await;
                is_open = false;
            }
        }
    }
}
