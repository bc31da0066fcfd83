//! Large files through the executable as its users have it: whole, and with flat memory in the server and in the agent.
#![allow(clippy::print_stderr)] // what was measured is said

use super::program::{Program, Server, request, sign_in};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

const PASSWORD: &str = "plum orbit lantern quiver";
const LENGTH: u64 = 300_000_000;
/// How much more memory a process may have held at any time than before, in kibibytes. The file is ten times as long.
const FLAT: u64 = 30_000;

/// Kibibytes of a line of `/proc/PID/status`.
fn status(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

fn parent(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// The server and what it started: keepers and agents.
fn family(server: u32) -> Vec<u32> {
    let is_of = |pid: u32| std::iter::successors(Some(pid), |pid| parent(*pid)).take(16).any(|pid| pid == server);
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    all.filter(|pid| is_of(*pid)).collect()
}

/// What each process holds now; from here on its peak is counted anew.
fn begin(server: &Server) -> Vec<(u32, u64)> {
    let now = family(server.child.id()).into_iter().filter_map(|pid| Some((pid, status(pid, "VmRSS:")?)));
    let now: Vec<(u32, u64)> = now.collect();
    for (pid, _) in &now {
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
    now
}

fn demand_flat(what: &str, before: &[(u32, u64)]) {
    assert!(before.len() >= 2, "{what}: the server and an agent are looked at, not {before:?}");
    for (pid, was) in before {
        let peak = status(*pid, "VmHWM:").unwrap_or_else(|| panic!("process {pid} ended"));
        eprintln!("{what}: process {pid} held {was} kB before and {peak} kB at most");
        assert!(peak < was + FLAT, "{what}: process {pid} held {was} kB before and {peak} kB at most");
    }
}

/// Each piece is like no other, and none is a repetition of a short pattern.
fn write_piece(bytes: &mut [u8], n: u64) {
    bytes[..8].copy_from_slice(&n.to_le_bytes());
}

fn head(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

fn open(server: &Server, token: &str, method: &str, path: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let port = server.address.rsplit(':').next().unwrap();
    let text =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n{more}\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

fn running_workspace(server: &Server, token: &str) -> String {
    let call = |method: &str, path: &str, body: Option<Value>| request(&server.address, method, path, Some(token), body.as_ref()).unwrap();
    let (status, group) = call("POST", "/api/groups", Some(json!({"name": "team", "displayName": "Team"})));
    assert_eq!(status, 201, "{group}");
    let body = json!({"name": "mine", "groupId": group["id"], "start": true, "tier": "single-user"});
    let (status, made) = call("POST", "/api/workspaces", Some(body));
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, view) = call("GET", &format!("/api/workspaces/{id}"), None);
        if view["status"] == "running" {
            return id;
        }
        assert!(Instant::now() < deadline && view["status"] != "error", "{view}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A data directory with an administrator.
fn prepared() -> Program {
    let program = Program::new();
    // The uid of a workspace passes through.
    fs::set_permissions(program.dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    program.add_admin("anna", PASSWORD);
    program
}

#[test]
fn the_server_does_without_large_pages_and_leaves_them_to_workspaces() {
    let program = prepared();
    let server = program.serve();
    running_workspace(&server, &sign_in(&server.address, "anna", PASSWORD));
    let large = |pid: u32| status(pid, "THP_enabled:");
    if large(std::process::id()) != Some(1) {
        return eprintln!("SKIPPED: this system has no large pages to give");
    }
    let own = server.child.id();
    assert_eq!(large(own), Some(0));
    let others: Vec<u32> = family(own).into_iter().filter(|pid| *pid != own).collect();
    assert!(!others.is_empty());
    for pid in others {
        assert_ne!(large(pid), Some(0), "process {pid} of a workspace");
    }
}

#[test]
fn three_hundred_megabytes_go_in_and_out_with_flat_memory() {
    let program = prepared();
    let server = program.serve();
    let token = sign_in(&server.address, "anna", PASSWORD);
    let id = running_workspace(&server, &token);
    let path = format!("/api/workspaces/{id}/files/film");

    let before = begin(&server);
    let begun = Instant::now();
    let mut stream = open(&server, &token, "PUT", &path, &format!("content-length: {LENGTH}\r\n"));
    let mut sent: Vec<u8> = (0..100_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    for n in 0..LENGTH / 100_000 {
        write_piece(&mut sent, n);
        stream.write_all(&sent).unwrap();
    }
    let answer = head(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    eprintln!("upload: {} kB/s", u128::from(LENGTH) / begun.elapsed().as_millis());
    demand_flat("upload", &before);

    let before = begin(&server);
    let begun = Instant::now();
    let mut stream = open(&server, &token, "GET", &path, "");
    let answer = head(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(&format!("content-length: {LENGTH}")), "{answer}");
    let mut bytes = vec![0; 100_000];
    for n in 0..LENGTH / 100_000 {
        stream.read_exact(&mut bytes).unwrap();
        write_piece(&mut sent, n);
        assert!(bytes == sent, "piece {n} differs");
    }
    eprintln!("download: {} kB/s", u128::from(LENGTH) / begun.elapsed().as_millis());
    demand_flat("download", &before);

    // A client that takes its time holds nothing up and fills nothing.
    let before = begin(&server);
    let mut slow = open(&server, &token, "GET", &path, "");
    head(&mut slow);
    std::thread::sleep(Duration::from_secs(1));
    let mut archive = open(&server, &token, "GET", &format!("/api/workspaces/{id}/files/?archive=tar.gz"), "");
    assert!(head(&mut archive).starts_with("HTTP/1.1 200"));
    let mut packed = 0;
    while let Ok(read @ 1..) = archive.read(&mut bytes) {
        packed += read;
    }
    assert!(packed > 100_000, "only {packed} bytes of archive");
    demand_flat("archive beside a slow download", &before);
    drop(slow);
    assert_eq!(server.stop(), 0);
}
