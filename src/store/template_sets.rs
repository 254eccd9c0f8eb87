//! Sets of templates, kept by digest, so that an old generation can be rendered again byte for byte.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::row::Origin;
use super::statement::{insert_rows, run, statements};
use super::{StoreError, Tx};
use crate::domain::digest::Digest;

statements! {
    INSERT = "insert into template_sets (digest, created_at) values ($1, $2) on conflict do nothing";
    INSERT_FILES = "insert into template_files (set_digest, path, content) values {rows}", 3;
    FIND = "select created_at from template_sets where digest = $1";
    FILES = "select path, content from template_files where set_digest = $1 order by path";
}

/// Keeps the files of a set, by path; nothing happens when the set is kept already.
pub async fn keep(
    tx: &mut Tx,
    digest: Digest,
    files: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let digest = digest.to_string();
    if run!(tx, execute(INSERT, &digest, now.as_microsecond()))? == 1 {
        let rows: Vec<(&String, &String)> = files.iter().collect();
        insert_rows!(tx, INSERT_FILES, rows, |(path, content)| (
            &digest,
            *path,
            content.as_bytes()
        ))?;
    }
    Ok(())
}

/// The files of a set, by path.
pub async fn find(tx: &mut Tx, digest: Digest) -> Result<Option<BTreeMap<String, String>>, StoreError> {
    let digest = digest.to_string();
    if run!(tx, fetch_optional::<(i64,)>(FIND, &digest))?.is_none() {
        return Ok(None);
    }
    let rows = run!(tx, fetch_all::<(String, Vec<u8>)>(FILES, &digest))?;
    rows.into_iter()
        .map(|(path, content)| match String::from_utf8(content) {
            Ok(content) => Ok((path, content)),
            Err(error) => Err(Origin {
                table: "template_files",
                id: path,
            }
            .corrupt("content", error)),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}
