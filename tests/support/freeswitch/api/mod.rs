//! The API functions, by their names.

mod core;
mod lua;
mod show;
mod sofia;
mod users;

use super::switch::Switch;

/// Runs one; gives what it prints.
pub async fn run(switch: &Switch, line: &str) -> String {
    let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = arguments.split(' ').filter(|word| !word.is_empty()).collect();
    match name {
        "user_exists" => users::exists(switch, &words).await,
        "user_data" => users::data(switch, &words).await,
        "xml_locate" => users::locate(switch, &words),
        "lua" => lua::run(switch, arguments),
        // It begins a program and says nothing of it.
        "luarun" => "+OK\n".to_owned(),
        "vm_fsdb_msg_list" => switch.voicemail.lock().unwrap().list(&words),
        "vm_fsdb_msg_get" => switch.voicemail.lock().unwrap().get(&words),
        "vm_fsdb_msg_delete" => switch.voicemail.lock().unwrap().mark(&words),
        "vm_fsdb_msg_undelete" => switch.voicemail.lock().unwrap().unmark(&words, ""),
        "vm_fsdb_msg_save" => switch.voicemail.lock().unwrap().unmark(&words, "save"),
        "vm_fsdb_msg_purge" => switch.voicemail.lock().unwrap().purge(&words),
        "show" => show::run(switch, &words),
        "sofia" => sofia::run(switch, &words),
        "sofia_contact" => sofia::contact(switch, arguments),
        "hupall" => core::hang_up(switch, &words),
        "uuid_kill" => core::kill(switch, &words),
        "uuid_dump" => core::dump(switch, &words),
        "status" => core::status(switch),
        "json" => core::json(switch, arguments),
        "version" => format!("FreeSWITCH Version {} ( 64bit)\n", switch.names.version),
        "hostname" => switch.names.hostname.clone(),
        "create_uuid" => switch.new.uuid(),
        "global_getvar" => core::global(switch, arguments),
        "file_exists" => core::file_exists(arguments),
        // Always a yes: what went wrong stands in the brackets.
        "reloadxml" => format!("+OK [{}]\n", switch.reload()),
        "load" | "unload" | "reload" => core::module(switch, name, arguments),
        _ => format!("-ERR {name} Command not found!\n"),
    }
}
