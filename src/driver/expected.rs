//! What a running PBX should serve, in the words of the domain.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::artifact::Artifact;
use crate::domain::dial::ExtensionNumber;
use crate::domain::ids::{ExtensionId, TenantId};
use crate::domain::recording_notice::RecordingNotice;
use crate::domain::revision::ExtensionConfig;
use crate::domain::sip_credential::SignIn;
use crate::domain::sip_domain::SipDomain;

/// What to ask the PBX for.
#[derive(Clone, Default)]
pub struct Expected {
    /// The marker of each file; `None`: no marker may be there.
    pub markers: BTreeMap<Artifact, Option<String>>,
    /// What must be there, with these values.
    pub present: Vec<PresentTenant>,
    /// What must not be there.
    pub absent: Vec<AbsentExtension>,
    /// What must not be left in contexts.
    pub cleared: Vec<ClearedContext>,
}

/// Objects of one tenant that must be served.
#[derive(Clone)]
pub struct PresentTenant {
    /// Whose.
    pub tenant_id: TenantId,
    /// Context and the right side of every name.
    pub domain: SipDomain,
    /// Whether nothing of it was served before: then no cache of the PBX's holds anything of it.
    pub is_new: bool,
    /// The extensions to ask for; all of them active.
    pub extensions: Vec<ExtensionConfig>,
    /// What their phones sign in with, where it is to be compared too.
    pub sign_ins: BTreeMap<ExtensionId, SignIn>,
    /// The lengths of number that have a pattern hint.
    pub number_lengths: BTreeSet<usize>,
    /// What its recorded calls begin with.
    pub notice: RecordingNotice,
    /// Whether the feature codes that every tenant has must be there.
    pub feature_codes: bool,
}

/// An extension that must not be served.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AbsentExtension {
    /// Whose it was.
    pub tenant_id: TenantId,
    /// Which one.
    pub id: ExtensionId,
    /// The domain it was served under.
    pub domain: SipDomain,
    /// Its number.
    pub number: ExtensionNumber,
    /// Whether its tenant is served on without it, under whichever domain: then its calls end. Those of a whole tenant are ended,
    /// or left alone, by whoever knows why it is gone.
    pub is_removed: bool,
}

/// Who is served no more once something is applied.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Parting {
    /// Single extensions.
    pub extensions: Vec<AbsentExtension>,
    /// Domains that nothing of ours is served under any more.
    pub domains: BTreeSet<SipDomain>,
}

/// A tenant's context that something has gone from which is no extension's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClearedContext {
    /// Whose it is, or was.
    pub tenant_id: TenantId,
    /// The domain it is called by.
    pub domain: SipDomain,
    /// The lengths of number whose pattern hint must be gone.
    pub number_lengths: BTreeSet<usize>,
    /// Whether nothing of the tenant may be served under this domain any more.
    pub whole: bool,
}
