//! The id of a request, which logs, audit entries and answers share.

use super::ids::IdSource;
use super::invalid::Invalid;
use super::parsed::parsed_text;

parsed_text! {
    /// 1 to 64 letters, digits, `.`, `_` or `-`: a caller may bring its own.
    RequestId, request_id
}

impl RequestId {
    /// A new one.
    #[must_use]
    pub fn fresh(ids: &dyn IdSource) -> Self {
        Self(ids.next().to_string())
    }
}

fn request_id(text: &str) -> Result<String, Invalid> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
        return Err(Invalid::new("must have 1 to 64 letters, digits, `.`, `_` or `-`"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SystemIds;

    #[test]
    fn an_id_cannot_break_a_log_line_or_a_header() {
        assert!("a.b_c-1".parse::<RequestId>().is_ok());
        assert!("a\nb".parse::<RequestId>().is_err());
        assert!("x".repeat(65).parse::<RequestId>().is_err());
        assert!("".parse::<RequestId>().is_err());
        let fresh = RequestId::fresh(&SystemIds);
        assert_eq!(fresh.as_str().parse(), Ok(fresh));
    }
}
