//! The printed tables.

use std::fmt::Write;
use std::process::Command;

use crate::Result;
use crate::footprint::Row;
use crate::measure::Start;
use crate::scenario::{Lane, Scenario, lanes};
use crate::settings::Settings;
use crate::traffic::IDENTITIES;

/// The settings of the run, so that the report is complete on its own.
pub fn preamble(settings: &Settings) -> Result<String> {
    let output = Command::new(&settings.envoy).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.trim().rsplit("version:").next().unwrap_or_default().trim().to_owned();
    let version = version.split('/').nth(1).unwrap_or(&version);
    let Settings { starts, rounds, requests, .. } = settings;
    Ok(format!(
        "Envoy {version}, one worker, answers from the route; {starts} starts with {rounds} rounds of \
         {requests} requests to each listener, {IDENTITIES} identities, tokens of about 900 bytes"
    ))
}

/// One line per case: its CPU over the bare listener, and the difference and ratio to its reference.
pub fn costs(scenarios: &[Scenario], starts: &[Start]) -> String {
    let mut table = String::from(
        "CPU of Envoy per request, microseconds: the median of the starts (least..most of them)\n",
    );
    let mut line = |name: &str, token: &str, columns: [&str; 3], against: &str| {
        let [cost, more, ratio] = columns;
        // Writing to a string cannot fail.
        let _ =
            writeln!(table, "{name:<44} {token:<6} {cost:<24} {more:<24} {ratio:<22} {against}");
    };
    line("case", "token", ["over bare", "over reference", "ratio"], "reference");
    for lane in lanes(scenarios).into_iter().filter(|lane| *lane == lane.bare()) {
        let cost = spread(starts, |start| start.cost(lane));
        line("bare, in all", lane.traffic.token(), [&cost, "", ""], "");
    }
    for Scenario { name, lane, against } in scenarios {
        let over = |lane: Lane| move |start: &Start| start.difference(lane, lane.bare());
        let cost = spread(starts, over(*lane));
        let token = lane.traffic.token();
        let Some(other) = *against else {
            line(name, token, [&cost, "", ""], "");
            continue;
        };
        let more = spread(starts, |start| start.difference(*lane, other));
        let ratio = spread(starts, |start| Some(over(*lane)(start)? / over(other)(start)?));
        line(name, token, [&cost, &more, &ratio], &other.listener.name());
    }
    table
}

/// Start and memory of each Envoy. The memory of a worker's VM is that of one more worker plus the growth
/// under load. The first VM, of the main thread, includes the engine's copy of the module's code.
pub fn footprint(rows: &[Row]) -> String {
    let mut table = String::from(
        "An Envoy with this listener alone: ready after (median), resident memory\n\
         listener             ready           idle   100,000 requests   200,000 requests   \
         one more worker\n",
    );
    for row in rows {
        let [idle, loaded, later] = row.resident.map(|kib| kib as f64 / 1024.0);
        let _ = writeln!(
            table,
            "{:<20} {:>5.0} ms {idle:>8.1} MiB {loaded:>14.1} MiB {later:>14.1} MiB {:>13.1} MiB",
            row.name,
            row.ready,
            row.worker as f64 / 1024.0
        );
    }
    table
}

/// The middle value, or the mean of the two in the middle; 0 of none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    let upper = at(sorted.len() / 2);
    let lower = if sorted.len().is_multiple_of(2) {
        at((sorted.len() / 2).saturating_sub(1))
    } else {
        upper
    };
    f64::midpoint(lower, upper)
}

/// The median of a figure over the starts, its least and its most.
fn spread(starts: &[Start], of: impl Fn(&Start) -> Option<f64>) -> String {
    let values: Vec<_> = starts.iter().filter_map(of).collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:>7.2} ({least:.2}..{most:.2})", median(&values))
}
