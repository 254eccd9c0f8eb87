//! What handlers answer when all is well: each kind of answer says its status and its body's schema itself.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, ETAG};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::json_schema;

use super::openapi::shape::{Media, Parameter, Reply};
use super::problem::Problem;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer that can be described.
pub trait Answer: IntoResponse {
    /// Every form that it has.
    #[must_use]
    fn replies() -> Vec<Reply>;
}

/// What may go wrong is told by what the handler reads, and by its route.
impl<A: Answer> Answer for Result<A, Problem> {
    fn replies() -> Vec<Reply> {
        A::replies()
    }
}

macro_rules! with_status {
    ($($(#[doc = $doc:literal])* $name:ident = $status:ident),+ $(,)?) => {$(
        $(#[doc = $doc])*
        pub struct $name<A>(pub A);

        impl<A: IntoResponse> IntoResponse for $name<A> {
            fn into_response(self) -> Response {
                (StatusCode::$status, self.0).into_response()
            }
        }

        impl<A: Answer> Answer for $name<A> {
            fn replies() -> Vec<Reply> {
                let status = StatusCode::$status.as_u16();
                A::replies().into_iter().map(|reply| Reply { status, ..reply }).collect()
            }
        }
    )+};
}

with_status! {
    /// 201: it was made.
    Created = CREATED,
    /// 202: it is being done.
    Accepted = ACCEPTED,
    /// 503: the same as would be 200.
    NotReady = SERVICE_UNAVAILABLE,
}

/// 204: it was done, and there is nothing to say.
pub struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Answer for NoContent {
    fn replies() -> Vec<Reply> {
        vec![Reply {
            status: StatusCode::NO_CONTENT.as_u16(),
            body: Vec::new(),
            headers: Vec::new(),
        }]
    }
}

/// A table as a file.
pub struct Csv {
    name: &'static str,
    written: Vec<u8>,
}

impl Csv {
    /// `name` is what it is kept under.
    #[must_use]
    pub const fn new(name: &'static str, written: Vec<u8>) -> Self {
        Self { name, written }
    }
}

impl IntoResponse for Csv {
    fn into_response(self) -> Response {
        let disposition = format!("attachment; filename=\"{}\"", self.name);
        let headers = [
            (CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
            (CONTENT_DISPOSITION, disposition),
        ];
        (headers, self.written).into_response()
    }
}

impl Answer for Csv {
    fn replies() -> Vec<Reply> {
        let table = Media {
            name: "text/csv",
            schema: |_| json_schema!({"type": "string"}),
        };
        vec![Reply {
            status: StatusCode::OK.as_u16(),
            body: vec![table],
            headers: Vec::new(),
        }]
    }
}

/// Nothing to say, with a status that something may be said with.
pub struct Nothing;

impl IntoResponse for Nothing {
    fn into_response(self) -> Response {
        StatusCode::OK.into_response()
    }
}

impl Answer for Nothing {
    fn replies() -> Vec<Reply> {
        vec![Reply {
            status: StatusCode::OK.as_u16(),
            body: Vec::new(),
            headers: Vec::new(),
        }]
    }
}

/// One answer or another, with another status.
pub enum Either<A, B> {
    /// The one.
    This(A),
    /// The other.
    That(B),
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for Either<A, B> {
    fn into_response(self) -> Response {
        match self {
            Self::This(answer) => answer.into_response(),
            Self::That(answer) => answer.into_response(),
        }
    }
}

impl<A: Answer, B: Answer> Answer for Either<A, B> {
    fn replies() -> Vec<Reply> {
        A::replies().into_iter().chain(B::replies()).collect()
    }
}

/// An answer with the `ETag` of the version that it shows: a strong one, another version never has the same.
pub struct Tagged<A> {
    tag: String,
    answer: A,
}

impl<A> Tagged<A> {
    /// `tag` without its quotes.
    pub const fn new(tag: String, answer: A) -> Self {
        Self { tag, answer }
    }
}

impl<A: IntoResponse> IntoResponse for Tagged<A> {
    fn into_response(self) -> Response {
        ([(ETAG, format!("\"{}\"", self.tag))], self.answer).into_response()
    }
}

impl<A: Answer> Answer for Tagged<A> {
    fn replies() -> Vec<Reply> {
        let tag = Parameter {
            name: "ETag",
            description: "The version that is shown, for `If-Match`.",
            schema: json_schema!({"type": "string", "pattern": "^\"[^\"]*\"$"}),
        };
        with_header::<A>(&tag)
    }
}

/// An answer to a request that may be sent again: it says whether it was given before.
pub struct Replayed<A> {
    replayed: bool,
    answer: A,
}

impl<A> Replayed<A> {
    /// Whether it was given before, and what it shows now.
    pub const fn new(replayed: bool, answer: A) -> Self {
        Self { replayed, answer }
    }
}

impl<A: IntoResponse> IntoResponse for Replayed<A> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        if self.replayed {
            response
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl<A: Answer> Answer for Replayed<A> {
    fn replies() -> Vec<Reply> {
        let replayed = Parameter {
            name: "Idempotency-Replayed",
            description: "Present where this request was answered before.",
            schema: json_schema!({"const": "true"}),
        };
        with_header::<A>(&replayed)
    }
}

fn with_header<A: Answer>(header: &Parameter) -> Vec<Reply> {
    let mut replies = A::replies();
    for reply in &mut replies {
        reply.headers.push(header.clone());
    }
    replies
}
