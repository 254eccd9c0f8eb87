//! The shape of good answers: `{"data":…}`, and for lists `meta` beside it.

use std::fmt::Display;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;

use super::answer::Answer;
use super::openapi::shape::{Media, Reply, SchemaOf};
use super::problem::Problem;
use crate::domain::page::Page;

/// `{"data":…}`.
#[derive(Serialize, JsonSchema, Debug)]
#[schemars(inline)]
pub struct Single<T> {
    data: T,
}

/// `{"data":[…],"meta":{"page","per_page","total","last_page"}}`.
#[derive(Serialize, JsonSchema, Debug)]
#[schemars(inline)]
pub struct List<T> {
    data: Vec<T>,
    meta: Meta,
}

#[derive(Serialize, JsonSchema, Debug)]
struct Meta {
    /// Which page it is.
    page: i64,
    /// The most items of a page.
    per_page: i64,
    /// How many items all pages have together.
    total: i64,
    /// The number of the last page; an empty list has one page.
    last_page: i64,
}

/// `{"data":[…],"meta":{"next_cursor"}}`.
#[derive(Serialize, JsonSchema, Debug)]
#[schemars(inline)]
pub struct Behind<T> {
    data: Vec<T>,
    meta: Next,
}

#[derive(Serialize, JsonSchema, Debug)]
struct Next {
    /// Where the next page begins; absent on the last one.
    next_cursor: Option<String>,
}

/// `{"data":[…],"meta":{"next_cursor","gaps":[…]}}`.
#[derive(Serialize, JsonSchema, Debug)]
#[schemars(inline)]
pub struct BehindGaps<T, G> {
    data: Vec<T>,
    meta: NextAndGaps<G>,
}

#[derive(Serialize, JsonSchema, Debug)]
#[schemars(inline)]
struct NextAndGaps<G> {
    /// Where the next page begins; absent on the last one.
    next_cursor: Option<String>,
    /// The newest times within what is asked for of which not all calls need be on record.
    gaps: Vec<G>,
}

/// What stands in no envelope: the contract gives it a shape of its own.
#[derive(Serialize, JsonSchema, Debug)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Bare<T>(pub T);

/// One thing.
pub const fn single<T: Serialize>(data: T) -> Single<T> {
    Single { data }
}

/// All things that there are, which are few.
pub fn all<T: Serialize>(data: impl IntoIterator<Item = T>) -> Single<Vec<T>> {
    single(data.into_iter().collect())
}

/// One page of things.
#[must_use]
pub fn list<T: Serialize>(page: Page<T>) -> List<T> {
    let meta = Meta {
        page: page.request.page(),
        per_page: page.request.per_page(),
        total: page.total,
        last_page: page.last_page(),
    };
    List {
        data: page.items,
        meta,
    }
}

/// One page of things, behind the cursor of the page before; `next` is absent on the last one.
pub fn behind<T: Serialize>(data: impl Iterator<Item = T>, next: Option<impl Display>) -> Behind<T> {
    let next_cursor = next.map(|cursor| cursor.to_string());
    Behind {
        data: data.collect(),
        meta: Next { next_cursor },
    }
}

/// The same, with the times of which nothing is known.
pub fn behind_gaps<T: Serialize, G: Serialize>(
    data: impl Iterator<Item = T>,
    next: Option<impl Display>,
    gaps: impl Iterator<Item = G>,
) -> BehindGaps<T, G> {
    let meta = NextAndGaps {
        next_cursor: next.map(|cursor| cursor.to_string()),
        gaps: gaps.collect(),
    };
    BehindGaps {
        data: data.collect(),
        meta,
    }
}

/// Room for a page of most things, since each time that an answer outgrows its room it is copied.
const ROOM: usize = 16 * 1024;

fn written(value: &impl Serialize) -> Response {
    let mut body = Vec::with_capacity(ROOM);
    match serde_json::to_writer(&mut body, value) {
        Ok(()) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

macro_rules! in_json {
    ($($name:ident),+ $(,)?) => {$(
        impl<T: Serialize> IntoResponse for $name<T> {
            fn into_response(self) -> Response {
                written(&self)
            }
        }

        impl<T: Serialize + JsonSchema> Answer for $name<T> {
            fn replies() -> Vec<Reply> {
                vec![ok(SchemaGenerator::subschema_for::<Self>)]
            }
        }
    )+};
}

in_json!(Single, List, Behind, Bare);

impl<T: Serialize, G: Serialize> IntoResponse for BehindGaps<T, G> {
    fn into_response(self) -> Response {
        written(&self)
    }
}

impl<T: Serialize + JsonSchema, G: Serialize + JsonSchema> Answer for BehindGaps<T, G> {
    fn replies() -> Vec<Reply> {
        vec![ok(SchemaGenerator::subschema_for::<Self>)]
    }
}

fn ok(schema: SchemaOf) -> Reply {
    let name = "application/json";
    Reply {
        status: 200,
        body: vec![Media { name, schema }],
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::page::PageRequest;
    use serde_json::json;

    #[test]
    fn o20_a_list_says_which_part_of_the_whole_it_is() {
        let page = Page {
            items: vec!["a", "b"],
            total: 5,
            request: PageRequest::new(2, 2).unwrap(),
        };
        assert_eq!(
            serde_json::to_value(list(page)).unwrap(),
            json!({"data": ["a", "b"], "meta": {"page": 2, "per_page": 2, "total": 5, "last_page": 3}})
        );
        assert_eq!(serde_json::to_value(single("x")).unwrap(), json!({"data": "x"}));
    }
}
