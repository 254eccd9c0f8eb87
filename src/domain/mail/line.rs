//! What may stand in a header of a mail: one visible line, and an address with it.

use std::fmt;
use std::str::FromStr;

use crate::domain::email::EmailAddress;
use crate::domain::invalid::Invalid;
use crate::domain::name::{DisplayName, PersonName, TenantName, plain_text};
use crate::domain::parsed::parsed_text;

parsed_text! {
    /// One line that shows what it is: 1 to 250 characters, none of which ends it or hides the rest.
    Line, line
}

fn line(text: &str) -> Result<String, Invalid> {
    plain_text(text)?;
    if !(1..=250).contains(&text.chars().count()) {
        return Err(Invalid::new("must have 1 to 250 characters"));
    }
    Ok(text.to_owned())
}

/// Every name is a shorter line of the same kind.
macro_rules! from_names {
    ($($name:ty),+) => {$(
        impl From<&$name> for Line {
            fn from(name: &$name) -> Self {
                Self(name.as_str().to_owned())
            }
        }
    )+};
}

from_names!(TenantName, DisplayName, PersonName);

/// An address, with a name where it has one: `Switchyard <pbx@example.com>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mailbox {
    /// Shown in place of the address.
    pub name: Option<Line>,
    /// The address.
    pub address: EmailAddress,
}

impl FromStr for Mailbox {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(rest) = text.strip_suffix('>') else {
            let address = text.parse()?;
            return Ok(Self { name: None, address });
        };
        let (name, address) = rest
            .rsplit_once('<')
            .ok_or_else(|| Invalid::new("must be `name@example.com` or `Name <name@example.com>`"))?;
        let name = match name.trim() {
            "" => None,
            name => Some(name.parse()?),
        };
        Ok(Self {
            name,
            address: address.parse()?,
        })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::line_feed("Acme\nBcc: all@example.com")]
    #[case::carriage_return("Acme\rBcc: all@example.com")]
    #[case::both("Acme\r\n\r\nhello")]
    #[case::nul("Acme\0")]
    #[case::line_separator("Acme\u{2028}Bcc: x")]
    #[case::next_line("Acme\u{85}Bcc: x")]
    #[case::reversed("Acme\u{202E}x")]
    #[case::empty("")]
    #[case::blank(" ")]
    #[case::long(&"x".repeat(251))]
    fn what_is_no_visible_line_has_no_type(#[case] text: &str) {
        assert!(text.parse::<Line>().is_err());
    }

    #[rstest]
    #[case("pbx@example.com", "pbx@example.com")]
    #[case("Switchyard <PBX@example.com>", "Switchyard <pbx@example.com>")]
    #[case("Ann <3 phones <a@example.com>", "Ann <3 phones <a@example.com>")]
    #[case("<a@example.com>", "a@example.com")]
    fn a_mailbox_is_an_address_with_or_without_a_name(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(text.parse::<Mailbox>().unwrap().to_string(), shown);
    }

    #[rstest]
    #[case("Switchyard")]
    #[case("Switchyard pbx@example.com>")]
    #[case("Switchyard <pbx@example.com> x")]
    #[case("A\r\nBcc: x@y.example <pbx@example.com>")]
    #[case("A <pbx@example.com\r\nBcc: x@y.example>")]
    #[case("")]
    fn anything_else_is_no_mailbox(#[case] text: &str) {
        assert!(text.parse::<Mailbox>().is_err());
    }
}
