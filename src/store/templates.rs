//! Workspace recipes: what is offered, and what a version of one holds.

use super::tx::Read;
use crate::domain::container::ContainerSetup;
use crate::domain::id::{TemplateId, TemplateVersionId};
use crate::domain::size::Size;
use crate::domain::template::{Recipe, TemplateRecipe};
use crate::error::{Error, Result};
use rusqlite::Row;

/// A template with its active version.
#[derive(Debug, Clone)]
pub struct Template {
    pub id: TemplateId,
    pub name: String,
    pub display_name: String,
    pub description: String,
    pub icon: String,
    /// `shell` or `image` for the two that the program itself refers to.
    pub builtin: Option<String>,
    pub deprecation_message: Option<String>,
    pub version_id: TemplateVersionId,
    /// Counts from 1.
    pub version: i64,
    pub recipe: TemplateRecipe,
}

impl Template {
    /// Whether it starts a program of the host.
    pub fn is_local(&self) -> bool {
        matches!(self.recipe.recipe, Some(Recipe::Local { .. }))
    }

    /// The size of a workspace for which nothing else is asked.
    pub fn default_size(&self) -> &Size {
        &self.recipe.default_size
    }
}

const SELECT: &str = "SELECT t.id, t.name, t.display_name, t.description, t.icon, t.builtin, t.deprecation_message, \
     v.id AS version_id, v.number, v.recipe FROM template t JOIN template_version v ON v.id = t.active_version_id";
const LIST: &str = " ORDER BY t.builtin IS NULL, t.builtin DESC, t.display_name COLLATE NOCASE, t.id LIMIT 1000";

fn template(row: &Row<'_>) -> rusqlite::Result<(Template, String)> {
    let template = Template {
        id: TemplateId::trusted(row.get("id")?),
        name: row.get("name")?,
        display_name: row.get("display_name")?,
        description: row.get("description")?,
        icon: row.get("icon")?,
        builtin: row.get("builtin")?,
        deprecation_message: row.get("deprecation_message")?,
        version_id: TemplateVersionId::trusted(row.get("version_id")?),
        version: row.get("number")?,
        recipe: TemplateRecipe {
            recipe: None,
            env: std::collections::BTreeMap::new(),
            apps: Vec::new(),
            container: ContainerSetup::default(),
            default_size: Size::default(),
        },
    };
    Ok((template, row.get("recipe")?))
}

fn whole((template, recipe): (Template, String)) -> Result<Template> {
    let recipe = serde_json::from_str(&recipe).map_err(|e| Error::internal(format!("the recipe of {}: {e}", template.id)))?;
    Ok(Template { recipe, ..template })
}

/// All templates, the built-in ones first.
pub fn list(read: &Read<'_>) -> Result<Vec<Template>> {
    read.rows(&format!("{SELECT}{LIST}"), [], template)?.into_iter().map(whole).collect()
}

/// One template.
pub fn find(read: &Read<'_>, id: &TemplateId) -> Result<Option<Template>> {
    read.row(&format!("{SELECT} WHERE t.id = ?1"), [id.as_str()], template)?.map(whole).transpose()
}

/// The built-in template of this word (`shell`, `image`).
pub fn find_builtin(read: &Read<'_>, word: &str) -> Result<Option<Template>> {
    read.row(&format!("{SELECT} WHERE t.builtin = ?1"), [word], template)?.map(whole).transpose()
}

/// The built-in template of this name (`local:shell`). No other template may have a name that begins like this.
pub fn find_builtin_named(read: &Read<'_>, name: &str) -> Result<Option<Template>> {
    read.row(&format!("{SELECT} WHERE t.name GLOB 'local:*' AND t.name = ?1"), [name], template)?.map(whole).transpose()
}
