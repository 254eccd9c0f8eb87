//! Why somebody changes what is not theirs, in their own words.

use super::invalid::Invalid;
use super::name::plain_text;
use super::parsed::parsed_text;

parsed_text! {
    /// One line of 1 to 500 characters.
    Reason, reason, schema { "minLength": 1, "maxLength": 500 }
}

fn reason(text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    plain_text(text)?;
    if !(1..=500).contains(&text.chars().count()) {
        return Err(Invalid::new("must have 1 to 500 characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_on_one_line() {
        let parsed = " Ticket 4711: wrong name ".parse::<Reason>();
        assert_eq!(parsed.map(String::from).as_deref(), Ok("Ticket 4711: wrong name"));
        for text in ["", "  ", "a\nb", &"x".repeat(501)] {
            assert!(text.parse::<Reason>().is_err());
        }
    }
}
