//! What to do about a deploy that failed, by what went wrong.

use crate::domain::name::InstanceName;
use crate::driver::DriverError;

/// What went wrong while a generation was staged: a PBX that reads rows is asked then for those that it has.
pub(super) const fn code_of_staging(error: &DriverError) -> &'static str {
    match error {
        DriverError::Unreachable { .. } => "pbx_unreachable",
        DriverError::Refused { .. } => "pbx_not_ready",
        DriverError::NotApplied { .. } | DriverError::Unknown { .. } => "stage_failed",
    }
}

/// Ends the finding of a deploy that failed.
pub(super) fn mend(code: &str, instance: &InstanceName) -> String {
    let test = format!("`switchyard instance test {instance}`");
    match code {
        "pbx_unreachable" | "not_applied" => {
            format!(
                "See that the PBX runs and lets the daemon in ({test} says what is missing), then deploy again"
            )
        }
        "pbx_not_ready" => {
            format!("Give the daemon's account there what it lacks ({test} says what), then deploy again")
        }
        "drift_held_back" => format!(
            "`switchyard deploy verify --instance {instance}` shows what was made of which file. Put it back as it was, and \
             the edits go live by themselves; or keep what is worth it elsewhere, since `switchyard deploy apply --instance \
             {instance}` writes all of it anew, then deploy again"
        ),
        "rows_refused" => format!(
            "Give the daemon's role there what it lacks, or let it drive a version that is known ({test} says what), then deploy again"
        ),
        "stage_failed" => format!(
            "See that there is room on the disk, and that the daemon's user may write there ({test} tries it; a service that \
             was started before its directory was there may not before `systemctl restart switchyard`), then deploy again"
        ),
        "sealing_key_missing" | "sealing_key_wrong" => {
            "Restart the daemon with that key, then deploy again".to_owned()
        }
        _ => "The daemon's log has all of it; correct what is named, then deploy again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_something_to_do() {
        let instance = "pbx1".parse().unwrap();
        for code in [
            "drift_held_back",
            "pbx_unreachable",
            "pbx_not_ready",
            "rows_refused",
            "stage_failed",
            "sealing_key_wrong",
            "engine_failed",
        ] {
            let mend = mend(code, &instance);
            assert!(mend.ends_with("then deploy again"), "{code}: {mend}");
        }
    }
}
