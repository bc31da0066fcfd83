//! How large a workspace may grow, and the three sizes that people choose from.
//!
//! A size is resolved once, when a workspace is made or changed: what the body says, over the tier it names, over what
//! the template proposes. The numbers of the tiers are those that Codex Web's server really uses.

use super::quantity::{GIB, human_bytes, human_cpu, print_bytes, print_cpu};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How large a workspace may grow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// Thousandths of a core.
    pub cpu_milli: i64,
    /// Bytes.
    pub memory_bytes: i64,
    /// Bytes.
    pub disk_bytes: i64,
    /// What else a cluster counts, by its Kubernetes name: `{"nvidia.com/gpu": 1}`.
    #[serde(default)]
    pub extended: BTreeMap<String, i64>,
}

impl Size {
    pub fn new(cpu_milli: i64, memory_bytes: i64, disk_bytes: i64) -> Self {
        Self { cpu_milli, memory_bytes, disk_bytes, extended: BTreeMap::new() }
    }

    /// This size with the given parts in place of its own.
    #[must_use]
    pub fn merged(&self, part: &SizeChange) -> Self {
        Self {
            cpu_milli: part.cpu_milli.unwrap_or(self.cpu_milli),
            memory_bytes: part.memory_bytes.unwrap_or(self.memory_bytes),
            disk_bytes: part.disk_bytes.unwrap_or(self.disk_bytes),
            extended: self.extended.clone(),
        }
    }

    /// What to tell while programs still run with `applied`; `None` when they have this size.
    pub fn waits(&self, applied: &Self) -> Option<String> {
        if self == applied {
            return None;
        }
        let (cpu, memory) = (human_cpu(applied.cpu_milli), human_bytes(applied.memory_bytes));
        Some(format!("It still runs with {cpu} and {memory} of memory. The new size is in force at the latest from the next start."))
    }

    /// As the API prints it.
    pub fn view(&self) -> SizeView {
        SizeView { cpu: print_cpu(self.cpu_milli), memory: print_bytes(self.memory_bytes), storage: print_bytes(self.disk_bytes) }
    }
}

/// Some parts of a size, as a body brings them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SizeChange {
    pub cpu_milli: Option<i64>,
    pub memory_bytes: Option<i64>,
    pub disk_bytes: Option<i64>,
}

/// `resources` of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SizeView {
    pub cpu: String,
    pub memory: String,
    pub storage: String,
}

/// A named size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    SingleUser,
    SmallTeam,
    Enterprise,
}

impl Tier {
    pub const ALL: [Self; 3] = [Self::SingleUser, Self::SmallTeam, Self::Enterprise];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleUser => "single-user",
            Self::SmallTeam => "small-team",
            Self::Enterprise => "enterprise",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == text)
    }

    /// `enterprise` is by arrangement: it begins where `small-team` is, and its numbers are meant to be changed.
    pub fn size(self) -> Size {
        match self {
            Self::SingleUser => Size::new(1_000, 2 * GIB, 20 * GIB),
            Self::SmallTeam | Self::Enterprise => Size::new(2_000, 4 * GIB, 20 * GIB),
        }
    }
}

/// The size of a new workspace: the parts that the body names, over its tier, else over the template's size, else over
/// `small-team`.
pub fn resolve(parts: &SizeChange, tier: Option<Tier>, template: Option<&Size>) -> Size {
    let base = match (tier, template) {
        (Some(tier), _) => tier.size(),
        (None, Some(size)) => size.clone(),
        (None, None) => Tier::SmallTeam.size(),
    };
    base.merged(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_size_lies_over_its_tier() {
        let parts = SizeChange { memory_bytes: Some(8 * GIB), ..SizeChange::default() };
        assert_eq!(resolve(&parts, Some(Tier::SingleUser), None), Size::new(1_000, 8 * GIB, 20 * GIB));
    }

    #[test]
    fn the_tier_beats_the_template_and_small_team_is_the_last_resort() {
        let template = Size::new(500, GIB, GIB);
        let nothing = SizeChange::default();
        assert_eq!(resolve(&nothing, Some(Tier::SingleUser), Some(&template)), Tier::SingleUser.size());
        assert_eq!(resolve(&nothing, None, Some(&template)), template);
        assert_eq!(resolve(&nothing, None, None), Tier::SmallTeam.size());
    }

    #[test]
    fn every_tier_is_found_by_its_name() {
        for tier in Tier::ALL {
            assert_eq!(Tier::parse(tier.as_str()), Some(tier));
        }
        assert_eq!(Tier::parse("team"), None);
    }

    #[test]
    fn a_size_prints_canonically() {
        let view = Size::new(500, GIB, 20 * GIB).view();
        assert_eq!((view.cpu.as_str(), view.memory.as_str(), view.storage.as_str()), ("0.5", "1Gi", "20Gi"));
    }
}
