//! E-mail addresses as they are stored and handed to a PBX.

use super::invalid::Invalid;
use super::parsed::parsed_text;
use super::plain_name;

parsed_text! {
    /// An address of at most 254 bytes in the plain form `local@host`, case-folded.
    ///
    /// Quoted local parts, comments and address literals are refused: Asterisk writes the address into a
    /// mail header and a field of voicemail.conf, and nobody receives voicemail there.
    EmailAddress, email_address, schema { "maxLength": 254, "pattern": PLAIN }
}

impl EmailAddress {
    /// Whether it can be a word of a command line as it is: nothing in it means anything there, and it is no option.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        plain_name::is_plain(&self.0) && self.0.starts_with(|first: char| first.is_ascii_alphanumeric())
    }
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
    #[case("ann.b-c_d+e/f@x-y.example.org", true)]
    #[case("1@x.example.org", true)]
    #[case("-d/x@acme.example.com", false)]
    #[case("-x@acme.example.com", false)]
    #[case("+x@acme.example.com", false)]
    #[case("/x@acme.example.com", false)]
    #[case("ann&co@acme.example.com", false)]
    fn what_would_be_an_option_or_code_of_a_command_line_is_not_plain(
        #[case] text: &str,
        #[case] is_plain: bool,
    ) {
        assert_eq!(text.parse::<EmailAddress>().unwrap().is_plain(), is_plain);
    }

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
