//! Findings: what a deploy noticed, typed by code, with the tenant and object it is about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::NOT_KEPT;
use super::ids::TenantId;
use super::parsed::word_enum;

word_enum! {
    /// How bad a finding is.
    Severity {
        /// Worth knowing.
        Info = "info",
        /// Goes live all the same.
        Warning = "warning",
        /// Keeps its tenant, or the whole deploy, from going live.
        Error = "error",
    }
}

/// One thing that a deploy noticed. Never holds a secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable, for programs: `shadow_did_not_run`, `asterisk_refused`, ….
    pub code: String,
    /// Whose configuration it is about; absent when it is about the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// The object, such as `extension 1001` or `pjsip.conf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What is wrong and what to do, for people.
    pub message: String,
    /// The PBX's own words, where it spoke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
}

impl Finding {
    /// Whether it is of this object of a tenant.
    #[must_use]
    pub fn is_of(&self, tenant: TenantId, object: &str) -> bool {
        self.tenant_id == Some(tenant) && self.object.as_deref() == Some(object)
    }

    /// Takes out what may quote something of a person; gives whether there was anything.
    pub fn become_impersonal(&mut self) -> bool {
        let was_personal = self.message != NOT_KEPT || self.quote.is_some();
        NOT_KEPT.clone_into(&mut self.message);
        self.quote = None;
        was_personal
    }

    /// A finding about the instance as a whole.
    #[must_use]
    pub fn new(severity: Severity, code: &str, message: impl Into<String>) -> Self {
        Self {
            severity,
            code: code.to_owned(),
            tenant_id: None,
            object: None,
            message: message.into(),
            quote: None,
        }
    }

    /// An error about the instance as a whole.
    #[must_use]
    pub fn error(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A warning about the instance as a whole.
    #[must_use]
    pub fn warning(code: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// The same finding, about a tenant.
    #[must_use]
    pub fn of_tenant(mut self, tenant_id: TenantId) -> Self {
        self.tenant_id = Some(tenant_id);
        self
    }

    /// The same finding, about an object.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// The same finding, with the PBX's own words.
    #[must_use]
    pub fn quoting(mut self, quote: impl Into<String>) -> Self {
        self.quote = Some(quote.into());
        self
    }

    /// Whether it keeps something from going live.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
