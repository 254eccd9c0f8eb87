//! What is known of the operator's Asterisk before anything is looked at: its directories, and whom it runs as.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::InstallError;
use super::read::{sections, value};
use crate::domain::instance::{AbsolutePath, AccountName};

/// Where Asterisk's modules may lie, when its own configuration does not say.
const MODULE_DIRS: [&str; 2] = ["/usr/lib/asterisk/modules", "/usr/lib64/asterisk/modules"];
/// Where Asterisk's own files of calls are, when its own configuration does not say.
const SPOOL_DIR: &str = "/var/spool/asterisk";
/// Where Asterisk logs to, when its own configuration does not say.
const LOG_DIR: &str = "/var/log/asterisk";

/// What is asked for; what is not named is found out.
pub struct Wanted {
    /// The directory of Asterisk's configuration.
    pub asterisk_dir: AbsolutePath,
    /// Our directory.
    pub config_dir: Option<AbsolutePath>,
    /// The log of ours.
    pub log_file: Option<AbsolutePath>,
    /// Where Asterisk's modules are.
    pub modules_dir: Option<AbsolutePath>,
    /// The group that Asterisk runs with.
    pub group: Option<String>,
    /// Our account.
    pub account: AccountName,
    /// The user that the daemon runs as.
    pub owner: u32,
    /// Whether the daemon speaks TLS to the manager interface.
    pub tls: bool,
}

/// An Asterisk on this host, and what it is to be given.
pub struct Site {
    /// The directory of its configuration.
    pub directory: PathBuf,
    /// Our directory.
    pub config_dir: AbsolutePath,
    /// The log of ours.
    pub log_file: AbsolutePath,
    /// Where the dialplan has it put recordings of calls.
    pub recordings_dir: AbsolutePath,
    /// Where it logs to.
    pub log_dir: PathBuf,
    /// Where its modules are, as far as that is known.
    pub modules_dir: Option<PathBuf>,
    /// The group that it runs with.
    pub group: u32,
    /// Our account.
    pub account: AccountName,
    /// The user that the daemon runs as.
    pub owner: u32,
    /// Whether the daemon speaks TLS to the manager interface.
    pub tls: bool,
}

impl Site {
    /// Finds out what was not said.
    pub fn survey(wanted: Wanted) -> Result<Self, InstallError> {
        let directory = wanted.asterisk_dir.as_path().to_owned();
        if !directory.is_dir() {
            return Err(InstallError::NoAsterisk(directory));
        }
        let main = sections(&directory, "asterisk.conf")?;
        let named = |key| value(&main, "directories", key).filter(|text| text.starts_with('/'));
        let log_dir = PathBuf::from(named("astlogdir").unwrap_or(LOG_DIR));
        let absolute = |path: PathBuf| {
            let text = path.display().to_string();
            text.parse::<AbsolutePath>()
                .map_err(|reason| InstallError::Path { path, reason })
        };
        let group = match wanted.group.as_deref().or(value(&main, "options", "rungroup")) {
            Some(name) => group(name).ok_or_else(|| InstallError::NoGroup(name.to_owned()))?,
            None => match group("asterisk") {
                Some(group) => group,
                None => fs::metadata(&directory).map_or(0, |metadata| metadata.gid()),
            },
        };
        let config_dir = match wanted.config_dir {
            Some(path) => path,
            None => absolute(directory.join("switchyard"))?,
        };
        let log_file = match wanted.log_file {
            Some(path) => path,
            None => absolute(log_dir.join("switchyard"))?,
        };
        let spool = PathBuf::from(named("astspooldir").unwrap_or(SPOOL_DIR));
        let recordings_dir = absolute(spool.join("monitor/switchyard"))?;
        let modules_dir = match (wanted.modules_dir, named("astmoddir")) {
            (Some(path), _) => Some(path.as_path().to_owned()),
            (None, Some(path)) => Some(PathBuf::from(path)),
            (None, None) => usual_modules(),
        };
        Ok(Self {
            directory,
            config_dir,
            log_file,
            recordings_dir,
            log_dir,
            modules_dir,
            group,
            account: wanted.account,
            owner: wanted.owner,
            tls: wanted.tls,
        })
    }

    /// A file of Asterisk's configuration.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Our account's own file; beside the operator's, since what the daemon may write must not give it rights.
    #[must_use]
    pub fn account_file(&self) -> PathBuf {
        self.file("manager-switchyard.conf")
    }
}

fn usual_modules() -> Option<PathBuf> {
    let multiarch = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("asterisk/modules"));
    MODULE_DIRS
        .iter()
        .map(PathBuf::from)
        .chain(multiarch)
        .find(|path| path.is_dir())
}

/// The id of a group of this host, or of the number itself.
fn group(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let list = fs::read_to_string(Path::new("/etc/group")).ok()?;
    list.lines().find_map(|line| group_of(line, name))
}

/// The id of `name:password:gid:…`, if it is of this group.
fn group_of(line: &str, name: &str) -> Option<u32> {
    let mut fields = line.split(':');
    (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_name_or_number() {
        assert_eq!(group_of("asterisk:x:105:switchyard", "asterisk"), Some(105));
        assert_eq!(group_of("asterisk2:x:105:", "asterisk"), None);
        assert_eq!(group("0"), Some(0));
        assert_eq!(group("root"), Some(0));
        assert_eq!(group("no-such-group-here"), None);
    }

    #[test]
    fn what_asterisk_says_of_itself_is_heeded_unless_it_is_a_template() {
        let directory = tempfile::tempdir().unwrap();
        let wanted = || Wanted {
            asterisk_dir: directory.path().display().to_string().parse().unwrap(),
            config_dir: None,
            log_file: None,
            modules_dir: None,
            group: None,
            account: "switchyard".parse().unwrap(),
            owner: 0,
            tls: false,
        };
        let main = directory.path().join("asterisk.conf");
        fs::write(
            &main,
            "[directories]\nastlogdir => /srv/log\nastmoddir => /srv/mod\n[options]\nrungroup=7\n",
        )
        .unwrap();
        let site = Site::survey(wanted()).ok().unwrap();
        assert_eq!(site.log_file.as_str(), "/srv/log/switchyard");
        assert_eq!(site.modules_dir, Some(PathBuf::from("/srv/mod")));
        assert_eq!(site.group, 7);
        fs::write(&main, "[directories](!)\nastlogdir => /srv/log\n").unwrap();
        let site = Site::survey(wanted()).ok().unwrap();
        assert_eq!(site.log_file.as_str(), "/var/log/asterisk/switchyard");
        let nowhere = Wanted {
            asterisk_dir: "/no/such/asterisk".parse().unwrap(),
            ..wanted()
        };
        assert!(matches!(Site::survey(nowhere), Err(InstallError::NoAsterisk(_))));
    }
}
