//! Which servers run in the workspace: the listening TCP sockets of its user, with the program that opened each.
//!
//! Read from `/proc` when somebody asks, and only then: the kernel tells nobody of a new listener. Sockets of this
//! process itself (its own services for the programs beside it) are left out, and so is what other users opened, which
//! in tier `uid+landlock` share the network with everybody.

use crate::domain::app::PortReport;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The state `LISTEN` in `/proc/net/tcp`.
const LISTENING: &str = "0A";
/// How many ports are listed.
const MOST: usize = 256;
/// How many ancestors of a process are looked at.
const MOST_ANCESTORS: usize = 32;

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listener {
    address: IpAddr,
    port: u16,
    uid: u32,
    inode: u64,
}

/// The listening sockets of this user, by port. `apps` are the processes that lead each app.
pub fn listening(apps: &BTreeMap<i32, String>) -> Vec<PortReport> {
    let own_uid = rustix::process::getuid().as_raw();
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        found.extend(listeners(&fs::read_to_string(table).unwrap_or_default()));
    }
    found.retain(|listener| listener.uid == own_uid);
    if found.is_empty() {
        return Vec::new();
    }
    let own = sockets_of("self").into_iter().collect::<HashSet<_>>();
    found.retain(|listener| !own.contains(&listener.inode));
    let holders = holders(&found.iter().map(|listener| listener.inode).collect());
    let mut ports: BTreeMap<u16, PortReport> = BTreeMap::new();
    // IPv4 comes first: what listens on both is listed once.
    for listener in found {
        let pid = holders.get(&listener.inode).copied();
        ports.entry(listener.port).or_insert_with(|| PortReport {
            port: listener.port,
            address: listener.address.to_string(),
            process: pid.map(name_of).unwrap_or_default(),
            pid,
            app: pid.and_then(|pid| app_of(pid, apps)),
        });
    }
    ports.into_values().take(MOST).collect()
}

/// The listening sockets of one table.
fn listeners(table: &str) -> Vec<Listener> {
    table.lines().skip(1).filter_map(listener).collect()
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …`
fn listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTENING {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    Some(Listener {
        address: address_of(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// The kernel prints each 32-bit word of an address in the order of the machine.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for n in 0..4 {
                bytes[n * 4..n * 4 + 4].copy_from_slice(&word(n * 8)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)))
        }
        _ => None,
    }
}

/// The processes that hold these sockets. A socket that several hold is the eldest's.
fn holders(wanted: &HashSet<u64>) -> HashMap<u64, i32> {
    let mut pids: Vec<i32> = entries("/proc").filter_map(|name| name.parse().ok()).collect();
    pids.sort_unstable();
    let mut holders = HashMap::new();
    for pid in pids {
        for inode in sockets_of(&pid.to_string()).into_iter().filter(|inode| wanted.contains(inode)) {
            holders.entry(inode).or_insert(pid);
        }
        if holders.len() == wanted.len() {
            break;
        }
    }
    holders
}

/// The inodes of the sockets that a process holds; none where it may not be looked at.
fn sockets_of(process: &str) -> Vec<u64> {
    let folder = format!("/proc/{process}/fd");
    let links = entries(&folder).filter_map(|name| fs::read_link(format!("{folder}/{name}")).ok());
    links.filter_map(|to| to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()).collect()
}

fn entries(folder: &str) -> impl Iterator<Item = String> {
    fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok())
}

/// The name of its program, at most 15 bytes and without what a terminal would act on.
fn name_of(pid: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.chars().filter(|c| !c.is_control()).collect()
}

/// The app whose program this process is, or descends from.
fn app_of(pid: i32, apps: &BTreeMap<i32, String>) -> Option<String> {
    let ancestors = std::iter::successors(Some(pid), |pid| parent_of(*pid));
    ancestors.take(MOST_ANCESTORS).find_map(|pid| apps.get(&pid).cloned())
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // `pid (name) state ppid …`, and a name may hold anything.
    stat.rsplit_once(") ")?.1.split_ascii_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_understood_and_others_are_left_out() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 20001        0 51234 1 0000000000000000 100 0 0 10 0\n   \
             1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 20001        0 51235 1 0000000000000000\n   \
             2: nonsense\n";
        let found = listeners(table);
        assert_eq!(found, [Listener { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 8080, uid: 20001, inode: 51234 }]);
        assert_eq!(address_of("00000000000000000000000001000000"), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!(address_of("0100007"), None);
    }

    #[test]
    fn a_server_of_another_process_is_listed_with_its_name_and_its_own_left_out() {
        let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let own_port = own.local_addr().unwrap().port();
        let script = "import socket, time\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\nprint(s.getsockname()[1], flush=True)\ntime.sleep(60)";
        let python = std::process::Command::new("python3").args(["-c", script]).stdout(std::process::Stdio::piped()).spawn();
        let Ok(mut child) = python else { return };
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        let apps = BTreeMap::from([(child.id().cast_signed(), "editor".to_owned())]);
        let found = listening(&apps);
        child.kill().unwrap();
        child.wait().unwrap();
        let entry = found.iter().find(|entry| entry.port == port).unwrap();
        assert_eq!((entry.address.as_str(), entry.app.as_deref()), ("127.0.0.1", Some("editor")));
        assert!(entry.process.starts_with("python3"), "{entry:?}");
        assert!(!found.iter().any(|entry| entry.port == own_port));
    }
}
