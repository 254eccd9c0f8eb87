//! FusionPBX's cache of XML, which FreeSWITCH serves from before it looks anywhere else.

use std::time::Duration;

use super::form;
use crate::wire::esl::command::Command;
use crate::wire::esl::{AnswerError, Client, Error, Word};

impl Client {
    /// Deletes one key of the cache, in a file or in memcache as FusionPBX is configured.
    ///
    /// A lookup that is under way may write it again with what it read before: whoever changed something deletes, waits
    /// 30 ms and deletes again.
    pub async fn delete_cached(&self, key: &Word, limit: Duration) -> Result<(), Error> {
        self.read(deletion(key), limit, deleted).await
    }

    /// Deletes several keys of the cache with one command, whether they were there or not. Its yes says that the program
    /// came to its end: look at what is served afterwards.
    pub async fn delete_all_cached(&self, keys: &[Word], limit: Duration) -> Result<(), Error> {
        if keys.is_empty() {
            return Ok(());
        }
        self.read(deletions(keys), limit, deleted).await
    }
}

fn deleted(text: &str) -> Result<(), AnswerError> {
    match text.trim() {
        "true" => Ok(()),
        other => Err(form("true", other)),
    }
}

/// It is a program in Lua; a [`Word`] cannot end the text that it stands in.
fn deletion(key: &Word) -> Command {
    Command::written(format!(
        "api lua ~local c=require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"{key}\")))"
    ))
}

/// The same for several.
fn deletions(keys: &[Word]) -> Command {
    let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
    Command::written(format!(
        "api lua ~local c=require(\"resources.functions.cache\"); \
         for _,k in ipairs({{{}}}) do c.del(k) end; stream:write(\"true\")",
        keys.join(",")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_fixed_but_for_its_key() {
        let key = Word::new("directory:1001@demo.local").unwrap();
        let sent = deletion(&key).encode();
        assert_eq!(
            sent.as_slice(),
            b"api lua ~local c=require(\"resources.functions.cache\"); \
              stream:write(tostring(c.del(\"directory:1001@demo.local\")))\n\n"
        );
    }
    #[test]
    fn several_keys_are_deleted_by_one_program() {
        let keys =
            ["directory:1001@demo.local", "directory:groups:demo.local"].map(|key| Word::new(key).unwrap());
        let sent = deletions(&keys).encode();
        assert_eq!(
            sent.as_slice(),
            b"api lua ~local c=require(\"resources.functions.cache\"); \
              for _,k in ipairs({\"directory:1001@demo.local\",\"directory:groups:demo.local\"}) \
              do c.del(k) end; stream:write(\"true\")\n\n"
        );
    }
}
