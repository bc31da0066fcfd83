//! The command line as scripts and operators rely on it: exit codes, both ways to the application, and what is never
//! printed.

use crate::program::{Program, Ran, binary};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, Stream};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PASSWORD: &str = "seven green tugboats hum 4";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// An installation with an administrator, made without a server.
fn installed() -> Program {
    let program = Program::new();
    program.add_admin("root", PASSWORD);
    program
}

fn audit(program: &Program) -> Vec<Value> {
    let exported = program.run(&["audit", "export"]).expect(0).out;
    exported.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|line| line["type"] == "entry").collect()
}

#[test]
fn an_administrator_added_in_the_shell_completes_the_set_up() {
    let program = Program::new();
    let refused = program.run_with(&["user", "add", "bo", "--email", "bo@example.org", "--password-stdin"], PASSWORD).expect(1);
    assert!(refused.messages.contains("--admin"), "{refused:?}");
    let added = program
        .run_with(&["user", "add", "ada", "--email", "ada@example.org", "--admin", "--password-stdin", "--output", "json"], PASSWORD)
        .expect(0);
    assert_eq!((added.json()["username"].as_str(), added.json()["isAdmin"].as_bool()), (Some("ada"), Some(true)));
    assert!(!added.out.contains(PASSWORD) && !added.messages.contains(PASSWORD));
    let closed = program.run(&["setup-code"]).expect(1);
    assert!(closed.messages.contains("set up already"), "{closed:?}");
    let entries = audit(&program);
    assert_eq!((entries[0]["action"].as_str(), entries[0]["actorKind"].as_str()), (Some("set_up"), Some("local-shell")));
    assert!(entries[0]["actorId"].as_str().unwrap().starts_with("cli:"), "{entries:?}");
}

#[test]
fn a_weak_password_and_every_other_bad_field_are_told_at_once() {
    let program = Program::new();
    let ran = program.run_with(&["user", "add", "No Spaces", "--email", "nowhere", "--admin", "--password-stdin"], "short").expect(1);
    for field in ["username", "email"] {
        assert!(ran.messages.contains(field), "{field} is missing in {ran:?}");
    }
    let ran = program.run_with(&["user", "add", "ada", "--email", "ada@example.org", "--admin", "--password-stdin"], "short").expect(1);
    assert!(ran.messages.contains("12 characters"), "{ran:?}");
}

#[test]
fn commands_that_only_look_make_no_installation() {
    let program = Program::new();
    for command in
        [&["user", "list"][..], &["keys", "list"], &["audit", "verify"], &["audit", "export"], &["backup", "create"], &["healthcheck"]]
    {
        program.run(command).expect(1);
    }
    assert!(!program.data().exists());
}

#[test]
fn wrong_usage_and_wrong_configuration_are_exit_code_2() {
    let program = Program::new();
    program.run(&["serve", "--lisen", "x"]).expect(2);
    program.run(&["user"]).expect(2);
    program.run(&["nonsense"]).expect(2);
    program.run(&["--listen", "127.0.0.1:0", "doctor"]).expect(2);
    let ran = program.run(&["serve", "--listen", "nowhere", "--log-format", "xml"]).expect(2);
    assert!(ran.messages.contains("--listen: server.listen") && ran.messages.contains("--log-format: log.format"), "{ran:?}");
    assert!(!program.data().exists(), "nothing is made before the configuration is good");
}

#[test]
fn without_tls_it_serves_loopback_only_and_says_how_else() {
    let mut program = Program::new();
    program.variables.push(("CODEX_WEB_SERVER__TLS".into(), "off".into()));
    let ran = program.run(&["serve", "--listen", "0.0.0.0:0"]).expect(2);
    assert!(ran.messages.contains("ssh -L") && ran.messages.contains("server.trusted_proxies"), "{ran:?}");
    assert!(!program.data().exists());
}

#[test]
fn one_data_directory_has_one_process() {
    let program = installed();
    let server = program.serve();
    program.run(&["serve", "--listen", "127.0.0.1:0"]).expect(3);
    program.run(&["backup", "restore", "none"]).expect(3);
    program.run(&["healthcheck"]).expect(0);
    assert_eq!(server.stop(), 0);
    program.run(&["healthcheck"]).expect(1);
    assert!(!program.data().join("control.sock").exists());
    assert_eq!(program.serve().stop(), 0, "the lock is free again");
}

