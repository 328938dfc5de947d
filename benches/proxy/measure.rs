//! The rounds.

use crate::Result;
use crate::envoy::Envoy;
use crate::listener::Listener;
use crate::load::Load;
use crate::scenario::Lane;
use crate::settings::Settings;
use crate::traffic::{Requests, Traffic};

/// The result of one round: for each lane, microseconds of Envoy's CPU per request.
pub struct Round(Vec<(Lane, f64)>);

impl Round {
    /// Cost of `lane` over that of the bare listener in the same round.
    pub fn over_bare(&self, lane: Lane) -> Option<f64> {
        Some(self.cost(lane)? - self.cost(lane.bare())?)
    }

    /// Cost of `lane`, the work of the bare listener included.
    pub fn cost(&self, lane: Lane) -> Option<f64> {
        self.0.iter().find(|(known, _)| *known == lane).map(|(_, cost)| *cost)
    }
}

/// Each round goes this often over all lanes, so that what else the machine does in the meantime
/// falls on all of them.
const SLICES: usize = 10;

/// Warms every lane up with one unmeasured round, then measures all in turn, round after round.
pub fn rounds(
    settings: &Settings,
    envoy: &Envoy,
    requests: &Requests,
    lanes: &[Lane],
) -> Result<Vec<Round>> {
    let mut streams = Vec::new();
    for lane in lanes {
        turns_strangers_away(envoy, requests, *lane)?;
        streams.push(Stream::open(envoy, requests, *lane)?);
    }
    let slice = settings.requests / SLICES;
    let mut rounds = Vec::new();
    for round in 0..=settings.rounds {
        eprintln!(
            "round {round} of {}{}",
            settings.rounds,
            if round == 0 { ": warm-up" } else { "" }
        );
        let mut spent = vec![0_u64; streams.len()];
        for _ in 0..SLICES {
            for (stream, spent) in streams.iter_mut().zip(&mut spent) {
                let before = envoy.cpu()?;
                stream.send(slice)?;
                *spent = spent.saturating_add(envoy.cpu()?.saturating_sub(before));
            }
        }
        if round > 0 {
            let sent = slice.saturating_mul(SLICES) as f64;
            let micros = spent.iter().map(|nanos| *nanos as f64 / 1_000.0 / sent);
            rounds.push(Round(lanes.iter().copied().zip(micros).collect()));
        }
    }
    Ok(rounds)
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
