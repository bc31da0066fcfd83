//! Use over time: in which steps it is kept and for how long, which stretch a chart shows, and what a step holds.
//!
//! Each look at what is used adds to a minute, an hour and a day at once, so nothing is rolled up later and a step that
//! has not ended is as good as one that has. A step in which nobody looked is not there: that is not the same as zero,
//! and no reader may make it so. What is kept of one thing is bounded: 360 minutes, 360 hours and 400 days.

use crate::clock::{DAY, HOUR, MINUTE, Millis};

/// How long one kept value covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Minute,
    Hour,
    Day,
}

impl Step {
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// As the database has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Milliseconds.
    pub fn length(self) -> i64 {
        match self {
            Self::Minute => MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
        }
    }

    /// What began longer ago is forgotten, in milliseconds.
    pub fn kept(self) -> i64 {
        match self {
            Self::Minute => 6 * HOUR,
            Self::Hour => 15 * DAY,
            Self::Day => 400 * DAY,
        }
    }

    /// The first moment of the step that holds this one; days are those of UTC.
    #[must_use]
    pub fn floor(self, at: Millis) -> Millis {
        Millis(at.0.div_euclid(self.length()).saturating_mul(self.length()))
    }
}

/// The stretch that a chart shows, up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    #[default]
    SixHours,
    Week,
    Quarter,
    Year,
}

impl Range {
    pub const ALL: [Self; 4] = [Self::SixHours, Self::Week, Self::Quarter, Self::Year];

    /// As the API takes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SixHours => "6h",
            Self::Week => "7d",
            Self::Quarter => "90d",
            Self::Year => "365d",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.as_str() == text)
    }

    pub fn step(self) -> Step {
        match self {
            Self::SixHours => Step::Minute,
            Self::Week => Step::Hour,
            Self::Quarter | Self::Year => Step::Day,
        }
    }

    fn steps(self) -> i64 {
        match self {
            Self::SixHours => 360,
            Self::Week => 168,
            Self::Quarter => 90,
            Self::Year => 365,
        }
    }

    /// The first moment of each step, the oldest first; the last one holds `now`.
    pub fn moments(self, now: Millis) -> Vec<Millis> {
        let (step, last) = (self.step(), self.step().floor(now));
        (0..self.steps()).rev().map(|back| last.plus(-back * step.length())).collect()
    }
}

/// What one look found of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory_bytes: i64,
    /// Bytes; `None` where nothing measures them.
    pub disk_bytes: Option<i64>,
    /// Workspaces of a group or of all, processes of a workspace or an app, pods of a node.
    pub things: i64,
    /// How many of the workspaces run.
    pub running: i64,
}

/// What the looks of one step found together: sums, and the largest single value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gathered {
    pub looks: i64,
    pub sum: Look,
    pub peak: Look,
}

/// What is drawn as a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Cpu,
    Memory,
    Disk,
    Things,
    Running,
}

impl Part {
    fn of(self, look: &Look) -> Option<i64> {
        match self {
            Self::Cpu => Some(look.cpu_milli),
            Self::Memory => Some(look.memory_bytes),
            Self::Disk => look.disk_bytes,
            Self::Things => Some(look.things),
            Self::Running => Some(look.running),
        }
    }
}

impl Gathered {
    /// The mean of a part, rounded to the nearest whole; `None` where nothing is known.
    pub fn mean(&self, part: Part) -> Option<i64> {
        let sum = part.of(&self.sum)?;
        (self.looks > 0).then(|| sum.saturating_add(self.looks / 2).div_euclid(self.looks))
    }

    /// The largest that a look found.
    pub fn peak(&self, part: Part) -> Option<i64> {
        part.of(&self.peak).filter(|_| self.looks > 0)
    }
}

/// What is looked at; its text is the key of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// All groups together. Written at each look, so where it is missing nobody looked.
    Platform,
    Node(&'a str),
    /// A group or workspace, by its id.
    Object(&'a str),
    /// An app, by the id of its workspace and its slug.
    App(&'a str, &'a str),
}

impl Subject<'_> {
    pub fn key(self) -> String {
        match self {
            Self::Platform => "platform".to_owned(),
            Self::Node(name) => format!("node:{name}"),
            Self::Object(id) => id.to_owned(),
            Self::App(workspace, slug) => format!("app:{workspace}:{slug}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_in_the_step_of_now_and_has_no_holes() {
        let now = Millis(10 * DAY + 5 * HOUR + 59 * MINUTE + 59_999);
        for range in Range::ALL {
            let moments = range.moments(now);
            assert_eq!(moments.last(), Some(&range.step().floor(now)));
            assert!(moments.windows(2).all(|pair| pair[1].since(pair[0]) == range.step().length()), "{range:?}");
            assert_eq!(Range::parse(range.as_str()), Some(range));
        }
        assert_eq!(Range::Week.moments(now).last(), Some(&Millis(10 * DAY + 5 * HOUR)));
    }

    #[test]
    fn all_that_a_chart_shows_is_kept() {
        for range in Range::ALL {
            let shown = range.steps() * range.step().length();
            assert!(shown <= range.step().kept(), "{range:?}");
        }
    }

    #[test]
    fn a_mean_is_the_sum_by_the_looks_and_what_was_never_measured_is_nothing() {
        let sum = Look { cpu_milli: 301, memory_bytes: 3, disk_bytes: None, things: 4, running: 0 };
        let gathered = Gathered { looks: 2, sum, peak: Look { cpu_milli: 300, ..Look::default() } };
        assert_eq!((gathered.mean(Part::Cpu), gathered.mean(Part::Disk), gathered.mean(Part::Things)), (Some(151), None, Some(2)));
        assert_eq!((gathered.peak(Part::Cpu), gathered.peak(Part::Disk)), (Some(300), None));
        assert_eq!((Gathered::default().mean(Part::Cpu), Gathered::default().peak(Part::Cpu)), (None, None));
    }

    #[test]
    fn a_node_called_like_the_platform_is_still_a_node() {
        assert_ne!(Subject::Node("platform").key(), Subject::Platform.key());
    }
}
