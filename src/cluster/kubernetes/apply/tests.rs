//! Changes that meet those of others.

use super::*;
use crate::cluster::kubernetes::scripted::{self, Answer};
use k8s_openapi::api::core::v1::LimitRange;
use serde_json::{Value as Json, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn wanted() -> LimitRange {
    serde_json::from_value(json!({"metadata": {"name": "l", "namespace": "n"}, "spec": {"limits": [{"type": "Container"}]}})).unwrap()
}

/// The object with a limit that somebody added, as it is at this version.
fn live(version: u32, uid: &str) -> Json {
    let limits = json!([{"type": "Container"}, {"type": "Pod"}]);
    json!({"metadata": {"name": "l", "namespace": "n", "uid": uid, "resourceVersion": version.to_string()}, "spec": {"limits": limits}})
}

/// An API server whose object is changed by somebody else before each of this many writes, and is then another one.
async fn contested(times: u32, becomes: &'static str) -> (std::sync::Arc<scripted::Api>, Result<LimitRange, ClusterError>) {
    let (mut version, mut uid) = (1, "first");
    let (api, clients) = scripted::Api::begin(PATIENCE, move |call| match call.method.as_str() {
        "PUT" if version <= times => {
            (version, uid) = (version + 1, becomes);
            scripted::refusal(409, "Conflict")
        }
        "PUT" => Answer(200, None, call.body.clone()),
        _ if !call.path.starts_with("/api/v1/namespaces/n/limitranges/l") => scripted::refusal(404, "NotFound"),
        _ => Answer(200, None, live(version, uid)),
    })
    .await;
    let client = clients.get().await.unwrap();
    let place = Place { clients: &clients, watch: None, api: Api::namespaced(client, "n") };
    let written = place.apply(&wanted(), None).await;
    (api, written)
}

#[tokio::test]
async fn a_status_that_is_written_meanwhile_is_no_reason_to_fail() {
    let (api, written) = contested(2, "first").await;
    assert_eq!(written.unwrap().spec.unwrap().limits.len(), 1, "what somebody added is gone");
    let versions: Vec<Json> =
        api.calls().iter().filter(|call| call.method == "PUT").map(|call| call.body["metadata"]["resourceVersion"].clone()).collect();
    assert_eq!(versions, ["1", "2", "3"], "each try is made with what is there then");
}

#[tokio::test]
async fn an_object_that_was_made_anew_meanwhile_is_not_replaced() {
    let (api, written) = contested(1, "second").await;
    assert_eq!(written.err(), Some(ClusterError::Gone));
    assert_eq!(api.calls().iter().filter(|call| call.method == "PUT").count(), 1);
}

#[tokio::test]
async fn what_changes_all_the_time_is_given_up_for_now() {
    let (_, written) = contested(1_000, "first").await;
    assert!(matches!(written, Err(ClusterError::Transient(_))), "{written:?}");
}

/// An API server that is too busy for this many calls, each time asking to wait so many seconds.
async fn busy(times: usize, seconds: u64) -> (std::sync::Arc<scripted::Api>, Result<LimitRange, ClusterError>) {
    let mut calls = 0;
    let (api, clients) = scripted::Api::begin(PATIENCE, move |call| {
        calls += 1;
        // In plain words, as the filter in front of the API server answers.
        if calls <= times {
            Answer(429, Some(seconds), json!("Too many requests, please try again later."))
        } else {
            Answer(200, None, call.body.clone())
        }
    })
    .await;
    let client = clients.get().await.unwrap();
    let place = Place { clients: &clients, watch: None, api: Api::namespaced(client, "n") };
    let mut written = place.apply(&wanted(), None).await;
    if written.is_err() {
        // Whoever asks next is told without a call.
        written = place.apply(&wanted(), None).await;
    }
    (api, written)
}

#[tokio::test]
async fn a_busy_api_server_is_asked_again_when_it_says_and_not_before() {
    let (api, written) = busy(1, 1).await;
    assert!(written.is_ok(), "{written:?}");
    let times: Vec<_> = api.calls().iter().map(|call| call.at).collect();
    assert_eq!(times.len(), 2);
    assert!(times[1] - times[0] >= Duration::from_millis(990), "{:?}", times[1] - times[0]);
}

#[tokio::test]
async fn who_asks_to_be_left_alone_for_long_is_and_that_is_said() {
    let (api, written) = busy(100, 60).await;
    assert!(matches!(&written, Err(ClusterError::Transient(why)) if why.contains("asks to wait 60 seconds")), "{written:?}");
    assert_eq!(api.calls().len(), 1);
}
