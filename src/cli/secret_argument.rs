//! A secret that a command is given: in a file, on standard input, or in a variable; never as an argument, which other
//! users can read.

use std::path::Path;

use secrecy::SecretString;

use super::{Context, Failure};
use crate::config::secret_file;

/// The secret in `file`, of which `-` is standard input; without a file the one in the variable, if there is one.
pub fn read(
    context: &mut Context<'_>,
    file: Option<&Path>,
    variable: &str,
) -> Result<Option<SecretString>, Failure> {
    let path = match file {
        Some(path) if path == "-" => Path::new("/dev/stdin"),
        Some(path) => path,
        None => {
            let secret = context.environment.get(variable);
            return Ok(secret.filter(|secret| !secret.is_empty()).map(SecretString::from));
        }
    };
    let shown = path.display().to_string();
    match secret_file::read(path) {
        Ok((secret, public)) => {
            if public {
                let advice = format!("{shown} can be read by everybody; `chmod o= {shown}`");
                context.output.warn(&advice)?;
            }
            Ok(Some(secret))
        }
        Err(reason) => Err(Failure::SecretFile { path: shown, reason }),
    }
}
