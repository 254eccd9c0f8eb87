//! FusionPBX's PostgreSQL, with its errors told by what is known afterwards.

use std::io;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::domain::instance::{FusionPbxSettings, Tls};
use crate::driver::DriverError;

/// How long the answer to one question may take. A peer that went without a word would be waited for without an end.
const ANSWER: Duration = Duration::from_secs(30);
/// The same for all rows, which are read and written in seconds where there are twenty thousand extensions.
const WORK: Duration = Duration::from_mins(5);
/// Nobody may keep us waiting for longer, or be kept waiting by us: the web interface holds locks for milliseconds, and a trial
/// whose process does not go on, or whose host went without a word, is ended by the server, which lets its locks go. Those of
/// the network are set where the server has them.
const LIMITS: &str = "set lock_timeout = '10s'; set statement_timeout = '120s'; \
    set idle_in_transaction_session_timeout = '10s'; \
    select set_config(name, wanted, false) from (values ('tcp_keepalives_idle', '30'), \
    ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '60000')) w (name, wanted) \
    where current_setting(name, true) is not null";

/// FusionPBX's database. A connection is kept for the next question.
pub struct Database {
    /// None without a password: nobody signs in with an empty one.
    options: Option<PgConnectOptions>,
    answer: Duration,
    work: Duration,
    kept: Mutex<Option<PgConnection>>,
}

impl Database {
    /// Connects once it is asked.
    pub fn new(settings: &FusionPbxSettings, password: Option<&SecretString>) -> Self {
        Self {
            options: password.map(|password| options(settings, password)),
            answer: ANSWER,
            work: WORK,
            kept: Mutex::default(),
        }
    }

    /// The same with other limits.
    pub fn set_limits(&mut self, answer: Duration, work: Duration) {
        (self.answer, self.work) = (answer, work);
    }

    /// Waits for the answer to a question, and not for ever. Where none came the connection is of no use any more.
    pub async fn ask<T>(&self, asking: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
        within(self.answer, asking).await
    }

    /// The same of reading or writing everything.
    pub async fn work<T>(&self, working: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
        within(self.work, working).await
    }

    /// A connection that works. Whoever is done with it well gives it back.
    pub async fn open(&self) -> Result<PgConnection, DriverError> {
        let kept = self.kept.lock().await.take();
        if let Some(mut connection) = kept
            && self.ask(connection.ping()).await.is_ok()
        {
            return Ok(connection);
        }
        let what = "FusionPBX's database";
        let Some(options) = &self.options else {
            return Err(DriverError::Refused {
                what: what.to_owned(),
                source: "no password of its role is kept; give the instance its `database_password`".into(),
            });
        };
        let connected = self.ask(async {
            let mut connection = PgConnection::connect_with(options).await?;
            sqlx::raw_sql(LIMITS).execute(&mut connection).await?;
            Ok(connection)
        });
        connected.await.map_err(|error| asked(what, error))
    }

    /// Keeps a connection that is in the middle of nothing.
    pub async fn keep(&self, connection: PgConnection) {
        *self.kept.lock().await = Some(connection);
    }
}

fn options(settings: &FusionPbxSettings, password: &SecretString) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .host(settings.database_host.as_str())
        .port(settings.database_port)
        .database(settings.database_name.as_str())
        .username(settings.database_username.as_str())
        .password(password.expose_secret())
        .application_name("switchyard")
        .disable_statement_logging();
    match &settings.database_tls {
        None => options.ssl_mode(PgSslMode::Prefer),
        Some(Tls::Off) => options.ssl_mode(PgSslMode::Disable),
        Some(Tls::On { ca_file: None }) => options.ssl_mode(PgSslMode::VerifyFull),
        Some(Tls::On { ca_file: Some(file) }) => options
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert(file.as_path()),
    }
}

async fn within<T>(limit: Duration, asking: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    timeout(limit, asking).await.unwrap_or_else(|_| {
        let late = format!("no answer came within {} s", limit.as_secs());
        Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, late)))
    })
}

/// What is known after a question failed: nothing was done. A server that takes nobody just now, or takes its leave, is not
/// reached; what it says to a question itself stays the same however often it is asked.
pub fn asked(what: &str, error: sqlx::Error) -> DriverError {
    let what = what.to_owned();
    match error {
        sqlx::Error::Database(error) if !is_passing(error.code().as_deref()) => {
            DriverError::Refused { what, source: error }
        }
        error => DriverError::Unreachable {
            what,
            source: error.into(),
        },
    }
}

/// No connection (08), a state that ends (25, 40, 55), nothing left of something (53), an operator who stops the server
/// (57), its disk (58).
fn is_passing(code: Option<&str>) -> bool {
    code.is_some_and(|code| {
        ["08", "25", "40", "53", "55", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class))
    })
}

/// What is known after writing failed before its end: nothing was written. The server may have said no to the rows
/// themselves, which no repetition changes: a right that lacks, a column that is no such one, a value that it does not take.
pub fn refused_or_not_applied(what: &str, error: sqlx::Error) -> DriverError {
    match error {
        sqlx::Error::Database(error) if is_final(error.code().as_deref()) => DriverError::Refused {
            what: what.to_owned(),
            source: error,
        },
        error if is_lost(&error) => DriverError::Unreachable {
            what: what.to_owned(),
            source: error.into(),
        },
        error => DriverError::not_applied(what, error),
    }
}

/// Whether there is no connection any more, or none can be had.
fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| ["08", "57P", "53300"].iter().any(|known| code.starts_with(known))),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) => true,
        _ => false,
    }
}

/// Whether the server said no to a commit. One that it ends the connection with is none: it may have committed before.
pub fn is_said_no(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| !code.starts_with("57") && !code.starts_with("08"))
}

fn is_final(code: Option<&str>) -> bool {
    code.is_some_and(|code| ["22", "23", "42"].iter().any(|class| code.starts_with(class)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::starting_up("57P03", true)]
    #[case::shut_down("57P01", true)]
    #[case::too_many_connections("53300", true)]
    #[case::connection_failure("08006", true)]
    #[case::a_lock_in_the_way("55P03", true)]
    #[case::wrong_password("28P01", false)]
    #[case::not_in_pg_hba("28000", false)]
    #[case::no_such_database("3D000", false)]
    #[case::no_right("42501", false)]
    #[case::no_such_table("42P01", false)]
    fn a_server_that_takes_nobody_now_is_told_from_one_that_says_no(
        #[case] code: &str,
        #[case] passes: bool,
    ) {
        assert_eq!(is_passing(Some(code)), passes);
    }

    #[tokio::test]
    async fn without_a_password_nobody_is_asked_for_anything() {
        let settings = FusionPbxSettings {
            database_host: "127.0.0.1".parse().unwrap(),
            database_port: 1,
            database_name: "fusionpbx".parse().unwrap(),
            database_username: "switchyard".parse().unwrap(),
            database_tls: None,
            event_socket_host: "127.0.0.1".parse().unwrap(),
            event_socket_port: 1,
            recordings_dir: None,
            voicemail_dir: None,
            emergency_numbers: Vec::new(),
        };
        let error = Database::new(&settings, None).open().await.err().unwrap();
        assert!(matches!(&error, DriverError::Refused { .. }), "{}", error.full());
        assert!(error.full().contains("database_password"), "{}", error.full());
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_is_no_longer_waited_for() {
        let error = within(Duration::ZERO, std::future::pending::<sqlx::Result<()>>())
            .await
            .unwrap_err();
        assert!(matches!(
            asked("a question", error),
            DriverError::Unreachable { .. }
        ));
    }
}
