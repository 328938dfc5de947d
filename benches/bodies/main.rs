//! What it costs to read a body: milliseconds for each MB of it, the shortest of many runs. `make bench-bodies` runs
//! this in V8, which is the engine of Envoy, with the flags of the module.

mod random;
mod replies;
mod requests;

use std::hint::black_box;
use std::time::{Duration, Instant};

use replies::Reply;
use requests::Request;
use tollgate::body::meter::ResponseMeter;
use tollgate::request::headers::Headers;

/// The bytes of each body, about.
const SIZE: usize = 1_000_000;
/// The bytes of a piece, as a proxy passes them.
const PIECE: usize = 16 << 10;
const RUNS: usize = 300;

fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    println!("{:<44} ms/MB", "body");
    for Request { name, guard, body } in requests::all() {
        measure(&only, name, &body, |body| {
            let mut check = guard.check(&Headers::default());
            let fed = body.chunks(PIECE).try_for_each(|piece| check.feed(&guard, piece));
            assert!(fed.and_then(|()| check.finish(&guard)).is_ok(), "{name}");
        });
    }
    for Reply { name, preset, content_type, body } in replies::all() {
        let Some(sums) = preset.measure() else { continue };
        measure(&only, name, &body, |body| {
            let mut meter = ResponseMeter::new(&sums, content_type.as_bytes());
            body.chunks(PIECE).for_each(|piece| meter.feed(&sums, piece));
            assert!(meter.finish(&sums).is_some(), "{name}");
        });
    }
}

/// Prints the shortest time if the name has the text `only` in it.
fn measure(only: &str, name: &str, body: &str, read: impl Fn(&[u8])) {
    if !name.contains(only) {
        return;
    }
    let time = || {
        let start = Instant::now();
        read(black_box(body.as_bytes()));
        start.elapsed()
    };
    let best = (0..RUNS).map(|_| time()).min().unwrap_or(Duration::ZERO);
    println!("{name:<44} {:.2}", best.as_secs_f64() * 1e9 / body.len() as f64);
}
