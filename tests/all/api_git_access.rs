//! A person's SSH key and git credentials: private parts go in and never come out, and end with the account.

use super::harness::{Harness, PASSWORD};
use codex_web::app::database_path;
use serde_json::{Value, json};
use std::process::Command;

const KEY: &str = "/api/users/me/ssh-key";
const CREDENTIALS: &str = "/api/users/me/git-credentials";

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_person_makes_a_key_sees_its_public_part_and_replaces_it() {
    let harness = Harness::new();
    let client = harness.signed_in(&harness.create_user("ada", false));
    let none = client.get(KEY).await.expect(200).json;
    assert_eq!(none, json!({"publicKey": null, "fingerprint": null, "createdAt": null}));
    assert!(harness.rows("SELECT 1 FROM ssh_key").is_empty(), "looking makes nothing");
    let first = client.post(KEY, json!({})).await.expect(201).json;
    assert!(text(&first, "publicKey").starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"), "{first}");
    assert!(text(&first, "publicKey").ends_with(" ada@codex-web"), "{first}");
    assert_eq!(client.get(KEY).await.expect(200).json, first);
    let second = client.post(KEY, json!({})).await.expect(201).json;
    assert_ne!(text(&second, "publicKey"), text(&first, "publicKey"));
    assert_eq!(client.get(KEY).await.expect(200).json, second);
    let entries = harness.audit("manage_own_ssh_key");
    assert_eq!(entries.len(), 2);
    let told: Vec<&Value> = entries.iter().map(|e| &e["details"]["fingerprint"]).collect();
    let both = json!({"before": first["fingerprint"], "after": second["fingerprint"]});
    assert!(told.contains(&&both) && told.contains(&&json!({"before": null, "after": first["fingerprint"]})), "{told:?}");
}

#[tokio::test]
async fn openssh_reads_the_public_part_and_counts_the_same_fingerprint() {
    let harness = Harness::new();
    let client = harness.stranger();
    let key = client.post(KEY, json!({})).await.expect(201).json;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.pub");
    std::fs::write(&file, format!("{}\n", text(&key, "publicKey"))).unwrap();
    let told = Command::new("ssh-keygen").arg("-lf").arg(&file).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.starts_with(&format!("256 {} ", text(&key, "fingerprint"))) && told.trim_end().ends_with("(ED25519)"), "{told}");
}

#[tokio::test]
async fn everybody_has_a_key_of_their_own_and_the_database_holds_none_of_them_readable() {
    let harness = Harness::new();
    let (ada, ben) = (harness.create_user("ada", false), harness.create_user("ben", false));
    let (first, second) = (harness.signed_in(&ada), harness.signed_in(&ben));
    let key = first.post(KEY, json!({})).await.expect(201).json;
    assert_eq!(second.get(KEY).await.expect(200).json["publicKey"], Value::Null);
    let other = second.post(KEY, json!({})).await.expect(201).json;
    assert_ne!(text(&key, "publicKey"), text(&other, "publicKey"));
    // A PKCS#8 Ed25519 key has the object identifier 1.3.101.112 in its first bytes.
    let file = std::fs::read(database_path(&harness.app.config.data.dir)).unwrap();
    let wal = std::fs::read(database_path(&harness.app.config.data.dir).with_extension("db-wal")).unwrap_or_default();
    assert!(![file, wal].concat().windows(7).any(|w| w == [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70]));
    harness.anonymous().get(KEY).await.expect(401);
}

#[tokio::test]
async fn a_token_is_kept_for_each_host_and_never_shown() {
    let harness = Harness::new();
    let client = harness.signed_in(&harness.create_user("ada", false));
    let secret = "glpat-Zz9-never-to-be-seen";
    let path = format!("{CREDENTIALS}/git.example.org");
    let kept = client.put(&path, json!({"username": "oauth2", "token": secret})).await.expect(200);
    assert_eq!((text(&kept.json, "host"), text(&kept.json, "username")), ("git.example.org", "oauth2"));
    client.put(&format!("{CREDENTIALS}/a.example.org:8443"), json!({"username": "ada", "token": "other"})).await.expect(200);
    client.put(&path, json!({"username": "ada", "token": secret})).await.expect(200);
    let list = client.get(CREDENTIALS).await.expect(200);
    let hosts: Vec<(&str, &str)> = list.json.as_array().unwrap().iter().map(|c| (text(c, "host"), text(c, "username"))).collect();
    assert_eq!(hosts, [("a.example.org:8443", "ada"), ("git.example.org", "ada")]);
    let audit = harness.audit("manage_own_git_credentials");
    assert_eq!(audit.len(), 3);
    let everything = format!("{}{}{audit:?}{:?}", kept.text, list.text, harness.rows("SELECT hex(sealed) AS sealed FROM git_credential"));
    assert!(!everything.contains(secret), "{everything}");
    let file = std::fs::read(database_path(&harness.app.config.data.dir)).unwrap();
    assert!(!file.windows(secret.len()).any(|w| w == secret.as_bytes()));
    client.delete(&path).await.expect(204);
    client.delete(&path).await.expect(204);
    assert_eq!(client.get(CREDENTIALS).await.expect(200).json.as_array().unwrap().len(), 1);
    assert_eq!(harness.audit("manage_own_git_credentials").len(), 4, "what was not there is not recorded");
}

#[tokio::test]
async fn hosts_names_and_tokens_that_could_end_a_line_are_refused() {
    let harness = Harness::new();
    let client = harness.stranger();
    let good = json!({"username": "ada", "token": "t0ken"});
    for host in ["GitHub.com", "github.com:443", "-a", "github", "*"] {
        let refused = client.put(&format!("{CREDENTIALS}/{host}"), good.clone()).await.expect(400);
        assert_eq!(refused.fields(), ["host:invalid"], "{host}");
        client.delete(&format!("{CREDENTIALS}/{host}")).await.expect(400);
    }
    let refused = client.put(&format!("{CREDENTIALS}/github.com"), json!({"username": "a\nb", "token": "a b"})).await.expect(400);
    assert_eq!(refused.fields(), ["username:characters", "token:characters"]);
    assert!(harness.rows("SELECT 1 FROM git_credential").is_empty());
}

#[tokio::test]
async fn the_number_of_hosts_has_a_limit_and_a_known_host_may_still_change() {
    let harness = Harness::new();
    let client = harness.stranger();
    let good = json!({"username": "ada", "token": "t0ken"});
    for number in 0..50 {
        client.put(&format!("{CREDENTIALS}/h{number}.example.org"), good.clone()).await.expect(200);
    }
    client.put(&format!("{CREDENTIALS}/one-more.example.org"), good.clone()).await.expect(409);
    client.put(&format!("{CREDENTIALS}/h7.example.org"), good).await.expect(200);
}

#[tokio::test]
async fn a_deleted_account_leaves_no_key_and_no_token_behind() {
    let harness = Harness::new();
    let admin = harness.admin();
    let ada = harness.create_user("ada", false);
    let client = harness.anonymous();
    let tokens = client.post("/api/auth/login", json!({"username": "ada", "password": PASSWORD})).await.expect(200).json;
    let client = client.with_bearer(tokens["accessToken"].as_str().unwrap());
    client.post(KEY, json!({})).await.expect(201);
    client.put(&format!("{CREDENTIALS}/github.com"), json!({"username": "ada", "token": "t0ken"})).await.expect(200);
    admin.delete(&format!("/api/admin/users/{ada}")).await.expect(204);
    assert!(harness.rows("SELECT 1 FROM ssh_key UNION SELECT 1 FROM git_credential").is_empty());
}
