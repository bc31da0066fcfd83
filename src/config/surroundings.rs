//! What configuration is read from besides its file: the process and the machine, and the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Everything of the process and the machine that configuration looks at; `main.rs` collects it once.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub environment: BTreeMap<String, String>,
    /// The effective user is root.
    pub root: bool,
    pub cores: usize,
    /// Relative paths on the command line and in the environment start here.
    pub current_dir: PathBuf,
    /// Where what is needed for a moment only may lie.
    pub temp_dir: PathBuf,
    /// The file that is read when no other is named and none lies in the data directory.
    pub system_file: PathBuf,
}

/// What the command line says about configuration.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    /// Setting, the flag it came by, and its text.
    pub settings: Vec<(&'static str, &'static str, String)>,
}
