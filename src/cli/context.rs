//! What every command needs: the process's surroundings and the global flags, and the configuration made from them.

use super::arguments::Global;
use super::exit::Failure;
use crate::config::{Config, Flags, Surroundings};

/// The surroundings of one run of the program.
pub struct Context {
    pub surroundings: Surroundings,
    pub flags: Flags,
}

impl Context {
    pub fn new(surroundings: Surroundings, global: &Global, settings: Vec<(&'static str, &'static str, String)>) -> Self {
        let flags = Flags { config: global.config.clone(), data_dir: global.data_dir.clone(), settings };
        Self { surroundings, flags }
    }

    /// The configuration, or every problem of it.
    pub fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.surroundings, &self.flags)?)
    }
}
