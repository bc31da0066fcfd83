//! What single settings cannot say: which of them go together, and whether what they name can be used.

use super::value::Value;
use super::{Config, Problem, Values};
use crate::transport::trust::ExtraCa;
use std::path::Path;

/// Rules that span several settings of one section; the transport rule is asked separately, once the port is known.
pub fn check(config: &Config, problems: &mut Vec<Problem>) {
    let set = |path: &str| config.setting(path).is_some_and(|setting| setting.value.is_some());
    let place = |path: &str| config.setting(path).map(|setting| setting.source.to_string()).unwrap_or_default();
    config.gateway.check(&config.server, place, problems);
    config.cluster.check(&Values(&config.settings), place, problems);
    match (set("server.cert"), set("server.key")) {
        (true, false) => {
            problems.push(Problem::new(place("server.cert"), "server.cert: set server.key too, the private key of this certificate"));
        }
        (false, true) => problems.push(Problem::new(place("server.key"), "server.key: set server.cert too, the certificate of this key")),
        (true, true) if !config.server.tls => {
            problems.push(Problem::new(
                place("server.tls"),
                "server.tls: is off, but server.cert and server.key are set; remove one or the other",
            ));
        }
        _ => {}
    }
    if let (Some(Value::Text(path)), None) = (config.setting("server.extra_ca").and_then(|s| s.value.as_ref()), &config.extra_ca) {
        // It was tried before, but only now there is somebody to tell.
        let why = ExtraCa::load(Path::new(path)).err().unwrap_or_else(|| format!("{path}: it changed while it was read; try again"));
        problems.push(Problem::new(place("server.extra_ca"), format!("server.extra_ca: {why}")));
    }
    if set("workspaces.egress_direct") && !set("workspaces.egress_proxy") {
        let message = "workspaces.egress_direct: says what goes round workspaces.egress_proxy, which is not set";
        problems.push(Problem::new(place("workspaces.egress_direct"), message));
    }
}
