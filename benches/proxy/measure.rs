//! The rounds of one start of Envoy.

use std::hash::{BuildHasher, RandomState};

use crate::Result;
use crate::envoy::Envoy;
use crate::listener::Listener;
use crate::load::Load;
use crate::report::median;
use crate::scenario::Lane;
use crate::settings::Settings;
use crate::traffic::{IDENTITIES, Requests, Traffic};

/// The result of one start: for each lane, microseconds of Envoy's CPU per request in each round.
pub struct Start(Vec<(Lane, Vec<f64>)>);

impl Start {
    /// The median cost of `lane`, the work of the bare listener included.
    pub fn cost(&self, lane: Lane) -> Option<f64> {
        self.rounds(lane).map(median)
    }

    /// The median of what `lane` cost more than `other` in the same round.
    pub fn difference(&self, lane: Lane, other: Lane) -> Option<f64> {
        let pairs = self.rounds(lane)?.iter().zip(self.rounds(other)?);
        Some(median(&pairs.map(|(own, other)| own - other).collect::<Vec<_>>()))
    }

    fn rounds(&self, lane: Lane) -> Option<&[f64]> {
        self.0.iter().find(|(known, _)| *known == lane).map(|(_, costs)| costs.as_slice())
    }
}

/// Warms every lane up with each identity twice, then measures all of them in each round, in a random order.
pub fn start(
    settings: &Settings,
    envoy: &Envoy,
    requests: &Requests,
    lanes: &[Lane],
) -> Result<Start> {
    let mut streams = Vec::new();
    for lane in lanes {
        turns_strangers_away(envoy, requests, *lane)?;
        let mut stream = Stream::open(envoy, requests, *lane)?;
        stream.send(2 * IDENTITIES)?;
        streams.push((stream, Vec::new()));
    }
    for _ in 0..settings.rounds {
        let order = RandomState::new();
        streams.sort_by_cached_key(|(stream, _)| order.hash_one(stream.lane.listener.name()));
        for (stream, costs) in &mut streams {
            let before = envoy.cpu()?;
            stream.send(settings.requests)?;
            let spent = envoy.cpu()?.saturating_sub(before);
            costs.push(spent as f64 / 1_000.0 / settings.requests as f64);
        }
    }
    Ok(Start(streams.into_iter().map(|(stream, costs)| (stream.lane, costs)).collect()))
}

/// The requests of one lane.
pub struct Stream<'a> {
    envoy: &'a Envoy,
    lane: Lane,
    load: Load<'a>,
}

impl<'a> Stream<'a> {
    /// Connects to the listener of `lane`.
    pub fn open(envoy: &'a Envoy, requests: &'a Requests, lane: Lane) -> Result<Self> {
        let address = envoy.address(lane.listener)?;
        let load = Load::open(address, requests.of(lane.traffic), lane.expected())?;
        Ok(Self { envoy, lane, load })
    }

    /// Sends the next `count` requests; the error names the lane and contains Envoy's last log lines.
    pub fn send(&mut self, count: usize) -> Result<()> {
        self.load.send(count).map_err(|why| {
            let (listener, traffic) = (self.lane.listener.name(), self.lane.traffic);
            format!("{listener} with {traffic:?}: {why}\n{}", self.envoy.last_words()).into()
        })
    }
}

/// A listener that lets everything pass would look wonderfully cheap.
fn turns_strangers_away(envoy: &Envoy, requests: &Requests, lane: Lane) -> Result<()> {
    if matches!(lane.listener, Listener::Bare | Listener::Buffered | Listener::EmptyWasm) {
        return Ok(());
    }
    [Traffic::NoToken, Traffic::ForgedSame]
        .into_iter()
        .try_for_each(|traffic| Stream::open(envoy, requests, Lane { traffic, ..lane })?.send(1))
}
