//! `/api/v1/recordings`.

use axum::extract::State;

use crate::app::App;
use crate::app::recordings::{self, Sound, Use};
use crate::app::views::RecordingView;
use crate::auth::caller::Caller;
use crate::domain::ids::RecordingId;
use crate::domain::invalid::FieldErrors;
use crate::domain::moment::Moment;
use crate::domain::recording::RecordingQuery;
use crate::http::answer::NoContent;
use crate::http::body::NoBody;
use crate::http::envelope::{Behind, behind};
use crate::http::id::Id;
use crate::http::if_match::Precondition;
use crate::http::problem::Problem;
use crate::http::query::{Given, Parameters, Query};
use crate::http::sound::{Part, SoundAnswer};

impl Parameters for RecordingQuery {
    fn read(given: &mut Given) -> Self {
        let (from, to): (Option<Moment>, Option<Moment>) = (given.optional("from"), given.optional("to"));
        let ends_first = from.zip(to).is_some_and(|(from, to)| from >= to);
        given.checked(if ends_first {
            Err(FieldErrors::one("to", "must be later than `from`"))
        } else {
            Ok(())
        });
        Self {
            call: given.optional("call"),
            extension: given.optional("extension"),
            from: from.map(Moment::timestamp),
            to: to.map(Moment::timestamp),
            after: given.optional("cursor"),
            per_page: given.per_page(),
        }
    }
}

/// `GET /recordings`: one page, newest first.
pub async fn index(
    State(app): State<App>,
    caller: Caller,
    query: Query<RecordingQuery>,
) -> Result<Behind<RecordingView>, Problem> {
    let page = recordings::list(&app, &caller, &query.read()?).await?;
    Ok(behind(
        page.recordings.into_iter().map(RecordingView::from),
        page.next,
    ))
}

/// `GET /recordings/{id}/audio`: to be heard; a part of it where the request names one.
pub async fn audio(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RecordingId>,
    query: Query,
    part: Part,
) -> Result<SoundAnswer, Problem> {
    recordings::find(&app, &caller, Use::Listen, id).await?;
    query.read()?;
    let sound = sound(&app, &caller, Use::Listen, id, &part).await?;
    Ok(SoundAnswer::to_hear(sound))
}

/// `GET /recordings/{id}/download`: the whole file, to be kept.
pub async fn download(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RecordingId>,
    query: Query,
    part: Part,
) -> Result<SoundAnswer, Problem> {
    recordings::find(&app, &caller, Use::Download, id).await?;
    query.read()?;
    let sound = sound(&app, &caller, Use::Download, id, &part).await?;
    Ok(SoundAnswer::to_keep(sound))
}

/// Where nothing of it is given, nobody has used it.
async fn sound(
    app: &App,
    caller: &Caller,
    using: Use,
    id: RecordingId,
    part: &Part,
) -> Result<Sound, Problem> {
    let choose = |length| part.of(length);
    if part.is_head() {
        recordings::look(app, caller, using, id, choose).await
    } else {
        recordings::open(app, caller, using, id, choose).await
    }
}

/// `DELETE /recordings/{id}`: with its file; with `If-Match` only of the version that it names.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id<RecordingId>,
    query: Query,
    precondition: Precondition,
    body: NoBody,
) -> Result<NoContent, Problem> {
    recordings::find_to_delete(&app, &caller, id).await?;
    caller.reason_to_change()?;
    let if_match = precondition.if_match()?;
    body.read().await?;
    query.read()?;
    recordings::delete(&app, &caller, id, &if_match).await?;
    Ok(NoContent)
}
