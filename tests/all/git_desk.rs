//! What a workspace gets when it asks for its owner's key or token: signatures that OpenSSH accepts, and nothing for
//! anybody who may not ask. Every use is on record.

use super::harness::Client;
use super::site::Site;
use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use codex_web::clock::{Clock, HOUR, MINUTE, SystemEntropy};
use codex_web::domain::id::WorkspaceId;
use codex_web::gateway::git::{DeskAnswer, GitDesk};
use codex_web::token::ssh::wire::{Reader, put_number, put_string};
use codex_web::token::ssh::{PublicKey, UserKey};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

struct Asking {
    site: Site,
    desk: GitDesk,
    owner: Client,
    id: WorkspaceId,
}

impl Asking {
    async fn new() -> Self {
        let mut site = Site::new();
        let owner = site.harness.member("team");
        let id = WorkspaceId::parse(&site.running(&owner, "team", "mine").await).unwrap();
        let app = &site.harness.app;
        let desk = GitDesk::new(app.ops.clone(), app.keys.sealer().clone(), app.clock.clone());
        Self { site, desk, owner, id }
    }

    async fn key(&self) -> PublicKey {
        let made = self.owner.post("/api/users/me/ssh-key", json!({})).await.expect(201).json;
        PublicKey::parse(made["publicKey"].as_str().unwrap()).unwrap()
    }

    async fn ask(&self, path: &str, body: Vec<u8>) -> DeskAnswer {
        self.desk.answer(&self.id, 1, path, &body.into()).await
    }

    async fn credential(&self, host: &str) -> (u16, Value) {
        let answer = self.ask("/git/credential", json!({ "host": host }).to_string().into_bytes()).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }
}

fn strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        put_string(&mut bytes, part);
    }
    bytes
}

fn request(key: &PublicKey, data: &[u8]) -> Vec<u8> {
    let mut body = strings(&[key.blob(), data]);
    put_number(&mut body, 0);
    body
}

fn sign_in(key: &PublicKey, user: &str) -> Vec<u8> {
    let mut data = strings(&[&[7; 32]]);
    data.push(50);
    data.extend(strings(&[user.as_bytes(), b"ssh-connection", b"publickey"]));
    data.push(1);
    data.extend(strings(&[b"ssh-ed25519", key.blob()]));
    request(key, &data)
}

fn git_object(key: &PublicKey, namespace: &str, message: &[u8]) -> Vec<u8> {
    let mut data = b"SSHSIG".to_vec();
    data.extend(strings(&[namespace.as_bytes(), b"", b"sha512", digest(&SHA512, message).as_ref()]));
    request(key, &data)
}

