//! Requests to the service, and answers that are held to what every answer promises.

use std::sync::PoisonError;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::server::Server;
use super::support::contract::{self, Answered, Asked};

/// A request that is being put together.
#[must_use]
#[derive(Clone)]
pub struct Ask<'a> {
    server: &'a Server,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// Null where there is none.
    pub body: Value,
}

impl<'a> Ask<'a> {
    /// `path` without `/api/v1` in front.
    pub fn new(server: &'a Server, method: Method, path: &str) -> Self {
        Self {
            server,
            method,
            path: format!("/api/v1{path}"),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// Another path, from the root on.
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Sets a header.
    pub fn with(self, name: &str, value: &str) -> Self {
        self.with_bytes(name, value.as_bytes())
    }

    pub fn with_bytes(mut self, name: &str, value: &[u8]) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.insert(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn in_tenant(self, id: &str) -> Self {
        self.with("x-operate-as-tenant", id)
    }

    pub fn json(self, body: &Value) -> Self {
        self.with("content-type", "application/json")
            .bytes(body.to_string())
    }

    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it and checks what holds for every answer.
    pub async fn send(self) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.send_to_broken().await;
        assert!(answer.status < 500, "{what}: {answer:?}");
        answer
    }

    /// Sends it and gives the answer unread.
    pub async fn open(self) -> Response {
        self.prepared().send().await.unwrap()
    }

    fn prepared(&self) -> RequestBuilder {
        let url = format!("http://{}{}", self.server.address, self.path);
        let request = self
            .server
            .client
            .request(self.method.clone(), url)
            .headers(self.headers.clone())
            .timeout(Duration::from_mins(1));
        match &self.body {
            Some(body) => request.body(body.clone()),
            None => request,
        }
    }

    /// The same, where the test has broken something that the server needs.
    pub async fn send_to_broken(self) -> Answer {
        let response = self.prepared().send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        // What happens in a tenant has no end.
        let endless = status == 200 && self.path.starts_with("/api/v1/events");
        let text = if endless {
            let mut response = response;
            let first = response.chunk().await.unwrap().unwrap_or_default();
            String::from_utf8(first.to_vec()).unwrap()
        } else {
            response.text().await.unwrap()
        };
        let answer = Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        };
        let what = format!("{} {}: {answer:?}", self.method, self.path);
        let json = self
            .body
            .as_ref()
            .and_then(|body| serde_json::from_slice(body).ok());
        let asked = Asked {
            method: self.method.as_str(),
            path: &self.path,
            json: json.as_ref(),
        };
        let answered = Answered {
            status: answer.status,
            media_type: answer.header("content-type"),
            body: &answer.body,
        };
        contract::check(&asked, &answered);
        answer.check(&self.method, &what);
        answer.check_secrets(self.server, &self.method, &self.path, &what);
        answer
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The `data` of an answer with this status.
    pub fn data(&self, status: u16) -> &Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
            .get("data")
            .unwrap_or_else(|| panic!("no data: {}", self.text))
    }

    /// Status and code of a problem.
    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// The fields that a 422 names.
    pub fn fields(&self) -> Vec<&str> {
        assert_eq!(self.code(), (422, "invalid"), "{}", self.text);
        let errors = self.body["errors"].as_object().unwrap();
        assert!(!errors.is_empty(), "{}", self.text);
        for reasons in errors.values() {
            let texts = reasons.as_array().unwrap();
            assert!(
                !texts.is_empty() && texts.iter().all(Value::is_string),
                "{}",
                self.text
            );
        }
        errors.keys().map(String::as_str).collect()
    }

    fn check(&self, method: &Method, what: &str) {
        assert!(!self.header("x-request-id").is_empty(), "{what}");
        assert_eq!(self.header("cache-control"), "no-store", "{what}");
        if method == Method::HEAD || self.status == 204 {
            assert_eq!(self.text, "", "{what}");
        } else if self.status >= 400 {
            assert_eq!(self.header("content-type"), "application/problem+json", "{what}");
            assert_eq!(self.body["status"], self.status, "{what}");
            let code = self.body["code"].as_str().unwrap();
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{what}"
            );
            for member in ["title", "detail"] {
                assert!(
                    self.body[member].as_str().is_some_and(|text| !text.is_empty()),
                    "{what}"
                );
            }
        }
    }

    /// What was shown once is shown nowhere else, but where it is asked for.
    fn check_secrets(&self, server: &Server, method: &Method, path: &str, what: &str) {
        if path.ends_with("/reveal-secret") {
            return;
        }
        let before = server
            .shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for secret in before {
            assert!(!self.text.contains(&secret), "shows a secret: {what}");
        }
        let made = ["/extensions", "/api-keys", "/rotate", "/webhooks"];
        let shows = path.ends_with("/rotate-secret")
            || method == Method::POST && made.iter().any(|end| path.ends_with(end));
        if let Some(link) = self.body["data"]["invitation"]["link"].as_str() {
            let (_, token) = link.split_once("#token=").unwrap();
            server.remember(token);
        }
        match self.body["data"]["secret"].as_str() {
            Some(secret) if shows => server.remember(secret),
            Some(_) => panic!("shows a secret: {what}"),
            None => {}
        }
    }
}
