//! What is read when somebody asks. What is not known is left out: a zero would be a claim.

use super::PREFIX;
use super::process::Process;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::sync::atomic::AtomicU64;

/// A count for each word of a closed list.
pub type Tally = Vec<(&'static str, i64)>;

/// Cores (thousandths), memory and disk (bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts {
    pub cpu_milli: i64,
    pub memory_bytes: i64,
    pub disk_bytes: i64,
}

/// What the database says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// By state.
    pub users: Tally,
    pub groups: Tally,
    pub workspaces: Tally,
    /// Sign-ins that are open.
    pub sign_ins: i64,
    /// What workspaces count for at the moment.
    pub held: Amounts,
    /// The sum of the quotas of all groups.
    pub promised: Amounts,
    /// The number of the newest audit entry.
    pub audit_entries: i64,
    /// The newest signed head: the entry's number, and when it was signed (milliseconds since 1970).
    pub audit_signed: Option<(i64, i64)>,
}

/// What the cluster has for workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClusterRoom {
    pub cpu_milli: i64,
    pub memory_bytes: i64,
    pub nodes: i64,
    /// How many more workspaces of the usual size fit.
    pub free_workspaces: i64,
}

/// The disk of the data directory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disk {
    pub size: u64,
    pub free: u64,
    /// Below this the server only reads.
    pub reserve: u64,
}

/// One look at everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    pub version: &'static str,
    /// `local` or `kubernetes`.
    pub cluster_kind: &'static str,
    pub cluster_healthy: bool,
    pub cluster: Option<ClusterRoom>,
    pub rows: Rows,
    /// Statements that the database ran since the start.
    pub statements: u64,
    /// Open event streams and sockets.
    pub live_connections: u64,
    pub read_only: bool,
    /// The server before this one did not stop cleanly.
    pub unclean_start: bool,
    pub disk: Option<Disk>,
    /// Bytes of the database's files: `database`, `journal`.
    pub files: Vec<(&'static str, u64)>,
    /// When the newest good backup was made, in seconds since 1970.
    pub newest_backup: Option<f64>,
    pub process: Process,
}

fn of(unit: &str) -> Unit {
    Unit::Other(unit.to_owned())
}

/// Whole numbers up to 2^53 are exact, and nothing here counts beyond.
#[allow(clippy::cast_precision_loss)]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

fn amount(number: i64) -> f64 {
    float(u64::try_from(number).unwrap_or(0))
}

type Labelled<N, A> = Family<[(&'static str, &'static str); 1], Gauge<N, A>>;

fn tally(label: &'static str, counts: &[(&'static str, i64)]) -> Labelled<i64, std::sync::atomic::AtomicI64> {
    let family = Labelled::default();
    for (word, count) in counts {
        family.get_or_create(&[(label, *word)]).set(*count);
    }
    family
}

/// Registers one number after the other.
struct Book(Registry);

impl Book {
    fn add(&mut self, name: &str, help: &str, unit: Unit, metric: impl Metric) {
        self.0.register_with_unit(name, help, unit, metric);
    }

    fn state(&mut self, name: &str, help: &str, on: bool) {
        self.0.register(name, help, ConstGauge::new(i64::from(on)));
    }

    fn amounts(&mut self, name: &str, words: &str, amounts: Amounts) {
        let Amounts { cpu_milli, memory_bytes, disk_bytes } = amounts;
        self.add(&format!("{name}_cpu"), &format!("Cores {words}"), of("cores"), ConstGauge::new(amount(cpu_milli) / 1_000.0));
        self.add(&format!("{name}_memory"), &format!("Memory {words}"), Unit::Bytes, ConstGauge::new(amount(memory_bytes)));
        self.add(&format!("{name}_disk"), &format!("Disk {words}"), Unit::Bytes, ConstGauge::new(amount(disk_bytes)));
    }
}

impl Snapshot {
    /// All of it as families.
    pub(super) fn registry(&self) -> Registry {
        let mut book = Book(Registry::with_prefix(PREFIX));
        let build = Info::new([("version", self.version), ("cluster", self.cluster_kind)]);
        book.0.register("build", "The program, and where its workspaces run", build);
        book.state("unclean_start", "1: the server before this one did not stop cleanly", self.unclean_start);
        self.people(&mut book);
        self.audit(&mut book);
        self.database(&mut book);
        self.room(&mut book);
        book.0
    }

