//! Rights: inside one tenant, and on the platform.

use std::collections::BTreeSet;

use super::parsed::word_enum;

word_enum! {
    /// A right inside one tenant.
    Permission {
        /// Read the own tenant, its settings and its statistics.
        OrgSettingsRead = "org.settings.read",
        /// Change the own tenant's name, time zone and session timeout.
        OrgSettingsWrite = "org.settings.write",
        /// List, create, rotate and revoke API keys.
        OrgApiKeys = "org.api_keys",
        /// See usage against limits.
        OrgBilling = "org.billing",
        /// Read extensions, numbers, queues and the PBX's status; never a secret.
        ConfigRead = "config.read",
        /// Change extensions, numbers, trunks and queues; reveal or rotate a SIP secret.
        ConfigWrite = "config.write",
        /// Plan, validate, deploy and roll back.
        ConfigDeploy = "config.deploy",
        /// Invite and create users.
        UsersCreate = "users.create",
        /// Delete, suspend and reactivate users.
        UsersDelete = "users.delete",
        /// Change a user's role.
        UsersAssignRole = "users.assign_role",
        /// Read users.
        UsersList = "users.list",
        /// The own profile, password and sessions.
        UsersViewSelf = "users.view_self",
        /// Call records and live calls of the tenant.
        CallsViewAll = "calls.view_all",
        /// Call records and live calls of the own extension.
        CallsViewOwn = "calls.view_own",
        /// Listen to a recording.
        CallsListenRecording = "calls.listen_recording",
        /// Download a recording.
        CallsDownloadRecording = "calls.download_recording",
        /// Delete a recording.
        CallsDeleteRecording = "calls.delete_recording",
        /// Start a call from the own extension.
        CallsClickToCall = "calls.click_to_call",
        /// Read tickets.
        TicketsView = "tickets.view",
        /// Open a ticket.
        TicketsCreate = "tickets.create",
        /// Comment on a ticket and change its state.
        TicketsUpdate = "tickets.update",
        /// Delete or archive a ticket.
        TicketsDelete = "tickets.delete",
        /// Read ring groups, IVR menus and schedules.
        WorkflowsRead = "workflows.read",
        /// Change them.
        WorkflowsWrite = "workflows.write",
        /// Webhooks and external call handling.
        BotsManage = "bots.manage",
        /// Read retention and consent policy.
        ComplianceRead = "compliance.read",
        /// Change retention, consent and masking.
        ComplianceWrite = "compliance.write",
        /// Read the tenant's audit log.
        AuditLogRead = "audit_log.read",
        /// Export a tenant's or a person's data.
        DataExport = "data.export",
        /// Preview, run and certify erasure.
        DataErasure = "data.erasure",
    }
}

impl Permission {
    /// Whether the operator's people have it inside a tenant they enter: an owner's rights, less the API keys, which
    /// would outlast the visit.
    #[must_use]
    pub const fn is_for_operators(self) -> bool {
        !matches!(self, Self::OrgApiKeys)
    }
}

impl Permission {
    /// Whether somebody who holds these has it: who may see all calls may see their own.
    #[must_use]
    pub fn is_among(self, held: &BTreeSet<Self>) -> bool {
        held.contains(&self) || (self == Self::CallsViewOwn && held.contains(&Self::CallsViewAll))
    }
}

impl Permission {
    /// Whether an API key can have it: not what is a person's own, nor what would let a key make others that outlast it.
    #[must_use]
    pub const fn is_for_keys(self) -> bool {
        !matches!(self, Self::OrgApiKeys | Self::UsersViewSelf)
    }
}

word_enum! {
    /// A right on the platform, which only the operator's people have.
    PlatformPermission {
        /// The platform's numbers.
        Dashboard = "platform.dashboard",
        /// Read tenants.
        TenantsRead = "platform.tenants.read",
        /// Create tenants.
        TenantsCreate = "platform.tenants.create",
        /// Change a tenant's name, domain, PBX instance, limits and settings.
        TenantsWrite = "platform.tenants.write",
        /// Delete tenants.
        TenantsDelete = "platform.tenants.delete",
        /// Suspend and reactivate tenants.
        TenantsSuspend = "platform.tenants.suspend",
        /// Read the users of all tenants.
        UsersRead = "platform.users.read",
        /// Create users in any tenant.
        UsersCreate = "platform.users.create",
        /// Change users of any tenant: name, contact, role, status, password, tenant.
        UsersWrite = "platform.users.write",
        /// Delete users of any tenant.
        UsersDelete = "platform.users.delete",
        /// Make somebody a platform manager, or end that.
        Managers = "platform.managers",
        /// Read PBX instances.
        InstancesRead = "platform.instances.read",
        /// Create, change and delete PBX instances.
        InstancesWrite = "platform.instances.write",
        /// Test the connection to a PBX instance.
        InstancesTest = "platform.instances.test",
        /// Deploy a PBX instance with all of its tenants.
        InstancesDeploy = "platform.instances.deploy",
        /// Read the audit log of all tenants and of the platform.
        Audit = "platform.audit",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a01_there_are_thirty_permissions() {
        assert_eq!(Permission::ALL.len(), 30);
        let for_operators = Permission::ALL.iter().filter(|p| p.is_for_operators());
        assert_eq!(for_operators.count(), 29);
    }

    #[test]
    fn o10_who_may_see_all_calls_may_see_their_own_and_nothing_else_comes_with_a_right() {
        for held in Permission::ALL {
            let has = |right: &&Permission| right.is_among(&BTreeSet::from([*held]));
            let expected: &[Permission] = match held {
                Permission::CallsViewAll => &[Permission::CallsViewAll, Permission::CallsViewOwn],
                held => std::slice::from_ref(held),
            };
            assert!(Permission::ALL.iter().filter(has).eq(expected), "{held}");
        }
    }

    #[test]
    fn a_word_is_a_right_in_a_tenant_or_on_the_platform_never_both() {
        for right in PlatformPermission::ALL {
            assert!(right.as_str().starts_with("platform."));
            assert!(right.as_str().parse::<Permission>().is_err());
        }
    }
}
