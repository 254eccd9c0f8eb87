//! The shape of a handler: what it reads and what it answers, as the types in its signature tell.

use std::collections::{BTreeMap, BTreeSet};

use axum::Extension;
use axum::extract::State;
use schemars::{Schema, SchemaGenerator};

use crate::auth::caller::{Caller, Origin};

/// Makes the JSON schema of a type, in the document that it is to stand in.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// All that a handler reads and answers.
#[derive(Default)]
pub struct Shape {
    /// Whether it asks who is calling.
    pub caller: bool,
    /// The schema of the path's parameter.
    pub id: Option<Schema>,
    /// The query's parameters.
    pub query: Vec<Parameter>,
    /// The headers that it looks at.
    pub headers: Vec<Parameter>,
    /// The body, by media type; none where it takes no body.
    pub body: Vec<Media>,
    /// What it answers when all is well.
    pub replies: Vec<Reply>,
    /// What it answers otherwise.
    pub problems: Problems,
}

/// A parameter of a query, or a header.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// As it is written.
    pub name: &'static str,
    /// What it is for; empty where the schema says it.
    pub description: &'static str,
    /// What it may hold.
    pub schema: Schema,
}

/// One form of a body.
#[derive(Clone)]
pub struct Media {
    /// Such as `application/json`.
    pub name: &'static str,
    /// What it holds.
    pub schema: SchemaOf,
}

/// One good answer.
#[derive(Clone)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its body; none where there is none.
    pub body: Vec<Media>,
    /// Its headers, beside those that every answer has.
    pub headers: Vec<Parameter>,
}

/// The codes of problems by status.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Problems(BTreeMap<u16, BTreeSet<&'static str>>);

impl Problems {
    /// Adds codes to a status.
    pub fn add(&mut self, status: u16, codes: &[&'static str]) {
        self.0.entry(status).or_default().extend(codes);
    }

    /// Adds all of those.
    pub fn extend(&mut self, others: &Self) {
        for (status, codes) in &others.0 {
            self.0.entry(*status).or_default().extend(codes);
        }
    }

    /// By status.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &BTreeSet<&'static str>)> {
        self.0.iter().map(|(status, codes)| (*status, codes))
    }
}

impl Shape {
    /// Whether a request may bring a header.
    #[must_use]
    pub fn reads_header(&self, name: &str) -> bool {
        self.headers.iter().any(|header| header.name == name)
    }

    /// Whether it answers with events that go on.
    #[must_use]
    pub fn streams(&self) -> bool {
        let bodies = self.replies.iter().flat_map(|reply| &reply.body);
        bodies.into_iter().any(|media| media.name == "text/event-stream")
    }
}

/// What a handler takes as an argument, and what may be wrong with it.
pub trait Input {
    /// Adds itself.
    fn describe(shape: &mut Shape);
}

/// Not of the request.
impl<T> Input for State<T> {
    fn describe(_: &mut Shape) {}
}

/// Not of the request.
impl<T> Input for Extension<T> {
    fn describe(_: &mut Shape) {}
}

/// Not of what is asked.
impl Input for Origin {
    fn describe(_: &mut Shape) {}
}

/// What may be wrong with a caller is asked for by the route.
impl Input for Caller {
    fn describe(shape: &mut Shape) {
        shape.caller = true;
    }
}
