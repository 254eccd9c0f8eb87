//! FreeSWITCH itself and its calls.

use super::super::switch::Switch;

/// Sessions that there may be, and new ones in a second.
const MOST: usize = 1000;
const MOST_NEW: usize = 30;
/// Kilobytes of the stack, now and at the most.
const STACK: (usize, usize) = (240, 8192);
/// Modules that are there.
const MODULES: [&str; 4] = ["mod_commands", "mod_event_socket", "mod_lua", "mod_sofia"];

/// Years, days, hours, minutes, seconds, milliseconds and microseconds since the start.
fn uptime(switch: &Switch) -> [(i64, &'static str); 7] {
    let micros = switch
        .figures
        .lock()
        .unwrap()
        .uptime
        .unwrap_or_else(|| switch.new.uptime());
    let seconds = micros / 1_000_000;
    let days = seconds / 86400;
    [
        (days / 365, "year"),
        (days % 365, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
        (micros / 1000 % 1000, "millisecond"),
        (micros % 1000, "microsecond"),
    ]
}

pub fn status(switch: &Switch) -> String {
    let up =
        uptime(switch).map(|(count, unit)| format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
    let active = switch.calls.lock().unwrap().sessions();
    let figures = switch.figures.lock().unwrap();
    let (version, peak) = (&switch.names.version_for_people, figures.peak);
    format!(
        "UP {}\nFreeSWITCH (Version {version}) is ready\n{} session(s) since startup\n\
         {active} session(s) - peak {peak}, last 5min {peak} \n\
         0 session(s) per Sec out of max {MOST_NEW}, peak 2, last 5min 2 \n{MOST} session(s) max\n\
         min idle cpu 0.00/{:.2}\nCurrent Stack Size/Max {}K/{}K\n",
        up.join(", "),
        figures.sessions_since_start,
        figures.idle,
        STACK.0,
        STACK.1
    )
}

/// `json {"command":"status","data":""}`; it knows no other command.
pub fn json(switch: &Switch, argument: &str) -> String {
    let asked: serde_json::Value = serde_json::from_str(argument).unwrap_or_default();
    if asked["command"] != "status" {
        return "{\"status\":\"error\",\"message\":\"Invalid command\"}".to_owned();
    }
    let up = uptime(switch).map(|(count, unit)| format!("\"{unit}s\":{count}"));
    let active = switch.calls.lock().unwrap().sessions();
    let figures = switch.figures.lock().unwrap();
    let (version, total, peak) = (
        &switch.names.version_for_people,
        figures.sessions_since_start,
        figures.peak,
    );
    format!(
        "{{\"command\":\"status\",\"data\":\"\",\"status\":\"success\",\"response\":{{\"systemStatus\":\"ready\",\
         \"uptime\":{{{}}},\"version\":\"{version}\",\"sessions\":{{\"count\":{{\"total\":{total},\"active\":{active},\
         \"peak\":{peak},\"peak5Min\":{peak},\"limit\":{MOST}}},\"rate\":{{\"current\":0,\"max\":{MOST_NEW},\"peak\":2,\
         \"peak5Min\":2}}}},\"idleCPU\":{{\"used\":0,\"allowed\":{}}},\"stackSizeKB\":{{\"current\":{},\"max\":{}}}}}}}\n",
        up.join(","),
        figures.idle,
        STACK.0,
        STACK.1
    )
}

/// One global variable, or all of them.
pub fn global(switch: &Switch, name: &str) -> String {
    let globals = switch.globals.lock().unwrap();
    if name.is_empty() {
        return globals.iter().fold(String::new(), |text, (name, value)| {
            text + name + "=" + value + "\n"
        });
    }
    globals.get(name).cloned().unwrap_or_default()
}

/// `file_exists <path>`; no line end.
pub fn file_exists(path: &str) -> String {
    std::path::Path::new(path).exists().to_string()
}

/// The files are read again before, whatever becomes of the module.
pub fn module(switch: &Switch, how: &str, name: &str) -> String {
    if name.is_empty() {
        return format!("-USAGE: {how} <mod_name>\n");
    }
    let known = MODULES.contains(&name);
    let read = if how != "unload" && switch.reload() == "Success" {
        "+OK Reloading XML\n"
    } else {
        ""
    };
    let done = match (how, known) {
        ("load", true) => "-ERR [Module already loaded]\n",
        ("load", false) => "-ERR [module load file routine returned an error]\n",
        ("unload", true) => "+OK\n",
        ("unload", false) => "-ERR [No such module!]\n",
        (_, true) => "+OK module unloaded\n+OK module loaded\n",
        (_, false) => {
            "-ERR unloading module [No such module!]\n-ERR loading module [module load file routine returned an error]\n"
        }
    };
    format!("{read}{done}")
}

/// `hupall <cause> [<variable> <value>]…`
pub fn hang_up(switch: &Switch, words: &[&str]) -> String {
    let (cause, rest) = words.split_first().unwrap_or((&"MANAGER_REQUEST", &[]));
    let variables: Vec<(&str, &str)> = rest.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    switch.calls.lock().unwrap().hang_up(&variables);
    match variables.as_slice() {
        [] => format!("+OK hangup all channels with cause {cause}\n"),
        [(name, value)] => {
            format!("+OK hangup all channels matching [{name}]=[{value}] with cause: {cause}\n")
        }
        [(name, value), ..] => {
            format!("+OK hangup all channels matching [{name}]=[{value}]... with cause: {cause}\n")
        }
    }
}

/// `uuid_kill <uuid> [cause]`
pub fn kill(switch: &Switch, words: &[&str]) -> String {
    let Some(leg) = words.first() else {
        return "-USAGE: <uuid> [cause]\n".to_owned();
    };
    let killed = switch.calls.lock().unwrap().kill(leg);
    if killed {
        "+OK\n".to_owned()
    } else {
        "-ERR No such channel!\n".to_owned()
    }
}

/// `uuid_dump <uuid>`
pub fn dump(switch: &Switch, words: &[&str]) -> String {
    let Some(leg) = words.first() else {
        return "-USAGE: <uuid> [format]\n".to_owned();
    };
    let dumped = switch.calls.lock().unwrap().dump(leg, &switch.names, &switch.new);
    dumped.unwrap_or_else(|| "-ERR No such channel!\n".to_owned())
}
