//! Which rights of the table are missing: each verb is asked for by itself, of the API server that would refuse it.

use super::Finding;
use crate::cluster::ClusterError;
use crate::cluster::kubernetes::client::Clients;
use crate::cluster::kubernetes::rights::{RIGHTS, Right};
use futures_util::StreamExt;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

const NAME: &str = "cluster rights";
/// Questions at a time.
const AT_ONCE: usize = 8;

/// Everything that is missing, or one line that nothing is.
pub async fn check(clients: &Clients) -> Vec<Finding> {
    let all = RIGHTS.iter().flat_map(|right| right.verbs.iter().map(move |verb| (right, *verb)));
    let asked = futures_util::stream::iter(all).map(|(right, verb)| async move { (right, verb, may(clients, right, verb).await) });
    let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    if let Some((.., Err(error))) = answers.iter().find(|(.., answer)| answer.is_err()) {
        return vec![Finding::bad(NAME, format!("they cannot be asked for: {error}"), "let this server make SelfSubjectAccessReviews")];
    }
    let granted = answers.iter().filter(|(.., answer)| matches!(answer, Ok(true))).count();
    let missing = |right: &Right| {
        let refused = answers.iter().filter(|(r, _, answer)| *r == right && !matches!(answer, Ok(true)));
        refused.map(|(_, verb, _)| *verb).collect::<Vec<_>>()
    };
    let findings: Vec<Finding> = RIGHTS.iter().filter_map(|right| finding(right, &missing(right))).collect();
    if findings.is_empty() { vec![Finding::good(NAME, format!("all {granted} that are needed"))] } else { findings }
}

fn finding(right: &Right, missing: &[&str]) -> Option<Finding> {
    if missing.is_empty() {
        return None;
    }
    let group = if right.group.is_empty() { String::new() } else { format!(".{}", right.group) };
    let found = format!("may not {} {}{group}; without this, {}", missing.join(", "), right.resource, right.without);
    let cure = format!(
        "add to its ClusterRole: apiGroups [\"{}\"], resources [\"{}\"], verbs [{}]",
        right.group,
        right.resource,
        missing.iter().map(|verb| format!("\"{verb}\"")).collect::<Vec<_>>().join(", ")
    );
    Some(if right.is_required { Finding::bad(NAME, found, cure) } else { Finding::warning(NAME, found, cure) })
}

async fn may(clients: &Clients, right: &Right, verb: &str) -> Result<bool, ClusterError> {
    let (resource, subresource) = right.resource.split_once('/').map_or((right.resource, None), |(r, s)| (r, Some(s)));
    let wanted = ResourceAttributes {
        group: Some(right.group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: subresource.map(str::to_owned),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(wanted), ..SelfSubjectAccessReviewSpec::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(clients.get().await?);
    let answer = clients.call(reviews.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_missing_verb_is_named_with_the_rule_that_gives_it() {
        let sets = RIGHTS.iter().find(|right| right.resource == "statefulsets").unwrap();
        let found = finding(sets, &["patch"]).unwrap();
        assert_eq!(found.verdict, Verdict::Bad);
        assert_eq!(found.found, "may not patch statefulsets.apps; without this, workspaces cannot be started");
        assert_eq!(
            found.cure.as_deref(),
            Some("add to its ClusterRole: apiGroups [\"apps\"], resources [\"statefulsets\"], verbs [\"patch\"]")
        );
        let events = RIGHTS.iter().find(|right| right.resource == "events").unwrap();
        assert_eq!(finding(events, &["list", "watch"]).map(|found| found.verdict), Some(Verdict::Warning));
        assert_eq!(finding(events, &[]), None);
    }
}
