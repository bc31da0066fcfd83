//! What every command needs: the process's surroundings and the global flags, and the configuration made from them.

use super::arguments::Global;
use super::control::{Control, Socket};
use super::data_dir;
use super::exit::Failure;
use super::in_process::InProcess;
use crate::config::{Config, Flags, Surroundings};

/// Whether a command may make the installation that it works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    MustExist,
    MayBeNew,
}

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

    /// The application: the running server over its control socket, else built in this process under the lock.
    pub fn application(&self, presence: Presence) -> Result<Control, Failure> {
        let config = self.config()?;
        if let Some(socket) = Socket::connect(&config.data.dir.join("control.sock"))? {
            return Ok(Control::new(socket));
        }
        if presence == Presence::MustExist {
            data_dir::must_exist(&config)?;
        }
        Ok(Control::new(InProcess::build(config)?))
    }

    /// The configuration, or every problem of it.
    pub fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(&self.surroundings, &self.flags)?)
    }
}
