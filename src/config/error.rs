//! What is wrong with a configuration: every problem with the place it stands at and what to do.

use std::fmt;

/// One problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file with its line, or the variable.
    pub place: String,
    /// What is wrong and what to do; never holds a secret.
    pub text: String,
}

/// A configuration that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl ConfigError {
    /// All that is wrong, at once.
    #[must_use]
    pub const fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// In the order in which they were found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: {}", problem.place, problem.text)?;
        }
        Ok(())
    }
}
