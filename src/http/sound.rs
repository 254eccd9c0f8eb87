//! The sound of a recording as an answer: the whole of it, or the one part that a request names (RFC 9110, 14).

use std::convert::Infallible;
use std::io;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_RANGE, RANGE,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::try_unfold;
use http_range_header::parse_range_header;
use schemars::json_schema;

use super::answer::Answer;
use super::openapi::shape::{Input, Media, Parameter, Reply, Shape};
use super::problem::Problem;
use crate::app::recordings::{self, Bytes, Sound};
use crate::domain::recording::SoundFormat;

/// The part that a request asks for, if it asks for one.
#[derive(Default)]
pub struct Part {
    range: Option<String>,
    is_head: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Part {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // A part only of what it had before: it may ask for the whole then, and gets that.
        let is_conditional = parts.headers.contains_key(IF_RANGE);
        let range = parts.headers.get(RANGE).filter(|_| !is_conditional);
        Ok(Self {
            range: range.and_then(|range| range.to_str().ok()).map(str::to_owned),
            is_head: parts.method == Method::HEAD,
        })
    }
}

impl Input for Part {
    fn describe(shape: &mut Shape) {
        shape.headers.push(Parameter {
            name: "Range",
            description: "The bytes that are asked for, such as `bytes=0-65535`. Several ranges get the whole.",
            schema: json_schema!({"type": "string"}),
        });
        shape.problems.add(416, &["range_not_satisfiable"]);
    }
}

impl Part {
    /// Whether nothing of it is to be given (RFC 9110, 9.3.2).
    #[must_use]
    pub const fn is_head(&self) -> bool {
        self.is_head
    }

    /// What that is of so many bytes.
    pub fn of(&self, length: u64) -> Result<Bytes, Problem> {
        let Some(range) = &self.range else {
            return Ok(Bytes::Whole);
        };
        // What cannot be read as a range is none, and gets the whole (RFC 9110, 14.2).
        let Ok(ranges) = parse_range_header(range) else {
            return Ok(Bytes::Whole);
        };
        // Several get the whole, also where they overlap.
        if ranges.ranges.len() > 1 {
            return Ok(Bytes::Whole);
        }
        let ranges = ranges
            .validate(length)
            .map_err(|_| Problem::out_of_range(length))?;
        Ok(match ranges.as_slice() {
            [range] => Bytes::From {
                first: *range.start(),
                last: *range.end(),
            },
            _ => Bytes::Whole,
        })
    }
}

/// The sound itself.
pub struct SoundAnswer {
    sound: Sound,
    format: Option<SoundFormat>,
    tag: String,
    /// The name that it is kept under; none where it is to be heard.
    name: Option<String>,
}

impl SoundAnswer {
    /// To be heard.
    #[must_use]
    pub fn to_hear(sound: Sound) -> Self {
        Self::new(sound, false)
    }

    /// To be kept.
    #[must_use]
    pub fn to_keep(sound: Sound) -> Self {
        Self::new(sound, true)
    }

    fn new(sound: Sound, is_kept: bool) -> Self {
        let format = sound.recording.path.format();
        let ending = format.map_or("bin", SoundFormat::as_str);
        Self {
            format,
            tag: format!("\"{}\"", recordings::tag(&sound.recording)),
            name: is_kept.then(|| format!("{}.{ending}", sound.recording.id)),
            sound,
        }
    }
}

impl IntoResponse for SoundAnswer {
    fn into_response(self) -> Response {
        let (bytes, length) = (self.sound.bytes, self.sound.length);
        let (status, size) = match bytes {
            Bytes::Whole => (StatusCode::OK, length),
            Bytes::From { first, last } => (StatusCode::PARTIAL_CONTENT, last.saturating_sub(first) + 1),
        };
        let pieces = try_unfold(self.sound, async |mut sound| {
            let piece = sound.next().await?;
            Ok::<_, io::Error>((!piece.is_empty()).then_some((piece, sound)))
        });
        let body = Body::from_stream(pieces);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let media_type = self
            .format
            .map_or("application/octet-stream", SoundFormat::media_type);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(size));
        let mut text = |name, value: String| {
            // Of digits, letters and our own words.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        };
        text(ETAG, self.tag);
        if let Bytes::From { first, last } = bytes {
            text(CONTENT_RANGE, format!("bytes {first}-{last}/{length}"));
        }
        match self.name {
            Some(name) => text(CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
            None => text(CONTENT_DISPOSITION, "inline".to_owned()),
        }
        response
    }
}

impl Answer for SoundAnswer {
    fn replies() -> Vec<Reply> {
        let body: Vec<Media> = SoundFormat::ALL
            .iter()
            .map(|format| Media {
                name: format.media_type(),
                schema: |_| json_schema!({}),
            })
            .collect();
        let ranges = Parameter {
            name: "Accept-Ranges",
            description: "That parts can be asked for.",
            schema: json_schema!({"const": "bytes"}),
        };
        let tag = Parameter {
            name: "ETag",
            description: "The version of the file, for `If-Match`.",
            schema: json_schema!({"type": "string"}),
        };
        let which = Parameter {
            name: "Content-Range",
            description: "Which bytes these are, and how many there are.",
            schema: json_schema!({"type": "string"}),
        };
        vec![
            Reply {
                status: 200,
                body: body.clone(),
                headers: vec![ranges.clone(), tag.clone()],
            },
            Reply {
                status: 206,
                body,
                headers: vec![ranges, tag, which],
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, Some(Bytes::Whole))]
    #[case(Some("bytes=0-9"), Some(Bytes::From { first: 0, last: 9 }))]
    #[case(Some("bytes=90-"), Some(Bytes::From { first: 90, last: 99 }))]
    #[case(Some("bytes=-10"), Some(Bytes::From { first: 90, last: 99 }))]
    #[case(Some("bytes=0-1,5-6"), Some(Bytes::Whole))]
    #[case(Some("bytes=0-5,3-8"), Some(Bytes::Whole))]
    #[case(Some("bytes=100-"), None)]
    #[case(Some("seconds=1-2"), Some(Bytes::Whole))]
    fn a12_a_part_is_what_a_range_names(#[case] range: Option<&str>, #[case] expected: Option<Bytes>) {
        let range = range.map(str::to_owned);
        let part = Part {
            range,
            is_head: false,
        };
        assert_eq!(part.of(100).ok(), expected);
    }
}
