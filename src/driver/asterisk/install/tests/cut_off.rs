//! What was cut off is ended by the next, or undone by a removal.

use super::*;

/// As many of the steps as were done before the end came, and what was prepared for the others.
fn cut_off(mut changes: Vec<Change>, after: usize, directory: &Path) {
    changes.sort_by_key(Change::rank);
    changes.truncate(after);
    drop(swap(changes).unwrap());
    for folder in ["", "manager.d"] {
        fs::write(directory.join(folder).join(".switchyard-aB3xYz.new"), SECRET).unwrap();
    }
}

#[test]
fn after_each_step_that_an_install_was_cut_off_behind_both_ways_lead_out_of_it() {
    let steps = {
        let directory = plain();
        survey(&site(directory.path()), Aim::Install(&SECRET.into()))
            .unwrap()
            .changes
            .len()
    };
    assert!(steps >= 7, "{steps}");
    for after in 0..=steps {
        for way in ["on", "back", "back, by somebody who knows nothing of it"] {
            let directory = plain();
            let before = whole(directory.path());
            let site = site(directory.path());
            let changes = survey(&site, Aim::Install(&SECRET.into())).unwrap().changes;
            cut_off(changes, after, directory.path());
            match way {
                "on" => {
                    put_in(&site);
                    take_out(&site);
                }
                "back" => take_out(&site),
                _ => take_out(&site_in(directory.path(), None)),
            }
            assert_eq!(whole(directory.path()), before, "{way} after {after}");
        }
    }
}

#[test]
fn after_each_step_that_a_removal_was_cut_off_behind_both_ways_lead_out_of_it() {
    let steps = {
        let directory = plain();
        let site = site(directory.path());
        put_in(&site);
        removal(&site, &[]).unwrap().changes.len()
    };
    assert!(steps >= 7, "{steps}");
    for after in 0..=steps {
        for on in [true, false] {
            let directory = plain();
            let before = whole(directory.path());
            let site = site(directory.path());
            put_in(&site);
            cut_off(removal(&site, &[]).unwrap().changes, after, directory.path());
            if !on {
                put_in(&site);
            }
            take_out(&site);
            assert_eq!(whole(directory.path()), before, "{on} after {after}");
        }
    }
}

#[test]
fn only_one_at_a_time_changes_the_files() {
    let directory = plain();
    let site = site(directory.path());
    let held = hold(&site).unwrap();
    assert!(matches!(hold(&site), Err(InstallError::Busy(_))));
    drop(held);
    assert!(hold(&site).is_ok());
}
