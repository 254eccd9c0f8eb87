//! The deploy engine through the use cases, on both databases, with a real Asterisk.

#[cfg(test)]
mod altered;
mod broken;
#[cfg(test)]
mod brought_in;
#[cfg(test)]
mod buttons;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod death;
#[cfg(test)]
mod deleted;
#[cfg(test)]
mod domains;
#[cfg(test)]
mod down;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod drivers;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod ended;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod foretold;
#[cfg(test)]
mod generations;
#[cfg(test)]
mod includes;
#[cfg(test)]
mod kept_revisions;
#[cfg(test)]
mod late_log;
#[cfg(test)]
mod late_work;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod lost_database;
#[cfg(test)]
mod lost_host;
#[cfg(test)]
mod moved;
#[cfg(test)]
mod moved_directory;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod recording;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod served;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod slow_log;
#[cfg(test)]
mod smallest;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod suspended;
#[cfg(test)]
mod two_readers;
#[cfg(test)]
mod under_way;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod validation;
#[cfg(test)]
mod way_back;
#[cfg(test)]
mod world;
