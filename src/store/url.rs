//! The database's URL, which chooses between SQLite and PostgreSQL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::domain::invalid::Invalid;

/// `sqlite:PATH`, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or with the directory of a socket in the place of the host.
/// Shown without the password.
#[derive(Clone)]
pub struct DatabaseUrl(pub(super) Place);

#[derive(Clone)]
pub(super) enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl DatabaseUrl {
    /// A database in a file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Place::Sqlite(path.into()))
    }

    /// The file, where it is one of this host.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Place::Sqlite(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            // The parser would make one up.
            if !names_a_user(text) {
                return Err(Invalid::new(
                    "must name the user, as in `postgres://USER@HOST/DATABASE`, over a socket \
                     `postgres://USER@%2Frun%2Fpostgresql/DATABASE`",
                ));
            }
            // The parser's own error may repeat the password.
            let options = text.parse().map_err(|_| {
                Invalid::new(
                    "must be `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, special characters as %XX",
                )
            })?;
            return Ok(Self(Place::Postgres(Box::new(options))));
        }
        let path = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"));
        match path {
            // Each connection would have a memory of its own.
            Some(":memory:" | "") => Err(Invalid::new("must name a file")),
            Some(path) if path.contains('?') => Err(Invalid::new("must be `sqlite:PATH` without options")),
            Some(path) => Ok(Self::sqlite(path)),
            None => Err(Invalid::new("must begin with `sqlite:` or `postgres://`")),
        }
    }
}

fn names_a_user(url: &str) -> bool {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let authority = before
        .split_once("://")
        .map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let given = authority
        .and_then(|authority| authority.rsplit_once('@'))
        .is_some_and(|(user, _)| !user.is_empty() && !user.starts_with(':'));
    let parameter = |part: &str| part.strip_prefix("user=").is_some_and(|user| !user.is_empty());
    given || query.split('&').any(parameter)
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Place::Postgres(options) => {
                let database = options.get_database().unwrap_or(options.get_username());
                let port = options.get_port();
                match options.get_socket() {
                    Some(socket) => write!(f, "postgres:///{database}?host={}&port={port}", socket.display()),
                    None => write!(f, "postgres://{}:{port}/{database}", options.get_host()),
                }
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("sqlite:/var/lib/x.db", "sqlite:/var/lib/x.db")]
    #[case("sqlite:///var/lib/x.db", "sqlite:/var/lib/x.db")]
    #[case("sqlite:x.db", "sqlite:x.db")]
    #[case(
        "postgres://ann:hunter2@db.example:5433/pbx",
        "postgres://db.example:5433/pbx"
    )]
    #[case(
        "postgresql://ann:hunter2@db.example:5433/pbx",
        "postgres://db.example:5433/pbx"
    )]
    #[case(
        "postgres://ann:hunter2@%2Frun%2Fpostgresql/pbx",
        "postgres:///pbx?host=/run/postgresql&port=5432"
    )]
    #[case(
        "postgres:///pbx?host=/run/postgresql&user=ann&password=hunter2",
        "postgres:///pbx?host=/run/postgresql&port=5432"
    )]
    fn a_url_is_shown_without_its_password(#[case] text: &str, #[case] shown: &str) {
        let url: DatabaseUrl = text.parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), format!("{shown} {shown}"));
    }

    #[rstest]
    #[case("")]
    #[case("x.db")]
    #[case("mysql://localhost/x")]
    #[case("sqlite:")]
    #[case("sqlite::memory:")]
    #[case("sqlite://:memory:")]
    #[case("sqlite:x.db?mode=ro")]
    #[case("postgres://ann:hunter2@[/pbx")]
    #[case("postgres://db.example/pbx")]
    #[case("postgres://:hunter2@db.example/pbx")]
    #[case("postgres:///pbx?host=/run/postgresql&user=")]
    fn anything_else_is_refused_without_repeating_it(#[case] text: &str) {
        let error = text.parse::<DatabaseUrl>().unwrap_err();
        assert!(!error.reason().contains("hunter2"));
    }
}
