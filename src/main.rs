//! Starts the program: collects what comes from outside (arguments, environment, terminal) and hands it over once.

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use codex_web::config::Surroundings;
use std::path::PathBuf;
use std::process::ExitCode;

#[allow(clippy::disallowed_methods)] // the one place that asks the process for its arguments, environment and folders
fn main() -> ExitCode {
    // Before anything else: the launcher of a sandbox must have a single thread and touch nothing.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == codex_web::cli::sandbox::SUBCOMMAND) {
        return codex_web::cli::sandbox::run();
    }
    let environment = std::env::vars_os().map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    let surroundings = Surroundings {
        environment: environment.collect(),
        root: rustix::process::geteuid().is_root(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        current_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        temp_dir: std::env::temp_dir(),
        system_file: PathBuf::from("/etc/codex-web/codex-web.toml"),
    };
    codex_web::cli::run(std::env::args_os(), surroundings)
}
