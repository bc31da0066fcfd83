//! How the local runtime holds workspaces to what they may reach: in tier `full` they have no network but the agent's
//! proxy, and elsewhere they do not run unless everything is open, because there nobody could hold them to less.

use crate::cluster::Reason;
use crate::cluster::local::spec::Tier;
use crate::cluster::local::state::Shared;
use crate::cluster::local::supervise::reason;
use crate::domain::agent::EGRESS_PORT;
use crate::domain::egress::Mode;

/// The workspace itself: servers that it runs are reached without the proxy.
const NO_PROXY: &str = "localhost,127.0.0.1,::1";

/// The variables by which programs find the way out. Some know the lower-case names only, some the others. `all_proxy` is
/// not among them: it would send what is neither http nor https to a proxy that does not speak it.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    let proxy = format!("http://127.0.0.1:{EGRESS_PORT}");
    let pairs = [("http_proxy", proxy.clone()), ("https_proxy", proxy), ("no_proxy", NO_PROXY.to_owned())];
    pairs.into_iter().flat_map(|(name, value)| [(name.to_owned(), value.clone()), (name.to_uppercase(), value)])
}

/// Whether workspaces of this tier can be held to this policy.
pub fn can_hold(tier: Tier, mode: Mode) -> bool {
    tier == Tier::Full || mode == Mode::Open
}

/// Why a workspace of this tier must not run under the policy of the moment.
pub fn ungoverned(shared: &Shared, tier: Tier) -> Option<Reason> {
    let mode = shared.options.egress.borrow().mode;
    let words = format!(
        "The operator limits what workspaces reach (workspaces.egress = {}), and this host cannot hold them to it: they would use its own network.",
        mode.as_str()
    );
    let remedy = "Let the server make namespaces (tier full), or set workspaces.egress to open.";
    (!can_hold(tier, mode)).then(|| reason("egress_ungoverned", &words, Some(remedy)))
}

/// What the operator should know of a tier, for the start message and `doctor`.
pub fn warning(tier: Tier, mode: Mode) -> Option<String> {
    match tier {
        Tier::Full => None,
        _ if can_hold(tier, mode) => Some(
            "What workspaces reach is neither limited nor counted: they use the host's network as it is, private networks and cloud metadata included."
                .to_owned(),
        ),
        _ => Some(format!(
            "Workspaces do not start: workspaces.egress is {}, but here they would use the host's own network and nobody could hold them to it. Set it to open, or let the server make namespaces.",
            mode.as_str()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn programs_find_the_way_out_by_either_spelling_and_themselves_without_it() {
        let env: BTreeMap<String, String> = variables().collect();
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"] {
            assert_eq!(env[name], "http://127.0.0.1:3128", "{name}");
        }
        assert_eq!((env["no_proxy"].as_str(), env["NO_PROXY"].as_str()), (NO_PROXY, NO_PROXY));
    }

    #[test]
    fn without_a_network_of_its_own_a_workspace_is_held_to_nothing_and_that_is_said() {
        assert_eq!(warning(Tier::Full, Mode::None), None);
        for tier in [Tier::UidLandlock, Tier::Unconfined] {
            assert!(can_hold(tier, Mode::Open));
            assert!(warning(tier, Mode::Open).is_some_and(|words| words.contains("neither limited nor counted")));
            for mode in [Mode::Allowlist, Mode::None] {
                assert!(!can_hold(tier, mode));
                assert!(warning(tier, mode).is_some_and(|words| words.contains(mode.as_str())));
            }
        }
    }
}
