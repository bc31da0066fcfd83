//! What things cost: prices, the monthly cost of a size, and what was really held of it.
//!
//! A price that somebody set holds; else it is derived from the machines that the cluster runs on, else from a usual
//! machine. A month has 730 hours. The share of the hours that a running workspace is expected to run (75 %), and what
//! management and network add, are Codex Web's own. Costs are binary fractions rounded to eight decimals: they are
//! estimates to compare with, not bills.

use super::quantity::GIB;
use super::size::Size;
use super::workspace::Status;

/// Hours of a month.
pub const HOURS: f64 = 730.0;

/// A kind of machine that a cloud rents out: name, price of an hour, virtual cores, GiB of memory.
pub type Machine = (&'static str, f64, f64, f64);

/// On-demand prices of one region of one cloud (EC2, us-east-1): good enough to compare workspaces by.
#[rustfmt::skip]
pub static MACHINES: [Machine; 24] = [
    ("t3.medium", 0.0416, 2.0, 4.0), ("t3.large", 0.0832, 2.0, 8.0), ("t3.xlarge", 0.1664, 4.0, 16.0), ("t3.2xlarge", 0.3328, 8.0, 32.0),
    ("t3a.medium", 0.0376, 2.0, 4.0), ("t3a.large", 0.0752, 2.0, 8.0), ("t3a.xlarge", 0.1498, 4.0, 16.0), ("t3a.2xlarge", 0.3008, 8.0, 32.0),
    ("m5.large", 0.096, 2.0, 8.0), ("m5.xlarge", 0.192, 4.0, 16.0), ("m5.2xlarge", 0.384, 8.0, 32.0), ("m5.4xlarge", 0.768, 16.0, 64.0),
    ("m5a.large", 0.086, 2.0, 8.0), ("m5a.xlarge", 0.172, 4.0, 16.0), ("m5a.2xlarge", 0.344, 8.0, 32.0), ("m5a.4xlarge", 0.688, 16.0, 64.0),
    ("c5.large", 0.085, 2.0, 4.0), ("c5.xlarge", 0.17, 4.0, 8.0), ("c5.2xlarge", 0.34, 8.0, 16.0), ("c5.4xlarge", 0.68, 16.0, 32.0),
    ("r5.large", 0.126, 2.0, 16.0), ("r5.xlarge", 0.252, 4.0, 32.0), ("r5.2xlarge", 0.504, 8.0, 64.0), ("r5.4xlarge", 1.008, 16.0, 128.0),
];

/// The machine that prices are derived from when nothing is known.
pub const USUAL_MACHINE: &str = "t3a.xlarge";
/// Of a core and of a GiB on a machine that the table does not know.
const UNKNOWN_MACHINE: (f64, f64) = (30.0, 4.0);

/// What the operator set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PriceSettings {
    pub currency: String,
    /// Of a core and of a GiB of memory, each a month.
    pub cpu_core: Option<f64>,
    pub memory_gib: Option<f64>,
    pub storage_gib: f64,
    /// What management and network add, as a part of the rest.
    pub cluster_overhead: f64,
    pub network_overhead: f64,
    /// A stopped workspace costs nothing although its disk stays.
    pub stopped_disk_is_free: bool,
}

/// The prices that hold, each a month.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    pub currency: String,
    pub cpu_core: f64,
    pub memory_gib: f64,
    pub storage_gib: f64,
    pub cluster_overhead: f64,
    pub network_overhead: f64,
    pub stopped_disk_is_free: bool,
    /// The machine that a price was derived from.
    pub instance_type: Option<String>,
    /// A price was derived, because nobody set it.
    pub derived: bool,
}

impl Prices {
    /// From what was set and the kind of machine that the cluster mostly runs on.
    pub fn new(set: &PriceSettings, detected: Option<&str>) -> Self {
        let machine = detected.unwrap_or(USUAL_MACHINE);
        let (core, gib) = of_machine(machine);
        let derived = set.cpu_core.is_none() || set.memory_gib.is_none();
        Self {
            currency: set.currency.clone(),
            cpu_core: set.cpu_core.unwrap_or(core),
            memory_gib: set.memory_gib.unwrap_or(gib),
            storage_gib: set.storage_gib,
            cluster_overhead: set.cluster_overhead,
            network_overhead: set.network_overhead,
            stopped_disk_is_free: set.stopped_disk_is_free,
            instance_type: derived.then(|| machine.to_owned()),
            derived,
        }
    }

    fn with_overhead(&self, amount: f64) -> f64 {
        amount * (1.0 + self.cluster_overhead + self.network_overhead)
    }
}

/// A core and a GiB of memory of this machine a month, each as if the machine were nothing else.
fn of_machine(name: &str) -> (f64, f64) {
    let known = MACHINES.iter().find(|(known, ..)| *known == name);
    known.map_or(UNKNOWN_MACHINE, |(_, hour, cores, gib)| (rounded(hour * HOURS / cores), rounded(hour * HOURS / gib)))
}

/// An amount and what it costs a month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    pub amount: f64,
    pub cost: f64,
}

/// What a size costs when it is held for a whole month.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Monthly {
    pub cpu: Part,
    pub memory: Part,
    pub storage: Part,
    pub compute: f64,
    pub cluster: f64,
    pub network: f64,
    pub overhead: f64,
    pub total: f64,
}

impl Monthly {
    pub fn of(size: &Size, prices: &Prices) -> Self {
        let part = |amount: f64, price: f64| Part { amount, cost: rounded(amount * price) };
        let cpu = part(real(size.cpu_milli) / 1_000.0, prices.cpu_core);
        let memory = part(gib(size.memory_bytes), prices.memory_gib);
        let storage = part(gib(size.disk_bytes), prices.storage_gib);
        let compute = rounded(cpu.cost + memory.cost + storage.cost);
        let (cluster, network) = (rounded(compute * prices.cluster_overhead), rounded(compute * prices.network_overhead));
        let overhead = rounded(cluster + network);
        Self { cpu, memory, storage, compute, cluster, network, overhead, total: rounded(compute + overhead) }
    }

