//! `If-Match` (RFC 9110, section 13.1.1): which version a change is meant for.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use schemars::json_schema;

use super::body::reason;
use super::openapi::shape::{Input, Parameter, Shape};
use super::problem::Problem;
use crate::app::precondition::IfMatch;
use crate::auth::denied::Denied;

/// `*`, or tags that visible ASCII characters are written with, as those of ours are.
const LIST: &str = "^([*]|(W/)?\"[!#-~]*\"( *, *(W/)?\"[!#-~]*\")*)$";

/// The version that a request is meant for, not looked at so far.
pub struct Precondition {
    headers: HeaderMap,
    reason: Result<(), Denied>,
}

impl Precondition {
    /// What the request says; 400 where it cannot be read, once it is known why there is to be a change.
    pub fn if_match(self) -> Result<IfMatch, Problem> {
        self.reason?;
        if_match(&self.headers)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Precondition {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            headers: parts.headers.clone(),
            reason: reason(&parts.extensions),
        })
    }
}

impl Input for Precondition {
    fn describe(shape: &mut Shape) {
        shape.headers.push(Parameter {
            name: "If-Match",
            description: "Only of a version that it names, as `ETag` gave it; `*` is any.",
            schema: json_schema!({"type": "string", "pattern": LIST}),
        });
        shape.problems.add(400, &["if_match_malformed"]);
        shape.problems.add(412, &["precondition_failed"]);
    }
}

/// What the request says; 400 where it cannot be read.
///
/// `*` is whichever version there is, since the thing has been found before. Weak tags are left out: they never match here.
fn if_match(headers: &HeaderMap) -> Result<IfMatch, Problem> {
    let mut values = headers.get_all(IF_MATCH).iter().peekable();
    if values.peek().is_none() {
        return Ok(IfMatch::Any);
    }
    // Several lines are one list.
    let lines: Vec<&[u8]> = values.map(HeaderValue::as_bytes).collect();
    read(&lines.join(&b","[..])).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "if_match_malformed",
            "write `If-Match` as `*` or as tags in quotes, as `ETag` gave them: `\"3\"`",
        )
    })
}

fn read(list: &[u8]) -> Option<IfMatch> {
    if list.trim_ascii() == b"*" {
        return Some(IfMatch::Any);
    }
    let (mut tags, mut any) = (Vec::new(), false);
    let mut rest = list.trim_ascii();
    while !rest.is_empty() {
        // An empty place in a list means nothing.
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
            continue;
        }
        let strong = rest.strip_prefix(b"W/");
        let (tag, after) = quoted(strong.unwrap_or(rest))?;
        any = true;
        if strong.is_none() {
            // Bytes that are no text are in no tag of ours.
            tags.push(String::from_utf8_lossy(tag).into_owned());
        }
        rest = after.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
    any.then_some(IfMatch::OneOf(tags))
}

/// What stands between quotes, and what follows them.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let end = text.iter().position(|byte| *byte == b'"')?;
    let (tag, after) = text.split_at_checked(end)?;
    let allowed = |byte: &u8| *byte > b' ' && *byte != 0x7f;
    Some((
        tag.iter().all(allowed).then_some(tag)?,
        after.strip_prefix(b"\"")?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn tags(tags: &[&str]) -> IfMatch {
        IfMatch::OneOf(tags.iter().map(|tag| (*tag).to_owned()).collect())
    }

    #[rstest]
    #[case("*", IfMatch::Any)]
    #[case(" * ", IfMatch::Any)]
    #[case("\"3\"", tags(&["3"]))]
    #[case("\"\"", tags(&[""]))]
    #[case("\"1\", \"2\"", tags(&["1", "2"]))]
    #[case("\"1\",\"a,b\" ,, \"2\",", tags(&["1", "a,b", "2"]))]
    #[case("W/\"1\"", tags(&[]))]
    #[case("W/\"1\", \"2\"", tags(&["2"]))]
    fn good_ones_are_read(#[case] text: &str, #[case] expected: IfMatch) {
        assert_eq!(read(text.as_bytes()), Some(expected));
    }

    #[rstest]
    #[case("")]
    #[case(",")]
    #[case("3")]
    #[case("\"3")]
    #[case("3\"")]
    #[case("'3'")]
    #[case("*, \"3\"")]
    #[case("\"3\" \"4\"")]
    #[case("\"3\"; \"4\"")]
    #[case("w/\"3\"")]
    #[case("W/ \"3\"")]
    #[case("\"a b\"")]
    fn others_are_not(#[case] text: &str) {
        assert_eq!(read(text.as_bytes()), None);
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        assert_eq!(if_match(&headers).unwrap(), IfMatch::Any);
        headers.append(IF_MATCH, HeaderValue::from_static("\"1\""));
        headers.append(IF_MATCH, HeaderValue::from_static("\"2\""));
        assert_eq!(if_match(&headers).unwrap(), tags(&["1", "2"]));
        headers.append(IF_MATCH, HeaderValue::from_bytes(b"\"\xff\"").unwrap());
        assert_eq!(if_match(&headers).unwrap(), tags(&["1", "2", "\u{fffd}"]));
        headers.append(IF_MATCH, HeaderValue::from_static("*"));
        assert_eq!(if_match(&headers).unwrap_err().status(), 400);
    }
}