#[tokio::test]
async fn ssh_keygen_accepts_the_signature_of_a_git_object_and_not_over_another_message() {
    let asking = Asking::new().await;
    let key = asking.key().await;
    let message = b"tree 0123\nauthor Ada\n\nA commit.\n";
    let answer = asking.ask("/ssh/sign", git_object(&key, "git", message)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut blob = b"SSHSIG".to_vec();
    put_number(&mut blob, 1);
    blob.extend(strings(&[key.blob(), b"git", b"", b"sha512", &answer.body]));
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let armoured = STANDARD.encode(&blob).as_bytes().chunks(70).map(|c| String::from_utf8_lossy(c) + "\n").collect::<String>();
    let signature = file("sig", format!("-----BEGIN SSH SIGNATURE-----\n{armoured}-----END SSH SIGNATURE-----\n"));
    let signers = file("signers", format!("ada@example.org {}\n", key.line()));
    let verify = |message: &[u8]| {
        let input = file("message", String::from_utf8(message.to_vec()).unwrap());
        Command::new("ssh-keygen")
            .args(["-Y", "verify", "-n", "git", "-I", "ada@example.org", "-f"])
            .arg(&signers)
            .arg("-s")
            .arg(&signature)
            .stdin(Stdio::from(std::fs::File::open(input).unwrap()))
            .output()
            .unwrap()
    };
    let good = verify(message);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert!(!verify(b"another message").status.success());
}

#[tokio::test]
async fn a_sign_in_is_signed_counted_and_recorded_once_an_hour() {
    let asking = Asking::new().await;
    let key = asking.key().await;
    for _ in 0..5 {
        let answer = asking.ask("/ssh/sign", sign_in(&key, "git")).await;
        let mut reader = Reader::new(&answer.body);
        assert_eq!((answer.status, reader.text(), reader.string().map(<[u8]>::len)), (200, Ok("ssh-ed25519"), Ok(64)));
    }
    let entries = asking.site.harness.audit("use_ssh_key");
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((&entries[0]["details"]["use"], &entries[0]["details"]["count"]), (&json!("sign_in"), &json!(1)));
    assert_eq!(entries[0]["resource"], json!(format!("workspace:{}", asking.id)));
    assert!(!entries[0]["details"].to_string().contains("\"git\""), "the name on the other server is personal data");
    asking.site.harness.clock.advance(HOUR);
    asking.ask("/ssh/sign", sign_in(&key, "git")).await;
    let counts: Vec<Value> = asking.site.harness.audit("use_ssh_key").iter().map(|e| e["details"]["count"].clone()).collect();
    assert_eq!(counts, [json!(1), json!(5)]);
}

#[tokio::test]
async fn anything_else_is_not_signed_and_the_attempt_is_on_record() {
    let asking = Asking::new().await;
    let key = asking.key().await;
    let other = UserKey::generate().unwrap().public("other");
    for body in [
        git_object(&key, "file", b"x"),
        request(&key, b"sign this"),
        sign_in(&other, "git"),
        request(&key, &sign_in(&key, "git")),
        vec![],
        vec![0xff; 64],
    ] {
        let answer = asking.ask("/ssh/sign", body).await;
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    let entries = asking.site.harness.audit("use_ssh_key");
    assert!(entries.iter().all(|e| e["success"] == json!(0)) && entries.len() == 3, "{entries:?}");
    assert_eq!(asking.ask("/ssh/sign", vec![0; 20 * 1024]).await.status, 413);
}

#[tokio::test]
async fn there_is_no_identity_before_a_key_was_made_and_a_replaced_key_signs_nothing() {
    let asking = Asking::new().await;
    assert_eq!(&asking.ask("/ssh/identities", Vec::new()).await.body[..], [0, 0, 0, 0]);
    let first = asking.key().await;
    assert_eq!(asking.ask("/ssh/sign", sign_in(&first, "git")).await.status, 200);
    let second = asking.key().await;
    let told = asking.ask("/ssh/identities", Vec::new()).await.body;
    let mut reader = Reader::new(&told);
    assert_eq!((reader.number(), reader.string()), (Ok(1), Ok(second.blob())));
    assert_eq!(reader.text(), Ok(second.comment()));
    assert_eq!(asking.ask("/ssh/sign", sign_in(&first, "git")).await.status, 403);
}

#[tokio::test]
async fn a_token_is_handed_out_for_its_host_alone() {
    let asking = Asking::new().await;
    let put = asking.owner.put("/api/users/me/git-credentials/git.example.org", json!({"username": "oauth2", "token": "s3cret"})).await;
    put.expect(200);
    assert_eq!(asking.credential("Git.Example.org:443").await, (200, json!({"username": "oauth2", "token": "s3cret"})));
    for (host, status) in
        [("example.org", 404), ("git.example.org:8443", 404), ("x.git.example.org", 404), ("a\nhost=git.example.org", 400)]
    {
        assert_eq!(asking.credential(host).await.0, status, "{host}");
    }
    let entries = asking.site.harness.audit("use_git_credential");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["details"]["host"], "git.example.org");
    assert!(!format!("{entries:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_run_that_is_over_and_an_account_that_is_disabled_get_nothing() {
    let asking = Asking::new().await;
    let key = asking.key().await;
    let body = sign_in(&key, "git");
    assert_eq!(asking.desk.answer(&asking.id, 2, "/ssh/sign", &body.clone().into()).await.status, 403, "another run");
    let missing = WorkspaceId::fresh(asking.site.harness.clock.now(), &SystemEntropy);
    assert_eq!(asking.desk.answer(&missing, 1, "/ssh/sign", &body.clone().into()).await.status, 403);
    let user = asking.owner.user_id();
    asking.site.harness.admin().post(&format!("/api/admin/users/{user}/disable"), json!({})).await.expect(200);
    for path in ["/ssh/sign", "/ssh/identities"] {
        assert_eq!(asking.ask(path, body.clone()).await.status, 403, "{path}");
    }
    assert_eq!(asking.credential("git.example.org").await.0, 403);
    asking.site.harness.admin().post(&format!("/api/admin/users/{user}/enable"), json!({})).await.expect(200);
    assert_eq!(asking.ask("/ssh/sign", body.clone()).await.status, 200);
    let id = &asking.id;
    asking.site.harness.admin().post(&format!("/api/workspaces/{id}/actions"), json!({"type": "stop"})).await.expect(200);
    assert_eq!(asking.ask("/ssh/sign", body).await.status, 403, "it is to stop");
}

#[tokio::test]
async fn who_asks_too_often_waits_a_minute() {
    let asking = Asking::new().await;
    let mut last = 0;
    for _ in 0..130 {
        last = asking.ask("/ssh/identities", Vec::new()).await.status;
    }
    assert_eq!(last, 429);
    asking.site.harness.clock.advance(MINUTE);
    assert_eq!(asking.ask("/ssh/identities", Vec::new()).await.status, 200);
}
