//! Roles: named sets of rights inside a tenant.

use std::collections::BTreeSet;

use super::ids::{RoleId, TenantId};
use super::name::RoleName;
use super::parsed::word_enum;
use super::permission::Permission;

word_enum! {
    /// Who may act on whom, named by the built-in roles; later ones stand above earlier ones.
    Rank {
        /// Answers calls.
        Agent = "agent",
        /// Looks after agents.
        Manager = "manager",
        /// Looks after the tenant.
        Admin = "admin",
        /// Answers for the tenant.
        Owner = "owner",
    }
}

impl Rank {
    /// Whether somebody of this rank may act on a user of the other, or give a role of it: on lower ones; owners on
    /// owners too.
    #[must_use]
    pub fn reaches(self, other: Self) -> bool {
        self > other || self == Self::Owner
    }
}

/// A role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Whose it is; absent for the four that are built in.
    pub tenant_id: Option<TenantId>,
    /// Unique in its tenant.
    pub name: RoleName,
    /// That of the lowest built-in role with all of its rights.
    pub rank: Rank,
    /// What it allows.
    pub permissions: BTreeSet<Permission>,
}

impl Role {
    /// Whether it can be neither changed nor deleted.
    #[must_use]
    pub const fn is_built_in(&self) -> bool {
        self.tenant_id.is_none()
    }
}

/// The rank of a role with these rights: that of the lowest of the built-in roles that holds them all.
#[must_use]
pub fn rank_of(permissions: &BTreeSet<Permission>, built_in: &[Role]) -> Rank {
    let holding = built_in
        .iter()
        .filter(|role| permissions.is_subset(&role.permissions));
    holding.map(|role| role.rank).min().unwrap_or(Rank::Owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use uuid::Uuid;

    #[rstest]
    #[case(Rank::Owner, Rank::Owner, true)]
    #[case(Rank::Owner, Rank::Agent, true)]
    #[case(Rank::Admin, Rank::Admin, false)]
    #[case(Rank::Admin, Rank::Manager, true)]
    #[case(Rank::Admin, Rank::Owner, false)]
    #[case(Rank::Agent, Rank::Agent, false)]
    fn a40_a_rank_reaches_what_is_below_it(#[case] own: Rank, #[case] other: Rank, #[case] reaches: bool) {
        assert_eq!(own.reaches(other), reaches);
    }

    #[test]
    fn a07_a_custom_role_ranks_as_the_lowest_built_in_one_that_holds_its_rights() {
        let role = |rank: Rank, permissions: &[Permission]| Role {
            id: RoleId::from_uuid(Uuid::nil()),
            tenant_id: None,
            name: rank.as_str().parse().unwrap(),
            rank,
            permissions: permissions.iter().copied().collect(),
        };
        let built_in = [
            role(Rank::Owner, Permission::ALL),
            role(Rank::Manager, &[Permission::UsersList, Permission::ConfigRead]),
            role(Rank::Agent, &[Permission::ConfigRead]),
        ];
        let of = |permissions: &[Permission]| rank_of(&permissions.iter().copied().collect(), &built_in);
        assert_eq!(of(&[]), Rank::Agent);
        assert_eq!(of(&[Permission::ConfigRead]), Rank::Agent);
        assert_eq!(of(&[Permission::UsersList]), Rank::Manager);
        assert_eq!(of(&[Permission::UsersList, Permission::OrgApiKeys]), Rank::Owner);
    }
}
