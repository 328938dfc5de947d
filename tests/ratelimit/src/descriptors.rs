//! The parts of the configuration of envoyproxy/ratelimit that the example uses.

use serde::Deserialize;

/// One file of limits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The `domain` of Envoy's filter.
    pub domain: String,
    /// The trees of descriptors.
    pub descriptors: Vec<Node>,
}

/// An entry of a descriptor, and the entries that may follow it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    key: String,
    /// Without a value, each value of the entry has its own counter.
    value: Option<String>,
    rate_limit: Option<Rate>,
    #[serde(default)]
    descriptors: Vec<Node>,
}

/// `rate_limit`: the number of requests in one window.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The window.
    pub unit: Unit,
    /// The number of requests.
    pub requests_per_unit: u32,
}

/// The length of a window.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// 1 s.
    Second,
    /// 60 s.
    Minute,
    /// 3,600 s.
    Hour,
    /// 86,400 s.
    Day,
}

impl Unit {
    /// Its length in seconds.
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

/// A rate and its node. Each node has its own counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The keys and the values of the nodes, from the root to this node.
    pub path: String,
    /// The keys alone.
    pub keys: Vec<String>,
    /// The rate of the node.
    pub rate: Rate,
}

impl Config {
    /// The limit of a descriptor: the node at the end of its entries. A node with the entry's value
    /// takes precedence over a node without a value.
    pub fn find<'a>(&self, entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Held> {
        let (mut level, mut path, mut keys, mut rate) = (&self.descriptors, vec![], vec![], None);
        for (key, value) in entries {
            let named = |node: &&Node| node.key == key && node.value.as_deref() == Some(value);
            let any = |node: &&Node| node.key == key && node.value.is_none();
            let node = level.iter().find(named).or_else(|| level.iter().find(any))?;
            path.push(node.label());
            keys.push(node.key.clone());
            (level, rate) = (&node.descriptors, node.rate_limit);
        }
        Some(Held { path: path.join("/"), keys, rate: rate? })
    }
}

impl Node {
    fn label(&self) -> String {
        let value = self.value.as_deref().unwrap_or("*");
        format!("{}={value}", self.key)
    }
}
