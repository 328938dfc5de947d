//! The printed tables.

use std::fmt::Write;
use std::process::Command;

use crate::Result;
use crate::footprint::Row;
use crate::measure::Round;
use crate::scenario::{Lane, Scenario, lanes};
use crate::settings::Settings;
use crate::traffic::IDENTITIES;

/// The settings of the run, so that the report is complete on its own.
pub fn preamble(settings: &Settings) -> Result<String> {
    let output = Command::new(&settings.envoy).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.trim().rsplit("version:").next().unwrap_or_default().trim().to_owned();
    let version = version.split('/').nth(1).unwrap_or(&version);
    let (rounds, requests) = (settings.rounds, settings.requests);
    Ok(format!(
        "Envoy {version}, one worker, answers from the route; {rounds} rounds of {requests} \
         requests to each listener, {IDENTITIES} identities, tokens of about 900 bytes"
    ))
}

/// One line per case: its CPU over the bare listener and the ratio to its reference.
pub fn costs(scenarios: &[Scenario], rounds: &[Round]) -> String {
    let mut table = String::from("CPU of Envoy per request, microseconds, median (least..most)\n");
    let mut line = |name: &str, token: &str, cost: &str, ratio: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{name:<40} {token:<6} {cost:<28} {ratio}");
    };
    line("case", "token", "over bare", "ratio (median of rounds)");
    for lane in lanes(scenarios).into_iter().filter(|lane| *lane == lane.bare()) {
        let costs: Vec<_> = rounds.iter().filter_map(|round| round.cost(lane)).collect();
        line("bare, in all", lane.traffic.token(), &spread(&costs), "");
    }
    for case in scenarios {
        let over: Vec<_> = rounds.iter().filter_map(|round| round.over_bare(case.lane)).collect();
        let ratio = case.against.map(|against| ratio(case.lane, against, rounds));
        let ratio = ratio.unwrap_or_default();
        line(case.name, case.lane.traffic.token(), &spread(&over), &ratio);
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

/// Quotient and difference in µs, taken within each round, so that a busy machine affects both sides.
fn ratio(lane: Lane, against: Lane, rounds: &[Round]) -> String {
    let median_of = |of: fn(f64, f64) -> f64| {
        let pair = |round: &Round| Some(of(round.over_bare(lane)?, round.over_bare(against)?));
        median(&rounds.iter().filter_map(pair).collect::<Vec<_>>())
    };
    let (quotient, difference) = (median_of(|own, other| own / other), median_of(|a, b| a - b));
    format!("{quotient:.2} x {} ({difference:+.2})", against.listener.name())
}

fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:>8.2} ({least:.2}..{most:.2})", median(values))
}
