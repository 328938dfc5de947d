//! The metrics of an Envoy as Prometheus reads them (`/stats/prometheus`, text format 0.0.4).

use std::collections::{BTreeMap, BTreeSet};

use super::envoy::Envoy;

/// One line of a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// One scrape.
#[derive(Clone, Debug)]
pub struct Scrape {
    pub text: String,
    pub samples: Vec<Sample>,
}

/// Scrapes an Envoy.
pub async fn of(envoy: &Envoy) -> Scrape {
    Scrape::new(envoy.admin_get("/stats/prometheus").await)
}

impl Scrape {
    /// Parses a text.
    pub fn new(text: String) -> Self {
        let series = text.lines().filter(|line| !line.starts_with('#'));
        let samples = series.filter_map(parse).collect();
        Self { text, samples }
    }

    /// The value of the one series with exactly these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let found = self.samples.iter().find(|s| s.name == name && s.labels == labels);
        found.map(|sample| sample.value)
    }

    /// The time series: names and labels.
    pub fn names(&self) -> BTreeSet<String> {
        self.samples.iter().map(|s| format!("{}{:?}", s.name, s.labels)).collect()
    }
}

/// `name{label="value",…} number`; values with quotes in them do not occur here.
fn parse(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}')?.split("\",");
    let labels = labels
        .filter_map(|pair| pair.split_once("=\""))
        .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()))
        .collect();
    Some(Sample { name: name.to_owned(), labels, value })
}
