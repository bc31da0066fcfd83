//! The organization tree. A fresh installation has one node, `default`; nothing here makes another.

use super::tx::Read;
use crate::domain::id::OrganizationId;
use crate::error::{Error, Result};

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    pub id: OrganizationId,
    pub parent_id: Option<OrganizationId>,
    pub name: String,
    pub display_name: String,
}

const DEFAULT: &str = "SELECT id, parent_id, name, display_name FROM organization WHERE path = 'default'";

/// Where new groups go.
pub fn default(read: &Read<'_>) -> Result<Organization> {
    let organization = read.row(DEFAULT, [], |r| {
        Ok(Organization {
            id: OrganizationId::trusted(r.get("id")?),
            parent_id: r.get::<_, Option<String>>("parent_id")?.map(OrganizationId::trusted),
            name: r.get("name")?,
            display_name: r.get("display_name")?,
        })
    })?;
    organization.ok_or_else(|| Error::internal("the default organization is missing"))
}
