//! `/api/v1/events`: what happens in a tenant as server-sent events.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::Event;
use futures_util::stream;
use tokio::time::{Instant, timeout};

use crate::app::App;
use crate::app::events::{self, Following};
use crate::app::views::ToldView;
use crate::auth::caller::Caller;
use crate::http::events::{Events, LastEventId};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::standing::Standing;
use crate::http::streams::{Place, Streams};

/// A caller whose rights were revoked sees nothing more after this.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// While nothing happens, whoever may listen no more is sent away after this.
const IDLE: Duration = Duration::from_secs(15);

/// `GET /events`: all calls that are up, then what happens to calls, phones and deployments, until the caller goes or may not
/// listen any more.
pub async fn follow(
    State(app): State<App>,
    State(streams): State<Streams>,
    caller: Caller,
    Extension(standing): Extension<Arc<Standing>>,
    query: Query,
    LastEventId(seen): LastEventId,
) -> Result<Events, Problem> {
    query.read()?;
    // Before anything is read for it: who is refused costs nothing.
    let place = streams.follow(events::tenant(&caller)?);
    let place = place.ok_or_else(|| too_many(streams.most_followers()))?;
    let following = events::follow(&app, &caller, seen.as_deref()).await?;
    let reader = Box::new(EventReader {
        place,
        app,
        standing,
        following,
        asked: Instant::now(),
    });
    Ok(Events::new(stream::unfold(reader, async |reader| {
        reader.event().await
    })))
}

fn too_many(most: usize) -> Problem {
    let advice = format!(
        "the tenant has {most} of these streams open, or all tenants as many as there may be; end one, or try again later"
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", advice)
}

/// Somebody who follows; gone with the connection.
struct EventReader {
    app: App,
    standing: Arc<Standing>,
    following: Following,
    asked: Instant,
    place: Place,
}

impl EventReader {
    /// The next event, and who goes on after it; none when the server stops, and when there is nothing more for this
    /// caller: asked again, they hear why.
    async fn event(mut self: Box<Self>) -> Option<(Result<Event, axum::Error>, Box<Self>)> {
        loop {
            if self.following.is_waited_for() {
                if self.asked.elapsed() >= ASK_AGAIN {
                    self.ask_again().await?;
                }
                if let Some((id, told)) = self.following.ready(&self.app) {
                    let (name, view) = ToldView::of(told);
                    let event = Event::default().event(name).id(id.to_string()).json_data(view);
                    return Some((event, self));
                }
            }
            let waited = tokio::select! {
                biased;
                () = self.place.stopped() => return None,
                waited = timeout(IDLE, self.following.woken()) => waited,
            };
            if waited.is_err() {
                self.ask_again().await?;
            }
        }
    }

    async fn ask_again(&mut self) -> Option<()> {
        let asked = async {
            let caller = self.standing.caller_still().await?;
            self.following.renew(&self.app, &caller).await?;
            Ok::<(), Problem>(())
        };
        let asked = asked
            .await
            .inspect_err(|problem| tracing::info!(code = problem.code(), "a stream ends early"));
        self.asked = Instant::now();
        asked.ok()
    }
}
