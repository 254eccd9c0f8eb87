//! Whether the FreeSWITCH that answers is the one that looks its users up in this database.

use sqlx::postgres::PgConnection;

use super::FusionPbxDriver;
use super::database;
use super::note::Owner;
use crate::driver::DriverError;
use crate::driver::event_socket::{ANSWER, Switch, asked};
use crate::wire::esl::Word;

/// Users by number and domain.
pub(super) type Witnesses = Vec<(Word, Word)>;

impl FusionPbxDriver {
    /// Users of ours that are to be found before anything is touched, by a database that still answers.
    pub(super) async fn witnesses(&self) -> Result<Witnesses, DriverError> {
        if let Some(trial) = self.trial.lock().await.as_mut()
            && trial.stands(&self.database).await
        {
            return Ok(trial.witnesses.clone());
        }
        let mut connection = self.database.open().await?;
        self.schema(&mut connection).await?;
        let found = self.database.ask(witnesses(&mut connection, self.owner)).await;
        let found = found.map_err(|error| database::asked("users that stand in the database", error))?;
        self.database.keep(connection).await;
        Ok(found)
    }
}

/// Users of ours that stand in the database and are to be found, of some domains one each. What somebody did to one domain
/// is to keep nobody else's deploys away; in one whose name is there twice, nobody may be found.
pub(super) async fn witnesses(connection: &mut PgConnection, owner: Owner) -> sqlx::Result<Witnesses> {
    let sql = "select e.extension, d.domain_name \
        from (select *, count(*) over (partition by lower(domain_name)) as alike from v_domains) d \
        cross join lateral (select e.extension from v_extensions e \
          where e.domain_uuid = d.domain_uuid and e.insert_user = $1 and e.enabled::text = 'true' limit 1) e \
        where d.insert_user = $1 and d.domain_enabled::text = 'true' and d.alike = 1 limit 5";
    let found: Vec<(Option<String>, Option<String>)> = sqlx::query_as(sql)
        .bind(owner.uuid())
        .fetch_all(connection)
        .await?;
    // One that somebody edited may be no name at all: then it proves nothing.
    let user = |(number, domain): (Option<String>, Option<String>)| {
        Some((Word::new(number?).ok()?, Word::new(domain?).ok()?))
    };
    Ok(found.into_iter().filter_map(user).collect())
}

/// Asks for them until one is known. Another FreeSWITCH has no such user, and would say of every user that is gone what it
/// should.
pub(super) async fn knows_one(switch: &Switch, witnesses: &[(Word, Word)]) -> Result<(), DriverError> {
    if witnesses.is_empty() {
        return Ok(());
    }
    for (number, domain) in witnesses {
        let asking = switch.client().user_exists(number, domain, ANSWER);
        if asking.await.map_err(asked)? {
            return Ok(());
        }
    }
    // They are of any tenant, and whoever reads this may be of another one.
    let why = "it knows none of our users that stand in FusionPBX's database: either it is another FreeSWITCH than this \
         FusionPBX's, or it cannot read that database";
    Err(DriverError::Refused {
        what: "FreeSWITCH's event socket".to_owned(),
        source: why.into(),
    })
}
