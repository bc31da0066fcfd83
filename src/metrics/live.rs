//! What is counted as it happens. Cloning a meter clones a handle to the same numbers.

use super::PREFIX;
use prometheus_client::encoding::text::encode_registry;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::fmt::{self, Write as _};
use std::time::Duration;

/// Upper ends of the buckets of answers, in seconds: what a person does not notice, notices, and gives up on.
const ANSWER: [f64; 7] = [0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];
/// Upper ends of the buckets of the server's own work, in seconds.
const WORK: [f64; 7] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

/// How a piece of the server's own work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Done,
    Failed,
}

impl EncodeLabelValue for Outcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), fmt::Error> {
        encoder.write_str(match self {
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepEnded {
    step: &'static str,
    outcome: Outcome,
}

fn answer_buckets() -> Histogram {
    Histogram::new(ANSWER)
}

/// The writer of the database.
#[derive(Debug, Clone)]
pub struct StoreMeter {
    waiting: Gauge,
    time: Histogram,
    failures: Counter,
}

impl Default for StoreMeter {
    fn default() -> Self {
        Self { waiting: Gauge::default(), time: Histogram::new(WORK), failures: Counter::default() }
    }
}

impl StoreMeter {
    /// A job was put into the queue.
    pub fn queued(&self) {
        self.waiting.inc();
    }

    /// A job left the queue, or never came in.
    pub fn taken(&self) {
        self.waiting.dec();
    }

    /// A job ended after this long, whatever its answer.
    pub fn wrote(&self, took: Duration) {
        self.time.observe(took.as_secs_f64());
    }

    /// A job failed by a fault of the server or of its disk; a refusal is none.
    pub fn failed(&self) {
        self.failures.inc();
    }
}

/// The rounds of the reconciler.
#[derive(Debug, Clone)]
pub struct Rounds {
    ended: Family<Ended, Counter>,
    time: Histogram,
}

impl Default for Rounds {
    fn default() -> Self {
        let ended = Family::<Ended, Counter>::default();
        // A series that begins at its first failure has no zero to rise from.
        for outcome in [Outcome::Done, Outcome::Failed] {
            ended.get_or_create(&Ended { outcome }).inc_by(0);
        }
        Self { ended, time: Histogram::new(WORK) }
    }
}

impl Rounds {
    pub fn done(&self, outcome: Outcome, took: Duration) {
        self.ended.get_or_create(&Ended { outcome }).inc();
        self.time.observe(took.as_secs_f64());
    }
}

/// Timed work.
#[derive(Debug, Clone, Default)]
pub struct Work {
    ended: Family<StepEnded, Counter>,
}

impl Work {
    /// Says that there is such a step, so that its counts begin at zero.
    pub fn expect(&self, step: &'static str) {
        for outcome in [Outcome::Done, Outcome::Failed] {
            self.ended.get_or_create(&StepEnded { step, outcome }).inc_by(0);
        }
    }

    /// `step` is one of the server's own table.
    pub fn done(&self, step: &'static str, outcome: Outcome) {
        self.ended.get_or_create(&StepEnded { step, outcome }).inc();
    }
}

/// All that is counted as it happens.
#[derive(Debug)]
pub struct Meters {
    requests: Family<Answered, Counter>,
    answers: Family<Asked, Histogram, fn() -> Histogram>,
    pub store: StoreMeter,
    pub rounds: Rounds,
    pub work: Work,
    registry: Registry,
}

impl Meters {
    /// With the meter that the database counts with already.
    pub fn new(store: StoreMeter) -> Self {
        let mut meters = Self {
            requests: Family::default(),
            answers: Family::new_with_constructor(answer_buckets as fn() -> Histogram),
            store,
            rounds: Rounds::default(),
            work: Work::default(),
            registry: Registry::with_prefix(PREFIX),
        };
        meters.register();
        meters
    }

    /// One answer. `route` is its row in the route table, or one of a few words for what has none; of a stream the
    /// time until it began.
    pub fn request(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&Answered { method, route, status }).inc();
        self.answers.get_or_create(&Asked { method, route }).observe(took.as_secs_f64());
    }

    fn register(&mut self) {
        let of = |words: &str| Unit::Other(words.to_owned());
        let Self { requests, answers, store, rounds, work, registry } = self;
        let requests = requests.clone();
        registry.register_with_unit("http", "Answers to requests, by route and status", of("requests"), requests);
        let help = "Time until an answer began, by route";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, answers.clone());
        registry.register_with_unit("store_waiting", "Writes that wait for the database's one writer", of("jobs"), store.waiting.clone());
        registry.register_with_unit("store_write_duration", "Time that a write took", Unit::Seconds, store.time.clone());
        let help = "Writes that failed by a fault of the server or its disk; refusals are none";
        registry.register_with_unit("store_failed", help, of("writes"), store.failures.clone());
        let help = "Rounds in which the server compared what should be with what is";
        registry.register_with_unit("reconciler", help, of("rounds"), rounds.ended.clone());
        registry.register_with_unit("reconciler_round_duration", "Time that such a round took", Unit::Seconds, rounds.time.clone());
        registry.register_with_unit("upkeep", "Timed work that was done, by step", of("runs"), work.ended.clone());
    }

    pub(super) fn print(&self, text: &mut String) -> fmt::Result {
        encode_registry(text, &self.registry)
    }
}
