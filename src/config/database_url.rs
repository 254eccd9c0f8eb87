//! The URL of the database, which may hold a password.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::domain::invalid::Invalid;

/// A `sqlite:`, `postgres:` or `postgresql:` URL; shown without its password.
#[derive(Clone)]
pub struct DatabaseUrl(SecretString);

impl DatabaseUrl {
    /// Takes over a URL; whether the database answers is found out when it is opened.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (scheme, rest) = text.split_once(':').unwrap_or_default();
        let known = match scheme {
            // In memory, each connection would have a database of its own.
            "sqlite" => !matches!(rest, "" | "//" | ":memory:" | "//:memory:") && !rest.contains('?'),
            "postgres" | "postgresql" => rest.strip_prefix("//").is_some_and(|host| !host.is_empty()),
            _ => false,
        };
        if !known {
            return Err(Invalid::new(
                "must be `sqlite:` with a path or `postgres://user:password@host/database`",
            ));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new("must not contain control characters"));
        }
        Ok(Self(text.to_owned().into()))
    }

    /// The whole URL, for opening the database.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Display for DatabaseUrl {
    /// Without user, password and parameters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, _) = self.expose().split_once('?').unwrap_or((self.expose(), ""));
        match (place.split_once("://"), place.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, place))) => write!(f, "{scheme}://…@{place}"),
            _ => f.write_str(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("sqlite:/var/lib/x.db", "sqlite:/var/lib/x.db")]
    #[case(
        "postgres://ann:s3cret@db.example/switchyard",
        "postgres://…@db.example/switchyard"
    )]
    #[case("postgres://ann:p@ss@db.example/s?password=x", "postgres://…@db.example/s")]
    #[case("postgresql://db.example/s?user=ann&password=x", "postgresql://db.example/s")]
    fn a_url_is_shown_without_what_is_secret(#[case] text: &str, #[case] shown: &str) {
        let url = DatabaseUrl::parse(text).ok().unwrap();
        assert_eq!(url.to_string(), shown);
        assert_eq!(url.expose(), text);
    }

    #[rstest]
    #[case("mysql://x/y")]
    #[case("/var/lib/x.db")]
    #[case("sqlite:")]
    #[case("sqlite::memory:")]
    #[case("sqlite:x.db?mode=ro")]
    #[case("postgres:")]
    #[case("postgres://")]
    #[case("")]
    fn other_databases_are_refused(#[case] text: &str) {
        assert!(DatabaseUrl::parse(text).is_err());
    }
}
