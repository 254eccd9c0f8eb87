//! The connection test: the event socket, our directory, SIP profiles and the include lines, each with what to do where it
//! lacks.

use super::included::{self, Leads};
use super::{FreeSwitchDriver, asked, profiles, verify};
use crate::domain::artifact::Artifact;
use crate::domain::instance::PbxKind;
use crate::driver::event_socket::{self, ANSWER};
use crate::driver::{Check, DriverError, spool};
use crate::wire::esl::Word;

/// What FreeSWITCH runs with as a rule.
const GROUP: &str = "freeswitch";
/// It answered before.
const NO_ANSWER: &str = "see FreeSWITCH's log and that it still runs (`fs_cli -x status`), then test again";

const INCLUDES: [(&str, Artifact); 2] = [
    ("include_directory", Artifact::DirectoryXml),
    ("include_dialplan", Artifact::DialplanXml),
];

/// Every check that can be made; those that need an answer of FreeSWITCH are left out where it gives none.
pub(super) async fn all(driver: &FreeSwitchDriver) -> Vec<Check> {
    let socket = event_socket::check(&driver.socket).await;
    let answers = socket.ok;
    let mut checks = vec![socket];
    if answers {
        checks.push(running(driver).await);
        checks.push(domains(driver).await);
    }
    let standing = driver.files.checks(GROUP, &mut checks).await;
    checks.extend(driver.files.group_check(GROUP).await);
    if answers {
        let leads = included::leads(driver).await;
        for (name, file) in INCLUDES {
            checks.push(include(driver, name, file, &leads, standing.is_some()).await);
        }
    }
    let recordings = driver.settings.recordings_dir.as_ref();
    checks.extend(spool::check(recordings, PbxKind::FreeSwitch, GROUP).await);
    if answers && let Ok(mail) = driver.mail_boxes() {
        checks.push(mail.check().await);
    }
    checks
}

/// Phones sign in at a profile.
async fn running(driver: &FreeSwitchDriver) -> Check {
    const NAME: &str = "sip_profiles";
    let asking = async {
        let switch = driver.switch().await?;
        switch.client().profiles(ANSWER).await.map_err(asked)
    };
    let mend =
        "have a SIP profile in sip_profiles, then type `fs_cli -x 'reload mod_sofia'`, which ends its calls";
    match asking.await {
        Ok(profiles) if profiles.is_empty() => Check::bad(NAME, "no SIP profile runs".to_owned(), mend),
        Ok(profiles) => {
            let names: Vec<&str> = profiles.iter().map(Word::as_str).collect();
            Check::good(NAME, format!("running: {}", names.join(", ")))
        }
        Err(error) => Check::bad(NAME, error.full(), mend),
    }
}

/// Each phone is looked up in the domain that it says.
async fn domains(driver: &FreeSwitchDriver) -> Check {
    const NAME: &str = "sip_profile_domains";
    let asking = async { profiles::forced(&driver.switch().await?).await };
    match asking.await {
        Ok(forced) if forced.is_empty() => {
            Check::good(NAME, "no SIP profile forces a domain on phones".to_owned())
        }
        Ok(forced) => {
            let what: Vec<String> = forced.iter().map(profiles::Forced::what).collect();
            let mend: Vec<String> = forced.iter().map(profiles::Forced::mend).collect();
            Check::bad(NAME, what.join("; "), mend.join("; "))
        }
        Err(error) => Check::bad(NAME, error.full(), NO_ANSWER),
    }
}

/// Whether FreeSWITCH's own files lead to ours, and whether it has read it where one stands.
async fn include(
    driver: &FreeSwitchDriver,
    name: &'static str,
    file: Artifact,
    leads: &Result<Leads, DriverError>,
    stands: bool,
) -> Check {
    let shown = match driver.switch().await {
        Ok(switch) => verify::shown(&switch, file).await,
        Err(error) => Err(error),
    };
    let shown = match shown {
        Ok(shown) => shown.is_some(),
        Err(error) => return Check::bad(name, error.full(), NO_ANSWER),
    };
    let config_dir = &driver.settings.config_dir;
    let mend = format!(
        "{}; then type `fs_cli -x reloadxml`",
        included::mend(config_dir, file)
    );
    match leads {
        Err(error) => Check::bad(name, error.full(), NO_ANSWER),
        Ok(Leads::To(found)) if !found.contains(&file) => {
            let known = if shown {
                ": it serves what it has read before, until it reads its files again"
            } else {
                ""
            };
            Check::bad(
                name,
                format!("FreeSWITCH's own files do not lead to our {file}{known}"),
                mend,
            )
        }
        // Before the first deploy there is nothing that it could have read.
        Ok(_) if stands && !shown => Check::bad(name, format!("FreeSWITCH has not read our {file}"), mend),
        Ok(Leads::To(_)) => Check::good(name, format!("FreeSWITCH's own files lead to our {file}")),
        Ok(Leads::Unknown(_)) if shown => Check::good(name, format!("FreeSWITCH has read our {file}")),
        Ok(Leads::Unknown(why)) => Check {
            mend: Some(mend),
            ..Check::good(
                name,
                format!(
                    "whether FreeSWITCH's own files lead to our {file} shows with the first deploy: {why}"
                ),
            )
        },
    }
}
