//! The connection test of a directory of ours: there, readable, writable, and with nothing else in it.

use std::os::unix::fs::MetadataExt as _;

use super::FileTree;
use crate::driver::{Check, DriverError};

/// So many files that are not ours are named.
const NAMED: usize = 5;

impl FileTree {
    /// The directory: there, and writable; gives the generation that stands in it.
    /// `group`: what the PBX runs with as a rule.
    pub async fn checks(&self, group: &str, checks: &mut Vec<Check>) -> Option<i64> {
        let directory = self.root.display();
        let user = rustix::process::geteuid().as_raw();
        let looking = self.on_disk("looking at it", |tree| std::fs::metadata(&tree.root));
        let reason = match looking.await {
            Ok(found) if found.is_dir() => None,
            Ok(_) => Some("is no directory".to_owned()),
            Err(error) => Some(error.full()),
        };
        if let Some(reason) = reason {
            let mend = format!(
                "type `install -d -o {user} -g {group} -m 2750 {directory}`, with the group that the PBX runs with"
            );
            checks.push(Check::bad("config_dir", format!("{directory}: {reason}"), mend));
            return None;
        }
        let what = format!("reading {directory}");
        let standing = self.on_disk(&what, |tree| tree.standing()).await;
        checks.push(match &standing {
            Ok(Some(number)) => Check::good("config_dir", format!("generation {number} stands in {directory}")),
            Ok(None) => Check::good("config_dir", format!("{directory} holds no generation yet")),
            Err(error) => {
                let mend = format!(
                    "let the user {user} read it: `chown -R {user} {directory}`; a `live` that is no link of ours is in the \
                     way: `rm {directory}/live`"
                );
                Check::bad("config_dir", error.full(), mend)
            }
        });
        let what = format!("writing into {directory}");
        checks.push(match self.on_disk(&what, |tree| tree.try_writing()).await {
            Ok(()) => Check::good("config_dir_writable", format!("{directory} can be written to")),
            Err(error) if is_read_only(&error) => {
                let mend = format!(
                    "have its file system mounted for writing; a service may write only to what its unit names and what was there \
                     when it was started: type `systemctl restart switchyard`, where {directory} is none of the unit's \
                     `ReadWritePaths` after a drop-in that adds it"
                );
                Check::bad("config_dir_writable", error.full(), mend)
            }
            Err(error) => {
                let mend = format!(
                    "let the user {user} write there: `chown -R {user}:{group} {directory} && chmod -R u+rwX,g+rX {directory}`, with \
                     the group that the PBX runs with"
                );
                Check::bad("config_dir_writable", error.full(), mend)
            }
        });
        checks.extend(self.foreign_files().await);
        standing.ok().flatten()
    }

    /// Whether what will be deployed can be read by the directory's group: it is written for that one and its owner alone.
    pub async fn group_check(&self, group: &str) -> Option<Check> {
        const NAME: &str = "config_dir_group";
        let directory = self.root.display();
        let looked = self.on_disk("looking at it", |tree| std::fs::metadata(&tree.root));
        // One that is not there is told of already.
        let found = looked.await.ok()?;
        let own = rustix::process::getegid().as_raw();
        let (mode, gid) = (found.mode(), found.gid());
        let lacks = if mode & 0o050 != 0o050 {
            "may not read it"
        } else if mode & 0o2000 == 0 && gid != own {
            "is not that of what is made in it (it is not set-gid)"
        } else {
            return Some(Check::good(
                NAME,
                format!("the group {gid} may read what is in {directory}"),
            ));
        };
        let detail = format!("the group {gid} of {directory} {lacks}");
        let mend = format!(
            "type `chgrp {group} {directory} && chmod g+rxs {directory}`, with the group that the PBX runs with"
        );
        Some(Check::bad(NAME, detail, mend))
    }

    /// What lies in our directory and is not ours: nothing is broken by it.
    async fn foreign_files(&self) -> Option<Check> {
        const NAME: &str = "foreign_files";
        let directory = self.root.display();
        let looked = self.on_disk("looking at our directory", |tree| tree.foreign(0));
        // One that cannot be read is told of already.
        let found = looked.await.ok()?;
        let Some(first) = found.first() else {
            return Some(Check::good(NAME, format!("all that is in {directory} is ours")));
        };
        let named: Vec<String> = found
            .iter()
            .take(NAMED)
            .map(|foreign| foreign.path.display().to_string())
            .collect();
        let more = match found.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let mend = format!(
            "have it elsewhere, or remove it: nothing reads it, and no deploy removes it; {} is {}",
            first.path.display(),
            first.what
        );
        Some(Check {
            mend: Some(mend),
            ..Check::good(NAME, format!("not ours: {}{more}", named.join(", ")))
        })
    }
}

/// Whether nobody may write there, whoever owns it.
fn is_read_only(error: &DriverError) -> bool {
    let DriverError::NotApplied { source, .. } = error else {
        return false;
    };
    let kind = source.downcast_ref().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::ReadOnlyFilesystem)
}
