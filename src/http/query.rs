//! The parameters of a request's query: each is asked for by name, and what nobody asked for is refused.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Query as Pairs};
use axum::http::request::Parts;

use super::problem::Problem;
use crate::domain::invalid::{FieldErrors, Invalid};
use crate::domain::page::PageRequest;

/// The longest text that is searched for.
const LONGEST_TEXT: usize = 200;

/// All parameters; a handler takes those it knows and then calls [`Self::finish`].
///
/// A handler does so once it has found what the path names: 404 goes before 422.
#[derive(Debug)]
pub struct Query {
    given: BTreeMap<String, String>,
    errors: FieldErrors,
}

impl Query {
    /// A parameter that need not be there.
    pub fn optional<T: FromStr<Err = Invalid>>(&mut self, name: &str) -> Option<T> {
        let text = self.given.remove(name)?;
        self.errors.take(name, text.parse())
    }

    /// A text that need not be there: 1 to 200 characters, none of them a control character, which no text that is
    /// stored holds and PostgreSQL partly refuses.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let text = self.given.remove(name)?;
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
    pub fn choice(&mut self, name: &str) -> Option<bool> {
        let text = self.given.remove(name)?;
        let choice = text
            .parse()
            .map_err(|_| Invalid::new("must be `true` or `false`"));
        self.errors.take(name, choice)
    }

    /// `true`, `false`, or the bare name for `true`; absent is `false`.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.given.remove(name).as_deref() {
            None | Some("false") => false,
            Some("" | "true") => true,
            Some(_) => {
                self.errors.add(name, "must be `true` or `false`");
                false
            }
        }
    }

    /// `sort`: what a list is sorted by, with `-` in front for the other way round.
    pub fn sort<T: FromStr<Err = Invalid>>(&mut self) -> Option<(T, bool)> {
        let text = self.given.remove("sort")?;
        let (word, descending) = text
            .strip_prefix('-')
            .map_or((text.as_str(), false), |word| (word, true));
        let by = self.errors.take("sort", word.parse())?;
        Some((by, descending))
    }

    /// `page` and `per_page`.
    pub fn page(&mut self) -> PageRequest {
        let page = self.number("page").unwrap_or(PageRequest::default().page());
        self.page_of(page)
    }

    /// `per_page` alone, of a list whose pages begin at a cursor.
    pub fn per_page(&mut self) -> i64 {
        self.page_of(1).per_page()
    }

    fn page_of(&mut self, page: i64) -> PageRequest {
        let usual = PageRequest::default();
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

    /// Refuses the request when a parameter was wrong, or one is left over.
    pub fn finish(mut self) -> Result<(), Problem> {
        for name in self.given.keys() {
            self.errors.add(name, "is not a parameter of this route");
        }
        Ok(self.errors.check()?)
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        let text = self.given.remove(name)?;
        let number = text.parse().map_err(|_| Invalid::new("must be a whole number"));
        self.errors.take(name, number)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut query = Self {
            given: BTreeMap::new(),
            errors: FieldErrors::default(),
        };
        // A query that cannot be decoded at all has no names to report: it is refused as a whole.
        let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| {
            Problem::invalid(FieldErrors::one(
                "query",
                "must be written as `name=value&name=value`",
            ))
        })?;
        for (name, value) in pairs.0 {
            if query.given.insert(name.clone(), value).is_some() {
                query.errors.add(&name, "must be given once");
            }
        }
        Ok(query)
    }
}
