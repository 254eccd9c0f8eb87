//! `/api/openapi.json`, and `/api/docs`, which shows it to people without asking any other server for anything.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use axum::http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use schemars::{SchemaGenerator, json_schema};

use super::answer::Answer;
use super::id::Id;
use super::openapi::document;
use super::openapi::shape::{Media, Reply};
use super::problem::Problem;
use super::query::Query;
use super::routes::table;
use crate::domain::parsed::word_enum;

/// What the page may do: take its script, style and pictures from here, and ask this server. The style sheet's own
/// pictures are `data:` addresses.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document::document(&table()).to_string().into());

word_enum! {
    /// A part of the page.
    File {
        /// The picture in the tab.
        Icon = "favicon-32x32.png",
        /// What shows a description.
        Script = "swagger-ui-bundle.js",
        /// Its style.
        Style = "swagger-ui.css",
        /// What starts it.
        Start = "start.js",
    }
}

/// The document.
pub struct Document(Bytes);

/// `GET /api/openapi.json`.
pub async fn document(query: Query) -> Result<Document, Problem> {
    query.read()?;
    Ok(Document(DOCUMENT.clone()))
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, json)], self.0).into_response()
    }
}

impl Answer for Document {
    fn replies() -> Vec<Reply> {
        vec![ok(
            &["application/json"],
            |_| json_schema!({"type": "object", "required": ["openapi"]}),
        )]
    }
}

/// The page.
pub struct Page;

/// `GET /api/docs`.
pub async fn page(query: Query) -> Result<Page, Problem> {
    query.read()?;
    Ok(Page)
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        let headers = [(CONTENT_TYPE, html), (CONTENT_SECURITY_POLICY, POLICY)];
        (headers, include_str!("docs/page.html")).into_response()
    }
}

impl Answer for Page {
    fn replies() -> Vec<Reply> {
        vec![ok(&["text/html"], text)]
    }
}

/// A part of the page, as it is sent.
pub struct Part {
    media_type: HeaderValue,
    gzip: bool,
    bytes: Cow<'static, [u8]>,
}

/// `GET /api/docs/{file}`.
pub async fn file(Id(file): Id<File>, query: Query) -> Result<Part, Problem> {
    query.read()?;
    let media_type = HeaderValue::from_static(match file {
        File::Icon => "image/png",
        File::Script | File::Start => "text/javascript",
        File::Style => "text/css",
    });
    if file == File::Start {
        let bytes = include_bytes!("docs/start.js").into();
        return Ok(Part {
            media_type,
            gzip: false,
            bytes,
        });
    }
    let found = utoipa_swagger_ui::serve(file.as_str(), Arc::default());
    let found = found.ok().flatten().ok_or_else(Problem::not_found)?;
    Ok(Part {
        media_type,
        gzip: found.gzpipped,
        bytes: found.bytes,
    })
}

impl IntoResponse for Part {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, self.media_type)]);
        if self.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        (headers, self.bytes).into_response()
    }
}

impl Answer for Part {
    fn replies() -> Vec<Reply> {
        vec![ok(&["text/javascript", "text/css", "image/png"], text)]
    }
}

fn ok(names: &[&'static str], schema: super::openapi::shape::SchemaOf) -> Reply {
    Reply {
        status: 200,
        body: names.iter().map(|name| Media { name, schema }).collect(),
        headers: Vec::new(),
    }
}

fn text(_: &mut SchemaGenerator) -> schemars::Schema {
    json_schema!({})
}
