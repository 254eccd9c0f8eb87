//! FusionPBX's cache of XML, which FreeSWITCH serves from before it looks anywhere else.

use std::time::Duration;

use super::form;
use crate::wire::esl::command::Command;
use crate::wire::esl::{Client, Error, Word};

impl Client {
    /// Deletes one key of the cache, in a file or in memcache as FusionPBX is configured.
    ///
    /// A lookup that is under way may write it again with what it read before: whoever changed something deletes, waits
    /// 30 ms and deletes again.
    pub async fn delete_cached(&self, key: &Word, limit: Duration) -> Result<(), Error> {
        self.read(deletion(key), limit, |text| match text.trim() {
            "true" => Ok(()),
            other => Err(form("true", other)),
        })
        .await
    }
}

/// It is a program in Lua; a [`Word`] cannot end the text that it stands in.
fn deletion(key: &Word) -> Command {
    Command::written(format!(
        "api lua ~local c=require(\"resources.functions.cache\"); stream:write(tostring(c.del(\"{key}\")))"
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
}
