//! The deploy engine through the use cases, on both databases, with a real Asterisk.

#[cfg(test)]
mod altered;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod buttons;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod death;
#[cfg(test)]
mod down;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod drivers;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod generations;
#[cfg(test)]
mod planning;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod served;
#[cfg(test)]
mod smallest;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod validation;
#[cfg(test)]
mod way_back;
#[cfg(test)]
mod world;
