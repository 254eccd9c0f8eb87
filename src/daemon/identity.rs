//! Root's command line acts as the user whom the data belongs to, so that it leaves no file that the daemon cannot write.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::process::{Gid, Uid};
use thiserror::Error;

use super::settings::{self, SettingError};
use crate::config::Config;

/// Why root could not act as somebody else.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// Where the data is, is not known.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The system refused it.
    #[error(
        "{path} belongs to the user {user}, and root could not act as that user; type `runuser -u {user} -- switchyard …`"
    )]
    Refused {
        /// The database, its directory, or the state directory.
        path: String,
        /// Its owner.
        user: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Whom something belongs to.
struct Owner {
    uid: u32,
    gid: u32,
}

/// Takes, for the whole process, the identity of the user whom the database belongs to, or the state directory where the
/// database is none of this host's files. Nothing happens unless this is root and that is somebody else.
///
/// To be called once the configuration and its secret files are read, which may be root's alone, and before anything is
/// opened or a thread is started: a thread keeps the identity that it was started with.
pub fn take(config: &Config) -> Result<(), IdentityError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let url = settings::database_url(config)?;
    let path = match url.file() {
        Some(file) if file.exists() => file,
        // Where it will be made.
        Some(file) => match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        },
        None => &config.state.dir,
    };
    let Ok(found) = std::fs::metadata(path) else {
        return Ok(());
    };
    if found.uid() == 0 {
        return Ok(());
    }
    let owner = Owner {
        uid: found.uid(),
        gid: found.gid(),
    };
    become_user(&owner).map_err(|source| IdentityError::Refused {
        path: path.display().to_string(),
        user: Account::of(owner.uid).map_or_else(|| owner.uid.to_string(), |account| account.name),
        source,
    })
}

fn become_user(owner: &Owner) -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("{threads} threads run already")));
    }
    let uid = Uid::from_raw(owner.uid);
    // A user of no local list, such as one that systemd makes up, has the group of its files.
    let (gid, groups) = match Account::of(owner.uid) {
        Some(account) => (account.gid, groups_of(&account)),
        None => (owner.gid, vec![owner.gid]),
    };
    let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
    let gid = Gid::from_raw(gid);
    rustix::thread::set_thread_groups(&groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// A line of `/etc/passwd`.
struct Account {
    name: String,
    gid: u32,
}

impl Account {
    fn of(uid: u32) -> Option<Self> {
        let list = std::fs::read_to_string("/etc/passwd").ok()?;
        list.lines().find_map(|line| Self::parse(line, uid))
    }

    /// `name:password:uid:gid:…`, if it is of this user.
    fn parse(line: &str, uid: u32) -> Option<Self> {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let of: u32 = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        (of == uid).then_some(Self { name, gid })
    }
}

/// The user's own group, and those of `/etc/group` that it is in: a log may be readable for one of them only.
fn groups_of(account: &Account) -> Vec<u32> {
    let list = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let mut groups = vec![account.gid];
    groups.extend(list.lines().filter_map(|line| group_with(line, &account.name)));
    groups
}

/// The id of `name:password:gid:member,member`, if the user is a member.
fn group_with(line: &str, user: &str) -> Option<u32> {
    let mut fields = line.split(':').skip(2);
    let gid = fields.next()?.parse().ok()?;
    fields
        .next()?
        .split(',')
        .any(|member| member == user)
        .then_some(gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_with_its_groups() {
        let account =
            Account::parse("switchyard:x:998:997::/var/lib/switchyard:/usr/sbin/nologin", 998).unwrap();
        assert_eq!((account.name.as_str(), account.gid), ("switchyard", 997));
        assert!(Account::parse("switchyard:x:998:997::/:/bin/sh", 99).is_none());
        assert!(Account::parse("garbage", 998).is_none());
        assert_eq!(
            group_with("asterisk:x:105:bob,switchyard", "switchyard"),
            Some(105)
        );
        assert_eq!(group_with("asterisk:x:105:switchyard2", "switchyard"), None);
        assert_eq!(group_with("asterisk:x:105:", "switchyard"), None);
    }
}
