//! Tables: `show channels|calls|registrations [count] [as json]`.

use super::super::switch::Switch;

const USAGE: &str = "-USAGE: show <table> [count] [as json]\n";

pub fn run(switch: &Switch, words: &[&str]) -> String {
    let Some((table, rest)) = words.split_first() else {
        return USAGE.to_owned();
    };
    let rows = match *table {
        "channels" => switch.calls.lock().unwrap().channels(),
        "calls" => switch.calls.lock().unwrap().rows(),
        "registrations" => switch.phones.lock().unwrap().rows(&switch.names.hostname),
        _ => return USAGE.to_owned(),
    };
    match rest {
        ["as", "json"] if rows.is_empty() => "{\"row_count\": 0}\n".to_owned(),
        ["as", "json"] => format!("{{\"row_count\":{},\"rows\":[{}]}}", rows.len(), rows.join(",")),
        ["count", "as", "json"] => format!("{{\"row_count\":{},\"rows\":[]}}", rows.len()),
        ["count"] => format!("\n{} total.\n", rows.len()),
        [] if rows.is_empty() => "\n0 total.\n".to_owned(),
        // Rows as text are for people; nothing here reads them.
        _ => USAGE.to_owned(),
    }
}
