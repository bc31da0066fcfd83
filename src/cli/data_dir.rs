//! The data directory before anything is opened in it: made private to its user, and locked.

use super::exit::{Exit, Failure};
use crate::app::{DataLock, database_path};
use crate::config::Config;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// Others may pass through it, because workspaces with a uid of their own live below it, but neither list nor write.
const MODE: u32 = 0o711;

/// Makes the directory if it is not there, and takes its lock. Only one process at a time works in it.
pub fn claim(config: &Config) -> Result<DataLock, Failure> {
    let dir = &config.data.dir;
    prepare(dir)?;
    DataLock::take(dir)?.ok_or_else(|| {
        Failure::new(
            Exit::InUse,
            format!("{} is in use by another process of Codex Web. Stop it first, or choose another --data-dir.", dir.display()),
        )
    })
}

/// Fails unless a database is there: commands that only look must not make an installation.
pub fn must_exist(config: &Config) -> Result<(), Failure> {
    if database_path(&config.data.dir).exists() {
        return Ok(());
    }
    Err(Failure::failed(format!("There is no installation in {} yet. `codex-web serve` makes one there.", config.data.dir.display())))
}

fn prepare(dir: &Path) -> Result<(), Failure> {
    let fault = |error: std::io::Error| Failure::failed(format!("The data directory {} cannot be used: {error}.", dir.display()));
    if !dir.exists() {
        DirBuilder::new().recursive(true).mode(MODE).create(dir).map_err(fault)?;
        // The umask may have taken the right to pass.
        fs::set_permissions(dir, Permissions::from_mode(MODE)).map_err(fault)?;
    }
    let meta = fs::metadata(dir).map_err(fault)?;
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != own {
        return Err(Failure::failed(format!(
            "The data directory {} belongs to uid {}, and this runs as uid {own}. Run it as the owner, so that no file in it changes hands.",
            dir.display(),
            meta.uid()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_data_directory_lets_others_pass_but_not_look() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("a/b");
        prepare(&data).unwrap();
        assert_eq!(fs::metadata(&data).unwrap().mode() & 0o777, MODE);
    }
}
