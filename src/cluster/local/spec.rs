//! What the server tells the launcher of a sandbox, on its standard input: plain data, readable in a debugger, and
//! never a secret. Also the two tiers of walls.

use crate::domain::agent::AgentOrder;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

/// The agent's listening socket, as an inherited descriptor.
pub const LISTENER_FD: i32 = 3;
/// Where the launcher and the agent say how the start goes, as an inherited descriptor.
pub const STATUS_FD: i32 = 4;

/// How strong the walls around a workspace are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Namespaces with a private root, Landlock, and a uid of its own where the server is root.
    Full,
    /// A uid of its own and Landlock: root in a container that refuses namespaces.
    UidLandlock,
    /// Nothing but a uid of its own where the server is root. Only on the operator's explicit word.
    Unconfined,
}

impl Tier {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::UidLandlock => "uid+landlock",
            Self::Unconfined => "unconfined",
        }
    }

    /// What people read once the sandbox was made: what is missing is told, by its name.
    pub fn words(self) -> &'static str {
        match self {
            Self::Full => "The sandbox was made.",
            Self::UidLandlock => "The sandbox was made, without namespaces of its own.",
            Self::Unconfined => "It runs without a sandbox, as the server's configuration says.",
        }
    }
}

/// One call of the launcher.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// Make a sandbox and run something in it.
    Enter(Box<SandboxSpec>),
    /// End every process of a uid that only workspaces have.
    Sweep { uid: u32 },
}

/// One sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxSpec {
    pub tier: Tier,
    /// The process that must be alive while the sandbox is.
    pub server_pid: u32,
    /// Become this user and group; `None` where the server is not root.
    pub uid: Option<u32>,
    /// The workspace's home as the host sees it.
    pub home: PathBuf,
    /// A directory for temporary files as the host sees it; used where there is no private `/tmp`.
    pub tmp: PathBuf,
    /// An empty directory of the server, on which the private root is put together.
    pub root: PathBuf,
    pub hostname: String,
    /// The shell that the password file names.
    pub shell: String,
    /// Directories of the host that are readable inside, beside the system's own.
    pub tools: Vec<PathBuf>,
    /// Installed apps.
    #[serde(default)]
    pub apps: Vec<Bound>,
    /// This program's file on the host; readable inside, and in tier `full` at a fixed place.
    pub program: Option<PathBuf>,
    /// Files that the private `/etc` has besides: name and text.
    pub etc: Vec<(String, String)>,
    /// `cgroup.procs` files to enter.
    pub cgroups: Vec<PathBuf>,
    pub limits: Limits,
    pub inside: Inside,
}

/// A directory of the host and where it is seen inside, readable. Without a private root that is the same path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bound {
    pub host: PathBuf,
    pub inside: PathBuf,
}

/// Limits that hold for each process, or that the private root has.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Processes and threads of the workspace's uid; only where it has one of its own.
    pub processes: Option<u64>,
    pub open_files: u64,
    /// Heap of one process in bytes, where no group of processes can be limited.
    pub data_bytes: Option<u64>,
    /// The largest file in bytes.
    pub file_bytes: Option<u64>,
    /// The private `/tmp` in bytes.
    pub tmp_bytes: u64,
    /// Lower the priority, where a share of the processor cannot be set.
    pub nice: bool,
}

/// What runs in the sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Inside {
    Agent(Box<AgentOrder>),
    SelfTest(Box<Probes>),
}

/// What the self-test tries to reach from inside. Each thing is a decoy that the server made for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probes {
    /// A file in another workspace's home.
    pub other_file: PathBuf,
    /// Another workspace's socket.
    pub other_socket: PathBuf,
    /// A file of the server.
    pub server_file: PathBuf,
    pub server_pid: u32,
    /// A listener on the host's loopback.
    pub loopback: SocketAddr,
    /// The name of a listening abstract socket of the host.
    pub abstract_socket: String,
}

/// One line of the self-test's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    pub name: String,
    pub blocked: bool,
}
