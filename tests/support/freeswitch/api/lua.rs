//! Lua programs, of which it knows those that delete keys of FusionPBX's cache.

use super::super::source::Source;
use super::super::switch::Switch;

const CANNOT: &str = "-ERR Cannot execute script\n";

/// Runs `~` and a program.
pub fn run(switch: &Switch, argument: &str) -> String {
    let Source::Fusion(fusion) = &switch.source else {
        return CANNOT.to_owned();
    };
    let Some(program) = argument.strip_prefix("~local c=require(\"resources.functions.cache\"); ") else {
        return CANNOT.to_owned();
    };
    if let Some(keys) = several(program) {
        let mut kept = keys.iter().filter(|key| !fusion.cache.delete(key)).peekable();
        if kept.peek().is_none() {
            return "true".to_owned();
        }
        return kept.fold("kept".to_owned(), |kept, key| kept + " " + key);
    }
    match one(program) {
        Some(key) if fusion.cache.delete(key) => "true".to_owned(),
        Some(_) => "nil".to_owned(),
        None => CANNOT.to_owned(),
    }
}

/// The keys of a program that deletes several.
fn several(program: &str) -> Option<Vec<&str>> {
    let list = program.strip_prefix("local f; for _,k in ipairs({")?;
    let list = list.strip_suffix(
        "}) do if not c.del(k) and c.support() then f=(f and f..\" \" or \"kept \")..k end end; stream:write(f or \"true\")",
    )?;
    list.split(',').map(quoted).collect()
}

/// The key of a program that deletes one.
fn one(program: &str) -> Option<&str> {
    let key = program.strip_prefix("stream:write(tostring(c.del(")?;
    quoted(key.strip_suffix(")))")?)
}

fn quoted(text: &str) -> Option<&str> {
    let key = text.strip_prefix('"')?.strip_suffix('"')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+:@-".contains(&byte);
    (!key.is_empty() && key.bytes().all(plain)).then_some(key)
}
