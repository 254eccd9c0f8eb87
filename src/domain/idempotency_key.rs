//! The key by which a request that is sent again is recognised.

use super::invalid::Invalid;
use super::parsed::parsed_text;

parsed_text! {
    /// 1 to 255 visible ASCII characters, chosen by the caller.
    IdempotencyKey, idempotency_key, schema { "pattern": "^[!-~]{1,255}$" }
}

fn idempotency_key(text: &str) -> Result<String, Invalid> {
    if !(1..=255).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Invalid::new("must have 1 to 255 visible ASCII characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a", true)]
    #[case("8e03978e-40d5-43e8-bc93-6894a57f9324", true)]
    #[case("!\"~", true)]
    #[case(&"x".repeat(255), true)]
    #[case("", false)]
    #[case("a b", false)]
    #[case("a\tb", false)]
    #[case("é", false)]
    #[case("\u{7f}", false)]
    #[case(&"x".repeat(256), false)]
    fn a_key_is_what_every_program_reads_alike(#[case] text: &str, #[case] good: bool) {
        assert_eq!(text.parse::<IdempotencyKey>().is_ok(), good);
    }
}
