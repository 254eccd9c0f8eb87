//! Events, in both forms in which they are sent.

use std::fmt::Write as _;

use super::identity::{Names, Novelties, local, written};

/// Letters that the plain form writes as `%` and a number; others beyond ASCII too.
const ESCAPED: &str = "\r\n #%&+:;<=>?@[\\]^`{|}\"";

/// In which form somebody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Json,
    Plain,
}

/// One event.
#[derive(Debug, Clone, Default)]
pub struct Event {
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Event {
    /// An event that begins with these headers, before those that each has.
    pub fn opening(headers: &[(&str, &str)]) -> Self {
        let mut event = Self::default();
        for (key, value) in headers {
            event.push(key, value);
        }
        event
    }

    pub fn push(&mut self, key: &str, value: &str) {
        self.headers.push((key.to_owned(), value.to_owned()));
    }

    pub fn set_body(&mut self, body: &str) {
        self.body = Some(body.to_owned());
    }

    /// The headers that each event has: who sends it, when, and from which line of FreeSWITCH.
    pub fn signed(mut self, name: &str, names: &Names, new: &Novelties, source: [&str; 3]) -> Self {
        let micros = new.micros();
        let [file, function, line] = source;
        for (key, value) in [
            ("Event-Name", name),
            ("Core-UUID", &names.core_uuid),
            ("FreeSWITCH-Hostname", &names.hostname),
            ("FreeSWITCH-Switchname", &names.hostname),
            ("FreeSWITCH-IPv4", &names.ipv4),
            ("FreeSWITCH-IPv6", &names.ipv6),
            ("Event-Date-Local", &local(micros)),
            ("Event-Date-GMT", &written(micros, "%a, %d %b %Y %H:%M:%S GMT")),
            ("Event-Date-Timestamp", &micros.to_string()),
            ("Event-Calling-File", file),
            ("Event-Calling-Function", function),
            ("Event-Calling-Line-Number", line),
            ("Event-Sequence", &new.number().to_string()),
        ] {
            self.push(key, value);
        }
        self
    }

    /// The last value under a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().rev();
        found
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The message that carries it.
    pub fn message(&self, form: Form) -> Vec<u8> {
        let (kind, text) = match form {
            Form::Json => ("json", self.json()),
            Form::Plain => ("plain", self.plain()),
        };
        // The length comes before the type, unlike in an answer.
        format!(
            "Content-Length: {}\nContent-Type: text/event-{kind}\n\n{text}",
            text.len()
        )
        .into_bytes()
    }

    pub fn plain(&self) -> String {
        let mut out = String::new();
        for (key, value) in &self.headers {
            let _ = writeln!(out, "{key}: {}", escaped(value));
        }
        if let Some(body) = &self.body {
            let _ = write!(out, "Content-Length: {}\n\n{body}", body.len());
        } else {
            out.push('\n');
        }
        out
    }

    fn json(&self) -> String {
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let length = self.body.as_ref().map(|body| body.len().to_string());
        let mut members: Vec<String> = Vec::new();
        let headers = self
            .headers
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()));
        let length = length.iter().map(|length| ("Content-Length", length.as_str()));
        let body = self.body.iter().map(|body| ("_body", body.as_str()));
        for (key, value) in headers.chain(length).chain(body) {
            members.push(format!("{}:{}", text(key), text(value)));
        }
        format!("{{{}}}", members.join(","))
    }
}

fn escaped(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        if byte.is_ascii() && !ESCAPED.contains(char::from(byte)) && byte >= 0x20 {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
