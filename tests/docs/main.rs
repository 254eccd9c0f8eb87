//! The docs say what the program does.

#[cfg(test)]
mod tables;
