//! An archive as an answer: it begins before its length is known, and breaks off where it is not complete, which HTTP/1.1 tells.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::json_schema;

use super::answer::Answer;
use super::openapi::shape::{Media, Parameter, Reply};
use crate::app::exports::Export;

const TAR: &str = "application/x-tar";
/// By which the audit log knows it.
pub(super) const EXPORT_ID: HeaderName = HeaderName::from_static("export-id");
/// nginx would otherwise fill its disk with it.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// An archive.
pub struct Archive(Export);

impl Archive {
    /// The answer goes on as long as it does.
    #[must_use]
    pub const fn new(export: Export) -> Self {
        Self(export)
    }
}

impl IntoResponse for Archive {
    fn into_response(self) -> Response {
        let id = self.0.id;
        let pieces = stream::unfold(self.0, async |mut export| {
            let piece = export.next().await?;
            Some((piece, export))
        });
        let mut response = Body::from_stream(pieces).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(TAR));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(BUFFERING, HeaderValue::from_static("no"));
        let texts = [
            (EXPORT_ID, id.to_string()),
            (
                CONTENT_DISPOSITION,
                format!("attachment; filename=\"export-{id}.tar\""),
            ),
        ];
        for (name, text) in texts {
            // Of digits, letters and our own words.
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl Answer for Archive {
    fn replies() -> Vec<Reply> {
        vec![Reply {
            status: 200,
            body: vec![Media {
                name: TAR,
                schema: |_| json_schema!({}),
            }],
            headers: vec![Parameter {
                name: "Export-Id",
                description: "By which the audit log and the manifest name it.",
                schema: json_schema!({"type": "string", "format": "uuid"}),
            }],
        }]
    }
}
