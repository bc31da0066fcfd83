//! Workspace recipes: what a template version holds, what is frozen on a workspace, and the templates that every
//! installation is born with.
//!
//! A recipe is closed and validated: nothing in it passes through a shell of the server. The frozen form carries a
//! format number on its row, so that an old workspace can always be read.

use super::app::App;
use super::container::ContainerSetup;
use super::size::Size;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format of [`FrozenSpec`] that is written now.
pub const SPEC_FORMAT: i64 = 1;

/// The name by which the API knows the local shell: it stands where an image would.
pub const LOCAL_SHELL: &str = "local:shell";

/// How a workspace is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Recipe {
    /// A container image; needs a cluster that runs containers.
    Image { reference: String },
    /// A program of the host, run by the local runtime. `argv[0]` is looked up in the sandbox's `PATH`.
    /// It is what each terminal session starts.
    Local { argv: Vec<String> },
}

impl Recipe {
    /// What the API shows as `image`.
    pub fn image(&self) -> String {
        match self {
            Self::Image { reference } => reference.clone(),
            Self::Local { .. } => LOCAL_SHELL.to_owned(),
        }
    }
}

/// What lies in a template version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateRecipe {
    /// The bare-image template has no reference of its own: the workspace brings it.
    pub recipe: Option<Recipe>,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<App>,
    /// How its container runs, where it is made from an image.
    #[serde(default, skip_serializing_if = "ContainerSetup::is_default")]
    pub container: ContainerSetup,
    /// The size of a workspace for which nothing else is asked.
    pub default_size: Size,
}

/// What is frozen on a workspace when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FrozenSpec {
    pub recipe: Recipe,
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<App>,
    #[serde(default, skip_serializing_if = "ContainerSetup::is_default")]
    pub container: ContainerSetup,
    /// A [`super::git::Repository`] that is cloned at the first start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// A template that every installation has. A newer program brings newer versions of them; workspaces keep theirs.
pub struct Builtin {
    /// The word in the `builtin` column, for the two that the program itself refers to.
    pub word: Option<&'static str>,
    /// Unique among all templates. A name that begins with `local:` is also what the API takes in place of an image.
    pub name: &'static str,
    pub display_name: &'static str,
    pub description: &'static str,
    /// A name of the icon sprite.
    pub icon: &'static str,
    /// [`TemplateRecipe`] as JSON.
    pub recipe: &'static str,
}

/// The local shell, the bare image, and the editors.
pub const BUILTIN: [Builtin; 4] = [
    Builtin {
        word: Some("shell"),
        name: LOCAL_SHELL,
        display_name: "Shell",
        description: "A terminal with the programs of this server, in a sandbox with its own files.",
        icon: "terminal",
        recipe: r#"{"recipe":{"kind":"local","argv":["bash","-l"]},"defaultSize":{"cpuMilli":2000,"memoryBytes":4294967296,"diskBytes":21474836480}}"#,
    },
    Builtin {
        word: Some("image"),
        name: "image",
        display_name: "Container image",
        description: "Any container image. It needs a cluster that runs containers.",
        icon: "layers",
        recipe: r#"{"recipe":null,"defaultSize":{"cpuMilli":2000,"memoryBytes":4294967296,"diskBytes":21474836480}}"#,
    },
    Builtin {
        word: None,
        name: "local:code-server",
        display_name: "VS Code in the browser",
        description: "The editor with its own terminal, search and extensions (code-server), and a shell beside it.",
        icon: "code",
        recipe: include_str!("builtin/code-server.json"),
    },
    Builtin {
        word: None,
        name: "local:jupyterlab",
        display_name: "JupyterLab",
        description: "Notebooks with Python, and a shell beside them.",
        icon: "notebook-pen",
        recipe: include_str!("builtin/jupyterlab.json"),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::app::check_all;

    #[test]
    fn the_built_in_recipes_keep_the_rules() {
        for builtin in BUILTIN {
            let recipe: TemplateRecipe = serde_json::from_str(builtin.recipe).unwrap();
            assert_eq!(recipe.recipe.is_some(), builtin.name.starts_with("local:"), "{}", builtin.name);
            assert_eq!(recipe.default_size.cpu_milli, 2_000);
            assert_eq!(check_all(&recipe.apps), Ok(()), "{}", builtin.name);
            assert!(recipe.apps.iter().all(|app| app.requires.is_some() && !app.hint.is_empty()));
        }
    }

    #[test]
    fn files_that_an_app_brings_are_what_their_readers_understand() {
        for builtin in BUILTIN {
            let recipe: TemplateRecipe = serde_json::from_str(builtin.recipe).unwrap();
            for file in recipe.apps.iter().flat_map(|app| &app.files).filter(|file| !file.path.ends_with(".yaml")) {
                let settings: serde_json::Value = serde_json::from_str(&file.text).unwrap();
                assert!(settings.is_object(), "{}", file.path);
            }
        }
    }
}
