//! The role that is shipped for Kubernetes gives exactly the rights that the program uses and asks for, verb by verb.

use super::golden;
use codex_web::cluster::kubernetes::rights::RIGHTS;

const HEAD: &str = "\
# What Codex Web may do in the cluster: the rights that `codex-web doctor` asks for, and none else. Groups are namespaces that
# come and go, so the role holds in all of them. It cannot read Secrets in lists, run programs in pods, or give rights.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: codex-web
  labels:
    app.kubernetes.io/name: codex-web
rules:
";

#[test]
fn the_role_that_is_shipped_gives_exactly_what_is_asked_for() {
    let rules = RIGHTS.iter().map(|right| {
        let verbs = right.verbs.iter().map(|verb| format!("\"{verb}\"")).collect::<Vec<_>>().join(", ");
        let need = if right.is_required { "without it" } else { "useful; without it" };
        format!(
            "  # {need} {}\n  - apiGroups: [\"{}\"]\n    resources: [\"{}\"]\n    verbs: [{verbs}]\n",
            right.without, right.group, right.resource
        )
    });
    golden::check("../../packaging/kubernetes/cluster-role.yaml", &format!("{HEAD}{}", rules.collect::<String>()));
}
