//! Proof by the running FreeSWITCH: each user as a lookup finds it, compared with what the domain says it is.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{ANSWER, Switch, User, asked, word};
use crate::domain::finding::Finding;
use crate::domain::fusionpbx_row::ROW_VARIABLE;
use crate::domain::ids::ExtensionId;
use crate::domain::plain_name::plain;
use crate::domain::revision::ExtensionConfig;
use crate::domain::secret::Ha1;
use crate::driver::{AbsentExtension, DriverError, Expected, PresentTenant};
use crate::wire::esl::{Attribute, Word};

/// Of a tenant with more extensions to ask for than these, each is asked for what its phone signs in with alone, and for
/// the digest of the rows that it is made of.
const FEW: usize = 50;
/// Users that are asked for at a time: FreeSWITCH answers one after the other, and does not wait for the next question.
const AT_A_TIME: usize = 32;
/// Of more new users than these one in so many is looked up: a lookup that fills the cache takes 3 to 5 ms (measured),
/// which makes most of a minute of ten thousand. What the others get is what their rows say, since no cache holds them.
const MANY_NEW: usize = 200;
const ONE_IN: usize = 100;

/// What is known of the users of a PBX that makes them of rows.
#[derive(Default)]
pub struct Rows {
    /// What those that must be there are made of.
    pub present: BTreeMap<ExtensionId, Row>,
    /// Those of the others whom somebody else has under this number.
    pub others: BTreeSet<User>,
}

/// What a user of ours is to show of its rows.
#[derive(Default)]
pub struct Row {
    /// What its phone signs in with.
    pub ha1: Option<Ha1>,
    /// The digest of its rows.
    pub digest: Option<String>,
}

/// Asks for the users that must be there, of new tenants for one in `step`, and for those that must not. `rows`: of a PBX
/// that makes its users of rows.
pub async fn objects(
    switch: &Switch,
    expected: &Expected,
    step: usize,
    rows: Option<&Rows>,
) -> Result<Vec<Finding>, DriverError> {
    let mut present_users = Vec::new();
    for tenant in &expected.present {
        let whole = tenant.extensions.len() <= FEW;
        let extensions = asked_of(tenant, step);
        present_users.extend(extensions.map(|extension| {
            let row = rows.and_then(|rows| rows.present.get(&extension.id));
            present(switch, tenant, extension, whole, row)
        }));
    }
    let absent_users: Vec<_> = expected
        .absent
        .iter()
        .map(|absent| absent_user(switch, absent, rows))
        .collect();
    let present: Vec<_> = stream::iter(present_users)
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    let absent: Vec<_> = stream::iter(absent_users)
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    Ok(present.into_iter().chain(absent).flatten().collect())
}

/// Whether all that is served of each user that must be there is asked for by its own name.
pub fn asks_for_all(expected: &Expected) -> bool {
    step(expected) == 1
        && expected
            .present
            .iter()
            .all(|tenant| tenant.extensions.len() <= FEW)
}

/// How many users are looked up.
pub fn asked_for(expected: &Expected, step: usize) -> usize {
    let asked = expected
        .present
        .iter()
        .map(|tenant| asked_of(tenant, step).count());
    asked.sum()
}

/// Of how many new users one is looked up where lookups fill a cache.
pub fn step(expected: &Expected) -> usize {
    let new = expected.present.iter().filter(|tenant| tenant.is_new);
    let new: usize = new.map(|tenant| tenant.extensions.len()).sum();
    if new > MANY_NEW { ONE_IN } else { 1 }
}

/// Of each tenant at least one.
fn asked_of(tenant: &PresentTenant, step: usize) -> impl Iterator<Item = &ExtensionConfig> {
    let step = if tenant.is_new { step } else { 1 };
    tenant.extensions.iter().step_by(step)
}

