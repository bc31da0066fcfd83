//! The organization tree. A fresh installation has one node, `default`; nothing here makes another.

use super::tx::Read;
use crate::domain::id::OrganizationId;
use crate::error::{Error, Result};
use rusqlite::Row;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    pub id: OrganizationId,
    pub parent_id: Option<OrganizationId>,
    pub name: String,
    pub display_name: String,
}

const DEFAULT: &str = "SELECT id, parent_id, name, display_name FROM organization WHERE path = 'default'";
const FIND: &str = "SELECT id, parent_id, name, display_name FROM organization WHERE id = ?1";
const PATH: &str = "WITH RECURSIVE up (id, parent_id, name, display_name, depth) AS ( \
       SELECT id, parent_id, name, display_name, 0 FROM organization WHERE id = ?1 \
       UNION ALL \
       SELECT o.id, o.parent_id, o.name, o.display_name, up.depth + 1 FROM organization o JOIN up ON o.id = up.parent_id WHERE up.depth < 64) \
     SELECT id, parent_id, name, display_name FROM up ORDER BY depth";

fn organization(r: &Row<'_>) -> rusqlite::Result<Organization> {
    Ok(Organization {
        id: OrganizationId::trusted(r.get("id")?),
        parent_id: r.get::<_, Option<String>>("parent_id")?.map(OrganizationId::trusted),
        name: r.get("name")?,
        display_name: r.get("display_name")?,
    })
}

/// Where new groups go.
pub fn default(read: &Read<'_>) -> Result<Organization> {
    read.row(DEFAULT, [], organization)?.ok_or_else(|| Error::internal("the default organization is missing"))
}

pub fn find(read: &Read<'_>, id: &OrganizationId) -> Result<Option<Organization>> {
    read.row(FIND, [id.as_str()], organization)
}

/// The organization and those above it, the root last.
pub fn path(read: &Read<'_>, id: &OrganizationId) -> Result<Vec<Organization>> {
    read.rows(PATH, [id.as_str()], organization)
}
