//! The rows of the route table that are about calls.

use super::route::routes;
use super::{Route, Shared};
use crate::auth::access::Access::Tenant;
use crate::domain::permission::Permission::{
    CallsClickToCall, CallsDeleteRecording, CallsDownloadRecording, CallsListenRecording, CallsViewOwn,
};
use crate::http::api::{call_records, click_to_call, recordings};

/// Why a file that is there is not had.
const FILE: [&str; 2] = ["driven_elsewhere", "recording_unreadable"];

/// Why no phone rings.
const CLICK: [&str; 8] = [
    "no_extension",
    "extension_disabled",
    "call_under_way",
    "driven_elsewhere",
    "too_many_calls",
    "call_refused",
    "pbx_unreachable",
    "call_failed",
];

/// Why a call goes on.
const HANG_UP: [&str; 7] = [
    "not_own_call",
    "call_under_way",
    "driven_elsewhere",
    "too_many_calls",
    "call_refused",
    "pbx_unreachable",
    "call_failed",
];

pub(super) fn calls() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/calls", Tenant(CallsViewOwn) => call_records::index,
            "Lists calls that are over, newest first: the own extension's, or with `calls.view_all` the tenant's";
        post "/api/v1/calls", Tenant(CallsClickToCall), audits "call.click" => click_to_call::call,
            "Calls a number from the own extension, whose phone rings first", 409 CLICK;
        delete "/api/v1/calls/active/{id}", Tenant(CallsClickToCall), audits "call.hang_up" => click_to_call::hang_up,
            "Ends a call that is up: an own one, or with `config.write` any of the tenant", 409 HANG_UP;
        get "/api/v1/calls/export", Tenant(CallsViewOwn) => call_records::export, "The same as a CSV file";
        get "/api/v1/calls/{id}", Tenant(CallsViewOwn) => call_records::show, "Shows a call that is over";
    }
}

pub(super) fn recordings() -> Vec<Route<Shared>> {
    routes! {
        get "/api/v1/recordings", Tenant(CallsListenRecording) => recordings::index,
            "Lists recordings of calls, newest first";
        get "/api/v1/recordings/{id}/audio", Tenant(CallsListenRecording) => recordings::audio,
            "The sound of a recording, to be heard; audited", 409 FILE;
        get "/api/v1/recordings/{id}/download", Tenant(CallsDownloadRecording) => recordings::download,
            "The file of a recording, to be kept; audited", 409 FILE;
        delete "/api/v1/recordings/{id}", Tenant(CallsDeleteRecording), audits "recording.delete" => recordings::delete,
            "Deletes a recording with its file", 409 ["driven_elsewhere", "recording_kept"];
    }
}
