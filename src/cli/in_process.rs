//! The application in this process, for commands that are typed while no server runs: same routes, same policy, same
//! audit, no listener and no cluster. It holds the data directory's lock for as long as the command takes.

use super::control::{Answer, Transport};
use super::data_dir;
use super::exit::Failure;
use crate::app::listen::system_user;
use crate::app::{Application, Parts};
use crate::clock::{SystemClock, SystemEntropy};
use crate::config::Config;
use crate::http::handler::ReplyBody;
use crate::transport::{Machine, decide};
use futures_util::StreamExt;
use serde_json::Value as Json;
use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// An application of our own.
pub struct InProcess {
    runtime: Runtime,
    /// Taken when the command ends.
    application: RefCell<Option<Application>>,
    system_user: String,
}

impl InProcess {
    pub fn build(config: Config) -> Result<Self, Failure> {
        let lock = data_dir::claim(&config)?;
        let transport = decide(&config.server, config.server.listen, &Machine::read()).map_err(Failure::usage)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let parts = Parts {
            config: Arc::new(config),
            transport,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            cluster: None,
            egress: tokio::sync::watch::Sender::default(),
            log: None,
            lock: Some(lock),
        };
        // Inside the runtime: some parts start tasks of their own.
        let application = runtime.block_on(async { Application::build(parts) })?;
        let system_user = system_user(rustix::process::getuid().as_raw());
        Ok(Self { runtime, application: RefCell::new(Some(application)), system_user })
    }
}

impl Transport for InProcess {
    fn call(&self, method: &str, path: &str, body: Option<&Json>, mut out: Option<&mut dyn Write>) -> Result<Answer, Failure> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let application = self.application.borrow();
        let Some(application) = application.as_ref() else { return Err(Failure::failed("The application has ended.")) };
        self.runtime.block_on(async {
            let reply = application.call(method, path, query, body.map(Json::to_string), &self.system_user).await;
            let status = reply.status;
            let body = match reply.body {
                ReplyBody::Json(text) | ReplyBody::Text(text) => text.into_bytes(),
                ReplyBody::Bytes(bytes) => bytes.to_vec(),
                ReplyBody::Stream(mut stream) => {
                    let mut bytes = Vec::new();
                    while let Some(piece) = stream.next().await {
                        match &mut out {
                            Some(out) => out.write_all(&piece?)?,
                            None => bytes.extend_from_slice(&piece?),
                        }
                    }
                    bytes
                }
                _ => Vec::new(),
            };
            Ok(Answer { status, body })
        })
    }
}

impl Drop for InProcess {
    /// Folds the journal into the file and marks the stop as clean.
    fn drop(&mut self) {
        if let Some(application) = self.application.borrow_mut().take() {
            self.runtime.block_on(application.stop());
        }
    }
}
