//! The application with its fake cluster and a reconciler that goes round only when a test says so.

use super::contract::new_signer;
use super::harness::{Answer, Client, Harness};
use codex_web::cluster::{AgentTrust, ClusterControl};
use codex_web::identity::signing::MachineKeys;
use codex_web::reconcile::Reconciler;
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// The application and its reconciler.
pub struct Site {
    pub harness: Harness,
    pub reconciler: Reconciler,
}

/// Keys that no test signs with: the reconciler starts nothing without some.
fn keys() -> watch::Receiver<Option<MachineKeys>> {
    static KEYS: OnceLock<MachineKeys> = OnceLock::new();
    let made = KEYS.get_or_init(|| {
        let signer = Arc::new(new_signer("codex-web"));
        MachineKeys { trust: AgentTrust { jwks: signer.jwks(), issuer: "codex-web".to_owned() }, signer }
    });
    watch::channel(Some(made.clone())).1
}

fn reconciler(harness: &Harness, keys: watch::Receiver<Option<MachineKeys>>) -> Reconciler {
    Reconciler::new(harness.app.ops.clone(), harness.cluster.clone() as Arc<dyn ClusterControl>, harness.clock.clone(), keys)
}

impl Site {
    pub fn new() -> Self {
        let harness = Harness::new();
        let reconciler = reconciler(&harness, keys());
        Self { harness, reconciler }
    }

    /// On a real port, with the installation's own keys, so that terminals can be opened.
    pub async fn listening() -> Self {
        Self::listening_with(&[]).await
    }

    /// As [`Site::listening`], with settings in the form of the environment.
    pub async fn listening_with(settings: &[(&str, &str)]) -> Self {
        let harness = Harness::listening_with(settings);
        let app = Arc::clone(&harness.app);
        let made = tokio::task::spawn_blocking(move || app.keys.complete(&app.ops.db, app.clock.as_ref(), app.entropy.as_ref()));
        made.await.unwrap().unwrap();
        let reconciler = reconciler(&harness, harness.app.keys.machine());
        Self { harness, reconciler }
    }

    /// Forgets the reconciler and makes another, as a restart of the server does.
    pub fn restart_reconciler(&mut self) {
        self.reconciler = reconciler(&self.harness, keys());
    }

    /// Goes round until nothing moves any more.
    pub async fn settle(&mut self) {
        for _ in 0..6 {
            self.reconciler.round().await.unwrap();
        }
    }

    /// A workspace of this person in this group, as the API answers it.
    pub async fn make(&self, owner: &Client, group: &str, name: &str, more: Value) -> Value {
        let mut body = json!({ "name": name, "groupId": self.harness.group(group) });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        owner.post("/api/workspaces", body).await.expect(201).json
    }

    /// One that runs; its id.
    pub async fn running(&mut self, owner: &Client, group: &str, name: &str) -> String {
        let made = self.make(owner, group, name, json!({ "start": true, "tier": "single-user" })).await;
        let id = made["id"].as_str().unwrap().to_owned();
        self.settle().await;
        assert_eq!(self.look(owner, &id).await["status"], "running");
        id
    }

    /// The workspace as this person sees it.
    pub async fn look(&self, who: &Client, id: &str) -> Value {
        who.get(&format!("/api/workspaces/{id}")).await.expect(200).json
    }

    pub async fn act(&self, who: &Client, id: &str, kind: &str) -> Answer {
        who.post(&format!("/api/workspaces/{id}/actions"), json!({ "type": kind })).await
    }
}
