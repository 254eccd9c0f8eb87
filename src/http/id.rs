//! The id in a path; one that cannot be an id is answered like one that does not exist.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use schemars::JsonSchema;

use super::openapi::schemas;
use super::openapi::shape::{Input, Shape};
use super::problem::Problem;

/// The only parameter of a path.
#[derive(Clone, Copy, Debug)]
pub struct Id<T>(pub T);

impl<T: FromStr + Send, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| Problem::not_found())?;
        text.parse().map(Self).map_err(|_| Problem::not_found())
    }
}

impl<T: JsonSchema> Input for Id<T> {
    fn describe(shape: &mut Shape) {
        shape.id = Some(schemas::of::<T>());
        shape.problems.add(404, &["not_found"]);
    }
}
