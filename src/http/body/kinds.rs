//! The kinds of body that routes take: each reads one and has the schema of just what it reads.

use std::convert::Infallible;
use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Unread, is_unencoded, media_type, parse};
use crate::http::openapi::shape::{Input, Media, Problems, SchemaOf, Shape};
use crate::http::problem::Problem;

const JSON: &str = "application/json";
const CSV: &str = "text/csv";

/// An object in JSON.
pub struct Body<T>(Unread, PhantomData<fn() -> T>);

impl<T: DeserializeOwned> Body<T> {
    /// What the body says.
    ///
    /// 400 `reason_required` comes before everything that is wrong with the body; then 415, 413 and 400
    /// `malformed_json`, and 422 with the field that is unknown, missing or of the wrong type.
    pub async fn read(self) -> Result<T, Problem> {
        Ok(self.read_with_bytes().await?.1)
    }

    /// The same with its bytes, by which it is recognised when it comes again.
    pub async fn read_with_bytes(self) -> Result<(Bytes, T), Problem> {
        let bytes = self.0.json().await?;
        let read = parse(&bytes, b'{', "an object")?;
        Ok((bytes, read))
    }
}

/// What can be patched.
pub trait Patched {
    /// Fields that are given when it is made, and that a patch may not have.
    const FIXED: &'static [&'static str] = &[];
}

/// Of a `T`, all of whose fields are optional, what is to change; what is absent stays.
pub struct Changes<T>(Unread, PhantomData<fn() -> T>);

impl<T: DeserializeOwned> Changes<T> {
    /// What the body says, wrong in the same ways as for [`Body::read`].
    pub async fn read(self) -> Result<T, Problem> {
        parse(&self.0.json().await?, b'{', "an object")
    }
}

/// A JSON merge patch (RFC 7396) of a `T`, all of whose fields are optional: a field may be `null`, and is otherwise
/// held to the type it has there.
pub struct MergePatch<T>(Unread, PhantomData<fn() -> T>);

impl<T: DeserializeOwned> MergePatch<T> {
    /// What the body says, wrong in the same ways as for [`Body::read`].
    pub async fn read(self) -> Result<Value, Problem> {
        let bytes = self.0.json().await?;
        parse::<T>(&bytes, b'{', "an object").map(drop)?;
        parse(&bytes, b'{', "an object")
    }
}

/// Many of `T`: a list in JSON, or the same as comma-separated values.
pub struct Rows<T>(Unread, PhantomData<fn() -> T>);

/// What such a body says.
pub enum Table {
    /// A list, of anything so far.
    List(Bytes, Vec<Value>),
    /// Comma-separated values, not looked at so far.
    Csv(Bytes),
}

impl<T> Rows<T> {
    /// What the body says, wrong in the same ways as for [`Body::read`].
    pub async fn read(self) -> Result<Table, Problem> {
        let headers = self.0.headers();
        if media_type(headers) == CSV && is_unencoded(headers) {
            return Ok(Table::Csv(self.0.bytes().await?));
        }
        let bytes = self.0.json().await?;
        let rows = parse(&bytes, b'[', "a list")?;
        Ok(Table::List(bytes, rows))
    }
}

/// Nothing, or an object without a field; for the routes that take no body.
pub struct NoBody(Unread);

impl NoBody {
    /// Refuses a body that says something.
    pub async fn read(self) -> Result<(), Problem> {
        let bytes = self.0.bytes().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        parse::<Nothing>(&bytes, b'{', "empty: this route takes no body").map(drop)
    }
}

/// What a route reads that takes no body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

macro_rules! taken_unread {
    ($($name:ident $(<$parameter:ident>)?: $unread:pat => $kind:expr),+ $(,)?) => {$(
        impl<S: Send + Sync $(, $parameter)?> FromRequest<S> for $name $(<$parameter>)? {
            type Rejection = Infallible;

            async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
                let $unread = Unread::new(request);
                Ok($kind)
            }
        }
    )+};
}

taken_unread! {
    Body<T>: unread => Self(unread, PhantomData),
    Changes<T>: unread => Self(unread, PhantomData),
    MergePatch<T>: unread => Self(unread, PhantomData),
    Rows<T>: unread => Self(unread, PhantomData),
    NoBody: unread => Self(unread),
}

fn what_may_be_wrong(problems: &mut Problems) {
    problems.add(400, &["body_incomplete", "malformed_json"]);
    problems.add(408, &["body_timeout"]);
    problems.add(413, &["body_too_large"]);
    problems.add(422, &["invalid"]);
}

fn takes(shape: &mut Shape, forms: &[(&'static str, SchemaOf)]) {
    what_may_be_wrong(&mut shape.problems);
    shape.problems.add(415, &["unsupported_media_type"]);
    shape.body.extend(forms.iter().map(|(name, schema)| Media {
        name,
        schema: *schema,
    }));
}

impl<T: JsonSchema> Input for Body<T> {
    fn describe(shape: &mut Shape) {
        takes(shape, &[(JSON, SchemaGenerator::subschema_for::<T>)]);
    }
}

impl<T: JsonSchema + Patched> Input for Changes<T> {
    fn describe(shape: &mut Shape) {
        takes(shape, &[(JSON, patch::<T>)]);
    }
}

impl<T: JsonSchema + Patched> Input for MergePatch<T> {
    fn describe(shape: &mut Shape) {
        let forms = [JSON, "application/merge-patch+json"];
        takes(shape, &forms.map(|name| (name, patch::<T> as SchemaOf)));
    }
}

impl<T: JsonSchema> Input for Rows<T> {
    fn describe(shape: &mut Shape) {
        takes(shape, &[(JSON, rows::<T>), (CSV, text)]);
    }
}

impl Input for NoBody {
    fn describe(shape: &mut Shape) {
        what_may_be_wrong(&mut shape.problems);
    }
}

/// Of a patch no field has to be there.
fn patch<T: JsonSchema + Patched>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = T::json_schema(generator);
    schema.remove("required");
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.retain(|name, _| !T::FIXED.contains(&name.as_str()));
    }
    schema
}

fn rows<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let row = generator.subschema_for::<T>();
    json_schema!({"type": "array", "items": row, "minItems": 1})
}

fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string"})
}