async fn present(
    switch: &Switch,
    tenant: &PresentTenant,
    extension: &ExtensionConfig,
    whole: bool,
    row: Option<&Row>,
) -> Result<Option<Finding>, DriverError> {
    let user = Asked::of(extension.number.as_str(), tenant.domain.as_str())?;
    let mut wanted = Vec::new();
    let sign_in = tenant.sign_ins.get(&extension.id).map(|sign_in| &sign_in.ha1);
    // Of secrets that were served before, the rows alone tell.
    if let Some(ha1) = sign_in.or_else(|| row?.ha1.as_ref()) {
        wanted.push((Attribute::Param, "a1-hash", ha1.expose().to_owned()));
    }
    if let Some(digest) = row.and_then(|row| row.digest.as_ref()) {
        wanted.push((Attribute::Var, ROW_VARIABLE, digest.clone()));
    }
    if whole || wanted.is_empty() {
        wanted.push((Attribute::Var, "user_context", tenant.domain.to_string()));
    }
    if whole {
        let name = plain(extension.caller_name());
        let seconds = extension.settings.ring_time.seconds().to_string();
        wanted.push((Attribute::Var, "effective_caller_id_name", name));
        wanted.push((Attribute::Var, "call_timeout", seconds));
    }
    let asked = wanted
        .iter()
        .map(|(kind, name, _)| user.data(switch, *kind, name));
    let found = try_join_all(asked).await?;
    let mut differ = Vec::new();
    let mut nothing = true;
    for ((kind, name, value), found) in wanted.into_iter().zip(found) {
        let found = found.unwrap_or_default();
        nothing &= found.is_empty();
        if found != value {
            differ.push(match (kind, name) {
                // What signs in is in no record, and a digest says nothing to people.
                (Attribute::Param, _) => format!("{name} is another one"),
                (_, ROW_VARIABLE) => "its rows are other ones".to_owned(),
                (Attribute::Attr | Attribute::Var, _) => {
                    format!("{name} is \"{found}\" instead of \"{value}\"")
                }
            });
        }
    }
    if differ.is_empty() {
        return Ok(None);
    }
    let (code, message) = if nothing && !user.exists(switch).await? {
        (
            "user_missing",
            format!("FreeSWITCH finds no user {}", user.address),
        )
    } else {
        let message = format!(
            "FreeSWITCH serves {} otherwise: {}",
            user.address,
            differ.join("; ")
        );
        ("user_differs", message)
    };
    let about = format!("extension {}", user.address);
    Ok(Some(
        Finding::error(code, message)
            .of_tenant(tenant.tenant_id)
            .about(about),
    ))
}

/// `rows`: then somebody else may have one under this number, which does not show the variable of ours; and phones at it are
/// theirs.
async fn absent_user(
    switch: &Switch,
    absent: &AbsentExtension,
    rows: Option<&Rows>,
) -> Result<Option<Finding>, DriverError> {
    let user = Asked::of(absent.number.as_str(), absent.domain.as_str())?;
    let exists = user.exists(switch).await?;
    let address = || (absent.number.to_string(), absent.domain.to_string());
    let is_of_others = rows.is_some_and(|rows| rows.others.contains(&address()));
    if exists && is_of_others && user.data(switch, Attribute::Var, ROW_VARIABLE).await?.is_none() {
        return Ok(None);
    }
    let (code, message) = if exists {
        (
            "user_left",
            format!("FreeSWITCH still finds the user {}", user.address),
        )
    } else if user.is_signed_in(switch).await? {
        (
            "phone_left",
            format!("a phone is still signed in as {}", user.address),
        )
    } else {
        return Ok(None);
    };
    let about = format!("extension {}", user.address);
    Ok(Some(
        Finding::error(code, message)
            .of_tenant(absent.tenant_id)
            .about(about),
    ))
}

/// A user as FreeSWITCH is asked for it.
struct Asked {
    number: Word,
    domain: Word,
    address: String,
}

impl Asked {
    fn of(number: &str, domain: &str) -> Result<Self, DriverError> {
        Ok(Self {
            number: word(number)?,
            domain: word(domain)?,
            address: format!("{number}@{domain}"),
        })
    }

    async fn exists(&self, switch: &Switch) -> Result<bool, DriverError> {
        let asking = switch.client().user_exists(&self.number, &self.domain, ANSWER);
        asking.await.map_err(asked)
    }

    async fn is_signed_in(&self, switch: &Switch) -> Result<bool, DriverError> {
        let asking = switch.client().dial_string(&self.number, &self.domain, ANSWER);
        asking.await.map(|found| found.is_some()).map_err(asked)
    }

    async fn data(
        &self,
        switch: &Switch,
        kind: Attribute,
        name: &str,
    ) -> Result<Option<String>, DriverError> {
        let name = word(name)?;
        let asking = switch
            .client()
            .user_data(&self.number, &self.domain, kind, &name, ANSWER);
        asking.await.map_err(asked)
    }
}