#[test]
fn the_data_directory_is_private() {
    let program = installed();
    let server = program.serve();
    let data = program.data();
    assert_eq!(mode(&data), 0o711);
    for file in ["codex-web.db", "codex-web.db-wal", "codex-web.db-shm", "keys/master", "lock", "control.sock"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
    assert_eq!(mode(&data.join("keys")), 0o700);
    assert_eq!(server.stop(), 0);
}

#[test]
fn the_set_up_code_is_never_in_a_log_and_its_link_comes_from_a_command() {
    let program = Program::new();
    let server = program.serve();
    let file = program.data().join("setup-code");
    assert_eq!(mode(&file), 0o600);
    let first = std::fs::read_to_string(&file).unwrap();
    let made = program.run(&["setup-code", "--output", "json"]).expect(0).json();
    let code = made["code"].as_str().unwrap();
    assert_ne!(first.trim(), code, "a new code each time");
    assert!(
        made["url"].as_str().unwrap().starts_with("http://localhost:")
            && made["url"].as_str().unwrap().ends_with(&format!("/setup#{code}"))
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), code);
    server.signal(rustix::process::Signal::TERM);
    let log: Vec<String> = server.lines.iter().collect();
    assert!(!log.iter().any(|line| line.contains(code) || line.contains(first.trim())), "{log:?}");
}

