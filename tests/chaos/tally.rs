//! The counters and the tables.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::sides::Side;

/// How many causes of lost requests are kept apart.
const TOLD: usize = 20;

/// How much more Envoy may have allocated at the end of a phase than after its warm-up. Both are
/// measured under load, right after a rotation, and differ by what that instant holds: some dozen
/// requests in flight, replies of 256 KiB to clients that have left, and the listeners that the
/// last pushes replaced and that still drain, each with its own copy of the configuration. That is
/// a few MiB and does not depend on the time; a leak of 100 bytes for each request would be
/// 100 MiB in a phase of seven minutes.
pub const GROWTH: u64 = 16 << 20;

/// Counters of a phase that is under way.
#[derive(Default)]
pub struct Tally {
    pub good: AtomicU64,
    pub left: AtomicU64,
    pub reset_client: AtomicU64,
    pub reset_upstream: AtomicU64,
    bad: Mutex<BTreeMap<String, u64>>,
    admitted: Mutex<BTreeMap<String, u64>>,
    lost: Mutex<BTreeMap<String, u64>>,
}

impl Tally {
    pub fn bad(&self, family: &str) {
        count(&self.bad, family);
    }

    pub fn admitted(&self, family: &str) {
        count(&self.admitted, family);
    }

    pub fn lost(&self, how: String) {
        let full = self.lost.lock().unwrap().len() >= TOLD;
        count(&self.lost, if full { "in some other way" } else { &how });
    }

    /// One line of progress.
    pub fn progress(&self) -> String {
        format!(
            "{} valid, {} hostile, {} resets, {} disconnects, {} lost, {} admitted",
            self.good.load(Ordering::Relaxed),
            sum(&self.bad),
            self.reset_client.load(Ordering::Relaxed),
            self.left.load(Ordering::Relaxed),
            sum(&self.lost),
            sum(&self.admitted),
        )
    }
}

fn count(counts: &Mutex<BTreeMap<String, u64>>, family: &str) {
    let mut counts = counts.lock().unwrap();
    match counts.get_mut(family) {
        Some(count) => *count += 1,
        None => _ = counts.insert(family.to_owned(), 1),
    }
}

fn sum(counts: &Mutex<BTreeMap<String, u64>>) -> u64 {
    counts.lock().unwrap().values().sum()
}

/// The outages, rotations and pushes of a phase.
#[derive(Default)]
pub struct Course {
    pub outages: BTreeMap<String, u64>,
    pub rotations: u64,
    pub pushes: u64,
    pub refused: u64,
    /// Pushes that ended otherwise than they must.
    pub surprises: u64,
}

/// Bytes that Envoy allocated, and those of its process that are resident.
#[derive(Clone, Copy, Default)]
pub struct Memory {
    pub allocated: u64,
    pub resident: u64,
}

/// A phase that is over.
pub struct Figures {
    pub side: Side,
    pub workers: u32,
    pub took: Duration,
    pub tally: std::sync::Arc<Tally>,
    pub course: Course,
    pub reloads: u64,
    pub warm: Memory,
    pub end: Memory,
}

impl Figures {
    fn name(&self) -> String {
        format!("{}, {} worker(s)", self.side.name(), self.workers)
    }

    fn growth(&self) -> u64 {
        self.end.allocated.saturating_sub(self.warm.allocated)
    }

    /// Why the phase failed; the comparison cannot.
    pub fn complaints(&self) -> Vec<String> {
        if self.side == Side::Native {
            return Vec::new();
        }
        let tally = &self.tally;
        let lost = tally.lost.lock().unwrap().clone();
        let admitted = tally.admitted.lock().unwrap().clone();
        let resets = [&tally.reset_client, &tally.reset_upstream].map(|n| n.load(Ordering::SeqCst));
        let checks = [
            (!lost.is_empty(), format!("valid requests lost: {lost:#?}")),
            (!admitted.is_empty(), format!("hostile requests admitted: {admitted:?}")),
            (self.reloads > 0, format!("{} reloads or traps", self.reloads)),
            (self.growth() > GROWTH, format!("allocated memory grew by {}", mib(self.growth()))),
            (resets[0] != resets[1], format!("resets by client and upstream: {resets:?}")),
            (
                self.course.surprises > 0,
                format!("{} pushes with an unexpected result", self.course.surprises),
            ),
            (tally.good.load(Ordering::SeqCst) == 0, "no valid request at all".to_owned()),
        ];
        let told = checks.into_iter().filter(|(wrong, _)| *wrong);
        told.map(|(_, why)| format!("{}: {why}", self.name())).collect()
    }
}

/// The table of all phases, then its details.
pub fn print(figures: &[Figures]) {
    let row = |name: &str, cell: &dyn Fn(&Figures) -> String| {
        let cells: Vec<_> = figures.iter().map(|one| format!("{:>24}", cell(one))).collect();
        println!("{name:<26}{}", cells.join(""));
    };
    let number = |n: &AtomicU64| n.load(Ordering::SeqCst).to_string();
    println!();
    row("", &|f| f.name());
    row("seconds", &|f| f.took.as_secs().to_string());
    row("valid requests", &|f| number(&f.tally.good));
    row("hostile requests", &|f| sum(&f.tally.bad).to_string());
    row("families of attacks", &|f| f.tally.bad.lock().unwrap().len().to_string());
    row("outages", &|f| f.course.outages.values().sum::<u64>().to_string());
    row("rotations", &|f| f.course.rotations.to_string());
    row("pushes (rejected)", &|f| format!("{} ({})", f.course.pushes, f.course.refused));
    row("resets by the upstream", &|f| number(&f.tally.reset_upstream));
    row("disconnects", &|f| number(&f.tally.left));
    row("valid requests lost", &|f| sum(&f.tally.lost).to_string());
    row("hostile requests admitted", &|f| sum(&f.tally.admitted).to_string());
    row("VM reloads and traps", &|f| f.reloads.to_string());
    row("allocated, warm", &|f| mib(f.warm.allocated));
    row("allocated, end", &|f| mib(f.end.allocated));
    row("resident, warm", &|f| mib(f.warm.resident));
    row("resident, end", &|f| mib(f.end.resident));
    for one in figures {
        println!("\n{}", one.name());
        println!("  hostile by family: {:?}", one.tally.bad.lock().unwrap());
        println!("  outages: {:?}", one.course.outages);
        println!("  lost: {:#?}", one.tally.lost.lock().unwrap());
        println!("  admitted: {:#?}", one.tally.admitted.lock().unwrap());
    }
    println!();
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
