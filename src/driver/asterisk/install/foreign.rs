//! What the operator's own configuration says that decides whether ours takes effect; it is named, and never changed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::read::{Section, is_yes, sections, value};
use super::{Found, InstallError, Site};

/// What our `pjsip.conf` holds.
const PJSIP_TYPES: [&str; 3] = ["endpoint", "auth", "aor"];
/// What the operator's database could serve in the place of.
const FILES: [&str; 4] = ["pjsip.conf", "extensions.conf", "voicemail.conf", "manager.conf"];

/// The port of the manager interface over TLS, when nothing is said.
const TLS_PORT: u16 = 5039;

/// Where the manager interface is reached from this host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manager {
    /// The address.
    pub host: IpAddr,
    /// The port.
    pub port: u16,
}

impl Manager {
    /// The line that lets in whoever calls from here.
    #[must_use]
    pub fn permit(&self) -> String {
        match self.host {
            IpAddr::V4(host) if host.is_loopback() => "permit = 127.0.0.1/255.255.255.255".to_owned(),
            IpAddr::V4(host) => format!("permit = {host}/255.255.255.255"),
            IpAddr::V6(host) => format!("permit = {host}/128"),
        }
    }
}

/// The manager interface as `manager.conf` has it.
pub fn manager(site: &Site) -> Result<(Manager, Found), InstallError> {
    const NAME: &str = "manager_interface";
    let sections = sections(&site.directory, "manager.conf")?;
    let general = |key| value(&sections, "general", key);
    let path = site.file("manager.conf");
    // What Asterisk does when nothing is said: every address, and these ports.
    let mut port = general("port").and_then(|text| text.parse().ok()).unwrap_or(5038);
    let mut bound = general("bindaddr").map_or(Some(Ipv4Addr::UNSPECIFIED.into()), |text| place(text).0);
    if site.tls {
        (bound, port) = match general("tlsbindaddr").map(place) {
            Some((address, port)) => (address, port.unwrap_or(TLS_PORT)),
            None => (bound, TLS_PORT),
        };
    }
    let host = match bound {
        Some(address) if !address.is_unspecified() => address,
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    let manager = Manager { host, port };
    if !general("enabled").is_some_and(is_yes) {
        let detail = format!("{} does not switch the manager interface on", path.display());
        let mend = "under [general] have `enabled = yes` and `bindaddr = 127.0.0.1`";
        return Ok((manager, Found::blocked(NAME, detail, mend)));
    }
    if site.tls && !general("tlsenable").is_some_and(is_yes) {
        let detail = format!(
            "{} has no TLS, which `ami.tls` or `--ami-tls` asks for",
            path.display()
        );
        let mend = "under [general] have `tlsenable = yes`, `tlsbindaddr = 127.0.0.1:5039` and in `tlscertfile` a certificate \
            for 127.0.0.1 with its key in `tlsprivatekey`; or have none, by `--ami-tls off` for this instance or `ami.tls` for all";
        return Ok((manager, Found::blocked(NAME, detail, mend)));
    }
    let detail = format!("the manager interface is at {}", SocketAddr::new(host, port));
    let found = if bound.is_some_and(|address| address.is_loopback()) {
        Found::in_place(NAME, detail)
    } else {
        let detail = format!("{detail}, and can be reached from other hosts");
        let mend = format!(
            "in {} under [general] have `bindaddr = 127.0.0.1`",
            path.display()
        );
        Found::doubtful(NAME, detail, mend)
    };
    Ok((manager, found))
}

/// An address with or without a port, as Asterisk takes them.
fn place(text: &str) -> (Option<IpAddr>, Option<u16>) {
    if let Ok(both) = text.parse::<SocketAddr>() {
        return (Some(both.ip()), Some(both.port()));
    }
    (text.trim_matches(['[', ']']).parse().ok(), None)
}

/// Where the operator has objects read from elsewhere than from the files that include ours.
pub fn mappings(site: &Site) -> Result<Vec<Found>, InstallError> {
    let sorcery = sections(&site.directory, "sorcery.conf")?;
    let external = sections(&site.directory, "extconfig.conf")?;
    Ok(vec![pjsip_mapping(&sorcery), file_mapping(&external)])
}

fn pjsip_mapping(sorcery: &[Section]) -> Found {
    const NAME: &str = "pjsip_mapping";
    let lines: Vec<&(String, String)> = sorcery
        .iter()
        .filter(|section| section.name == "res_pjsip")
        .flat_map(|section| &section.entries)
        .collect();
    let kind_of = |key: &str| key.split('/').next().unwrap_or_default().to_owned();
    let hidden = PJSIP_TYPES.into_iter().find(|kind| {
        let mut of_kind = lines.iter().filter(|(key, _)| kind_of(key) == *kind).peekable();
        of_kind.peek().is_some()
            && !of_kind.any(|(_, value)| value.replace(' ', "").starts_with("config,pjsip.conf"))
    });
    match hidden {
        None => Found::in_place(NAME, "PJSIP reads its objects from pjsip.conf"),
        Some(kind) => Found::doubtful(
            NAME,
            format!("sorcery.conf maps `{kind}` elsewhere: no {kind} of pjsip.conf is seen, so none of ours"),
            format!(
                "in sorcery.conf under [res_pjsip] have `{kind}=config,pjsip.conf,criteria=type={kind}` before your own \
                 line, and restart Asterisk"
            ),
        ),
    }
}

fn file_mapping(external: &[Section]) -> Found {
    const NAME: &str = "file_mapping";
    let mapped = FILES
        .into_iter()
        .find(|file| value(external, "settings", file).is_some());
    match mapped {
        None => Found::in_place(NAME, "Asterisk reads its files from disk"),
        Some(file) => Found::doubtful(
            NAME,
            format!(
                "extconfig.conf has Asterisk read {file} from a database, and the file with our line not at all"
            ),
            format!("take `{file}` out of extconfig.conf, and restart Asterisk"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn section(name: &str, entries: &[(&str, &str)]) -> Section {
        Section {
            name: name.to_owned(),
            file: "x".into(),
            entries: entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[rstest]
    #[case(&[], true)]
    #[case(&[("endpoint", "config,pjsip.conf,criteria=type=endpoint"), ("endpoint", "realtime,ps_endpoints")], true)]
    #[case(&[("endpoint", "realtime,ps_endpoints")], false)]
    #[case(&[("aor/cache", "memory_cache"), ("aor", "realtime,ps_aors")], false)]
    #[case(&[("identify", "realtime,ps_ids")], true)]
    fn a_mapping_that_hides_ours_is_found(#[case] entries: &[(&str, &str)], #[case] good: bool) {
        let found = pjsip_mapping(&[section("res_pjsip", entries)]);
        assert_eq!(found.part.state == super::super::State::InPlace, good);
    }

    #[test]
    fn a_file_that_comes_from_a_database_is_found() {
        let found = file_mapping(&[section(
            "settings",
            &[("extensions.conf", "odbc,asterisk,ast_config")],
        )]);
        assert!(found.part.detail.contains("extensions.conf"));
    }
}