#[test]
fn the_start_message_of_a_server_without_a_terminal_names_the_command() {
    let program = Program::new();
    let mut child = program
        .command(&["serve", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let text: Vec<String> = lines.by_ref().take_while(|line| !line.contains("Data")).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let text = text.join("\n");
    assert!(text.contains("http://localhost:") && text.contains("codex-web setup-code") && !text.contains("setup#"), "{text}");
}

#[test]
fn keys_rotate_while_the_server_runs_and_the_change_is_audited() {
    let program = installed();
    let server = program.serve();
    let before = program.run(&["keys", "list", "--output", "json"]).expect(0).json();
    let after = program.run(&["keys", "rotate", "--output", "json"]).expect(0).json();
    let active = |keys: &Value| {
        let of_kind = |key: &&Value| key["kind"] == "access" && key["state"] == "active";
        keys.as_array().unwrap().iter().find(of_kind).map(|key| key["kid"].clone()).unwrap()
    };
    assert_ne!(active(&before), active(&after));
    assert!(after.as_array().unwrap().iter().any(|key| key["state"] == "retiring" && key["kid"] == active(&before)));
    assert!(audit(&program).iter().any(|entry| entry["action"] == "rotate_keys" && entry["success"] == true));
    assert_eq!(server.stop(), 0);
}

#[test]
fn an_edited_audit_log_and_an_edited_export_are_exit_code_4() {
    let program = installed();
    program.run(&["audit", "verify"]).expect(0);
    let export = program.dir.path().join("audit.jsonl");
    std::fs::write(&export, program.run(&["audit", "export"]).expect(0).out).unwrap();
    let file = export.to_string_lossy().into_owned();
    program.run(&["audit", "verify", "--export", &file]).expect(0);
    let edited = std::fs::read_to_string(&export).unwrap().replace("\"set_up\"", "\"sat_up\"");
    std::fs::write(&export, edited).unwrap();
    assert_eq!(program.run(&["audit", "verify", "--export", &file, "--output", "json"]).expect(4).json()["verdict"], "row altered");

    #[allow(clippy::disallowed_methods)] // an attacker with write access to the file
    let connection = rusqlite::Connection::open(program.data().join("codex-web.db")).unwrap();
    connection.execute_batch("DROP TRIGGER audit_event_append_only; UPDATE audit_event SET action = 'sat_up' WHERE seq = 1;").unwrap();
    drop(connection);
    let ran = program.run(&["audit", "verify", "--output", "json"]).expect(4).json();
    assert_eq!((ran["verdict"].as_str(), ran["finding"]["seq"].as_i64()), (Some("row altered"), Some(1)));
    assert!(program.run(&["doctor"]).expect(4).out.contains("row altered"));
}

#[test]
fn doctor_finds_nothing_wrong_with_a_fresh_installation_stopped_or_running() {
    // What the machine decides, and no installation: whether it can keep workspaces apart, and how full its disk is.
    const OF_THE_MACHINE: [&str; 2] = ["workspaces", "disk"];
    let mut program = installed();
    // Not the port of whatever else runs here.
    program.variables.push(("CODEX_WEB_SERVER__LISTEN".into(), "127.0.0.1:0".into()));
    for runs in [false, true] {
        let server = runs.then(|| program.serve());
        let ran = program.run(&["doctor", "--output", "json"]);
        let checks = ran.json();
        let checks = checks.as_array().unwrap();
        let problems: Vec<&Value> = checks.iter().filter(|check| check["verdict"] == "problem").collect();
        let own = problems.iter().filter(|check| !OF_THE_MACHINE.contains(&check["check"].as_str().unwrap()));
        assert_eq!(own.count(), 0, "{problems:#?}");
        ran.expect(if problems.is_empty() { 0 } else { 4 });
        for name in ["configuration", "data directory", "clock", "database", "audit log", "server", "signing keys", "metrics"] {
            let line =
                checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("nothing is told of {name}: {checks:#?}"));
            assert_eq!(line["verdict"], "ok", "{line}");
        }
        let server_line = checks.iter().find(|check| check["check"] == "server").unwrap();
        assert_eq!(server_line["found"], if runs { "running" } else { "not running" });
        // Every problem says what to do.
        let silent: Vec<&&Value> = problems.iter().filter(|check| check["cure"].is_null()).collect();
        assert!(silent.is_empty(), "{silent:#?}");
        if let Some(server) = server {
            assert_eq!(server.stop(), 0);
        }
    }
}

#[test]
fn csv_is_written_for_people_and_verifies_like_the_record() {
    let program = installed();
    let csv = program.run(&["audit", "export", "--format", "csv"]).expect(0).out;
    assert!(csv.starts_with("\"seq\",\"time\"") && csv.contains("\"set_up\""), "{csv}");
    let file = program.dir.path().join("audit.csv");
    std::fs::write(&file, &csv).unwrap();
    let file = file.to_string_lossy().into_owned();
    program.run(&["audit", "verify", "--export", &file]).expect(0);
    std::fs::write(&file, csv.replace("set_up", "sat_up")).unwrap();
    assert_eq!(program.run(&["audit", "verify", "--export", &file, "--output", "json"]).expect(4).json()["verdict"], "export differs");
}

#[test]
fn the_chain_is_held_against_a_checkpoint_that_was_written_down_and_against_files_of_its_past() {
    let program = installed();
    let ran = program.run(&["audit", "verify", "--output", "json"]).expect(0).json();
    let (seq, hash) = (ran["lastSeq"].as_i64().unwrap(), ran["lastHash"].as_str().unwrap().to_owned());
    program.run(&["audit", "verify", "--anchor", &format!("{seq}:{hash}")]).expect(0);
    let other = hash.chars().rev().collect::<String>();
    assert_eq!(
        program.run(&["audit", "verify", "--anchor", &format!("{seq}:{other}"), "--output", "json"]).expect(4).json()["verdict"],
        "chain rewritten"
    );
    program.run(&["audit", "verify", "--anchor", "1:abc"]).expect(2);

    // Exports that were kept are a history too, as far as they reach and further.
    let folder = program.dir.path().join("kept");
    std::fs::create_dir(&folder).unwrap();
    let keep = |name: &str, after: &str| {
        std::fs::write(folder.join(name), program.run(&["audit", "export", "--after", after]).expect(0).out).unwrap();
    };
    keep("1.jsonl", "0");
    let folder_name = folder.to_string_lossy().into_owned();
    let whole = program.run(&["audit", "verify", "--with-exports", &folder_name, "--output", "json"]).expect(0).json();
    assert_eq!(whole["entries"], whole["lastSeq"], "entries in both are counted once");
    keep("2.jsonl", "100");
    let broken = program.run(&["audit", "verify", "--with-exports", &folder_name, "--output", "json"]).expect(4).json();
    assert_eq!(broken["verdict"], "row missing");
}

#[test]
fn a_backup_of_a_running_server_is_restored_with_everybody_signed_out() {
    let program = installed();
    let server = program.serve();
    let made = program.run(&["backup", "create", "--with-keys", "--output", "json"]).expect(0).json();
    let name = made["name"].as_str().unwrap().to_owned();
    program.run(&["backup", "verify", &name]).expect(0);
    program.run_with(&["user", "add", "late", "--email", "late@example.org", "--password-stdin"], PASSWORD).expect(0);
    program.run(&["backup", "restore", &name]).expect(3);
    assert_eq!(server.stop(), 0);
    program.run(&["backup", "restore", &name]).expect(0);
    program.run(&["audit", "verify"]).expect(0);
    let entries = audit(&program);
    assert!(entries.iter().any(|entry| entry["action"] == "restore_backup"));
    assert!(!entries.iter().any(|entry| entry["action"] == "create_user"), "what came after the backup is gone");
    let aside = std::fs::read_dir(program.data())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("before-restore-"));
    assert_eq!(aside.count(), 1);
    let listed = program.run(&["backup", "list", "--output", "json"]).expect(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[test]
fn a_damaged_backup_is_exit_code_4_and_is_not_restored() {
    let program = installed();
    let made = program.run(&["backup", "create", "--output", "json"]).expect(0).json();
    let name = made["name"].as_str().unwrap();
    let file = program.data().join("backups").join(name).join("codex-web.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&file, bytes).unwrap();
    program.run(&["backup", "verify", name]).expect(4);
    program.run(&["backup", "restore", name]).expect(4);
    program.run(&["audit", "verify"]).expect(0);
}

#[test]
fn the_configuration_is_shown_with_its_sources() {
    let mut program = Program::new();
    program.variables.push(("CODEX_WEB_LOG__LEVEL".into(), "debug".into()));
    let shown = program.run(&["config", "show", "--output", "json"]).expect(0).json();
    let level = shown.as_array().unwrap().iter().find(|item| item["key"] == "log.level").cloned().unwrap();
    assert_eq!(level["value"], "debug");
    assert_eq!((level["source"].as_str(), level["place"].as_str()), (Some("environment"), Some("$CODEX_WEB_LOG__LEVEL")));
    program.run(&["config", "check"]).expect(0);
    let bad = program.dir.path().join("bad.toml");
    std::fs::write(&bad, "[server]\nlisen = 1\n").unwrap();
    let ran = program.run(&["config", "check", "--config", &bad.to_string_lossy()]).expect(2);
    assert!(ran.messages.contains("did you mean server.listen?"), "{ran:?}");
}

#[test]
fn the_packaged_example_is_what_the_program_prints() {
    let printed = Program::new().run(&["config", "example"]).expect(0).out;
    let packaged = include_str!("../../packaging/codex-web.example.toml");
    assert_eq!(printed, packaged, "codex-web config example > packaging/codex-web.example.toml");
}

#[test]
fn the_openapi_document_and_completions_are_printed() {
    let program = Program::new();
    let document = program.run(&["openapi"]).expect(0).json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"].get("/control/users").is_none(), "what the network cannot reach is not described");
    for shell in ["bash", "zsh", "fish"] {
        assert!(program.run(&["completions", shell]).expect(0).out.contains("reset-password"), "{shell}");
    }
    assert!(program.run(&["--version"]).expect(0).out.starts_with("codex-web "));
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let program = Program::new();
    for arguments in [&["openapi"][..], &["config", "example"], &["completions", "bash"], &["--help"]] {
        let mut child = program.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.messages.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn a_server_that_is_stopped_in_its_first_moment_does_not_wait_for_its_keys() {
    // Making the key of agent tickets takes the best part of a second; sometimes a fraction, hence more than one try.
    let left_behind = (0..8).any(|_| {
        let program = Program::new();
        assert_eq!(program.serve().stop(), 0);
        let database = rusqlite::Connection::open(program.data().join("codex-web.db")).unwrap();
        let made: i64 = database.query_row("SELECT count(*) FROM signing_key WHERE kind = 'machine'", [], |r| r.get(0)).unwrap();
        made == 0
    });
    assert!(left_behind, "it was always there: the stop waits for it");
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let mut program = installed();
    let path = program.dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    program.variables.push(("NOTIFY_SOCKET".into(), path.to_string_lossy().into_owned()));
    let server = program.serve();
    let heard = |wanted: &str| {
        let mut buffer = [0; 256];
        for _ in 0..20 {
            let read = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            if String::from_utf8_lossy(&buffer[..read]).contains(wanted) {
                return;
            }
        }
        panic!("{wanted} was not said");
    };
    heard("READY=1");
    assert_eq!(server.stop(), 0);
    heard("STOPPING=1");
}

/// Accepts any certificate and remembers it, as a person does who compares fingerprints.
#[derive(Debug, Default)]
struct Remember(Mutex<Option<Vec<u8>>>);

impl ServerCertVerifier for Remember {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.0.lock().unwrap() = Some(certificate.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// GET over TLS; the answer's head and the SHA-256 of the certificate that was shown.
fn https(port: u16, host: &str, path: &str) -> (String, String) {
    let seen = Arc::new(Remember::default());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let verifier: Arc<Remember> = Arc::clone(&seen);
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut tls = Stream::new(&mut connection, &mut stream);
    write!(tls, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer);
    let der = seen.0.lock().unwrap().clone().unwrap();
    (String::from_utf8_lossy(&answer).into_owned(), codex_web::transport::certificate::fingerprint(&der))
}

#[test]
fn beyond_loopback_it_encrypts_with_the_certificate_whose_fingerprint_it_tells() {
    let program = installed();
    let server = program.serve_on("0.0.0.0:0");
    let port: u16 = server.address.rsplit(':').next().unwrap().parse().unwrap();
    let (answer, fingerprint) = https(port, "localhost", "/api/health");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "{answer}");
    assert_eq!(server.started["certificate_sha256"], json!(fingerprint));
    let (refused, _) = https(port, "evil.example", "/api/auth/providers");
    assert!(refused.starts_with("HTTP/1.1 421"), "{refused}");
    assert_eq!(mode(&program.data().join("tls/self-signed.key")), 0o600);
    assert_eq!(server.stop(), 0);
    let again = program.serve_on("0.0.0.0:0");
    assert_eq!(again.started["certificate_sha256"], json!(fingerprint), "it is kept");
    assert_eq!(again.stop(), 0);
}

#[test]
fn an_own_certificate_is_used_and_a_wrong_one_is_named() {
    let mut program = installed();
    let tls = program.dir.path().join("tls");
    let made = codex_web::transport::certificate::ensure(
        &tls,
        &[codex_web::transport::Host::parse("localhost").unwrap()].into(),
        codex_web::clock::Millis(1_790_000_000_000),
        [3; 16],
    );
    let (files, _) = made.unwrap();
    program.variables.push(("CODEX_WEB_SERVER__CERT".into(), files.certificate.to_string_lossy().into_owned()));
    program.variables.push(("CODEX_WEB_SERVER__KEY".into(), files.key.to_string_lossy().into_owned()));
    let server = program.serve();
    let port: u16 = server.address.rsplit(':').next().unwrap().parse().unwrap();
    assert!(https(port, "localhost", "/api/health/ready").0.starts_with("HTTP/1.1 200"));
    assert_eq!(server.stop(), 0);
    std::fs::write(&files.key, "no key").unwrap();
    let ran = program.run(&["serve", "--listen", "127.0.0.1:0"]).expect(1);
    assert!(ran.messages.contains("self-signed.key"), "{ran:?}");
}

#[test]
fn help_is_a_result_and_goes_to_standard_output() {
    let output = Command::new(binary()).arg("--help").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(String::from_utf8(output.stdout).unwrap().contains("Exit codes: 0 done"));
}

#[test]
fn users_are_kept_the_same_way_with_and_without_a_server() {
    let program = installed();
    let add = |name: &str| {
        program.run_with(&["user", "add", name, "--email", &format!("{name}@example.org"), "--password-stdin"], PASSWORD).expect(0)
    };
    let list = |status: &str| {
        let users = program.run(&["user", "list", "--status", status, "--output", "json"]).expect(0).json();
        users.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
    };
    for running in [false, true] {
        let name = if running { "bo" } else { "ada" };
        let server = running.then(|| program.serve());
        add(name);
        program.run(&["user", "disable", name, "--reason", "left"]).expect(0);
        assert_eq!(list("disabled"), [name]);
        program.run(&["user", "enable", &format!("{name}@example.org")]).expect(0);
        program.run(&["user", "promote", name]).expect(0);
        let shown = program.run(&["user", "show", name, "--output", "json"]).expect(0).json();
        assert_eq!((shown["isAdmin"].as_bool(), shown["status"].as_str()), (Some(true), Some("active")), "{shown}");
        assert!(program.run(&["user", "show", name]).expect(0).out.contains(&format!("{name}@example.org")));
        program.run(&["user", "demote", name]).expect(0);
        program.run(&["user", "unlock", name]).expect(0);
        program.run_with(&["user", "reset-password", name, "--password-stdin"], "eleven quiet lanterns drift 7").expect(0);
        program.run(&["user", "show", "nobody"]).expect(1);
        if let Some(server) = server {
            assert_eq!(server.stop(), 0);
        }
    }
    let acts: Vec<String> = audit(&program).iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    for action in
        ["create_user", "disable_user", "enable_user", "promote_user_to_admin", "demote_admin_user", "unlock_user", "reset_user_password"]
    {
        assert!(acts.iter().filter(|act| *act == action).count() >= 2, "{action} once for each way: {acts:?}");
    }
    program.run(&["user", "demote", "root"]).expect(1);
    program.run(&["audit", "verify"]).expect(0);
}
