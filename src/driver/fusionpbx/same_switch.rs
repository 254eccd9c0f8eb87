//! Whether the FreeSWITCH that answers is the one that looks its users up in this database.

use sqlx::postgres::PgConnection;

use super::note::Owner;
use crate::driver::DriverError;
use crate::driver::event_socket::{ANSWER, Switch, asked};
use crate::wire::esl::Word;

/// A user of ours that stands in the database and is to be found; `None` where there is none.
pub(super) async fn witness(
    connection: &mut PgConnection,
    owner: Owner,
) -> sqlx::Result<Option<(Word, Word)>> {
    let sql = "select e.extension, d.domain_name from v_extensions e join v_domains d on d.domain_uuid = e.domain_uuid \
        where e.insert_user = $1 and d.insert_user = $1 and e.enabled::text = 'true' and d.domain_enabled::text = 'true' \
        order by e.extension_uuid limit 1";
    let found: Option<(Option<String>, Option<String>)> = sqlx::query_as(sql)
        .bind(owner.uuid())
        .fetch_optional(connection)
        .await?;
    // One that somebody edited may be no name at all: then it proves nothing.
    Ok(found.and_then(|(number, domain)| Some((Word::new(number?).ok()?, Word::new(domain?).ok()?))))
}

/// Asks for it. Another FreeSWITCH has no such user, and would say of every user that is gone what it should.
pub(super) async fn knows(switch: &Switch, (number, domain): &(Word, Word)) -> Result<(), DriverError> {
    let asking = switch.client().user_exists(number, domain, ANSWER);
    if asking.await.map_err(asked)? {
        return Ok(());
    }
    let why = format!(
        "it does not know {number}@{domain}, which stands in FusionPBX's database: either it is another FreeSWITCH than this \
         FusionPBX's, or it cannot read that database"
    );
    Err(DriverError::Refused {
        what: "FreeSWITCH's event socket".to_owned(),
        source: why.into(),
    })
}
