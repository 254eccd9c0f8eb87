//! E-mail addresses as they are stored and handed to a PBX.

use super::invalid::Invalid;
use super::parsed::parsed_text;

parsed_text! {
    /// An address of at most 254 bytes in the plain form `local@host`, case-folded.
    ///
    /// Quoted local parts, comments and address literals are refused: Asterisk writes the address into a
    /// mail header and a field of voicemail.conf, and nobody receives voicemail there.
    EmailAddress, email_address, schema { "maxLength": 254, "pattern": PLAIN }
}

/// But for the lengths of its parts. The format `email` of JSON Schema refuses hosts that are taken here.
const PLAIN: &str = concat!(
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{}~-]+([.][A-Za-z0-9!#$%&'*+/=?^_`{}~-]+)*",
    "@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?[.])+[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$",
);

fn email_address(text: &str) -> Result<String, Invalid> {
    let refused = || Invalid::new("must be an e-mail address such as `name@example.com`");
    let (local, host) = text.split_once('@').ok_or_else(refused)?;
    let local_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{}~.".contains(c);
    let local_good = (1..=64).contains(&local.len())
        && local.chars().all(local_char)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    let host_good = host.contains('.')
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    // `${` and `$[` would be substituted by Asterisk when it writes the mail.
    if text.len() > 254 || !local_good || !host_good || local.contains("${") {
        return Err(refused());
    }
    Ok(text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Ann@Example.com", Some("ann@example.com"))]
    #[case("a.b+c@x-y.example.org", Some("a.b+c@x-y.example.org"))]
    #[case("ann", None)]
    #[case("ann@localhost", None)]
    #[case("ann@ex.com,attach=no", None)]
    #[case("ann@ex.com|x=y", None)]
    #[case("${SHELL}@ex.com", None)]
    #[case("a\r\nBcc: x@y.z", None)]
    #[case("\"a b\"@ex.com", None)]
    #[case("a..b@ex.com", None)]
    fn only_plain_addresses_pass(#[case] text: &str, #[case] parsed: Option<&str>) {
        assert_eq!(
            text.parse::<EmailAddress>()
                .ok()
                .as_ref()
                .map(EmailAddress::as_str),
            parsed
        );
    }
}
