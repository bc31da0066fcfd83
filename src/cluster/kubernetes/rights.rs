//! Every right in the cluster that this program uses: the one table by which `doctor` asks and the role that is shipped is
//! checked. What is not here is not called.
//!
//! Deliberately absent: reading Secrets in lists or watches, exec into pods, making pods, roles or bindings, escalating,
//! impersonating, and anything on nodes but looking at them.

/// Verbs on one kind, in all namespaces: groups come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The resource, with its subresource after a slash.
    pub resource: &'static str,
    pub verbs: &'static [&'static str],
    /// Completes "without this, …".
    pub without: &'static str,
    /// Without it the product does not work; the others only make it better.
    pub is_required: bool,
}

const MAKE: &[&str] = &["get", "list", "watch", "create", "patch", "update", "delete"];

const fn required(group: &'static str, resource: &'static str, verbs: &'static [&'static str], without: &'static str) -> Right {
    Right { group, resource, verbs, without, is_required: true }
}

const fn useful(group: &'static str, resource: &'static str, verbs: &'static [&'static str], without: &'static str) -> Right {
    Right { group, resource, verbs, without, is_required: false }
}

/// The table.
pub const RIGHTS: &[Right] = &[
    required("", "namespaces", MAKE, "groups cannot be made or removed"),
    required("", "resourcequotas", MAKE, "the quota of a group does not hold in the cluster"),
    required("", "limitranges", MAKE, "groups cannot be made"),
    required("", "serviceaccounts", MAKE, "groups cannot be made"),
    required("networking.k8s.io", "networkpolicies", MAKE, "workspaces are not kept apart on the network"),
    required("", "secrets", &["get", "create", "patch", "update", "delete"], "workspaces cannot be started"),
    required("", "services", MAKE, "workspaces cannot be started"),
    required("", "persistentvolumeclaims", MAKE, "workspaces get no disk"),
    required("apps", "statefulsets", MAKE, "workspaces cannot be started"),
    required("", "pods", &["get", "list", "watch", "delete"], "nobody knows how workspaces are, and none is restarted"),
    required("", "pods/log", &["get"], "logs of workspaces cannot be read"),
    useful(
        "",
        "pods/portforward",
        &["get", "create"],
        "workspaces are reached only where their addresses are (cluster.connect = \"direct\")",
    ),
    useful("", "pods/resize", &["patch"], "another size is in force only after the next start"),
    useful("", "events", &["list", "watch"], "why a workspace does not start is told in fewer words"),
    useful("", "nodes", &["list", "watch"], "capacity is not shown, and a node that is away is not named"),
    useful("storage.k8s.io", "storageclasses", &["get", "list"], "doctor cannot check the storage class"),
    useful("metrics.k8s.io", "pods", &["list"], "what workspaces use is not shown"),
    useful("metrics.k8s.io", "nodes", &["list"], "what nodes use is not shown"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_resource_stands_in_the_table_once_and_nothing_in_it_is_everything() {
        let mut seen = BTreeSet::new();
        for right in RIGHTS {
            assert!(seen.insert((right.group, right.resource)), "{right:?}");
            assert!(!right.verbs.is_empty() && !right.verbs.contains(&"*") && right.resource != "*", "{right:?}");
        }
    }

    #[test]
    fn nothing_that_gives_more_rights_is_asked_for() {
        let dangerous = [
            "pods/exec",
            "pods/attach",
            "roles",
            "clusterroles",
            "rolebindings",
            "clusterrolebindings",
            "nodes/proxy",
            "serviceaccounts/token",
        ];
        for right in RIGHTS {
            assert!(!dangerous.contains(&right.resource), "{right:?}");
            assert!(!right.verbs.iter().any(|verb| ["escalate", "bind", "impersonate", "deletecollection"].contains(verb)), "{right:?}");
        }
        let secrets = RIGHTS.iter().find(|right| right.resource == "secrets").unwrap();
        assert!(!secrets.verbs.contains(&"list") && !secrets.verbs.contains(&"watch"), "to list secrets is to read all");
        let pods = RIGHTS.iter().find(|right| right.group.is_empty() && right.resource == "pods").unwrap();
        assert!(!pods.verbs.contains(&"create"), "who makes pods reaches every secret of the namespace");
    }
}
