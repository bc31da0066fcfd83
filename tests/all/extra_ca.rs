//! `server.extra_ca` in a real workspace of tier `full`: each program reaches a server whose certificate comes from an
//! added authority, without a word of its own about certificates. Where a program or the tier is missing it is skipped.
#![allow(clippy::print_stderr)] // what is skipped is said

use super::egress_workspace::{Place, has, host, offer_wheel, policy};
use super::file_server::{ADDRESS, FileServer};
use super::program::Program;
use codex_web::domain::egress::Mode;
use std::fs;

/// A server for `site.test` with files for every program, and a place whose workspaces trust it, or do not.
async fn place(trusted: bool) -> Option<(Place, FileServer, tempfile::TempDir)> {
    let files = tempfile::tempdir().unwrap();
    let (server, certificate) = FileServer::encrypted(files.path(), "site.test");
    let place = Place::trusting(policy(Mode::Open, &[ADDRESS]), &[], trusted.then_some(certificate.as_str())).await?;
    fs::write(files.path().join("hello"), "hello by TLS").unwrap();
    Some((place, server, files))
}

#[tokio::test]
async fn curl_python_and_node_trust_what_the_operator_added_and_only_then() {
    for trusted in [true, false] {
        let Some((place, server, _files)) = place(trusted).await else { return };
        let inside = place.workspace().await;
        let url = format!("https://site.test:{}/hello", server.port);
        let python = format!("/usr/bin/python3 -c 'import urllib.request as r; print(r.urlopen(\"{url}\").read().decode())'");
        let node = format!(
            "node -e 'const s = require(\"net\").connect(3128, \"127.0.0.1\"); s.write(\"CONNECT site.test:{0} HTTP/1.1\\r\\nHost: site.test:{0}\\r\\n\\r\\n\"); \
             s.once(\"data\", () => {{ const t = require(\"tls\").connect({{ socket: s, servername: \"site.test\" }}, () => {{ console.log(\"hello by TLS\"); t.end(); }}); \
             t.on(\"error\", (e) => {{ console.error(e.message); process.exit(1); }}); }})'",
            server.port
        );
        let programs = [("curl", format!("curl -sS {url}")), ("/usr/bin/python3", python), ("node", node)];
        for (program, script) in programs.iter().filter(|(program, _)| has(program)) {
            let (code, text) = inside.run(script).await;
            assert_eq!(code == 0 && text.contains("hello by TLS"), trusted, "{program}: {text}");
        }
    }
}

#[tokio::test]
async fn pip_npm_and_git_fetch_from_a_site_with_its_own_authority() {
    let Some((place, server, files)) = place(true).await else { return };
    let inside = place.workspace().await;
    let base = format!("https://site.test:{}", server.port);
    if has("git") {
        host(
            files.path(),
            "export GIT_CONFIG_GLOBAL=/nowhere GIT_CONFIG_SYSTEM=/nowhere; git init -q -b main work; cd work; echo inside >file; git add file; \
             git -c user.name=t -c user.email=t@example.org commit -q -m one; cd ..; git clone -q --bare work repo.git; cd repo.git; git update-server-info",
        );
        assert_eq!(inside.succeeds(&format!("cd ~; git clone -q {base}/repo.git; cat repo/file")).await, "inside\n");
    }
    if has("npm") {
        host(
            files.path(),
            "mkdir package; echo '{\"name\":\"demo\",\"version\":\"1.2.3\"}' >package/package.json; tar czf demo-1.2.3.tgz package",
        );
        let version = serde_json::json!({ "name": "demo", "version": "1.2.3", "dist": { "tarball": format!("{base}/demo-1.2.3.tgz") } });
        let document = serde_json::json!({ "name": "demo", "dist-tags": { "latest": "1.2.3" }, "versions": { "1.2.3": version } });
        fs::write(files.path().join("demo"), document.to_string()).unwrap();
        inside.succeeds(&format!("cd ~ && npm pack demo --registry {base}/ && test -s demo-1.2.3.tgz")).await;
    }
    if has("/usr/bin/pip3") {
        let wheel = offer_wheel(files.path());
        inside.succeeds(&format!("cd ~ && /usr/bin/pip3 download --no-deps -i {base}/simple demo && test -s {wheel}")).await;
    }
}

#[test]
fn a_bundle_that_cannot_be_used_stops_the_start_with_words_and_a_good_one_is_counted_by_doctor() {
    let mut program = Program::new();
    let bundle = program.dir.path().join("ca.pem");
    fs::write(&bundle, "not a certificate").unwrap();
    program.variables.push(("CODEX_WEB_SERVER__EXTRA_CA".to_owned(), bundle.display().to_string()));
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["config", "check"]] {
        let ran = program.run(command).expect(2);
        let words = format!("server.extra_ca: {}: there is no certificate in it (PEM is expected)", bundle.display());
        assert!(ran.messages.contains(&words) || ran.out.contains(&words), "{ran:?}");
    }
    let made = rcgen::generate_simple_self_signed(["ca.example.org".to_owned()]).unwrap();
    fs::write(&bundle, made.cert.pem()).unwrap();
    program.run(&["config", "check"]).expect(0);
    let checks = program.run(&["doctor", "--output", "json"]).json();
    let line = checks.as_array().unwrap().iter().find(|check| check["check"] == "authorities").unwrap();
    assert_eq!(
        (&line["verdict"], line["found"].as_str().unwrap().starts_with("1 beside the system's, from ")),
        (&"ok".into(), true),
        "{line}"
    );
}
