//! Lua programs, of which it knows those that delete keys of FusionPBX's cache.

use super::super::source::Source;
use super::super::switch::Switch;

const CANNOT: &str = "-ERR Cannot execute script\n";

/// Runs `~` and a program.
pub fn run(switch: &Switch, argument: &str) -> String {
    let Source::Fusion(fusion) = &switch.source else {
        return CANNOT.to_owned();
    };
    let Some(keys) = keys(argument) else {
        return CANNOT.to_owned();
    };
    for key in keys {
        fusion.cache.delete(key);
    }
    "true".to_owned()
}

/// The keys that a program deletes: one, or several of them in one program. Any other program is none.
fn keys(argument: &str) -> Option<Vec<&str>> {
    let program = argument.strip_prefix("~local c=require(\"resources.functions.cache\"); ")?;
    if let Some(list) = program.strip_prefix("for _,k in ipairs({") {
        let list = list.strip_suffix("}) do c.del(k) end; stream:write(\"true\")")?;
        return list.split(',').map(quoted).collect();
    }
    let key = program
        .strip_prefix("stream:write(tostring(c.del(")?
        .strip_suffix(")))")?;
    Some(vec![quoted(key)?])
}

fn quoted(text: &str) -> Option<&str> {
    let key = text.strip_prefix('"')?.strip_suffix('"')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+:@-".contains(&byte);
    (!key.is_empty() && key.bytes().all(plain)).then_some(key)
}