    fn people(&self, book: &mut Book) {
        let Rows { users, groups, workspaces, sign_ins, held, promised, .. } = &self.rows;
        book.add("registered", "People with an account, by state", of("users"), tally("status", users));
        book.add("existing", "Groups, by state", of("groups"), tally("status", groups));
        book.add("existing", "Workspaces, by status", of("workspaces"), tally("status", workspaces));
        book.add("open", "Sign-ins that are good now", of("sign_ins"), ConstGauge::new(*sign_ins));
        let live = ConstGauge::new(float(self.live_connections));
        book.add("live", "Open event streams, terminals and other sockets", of("connections"), live);
        book.amounts("held", "that workspaces count for at the moment", *held);
        book.amounts("promised", "that the quotas of all groups promise together", *promised);
    }

    fn audit(&self, book: &mut Book) {
        let entries = u64::try_from(self.rows.audit_entries).unwrap_or(0);
        book.add("audit", "Entries that the audit log ever got", of("entries"), ConstCounter::new(entries));
        let (seq, at) = self.rows.audit_signed.unwrap_or((0, 0));
        let unsigned = ConstGauge::new(self.rows.audit_entries - seq);
        book.add("audit_unsigned", "Entries after the newest signed head of the audit log", of("entries"), unsigned);
        if self.rows.audit_signed.is_some() {
            let signed = ConstGauge::new(amount(at) / 1_000.0);
            book.add("audit_signed_timestamp", "When the head of the audit log was signed, since 1970", Unit::Seconds, signed);
        }
        if let Some(at) = self.newest_backup {
            book.add("backup_newest_timestamp", "When the newest backup was made, since 1970", Unit::Seconds, ConstGauge::new(at));
        }
    }

    fn database(&self, book: &mut Book) {
        book.add("store", "Statements that the database ran", of("statements"), ConstCounter::new(self.statements));
        let sizes: Labelled<f64, AtomicU64> = Family::default();
        for (file, bytes) in &self.files {
            sizes.get_or_create(&[("file", *file)]).set(float(*bytes));
        }
        book.add("database_size", "The database and its journal on disk", Unit::Bytes, sizes);
    }

    fn room(&self, book: &mut Book) {
        book.state("read_only", "1: the disk is nearly full and nothing new is written", self.read_only);
        if let Some(Disk { size, free, reserve }) = self.disk {
            book.add("disk_size", "The file system of the data directory", Unit::Bytes, ConstGauge::new(float(size)));
            book.add("disk_free", "What is free of it", Unit::Bytes, ConstGauge::new(float(free)));
            let help = "Below so much free disk the server only reads";
            book.add("disk_reserve", help, Unit::Bytes, ConstGauge::new(float(reserve)));
        }
        book.state("cluster_healthy", "1: what runs workspaces answers and is well", self.cluster_healthy);
        if let Some(ClusterRoom { cpu_milli, memory_bytes, nodes, free_workspaces }) = self.cluster {
            let cores = ConstGauge::new(amount(cpu_milli) / 1_000.0);
            book.add("cluster_cpu", "Cores that the cluster has for workspaces", of("cores"), cores);
            let memory = ConstGauge::new(amount(memory_bytes));
            book.add("cluster_memory", "Memory that the cluster has for workspaces", Unit::Bytes, memory);
            book.add("cluster", "Machines of the cluster", of("nodes"), ConstGauge::new(nodes));
            let help = "How many more workspaces of the usual size (2 cores, 4 GiB) fit";
            book.add("cluster_free", help, of("workspaces"), ConstGauge::new(free_workspaces));
        }
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        Self {
            version: "0.0.0",
            cluster_kind: "local",
            cluster_healthy: true,
            cluster: Some(ClusterRoom { cpu_milli: 4_000, memory_bytes: 8 << 30, nodes: 1, free_workspaces: 2 }),
            rows: Rows {
                users: vec![("active", 3), ("disabled", 0)],
                groups: vec![("active", 1)],
                workspaces: vec![("running", 2)],
                audit_signed: Some((1, 1)),
                ..Rows::default()
            },
            disk: Some(Disk { size: 10, free: 5, reserve: 1 }),
            files: vec![("database", 4_096)],
            newest_backup: Some(1.0),
            process: Process::example(),
            ..Self::default()
        }
    }
}

/// A counter that is read elsewhere; the name makes the families of the process and of the product look alike.
pub(super) fn counted(seconds: f64) -> Counter<f64, AtomicU64> {
    let counter = Counter::default();
    counter.inc_by(seconds);
    counter
}
