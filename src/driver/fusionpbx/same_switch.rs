//! Whether the FreeSWITCH that answers is the one that looks its users up in this database.

use sqlx::postgres::PgConnection;

use super::note::Owner;
use crate::driver::DriverError;
use crate::driver::event_socket::{ANSWER, Switch, asked};
use crate::wire::esl::Word;

/// Users of ours that stand in the database and are to be found, of some domains one each. What somebody did to one domain
/// is to keep nobody else's deploys away; in one whose name is there twice, nobody may be found.
pub(super) async fn witnesses(
    connection: &mut PgConnection,
    owner: Owner,
) -> sqlx::Result<Vec<(Word, Word)>> {
    let sql = "select distinct on (d.domain_uuid) e.extension, d.domain_name \
        from v_domains d join v_extensions e on e.domain_uuid = d.domain_uuid \
        where e.insert_user = $1 and d.insert_user = $1 and e.enabled::text = 'true' and d.domain_enabled::text = 'true' \
        and not exists (select 1 from v_domains o \
          where lower(o.domain_name) = lower(d.domain_name) and o.domain_uuid <> d.domain_uuid) \
        order by d.domain_uuid, e.extension_uuid limit 5";
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
