//! FusionPBX's cache of XML, which FreeSWITCH serves from before it looks anywhere else.

use std::time::Duration;

use super::form;
use crate::wire::esl::command::Command;
use crate::wire::esl::{AnswerError, Client, Error, Word};

/// What a program says of keys that could not be deleted, before it lists them.
const KEPT: &str = "kept ";
/// What it says where none was kept.
const DONE: &str = "true";
/// What the answer is, as it is expected.
const ANSWER: &str = "true, or the keys that were kept";

impl Client {
    /// Deletes one key of the cache, in a file or in memcache as FusionPBX is configured.
    ///
    /// A lookup that is under way may write it again with what it read before: whoever changed something deletes, waits
    /// 30 ms and deletes again.
    pub async fn delete_cached(&self, key: &Word, limit: Duration) -> Result<(), Error> {
        let deleted = |text: &str| match text.trim() {
            DONE => Ok(()),
            other => Err(form(DONE, other)),
        };
        self.read(deletion(key), limit, deleted).await
    }

    /// Deletes several keys of the cache with one command, whether they were there or not; gives those that FusionPBX
    /// could not delete. Where it has no cache to delete from, it serves from none.
    pub async fn delete_all_cached(&self, keys: &[Word], limit: Duration) -> Result<Vec<Word>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.read(deletions(keys), limit, kept).await
    }
}

fn kept(text: &str) -> Result<Vec<Word>, AnswerError> {
    let text = text.trim();
    if text == DONE {
        return Ok(Vec::new());
    }
    let wrong = || form(ANSWER, text);
    let keys = text.strip_prefix(KEPT).ok_or_else(wrong)?;
    let keys = keys.split(' ').map(|key| Word::new(key).map_err(|_| wrong()));
    keys.collect()
}

/// It is a program in Lua; a [`Word`] cannot end the text that it stands in.
fn program(rest: &str) -> Command {
    Command::written(format!(
        "api lua ~local c=require(\"resources.functions.cache\"); {rest}"
    ))
}

fn deletion(key: &Word) -> Command {
    program(&format!("stream:write(tostring(c.del(\"{key}\")))"))
}

/// The same for several. `del` gives nil where it failed, and true for a key that was not there; without a cache it fails
/// always.
fn deletions(keys: &[Word]) -> Command {
    let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
    program(&format!(
        "local f; for _,k in ipairs({{{}}}) do if not c.del(k) and c.support() then f=(f and f..\" \" or \"{KEPT}\")..k end end; \
         stream:write(f or \"{DONE}\")",
        keys.join(",")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<const N: usize>(keys: [&str; N]) -> [Word; N] {
        keys.map(|key| Word::new(key).unwrap())
    }

    #[test]
    fn the_program_is_fixed_but_for_its_key() {
        let [key] = words(["directory:1001@demo.local"]);
        let sent = deletion(&key).encode();
        assert_eq!(
            sent.as_slice(),
            b"api lua ~local c=require(\"resources.functions.cache\"); \
              stream:write(tostring(c.del(\"directory:1001@demo.local\")))\n\n"
        );
    }

    #[test]
    fn several_keys_are_deleted_by_one_program() {
        let sent = deletions(&words([
            "directory:1001@demo.local",
            "directory:groups:demo.local",
        ]))
        .encode();
        assert_eq!(
            sent.as_slice(),
            b"api lua ~local c=require(\"resources.functions.cache\"); local f; \
              for _,k in ipairs({\"directory:1001@demo.local\",\"directory:groups:demo.local\"}) \
              do if not c.del(k) and c.support() then f=(f and f..\" \" or \"kept \")..k end end; \
              stream:write(f or \"true\")\n\n"
        );
    }

    #[test]
    fn keys_that_were_kept_are_named_and_anything_else_is_no_answer() {
        assert_eq!(kept("true\n"), Ok(Vec::new()));
        assert_eq!(
            kept("kept dialplan:a.example a:b"),
            Ok(words(["dialplan:a.example", "a:b"]).to_vec())
        );
        for text in ["", "kept", "nil", "false", "kept a  b", "dialplan:a.example"] {
            assert!(matches!(kept(text), Err(AnswerError::Form { .. })), "{text}");
        }
    }
}