    /// What is to be expected in its present state: never less than the disk, which stays, unless that is free.
    pub fn expected(&self, status: Status, prices: &Prices) -> f64 {
        let disk = if prices.stopped_disk_is_free { 0.0 } else { prices.with_overhead(self.storage.cost) };
        rounded((self.total * usage_factor(status)).max(disk))
    }
}

/// The part of the month that a workspace in this state is expected to run.
pub fn usage_factor(status: Status) -> f64 {
    match status {
        Status::Running => 0.75,
        Status::Stopped => 0.0,
        _ => 0.1,
    }
}

/// What was held: amounts times hours.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Held {
    pub core_hours: f64,
    pub memory_gib_hours: f64,
    pub storage_gib_hours: f64,
    /// The part of the storage that was held while nothing ran.
    pub idle_storage_gib_hours: f64,
}

impl Held {
    pub fn cost(&self, prices: &Prices) -> f64 {
        let free = if prices.stopped_disk_is_free { self.idle_storage_gib_hours } else { 0.0 };
        let storage = (self.storage_gib_hours - free) * prices.storage_gib;
        let amount = self.core_hours * prices.cpu_core + self.memory_gib_hours * prices.memory_gib + storage;
        rounded(prices.with_overhead(amount) / HOURS)
    }
}

/// To eight decimals, so that what is exact in decimals prints so.
pub fn rounded(amount: f64) -> f64 {
    (amount * 1e8).round() / 1e8
}

fn gib(bytes: i64) -> f64 {
    real(bytes) / real(GIB)
}

#[allow(clippy::cast_precision_loss)] // amounts far below 2^53 in their unit, and the result is an estimate
fn real(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // rounded to decimals
mod tests {
    use super::super::size::Tier;
    use super::*;

    fn set() -> PriceSettings {
        PriceSettings { currency: "USD".into(), storage_gib: 0.1, cluster_overhead: 0.2, network_overhead: 0.1, ..PriceSettings::default() }
    }

    #[test]
    fn the_worked_example_comes_out_to_the_last_digit() {
        let prices = Prices::new(&set(), None);
        assert_eq!((prices.cpu_core, prices.memory_gib, prices.instance_type.as_deref()), (27.3385, 6.834_625, Some(USUAL_MACHINE)));
        let cost = Monthly::of(&Tier::SmallTeam.size(), &prices);
        assert_eq!((cost.cpu.cost, cost.memory.cost, cost.storage.cost, cost.compute), (54.677, 27.3385, 2.0, 84.0155));
        assert_eq!((cost.cluster, cost.network, cost.total), (16.8031, 8.401_55, 109.220_15));
        assert_eq!(cost.expected(Status::Running, &prices), 81.915_112_5);
    }

    #[test]
    fn a_stopped_disk_costs_what_it_costs_unless_it_is_free() {
        let size = Tier::SmallTeam.size();
        let prices = Prices::new(&set(), None);
        assert_eq!(Monthly::of(&size, &prices).expected(Status::Stopped, &prices), 2.6);
        let free = Prices::new(&PriceSettings { stopped_disk_is_free: true, ..set() }, None);
        assert_eq!(Monthly::of(&size, &free).expected(Status::Stopped, &free), 0.0);
        assert_eq!(Monthly::of(&size, &free).expected(Status::Pending, &free), 10.922_015);
    }

    #[test]
    fn a_price_that_was_set_holds_and_the_other_is_derived() {
        let some = PriceSettings { cpu_core: Some(10.0), ..set() };
        let prices = Prices::new(&some, Some("m5.large"));
        assert_eq!((prices.cpu_core, prices.memory_gib, prices.derived), (10.0, 8.76, true));
        let both = PriceSettings { memory_gib: Some(2.0), ..some };
        let prices = Prices::new(&both, Some("m5.large"));
        assert_eq!((prices.memory_gib, prices.instance_type, prices.derived), (2.0, None, false));
    }

    #[test]
    fn a_machine_that_nobody_knows_has_prices_too() {
        let prices = Prices::new(&set(), Some("z9.huge"));
        assert_eq!((prices.cpu_core, prices.memory_gib), (30.0, 4.0));
    }

    #[test]
    fn every_machine_stands_once_and_has_a_price() {
        let names: std::collections::BTreeSet<&str> = MACHINES.iter().map(|(name, ..)| *name).collect();
        assert_eq!(names.len(), MACHINES.len());
        assert!(MACHINES.iter().all(|(_, hour, cores, gib)| *hour > 0.0 && *cores > 0.0 && *gib > 0.0));
    }

    #[test]
    fn what_was_held_for_a_month_costs_what_a_month_costs() {
        let prices = Prices::new(&set(), None);
        let held =
            Held { core_hours: 2.0 * HOURS, memory_gib_hours: 4.0 * HOURS, storage_gib_hours: 20.0 * HOURS, idle_storage_gib_hours: 0.0 };
        assert_eq!(held.cost(&prices), 109.220_15);
        let idle = Held { storage_gib_hours: 20.0 * HOURS, idle_storage_gib_hours: 20.0 * HOURS, ..Held::default() };
        assert_eq!(idle.cost(&prices), 2.6);
        let free = Prices::new(&PriceSettings { stopped_disk_is_free: true, ..set() }, None);
        assert_eq!(idle.cost(&free), 0.0);
    }
}
