//! What can be dialled: extension numbers and forward targets.

use super::invalid::Invalid;
use super::parsed::parsed_text;

/// Numbers that always mean help: no extension may shadow them, on any instance.
pub const EMERGENCY_NUMBERS: [&str; 8] = ["112", "911", "999", "000", "110", "113", "118", "119"];

parsed_text! {
    /// An extension's number: 2 to 8 digits and never an emergency number.
    ///
    /// The instance's own emergency numbers are checked where the instance is known.
    ExtensionNumber, extension_number, schema { "pattern": "^[0-9]{2,8}$", "not": { "enum": EMERGENCY_NUMBERS } }
}

parsed_text! {
    /// A number that a call can be forwarded to: 2 to 15 digits, `+` in front allowed (E.164).
    DialNumber, dial_number, schema { "pattern": "^[+]?[0-9]{2,15}$" }
}

fn extension_number(text: &str) -> Result<String, Invalid> {
    if !(2..=8).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Invalid::new("must have 2 to 8 digits"));
    }
    if EMERGENCY_NUMBERS.contains(&text) {
        return Err(Invalid::new("must not be an emergency number"));
    }
    Ok(text.to_owned())
}

fn dial_number(text: &str) -> Result<String, Invalid> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if !(2..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Invalid::new(
            "must have 2 to 15 digits, with or without `+` in front",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1")]
    #[case("123456789")]
    #[case("10a")]
    #[case("112")]
    #[case("911")]
    #[case("١٢٣")]
    #[case("_XXX")]
    #[case("")]
    fn these_are_no_extension_numbers(#[case] text: &str) {
        assert!(text.parse::<ExtensionNumber>().is_err());
    }

    #[test]
    fn an_extension_number_has_2_to_8_digits() {
        assert!("10".parse::<ExtensionNumber>().is_ok());
        assert!("12345678".parse::<ExtensionNumber>().is_ok());
    }

    #[rstest]
    #[case("+4930123456", true)]
    #[case("1002", true)]
    #[case("1", false)]
    #[case("1002@evil", false)]
    #[case("${EXTEN}", false)]
    #[case("1002,,D(x)", false)]
    fn forward_targets_are_digits(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<DialNumber>().is_ok(), good);
    }
}
