//! From descriptions to objects of the cluster: pure functions with typed results, kept as golden files.
//!
//! The same description gives the same objects to the letter, so that a digest of them tells whether anything changed.
//! Nothing here knows what the cluster holds already.

pub mod group;
pub mod network;
pub mod order;
pub mod pod;
pub mod workspace;

use super::names;
use super::settings::KubernetesSettings;
use crate::domain::hex;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde::Serialize;
use std::collections::BTreeMap;

/// What every object depends on besides its own description.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The id of this installation.
    pub installation: &'a str,
    pub settings: &'a KubernetesSettings,
}

/// Labels or annotations.
type Marks = BTreeMap<String, String>;

/// Names and values as they stand in objects.
fn marks<const N: usize>(pairs: [(&str, &str); N]) -> Marks {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What marks an object as ours.
fn our_labels(context: Context<'_>) -> Marks {
    marks([(names::MANAGED_BY, names::FIELD_MANAGER), (names::INSTALLATION, context.installation)])
}

fn metadata(name: &str, namespace: &str, labels: Marks) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), namespace: Some(namespace.to_owned()), labels: Some(labels), ..ObjectMeta::default() }
}

/// The object with a digest of itself in its annotations: by that, what has left a description is noticed, which the
/// values that are still in it could not tell.
fn sealed<K: ResourceExt + Serialize>(mut object: K) -> K {
    let digest = digest(&object);
    object.annotations_mut().insert(names::MANIFEST.to_owned(), digest);
    object
}

/// A short digest of anything that has one written form.
pub fn digest(of: &impl Serialize) -> String {
    // Objects of maps with text as keys have a JSON form always.
    let text = serde_json::to_vec(of).unwrap_or_default();
    let whole = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text);
    hex::encode(whole.as_ref().get(..16).unwrap_or_default())
}
