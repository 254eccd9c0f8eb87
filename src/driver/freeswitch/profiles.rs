//! SIP profiles that look every phone up in one and the same domain: no tenant's phone is let in there.

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{Switch, asked, document};
use crate::domain::finding::Finding;
use crate::driver::DriverError;
use crate::driver::event_socket::{ANSWER, word};
use crate::wire::esl::Word;

/// What of a profile takes the place of the domain that a phone says.
const FORCING: [&str; 3] = [
    "force-register-domain",
    "force-register-db-domain",
    "force-subscription-domain",
];

/// A profile that runs, with what it forces.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Forced {
    pub profile: String,
    pub params: Vec<String>,
}

impl Forced {
    /// What is so.
    pub fn what(&self) -> String {
        format!(
            "the SIP profile {} has {}: every phone that signs in there is looked up in that one domain, and no tenant's is let \
             in",
            self.profile,
            self.params.join(", ")
        )
    }

    /// What puts it right.
    pub fn mend(&self) -> String {
        format!(
            "remove it from the profile, a file in FreeSWITCH's sip_profiles, then type `fs_cli -x 'sofia profile {} restart \
             reloadxml'`, which ends its calls",
            self.profile
        )
    }
}

/// What a deploy tells of one: it is the operator's, and phones of their own may need it.
pub(super) fn finding(forced: &Forced) -> Finding {
    let message = format!("{}; {}", forced.what(), forced.mend());
    Finding::warning("sip_domain_forced", message).about(format!("profile {}", forced.profile))
}

/// Those that run, as FreeSWITCH has read them.
pub(super) async fn forced(switch: &Switch) -> Result<Vec<Forced>, DriverError> {
    let asking = (word("configuration")?, word("sofia.conf")?);
    let found = switch
        .client()
        .located(&asking.0, &asking.0, &asking.1, ANSWER)
        .await;
    let Some(xml) = found.map_err(asked)? else {
        return Ok(Vec::new());
    };
    let mut forced = read(&xml);
    if !forced.is_empty() {
        let running = switch.client().profiles(ANSWER).await.map_err(asked)?;
        let runs = |profile: &Forced| {
            running
                .iter()
                .map(Word::as_str)
                .any(|name| name == profile.profile)
        };
        forced.retain(runs);
    }
    Ok(forced)
}

/// The profiles of a text that force a domain, as far as it can be read.
fn read(xml: &str) -> Vec<Forced> {
    let mut reader = Reader::from_str(xml);
    let mut all: Vec<Forced> = Vec::new();
    let mut profile = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(element)) if element.name().0 == "profile" => profile = value(&element, "name"),
            Ok(Event::End(element)) if element.name().0 == "profile" => profile = None,
            Ok(Event::Start(element) | Event::Empty(element)) if element.name().0 == "param" => {
                let (Some(profile), Some(param)) = (&profile, value(&element, "name")) else {
                    continue;
                };
                if !FORCING.contains(&param.as_str()) || value(&element, "value").is_none() {
                    continue;
                }
                match all.last_mut().filter(|forced| forced.profile == *profile) {
                    Some(forced) => forced.params.push(param),
                    None => all.push(Forced {
                        profile: profile.clone(),
                        params: vec![param],
                    }),
                }
            }
            Ok(Event::Eof) | Err(_) => return all,
            Ok(_) => {}
        }
    }
}

/// An attribute that is not empty.
fn value(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let value = document::attribute(element, name).ok().flatten()?;
    Some(value).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_profile_what_forces_a_domain_is_read_and_what_is_empty_forces_none() {
        let xml = "<configuration name=\"sofia.conf\">\n<profiles>\n\
            <profile name=\"internal\">\n<aliases/>\n<settings>\n<param name=\"auth-calls\" value=\"true\"/>\n\
            <param name=\"force-register-domain\" value=\"10.0.0.1\"/>\n\
            <param name=\"force-subscription-domain\" value=\"10.0.0.1\"></param>\n</settings>\n</profile>\n\
            <profile name=\"external\">\n<settings>\n<param name=\"force-register-domain\" value=\"\"/>\n</settings>\n\
            </profile>\n</profiles>\n</configuration>\n";
        let params = ["force-register-domain", "force-subscription-domain"].map(str::to_owned);
        let internal = Forced {
            profile: "internal".to_owned(),
            params: params.to_vec(),
        };
        assert_eq!(read(xml), [internal]);
        assert_eq!(read("<configuration"), []);
    }
}
