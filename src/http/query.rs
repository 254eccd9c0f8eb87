//! The parameters of a request's query: each is asked for by name, and what nobody asked for is refused.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query as Pairs};
use axum::http::request::Parts;
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::Value;

use super::openapi::schemas;
use super::openapi::shape::{Input, Parameter, Shape};
use super::problem::Problem;
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::page::PageRequest;

/// The longest text that is searched for.
const LONGEST_TEXT: usize = 200;

/// The parameters that a route knows, in one type.
pub trait Parameters: Sized {
    /// Asks for each of them, whatever the others are: what it asks for on any request is what the route knows.
    fn read(given: &mut Given) -> Self;
}

/// A route without parameters.
impl Parameters for () {
    fn read(_: &mut Given) -> Self {}
}

/// A query that was not looked at yet.
///
/// A handler does so once it has found what the path names: 404 goes before 422.
#[derive(Debug)]
pub struct Query<P = ()> {
    given: Given,
    parameters: PhantomData<fn() -> P>,
}

impl<P: Parameters> Query<P> {
    /// What the query says; refuses the request when a parameter is wrong, or one is left over.
    pub fn read(mut self) -> Result<P, Problem> {
        let parameters = P::read(&mut self.given);
        self.given.finish()?;
        Ok(parameters)
    }
}

/// What a query holds, to be asked for by name.
#[derive(Default, Debug)]
pub struct Given {
    values: BTreeMap<String, String>,
    errors: FieldErrors,
    /// What was asked for, where somebody wants to know.
    asked: Option<Vec<Parameter>>,
}

impl Given {
    /// A parameter that need not be there.
    pub fn optional<T: FromStr<Err = Invalid> + JsonSchema>(&mut self, name: &'static str) -> Option<T> {
        self.asked(name, "", schemas::of::<T>);
        let text = self.values.remove(name)?;
        self.errors.take(name, text.parse())
    }

    /// A text that need not be there: 1 to 200 characters, none of them a control character, which no text that is
    /// stored holds and PostgreSQL partly refuses.
    pub fn text(&mut self, name: &'static str, description: &'static str) -> Option<String> {
        self.asked(name, description, || {
            let visible = "^[^\\u0000-\\u001F\\u007F-\\u009F]*$";
            json_schema!({"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": visible})
        });
        let text = self.values.remove(name)?;
        if !(1..=LONGEST_TEXT).contains(&text.chars().count()) {
            self.errors.add(name, "must have 1 to 200 characters");
            return None;
        }
        if text.chars().any(char::is_control) {
            self.errors.add(name, "must not contain control characters");
            return None;
        }
        Some(text)
    }

    /// `true` or `false`, if it is there.
    pub fn choice(&mut self, name: &'static str, description: &'static str) -> Option<bool> {
        self.asked(name, description, || json_schema!({"type": "boolean"}));
        let text = self.values.remove(name)?;
        let choice = text
            .parse()
            .map_err(|_| Invalid::new("must be `true` or `false`"));
        self.errors.take(name, choice)
    }

    /// `true`, `false`, or the bare name for `true`; absent is `false`.
    pub fn flag(&mut self, name: &'static str, description: &'static str) -> bool {
        self.asked(
            name,
            description,
            || json_schema!({"type": "boolean", "default": false}),
        );
        match self.values.remove(name).as_deref() {
            None | Some("false") => false,
            Some("" | "true") => true,
            Some(_) => {
                self.errors.add(name, "must be `true` or `false`");
                false
            }
        }
    }

    /// `sort`: what a list is sorted by, with `-` in front for the other way round.
    pub fn sort<T: FromStr<Err = Invalid> + JsonSchema>(&mut self) -> Option<(T, bool)> {
        self.asked("sort", "", both_ways::<T>);
        let text = self.values.remove("sort")?;
        let (word, descending) = text
            .strip_prefix('-')
            .map_or((text.as_str(), false), |word| (word, true));
        let by = self.errors.take("sort", word.parse())?;
        Some((by, descending))
    }

    /// `page` and `per_page`.
    pub fn page(&mut self) -> PageRequest {
        let usual = PageRequest::default();
        self.asked("page", "Which page, from 1 on.", || {
            json_schema!({"type": "integer", "minimum": 1, "maximum": PageRequest::LAST, "default": usual.page()})
        });
        let page = self.number("page").unwrap_or(usual.page());
        self.page_of(page)
    }

    /// `per_page` alone, of a list whose pages begin at a cursor.
    pub fn per_page(&mut self) -> i64 {
        self.page_of(1).per_page()
    }

    fn page_of(&mut self, page: i64) -> PageRequest {
        let usual = PageRequest::default();
        self.asked("per_page", "The most items of a page.", || {
            let (most, usual) = (PageRequest::LARGEST, usual.per_page());
            json_schema!({"type": "integer", "minimum": 1, "maximum": most, "default": usual})
        });
        let per_page = self.number("per_page").unwrap_or(usual.per_page());
        self.checked(PageRequest::new(page, per_page))
    }

    /// The value, or the usual one with the reasons noted why there is none.
    pub fn checked<T: Default>(&mut self, value: Result<T, FieldErrors>) -> T {
        value.unwrap_or_else(|errors| {
            for (field, reasons) in errors.iter() {
                for reason in reasons {
                    self.errors.add(field, reason.as_str());
                }
            }
            T::default()
        })
    }

    fn finish(mut self) -> Result<(), Problem> {
        for name in self.values.keys() {
            self.errors.add(name, "is not a parameter of this route");
        }
        Ok(self.errors.check()?)
    }

    fn asked(&mut self, name: &'static str, description: &'static str, schema: impl FnOnce() -> Schema) {
        if let Some(asked) = &mut self.asked {
            asked.push(Parameter {
                name,
                description,
                schema: schema(),
            });
        }
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        let text = self.values.remove(name)?;
        let number = text.parse().map_err(|_| Invalid::new("must be a whole number"));
        self.errors.take(name, number)
    }
}

impl<P, S: Send + Sync> FromRequestParts<S> for Query<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut given = Given::default();
        // A query that cannot be decoded at all has no names to report: it is refused as a whole.
        let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| {
            Problem::invalid(FieldErrors::one(
                "query",
                "must be written as `name=value&name=value`",
            ))
        })?;
        for (name, value) in pairs.0 {
            if given.values.insert(name.clone(), value).is_some() {
                given.errors.add(&name, "must be given once");
            }
        }
        Ok(Self {
            given,
            parameters: PhantomData,
        })
    }
}

impl<P: Parameters> Input for Query<P> {
    fn describe(shape: &mut Shape) {
        let mut given = Given {
            asked: Some(Vec::new()),
            ..Given::default()
        };
        P::read(&mut given);
        shape.query = given.asked.unwrap_or_default();
        shape.problems.add(422, &["invalid"]);
    }
}

/// The words of a type, and the same with `-` in front.
fn both_ways<T: JsonSchema>() -> Schema {
    let mut schema = schemas::of::<T>();
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        let down = words
            .iter()
            .filter_map(|word| Some(format!("-{}", word.as_str()?).into()));
        words.extend(down.collect::<Vec<Value>>());
    }
    schema
}
