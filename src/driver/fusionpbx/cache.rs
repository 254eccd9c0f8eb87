//! FusionPBX's cache, which FreeSWITCH serves from before it looks anywhere else: what was touched is deleted from it.

use std::time::Duration;

use tokio::time::sleep;

use super::touched::Touched;
use crate::driver::DriverError;
use crate::driver::event_socket::{ANSWER, Switch, told};
use crate::wire::esl::Word;

/// A lookup that is under way may write what it read before into the cache: after this it has (measured: 4 to 12 of 400
/// stayed stale with one deletion, none with a second one 30 ms later; a lookup takes 3 to 5 ms).
const LOOKUP: Duration = Duration::from_millis(30);
/// Keys that one command deletes: some ten kilobytes.
const KEYS: usize = 200;
/// Keys that are named where they could not be deleted.
const NAMED: usize = 5;
const DELETION: &str = "the deletion from FreeSWITCH's cache";

/// Has FreeSWITCH look anew at what was touched: twice, since a lookup that is under way may bring back what was there
/// before. What the second deletion leaves there is served on.
pub(super) async fn forget(switch: &Switch, touched: &Touched) -> Result<(), DriverError> {
    if touched.is_empty() {
        return Ok(());
    }
    let keys = keys(touched, switch.hostname().await?.as_str());
    delete(switch, &keys).await?;
    sleep(LOOKUP).await;
    let kept = delete(switch, &keys).await?;
    if kept.is_empty() {
        return Ok(());
    }
    let named: Vec<&str> = kept.iter().take(NAMED).map(Word::as_str).collect();
    let more = kept.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let why = format!(
        "FusionPBX could not delete {}{more}; see that FreeSWITCH's user may remove files of FusionPBX's cache, or that its \
         memcached answers, and empty the cache",
        named.join(", ")
    );
    Err(DriverError::unknown(DELETION, why))
}

/// Gives the keys that could not be deleted.
async fn delete(switch: &Switch, keys: &[Word]) -> Result<Vec<Word>, DriverError> {
    let mut kept = Vec::new();
    for some in keys.chunks(KEYS) {
        let deleted = switch.client().delete_all_cached(some, ANSWER).await;
        kept.extend(deleted.map_err(|error| told(DELETION, error))?);
    }
    Ok(kept)
}

/// One release of FusionPBX puts the host's name before the keys of the directory, others do not.
fn keys(touched: &Touched, host: &str) -> Vec<Word> {
    let users = touched.users.iter();
    let users = users.map(|(number, domain)| format!("directory:{number}@{domain}"));
    let groups = touched
        .domains
        .iter()
        .map(|domain| format!("directory:groups:{domain}"));
    let directory: Vec<String> = users.chain(groups).collect();
    let of_host = directory.iter().map(|key| format!("{host}:{key}"));
    let dialplans = touched.domains.iter().map(|domain| format!("dialplan:{domain}"));
    let keys = directory.iter().cloned().chain(of_host).chain(dialplans);
    // What is no word was never ours, and FreeSWITCH would take it as code.
    keys.filter_map(|key| Word::new(key).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_user_is_deleted_under_both_of_its_names_and_nothing_that_is_no_word() {
        let touched = Touched {
            users: BTreeSet::from([
                ("1001".to_owned(), "acme.example.com".to_owned()),
                ("\")x(\"".to_owned(), "acme.example.com".to_owned()),
            ]),
            domains: BTreeSet::from(["acme.example.com".to_owned()]),
            ..Touched::default()
        };
        let keys: Vec<String> = keys(&touched, "vm").iter().map(ToString::to_string).collect();
        assert_eq!(
            keys,
            [
                "directory:1001@acme.example.com",
                "directory:groups:acme.example.com",
                "vm:directory:1001@acme.example.com",
                "vm:directory:groups:acme.example.com",
                "dialplan:acme.example.com",
            ]
        );
    }
}
