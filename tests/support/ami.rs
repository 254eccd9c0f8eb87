//! A second reader of the manager interface, which shares no code with the one under test.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use secrecy::ExposeSecret;
use switchyard::daemon::private_pbx::PrivatePbx;

/// The fields of one message, in order.
pub type Fields = Vec<(String, String)>;

/// The first value of a field.
pub fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// A signed-in connection.
pub struct Ami {
    stream: BufReader<TcpStream>,
}

impl Ami {
    /// Signs in with the account for looking from outside.
    pub fn outside(pbx: &PrivatePbx) -> Self {
        Self::with_outside_account(pbx, "off")
    }

    /// The same, and hears what happens from now on.
    pub fn listening(pbx: &PrivatePbx) -> Self {
        Self::with_outside_account(pbx, "on")
    }

    fn with_outside_account(pbx: &PrivatePbx, events: &str) -> Self {
        let account = pbx.outside();
        let secret = account.secret.expose_secret();
        Self::session(pbx.settings().ami_port, &account.username, secret, events)
    }

    /// Signs in with any account.
    pub fn sign_in(port: u16, username: &str, secret: &str) -> Self {
        Self::session(port, username, secret, "off")
    }

    fn session(port: u16, username: &str, secret: &str, events: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut ami = Self {
            stream: BufReader::new(stream),
        };
        let banner = ami.line();
        assert!(banner.starts_with("Asterisk Call Manager/"), "{banner}");
        let login = ami.ask(
            "Login",
            &[("Username", username), ("Secret", secret), ("Events", events)],
        );
        assert_eq!(field(&login, "Response"), Some("Success"), "{login:?}");
        ami
    }

    /// One action and its single answer.
    pub fn ask(&mut self, action: &str, headers: &[(&str, &str)]) -> Fields {
        self.send(action, headers);
        loop {
            let message = self.message();
            if field(&message, "Response").is_some() {
                return message;
            }
        }
    }

    /// One action, with the events that came before its answer.
    pub fn events_until(&mut self, action: &str) -> Vec<Fields> {
        self.send(action, &[]);
        let mut events = Vec::new();
        loop {
            let message = self.message();
            if field(&message, "Response").is_some() {
                return events;
            }
            events.push(message);
        }
    }

    /// One action and the events of its list; none where Asterisk answers that there is nothing.
    pub fn list(&mut self, action: &str, headers: &[(&str, &str)]) -> Vec<Fields> {
        let answer = self.ask(action, headers);
        let mut events = Vec::new();
        if field(&answer, "EventList") != Some("start") {
            return events;
        }
        loop {
            let event = self.message();
            if field(&event, "EventList") == Some("Complete") {
                return events;
            }
            events.push(event);
        }
    }

    /// The caller id of an endpoint; `None` where there is no such.
    pub fn caller_id(&mut self, endpoint: &str) -> Option<String> {
        let events = self.list("PJSIPShowEndpoint", &[("Endpoint", endpoint)]);
        events
            .iter()
            .find(|event| field(event, "Event") == Some("EndpointDetail"))
            .and_then(|event| field(event, "Callerid").map(str::to_owned))
    }

    /// What a line of Asterisk's console prints.
    pub fn console(&mut self, line: &str) -> Vec<String> {
        let answer = self.ask("Command", &[("Command", line)]);
        answer
            .into_iter()
            .filter(|(key, _)| key == "Output")
            .map(|(_, value)| value)
            .collect()
    }

    /// Waits for an event of a kind; gives all that were heard up to it.
    pub fn heard_until(&mut self, mut is_last: impl FnMut(&Fields) -> bool) -> Vec<Fields> {
        let mut heard = Vec::new();
        loop {
            let message = self.message();
            let last = is_last(&message);
            heard.push(message);
            if last {
                return heard;
            }
        }
    }

    fn send(&mut self, action: &str, headers: &[(&str, &str)]) {
        let mut text = format!("Action: {action}\r\n");
        for (key, value) in headers {
            let _ = write!(text, "{key}: {value}\r\n");
        }
        text.push_str("\r\n");
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn message(&mut self) -> Fields {
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                return fields;
            }
            let (key, value) = line.split_once(':').unwrap_or((&line, ""));
            // One blank belongs to the protocol, the others to the value.
            let value = value.strip_prefix(' ').unwrap_or(value);
            fields.push((key.to_owned(), value.to_owned()));
        }
    }

    fn line(&mut self) -> String {
        let mut bytes = Vec::new();
        self.stream.read_until(b'\n', &mut bytes).unwrap();
        assert!(bytes.ends_with(b"\n"), "the manager connection was closed");
        let line = String::from_utf8(bytes).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }
}
