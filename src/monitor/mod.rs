//! Live calls: what each PBX tells of its calls and phones, brought together so that a figure is right or says that it may not be.

pub mod recordings;
pub mod records;
pub mod table;
