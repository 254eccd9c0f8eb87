//! Connections to SQLite of which each runs one statement at a time, and goes to the next without a question.

use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult};
use deadpool::{Runtime, managed::Pool};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

/// They are opened when they are needed, and stay. Cheap to clone.
///
/// A pool of sqlx asks the connection's thread whether it still lives each time that one comes back, in a task of its own:
/// that costs as much as a short statement.
#[derive(Clone)]
pub(super) struct Singles(Pool<Opener>);

/// One that nobody else uses; it goes back by itself.
pub(super) type Single = Object<Opener>;

/// A connection, and whether a statement failed on it: then it is not used any more.
pub(super) struct Opened {
    pub connection: SqliteConnection,
    pub has_failed: bool,
}

pub(super) struct Opener(SqliteConnectOptions);

impl managed::Manager for Opener {
    type Type = Opened;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<Opened> {
        Ok(Opened {
            connection: self.0.connect().await?,
            has_failed: false,
        })
    }

    async fn recycle(&self, opened: &mut Opened, _: &Metrics) -> RecycleResult<sqlx::Error> {
        if opened.has_failed {
            return Err(RecycleError::message("a statement failed on it"));
        }
        Ok(())
    }
}

impl Singles {
    /// So many at most. Whoever wants one waits for it no longer than that.
    pub fn new(options: SqliteConnectOptions, most: usize, patience: Duration) -> sqlx::Result<Self> {
        let pool = Pool::builder(Opener(options))
            .max_size(most)
            .wait_timeout(Some(patience))
            .runtime(Runtime::Tokio1)
            .build();
        pool.map(Self)
            .map_err(|error| sqlx::Error::Configuration(error.into()))
    }

    /// One that nobody uses.
    pub async fn take(&self) -> sqlx::Result<Single> {
        self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Closed => sqlx::Error::PoolClosed,
            _ => sqlx::Error::PoolTimedOut,
        })
    }

    /// Closes all that are not in use, and gives out no more.
    pub async fn close(&self) {
        let idle = self.0.retain(|_, _| false).removed;
        self.0.close();
        for opened in idle {
            if let Err(error) = opened.connection.close().await {
                tracing::debug!(%error, "a connection to SQLite did not close well");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    /// One connection, on which something is that no other one has.
    async fn one() -> (TempDir, Singles) {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("a.db"))
            .create_if_missing(true);
        let singles = Singles::new(options, 1, SOON).unwrap();
        run(&singles, "create temp table here (place)").await.unwrap();
        (folder, singles)
    }

    async fn run(singles: &Singles, sql: &'static str) -> sqlx::Result<()> {
        let mut single = singles.take().await?;
        sqlx::query(sql).execute(&mut single.connection).await.map(drop)
    }

    #[tokio::test]
    async fn the_same_connection_serves_one_after_the_other() {
        let (_folder, singles) = one().await;
        run(&singles, "select * from here").await.unwrap();
        run(&singles, "select * from here").await.unwrap();
    }

    #[tokio::test]
    async fn one_on_which_a_statement_failed_is_used_no_more() {
        let (_folder, singles) = one().await;
        singles.take().await.unwrap().has_failed = true;
        run(&singles, "select * from here").await.unwrap_err();
        run(&singles, "select 1").await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_so_and_the_next_is_served() {
        let (_folder, singles) = one().await;
        let taken = singles.take().await.unwrap();
        let refused = run(&singles, "select 1").await;
        assert!(matches!(refused, Err(sqlx::Error::PoolTimedOut)), "{refused:?}");
        drop(taken);
        run(&singles, "select * from here").await.unwrap();
    }

    /// As a request whose client goes away.
    #[tokio::test]
    async fn an_answer_that_nobody_waits_for_any_more_is_in_nobodys_way() {
        let (_folder, singles) = one().await;
        let endless = "with recursive n (x) as (values (1) union all select x + 1 from n) select x from n";
        timeout(SOON, run(&singles, endless)).await.unwrap_err();
        run(&singles, "select * from here").await.unwrap();
    }

    #[tokio::test]
    async fn once_closed_none_is_given_out() {
        let (_folder, singles) = one().await;
        singles.close().await;
        let refused = run(&singles, "select 1").await;
        assert!(matches!(refused, Err(sqlx::Error::PoolClosed)), "{refused:?}");
    }
}
