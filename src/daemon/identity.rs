//! Root's command line acts as the user whom the data belongs to, so that it leaves no file that the daemon cannot write.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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
    path: PathBuf,
    uid: u32,
    gid: u32,
}

/// Takes, for the whole process, the identity of the user whom the database belongs to, or the state directory where the
/// database is none of this host's files. Nothing happens unless this is root and that is somebody else.
///
/// To be called once the configuration and its secret files are read, which may be root's alone, and before anything is
/// opened or a thread is started: a thread keeps the identity that it was started with.
pub fn take(config: &Config) -> Result<(), IdentityError> {
    let Some(owner) = owner(config)? else {
        return Ok(());
    };
    become_user(&owner).map_err(|source| owner.refused(source))
}

/// The user that the daemon runs as, as far as that shows: the owner of the data, who may be root.
pub fn user(config: &Config) -> Result<u32, SettingError> {
    let own = rustix::process::geteuid().as_raw();
    Ok(owner(config)?.map_or(own, |owner| owner.uid))
}

/// Does a piece of work as that user, and is root again.
///
/// The work must end what it starts: a thread that it leaves behind keeps the identity that it was started with.
pub fn acting<T>(config: &Config, work: impl FnOnce() -> T) -> Result<T, IdentityError> {
    let Some(owner) = owner(config)? else {
        return Ok(work());
    };
    let groups = rustix::process::getgroups().map_err(|error| owner.refused(error.into()))?;
    let (root, own_group) = (Uid::ROOT, rustix::process::getgid());
    let (gid, supplementary) = groups_and_own(&owner);
    // The real and the saved user stay root's, which is the way back.
    let begun = rustix::thread::set_thread_groups(&supplementary)
        .and_then(|()| rustix::thread::set_thread_res_gid(own_group, gid, own_group))
        .and_then(|()| rustix::thread::set_thread_res_uid(root, Uid::from_raw(owner.uid), root));
    let done = begun.map(|()| work());
    rustix::thread::set_thread_res_uid(root, root, root)
        .and_then(|()| rustix::thread::set_thread_res_gid(own_group, own_group, own_group))
        .and_then(|()| rustix::thread::set_thread_groups(&groups))
        .map_err(|error| owner.refused(error.into()))?;
    done.map_err(|error| owner.refused(error.into()))
}

/// Whom the data belongs to, if this is root and that is somebody else.
fn owner(config: &Config) -> Result<Option<Owner>, SettingError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let url = settings::database_url(config)?;
    let places = match url.file() {
        // Whoever owns the folder decides what the file is; in one of root's, the file itself counts.
        Some(file) => vec![folder_of(file), file],
        None => vec![config.state.dir.as_path()],
    };
    let mut owners = places.into_iter().filter_map(|path| {
        // The link itself, not what somebody had it lead to.
        let found = std::fs::symlink_metadata(path).ok()?;
        (found.uid() != 0).then(|| Owner {
            path: path.to_owned(),
            uid: found.uid(),
            gid: found.gid(),
        })
    });
    Ok(owners.next())
}

fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Owner {
    fn refused(&self, source: io::Error) -> IdentityError {
        IdentityError::Refused {
            path: self.path.display().to_string(),
            user: Account::of(self.uid).map_or_else(|| self.uid.to_string(), |account| account.name),
            source,
        }
    }
}

fn become_user(owner: &Owner) -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("{threads} threads run already")));
    }
    let uid = Uid::from_raw(owner.uid);
    let (gid, groups) = groups_and_own(owner);
    rustix::thread::set_thread_groups(&groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    Ok(())
}

/// A user of no local list, such as one that systemd makes up, has the group of its files.
fn groups_and_own(owner: &Owner) -> (Gid, Vec<Gid>) {
    let (gid, groups) = match Account::of(owner.uid) {
        Some(account) => (account.gid, groups_of(&account)),
        None => (owner.gid, vec![owner.gid]),
    };
    (
        Gid::from_raw(gid),
        groups.into_iter().map(Gid::from_raw).collect(),
    )
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
