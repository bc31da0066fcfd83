//! Why an image could not be had, from the kubelet's text and that of containerd below it.

use super::{quoted, reason};
use crate::cluster::Reason;

/// The waiting reasons that are about the image.
pub const REASONS: &[&str] =
    &["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable"];

/// The words; `text` is all that the cluster says about it. `is_agent` is for the image that the agent comes in, which
/// people did not choose.
pub fn words(waiting: &str, image: &str, text: &str, is_agent: bool) -> Reason {
    let (code, what, cure) = match waiting {
        "ErrImageNeverPull" => {
            ("image_never_pulled", "is not on the node, and may not be pulled", "Bring it to the nodes, or allow pulling")
        }
        "InvalidImageName" => ("image_name_invalid", "is no name of an image", "Write it as registry/name:tag"),
        _ => cause(&text.to_ascii_lowercase()),
    };
    let image = quoted(image, 260);
    let told = if code == "image_not_pulled" { format!(": {}", quoted(text, 300)) } else { String::new() };
    if is_agent {
        let words = format!("The image of the agent, {image}, {what}{told}.");
        return reason(code, words, &format!("A platform admin can correct this with cluster.agent_image. {cure}."));
    }
    reason(code, format!("The image {image} {what}{told}."), &format!("{cure}. It is tried again by itself."))
}

/// What stands in the text, in the order in which the one hides the other: a registry that wants a login says "not found"
/// too.
fn cause(text: &str) -> (&'static str, &'static str, &'static str) {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["toomanyrequests", "429 too many"]) {
        return ("registry_throttled", "cannot be had now: its registry wants fewer pulls", "Wait, or use a registry of your own");
    }
    if has(&["401 unauthorized", "403 forbidden", "unauthorized", "authorization failed", "access denied", "denied:", "no basic auth"]) {
        let cure = "Correct the name, or ask a platform admin for a pull secret (cluster.image_pull_secrets)";
        return ("image_no_access", "may not be pulled: its registry wants another login, or there is no such image", cure);
    }
    if has(&["no match for platform", "exec format"]) {
        return ("image_wrong_platform", "is not made for the processors of the nodes", "Choose an image for them");
    }
    if has(&["code = notfound", ": not found", "manifest unknown", "404 not found"]) {
        return ("image_not_found", "was not found", "Check its name and tag");
    }
    if has(&["no space left on device"]) {
        return ("node_disk_full", "does not fit on the node: its disk is full", "A platform admin can make room there");
    }
    if has(&["x509", "certificate"]) {
        let cure = "A platform admin can make the nodes trust its certificate";
        return ("registry_untrusted", "cannot be had: the nodes do not trust its registry", cure);
    }
    let unreachable = ["dial tcp", "connection refused", "no such host", "i/o timeout", "deadline exceeded", "tls handshake timeout"];
    if has(&unreachable) || has(&["connection reset", "server misbehaving", "502 bad gateway", "503 service unavailable", "unexpected eof"])
    {
        let cure = "A platform admin can check how the nodes reach it";
        return ("registry_unreachable", "cannot be had: the nodes do not reach its registry", cure);
    }
    ("image_not_pulled", "could not be pulled", "A platform admin can look at the node")
}
