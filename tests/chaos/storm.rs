//! The course of a phase: outages, rotations and pushes in turn, while the clients send.
//!
//! No step is taken because time went by. A rotation goes as a real provider's: the new keys are
//! published beside the old ones, tokens are signed with them once they have been fetched, and the
//! old ones go when the last request with one of their tokens is answered.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use support::attacks::World;
use support::idp::{Behaviour, Idp, Scheme};
use support::poll;
use support::prelude::*;

use super::clients::{self, Epoch, Field};
use super::sides::{self, Side};
use super::tally::{Course, Figures, Memory, Tally};

/// A step that takes longer has failed; it decides nothing else.
const PATIENCE: Duration = Duration::from_secs(120);

const OUTAGES: [Behaviour; 6] = [
    Behaviour::Reset,
    Behaviour::Status(500),
    Behaviour::EmptySet,
    Behaviour::Html200,
    Behaviour::Truncated,
    Behaviour::Hang,
];

/// Everything that a step needs.
struct Storm {
    side: Side,
    envoy: Envoy,
    world: World,
    idp: Idp,
    field: Arc<Field>,
    course: Course,
    epochs: u64,
    began: Instant,
    told: Instant,
}

/// One number of workers under the storm for about `length`, to the end of a round.
pub async fn phase(binary: &Path, side: Side, workers: u32, length: Duration) -> Figures {
    let world = World::new();
    let corpus = Arc::new(clients::corpus(&world));
    let tally = Arc::new(Tally::default());
    let upstream = clients::upstream(Arc::clone(&tally)).await;
    let idp = Idp::start(Scheme::Http);
    let epoch = Arc::new(Epoch::new(0));
    idp.set_keys(published(&world, &[&epoch]));
    let envoy = side.start(binary, workers, &upstream, &world, &idp).await;
    // The storm begins once the first key set is there.
    let (_, token) = epoch.token(0);
    let probe = Request::get("/score").bearer(token).header("x-chaos", "good");
    let ready = async || {
        let response = client::try_send(envoy.address(), &probe).await.ok()?;
        (response.status == 200).then_some(())
    };
    poll(PATIENCE, ready).await.expect("the first good answer");
    let field = Arc::new(Field {
        address: envoy.address(),
        stop: AtomicBool::new(false),
        epoch: RwLock::new(epoch),
        tally: Arc::clone(&tally),
    });
    let tasks = clients::start(&field, corpus);
    let began = Instant::now();
    let (course, epochs) = (Course::default(), 0);
    let mut storm = Storm { side, envoy, world, idp, field, course, epochs, began, told: began };
    let mut warm = None;
    loop {
        storm.round().await;
        let elapsed = began.elapsed();
        if warm.is_none() && elapsed >= length / 4 {
            warm = Some(storm.memory().await);
        }
        if elapsed >= length {
            break;
        }
    }
    let end = storm.memory().await;
    storm.field.stop.store(true, std::sync::atomic::Ordering::SeqCst);
    for task in tasks {
        task.await.expect("no client fails");
    }
    let (took, reloads) = (began.elapsed(), storm.envoy.vm_failures().await);
    let warm = warm.unwrap_or(end);
    let course = storm.course;
    Figures { side, workers, took, tally, course, reloads, warm, end }
}

/// The world's keys and those of the epochs.
fn published(world: &World, epochs: &[&Epoch]) -> Value {
    let mut set = world.main_jwks();
    let keys = set["keys"].as_array_mut().unwrap();
    keys.extend(epochs.iter().flat_map(|epoch| [epoch.rsa.jwk(), epoch.ec.jwk()]));
    set
}

impl Storm {
    /// Two outages with a push in each, and a rotation with a push in its middle.
    async fn round(&mut self) {
        self.outage().await;
        self.outage().await;
        self.rotate().await;
        self.push().await;
    }

    async fn outage(&mut self) {
        let number: u64 = self.course.outages.values().sum();
        let outage = OUTAGES[number as usize % OUTAGES.len()];
        self.idp.behave(outage);
        let before = self.idp.fetches();
        self.push().await;
        self.fetches(before + 1).await;
        self.idp.behave(Behaviour::Normal);
        *self.course.outages.entry(format!("{outage:?}")).or_default() += 1;
        self.tell();
    }

    async fn rotate(&mut self) {
        self.epochs += 1;
        let old = Arc::clone(&self.field.epoch.read().unwrap());
        let new = Arc::new(Epoch::new(self.epochs));
        self.idp.set_keys(published(&self.world, &[&old, &new]));
        self.push().await;
        self.adopted().await;
        *self.field.epoch.write().unwrap() = Arc::clone(&new);
        let unused = async || (Arc::strong_count(&old) == 1).then_some(());
        poll(PATIENCE, unused).await.expect("requests with old tokens end");
        self.idp.set_keys(published(&self.world, &[&new]));
        self.course.rotations += 1;
        self.tell();
    }

    /// Waits until tokens are verified with the set that was published just now.
    async fn adopted(&self) {
        let before = self.idp.fetches();
        self.fetches(before + 1).await;
        match self.side {
            // One worker fetches at a time, so each fetch that is counted from here on brought the
            // new set; when the second is, the first has been stored for all.
            Side::Tollgate => {
                let before = self.stored().await;
                let stored = async || (self.stored().await >= before + 2).then_some(());
                poll(PATIENCE, stored).await.expect("good fetches");
            }
            // Each listener fetches for itself, and the request does not show which: this one, which decides
            // no verdict, is given time.
            Side::Native => tokio::time::sleep(Duration::from_secs(5)).await,
        }
    }

    /// How many fetches of tollgate were good.
    async fn stored(&self) -> u64 {
        let stats = self.envoy.stats("tollgate_jwks_fetch.provider.main.result.ok").await;
        stats.values().sum()
    }

    async fn fetches(&self, count: usize) {
        let seen = async || (self.idp.fetches() >= count).then_some(());
        poll(PATIENCE, seen).await.expect("the provider is asked again");
    }

    async fn push(&mut self) {
        self.course.pushes += 1;
        let number = self.course.pushes;
        let outcome = self.side.push(&mut self.envoy, &self.world, &self.idp, number).await;
        let expected = if sides::valid(number) { Push::Accepted } else { Push::Rejected };
        self.course.refused += u64::from(outcome == Push::Rejected);
        self.course.surprises += u64::from(outcome != expected);
        self.tell();
    }

    /// The least of a few readings: requests in flight come and go.
    async fn memory(&self) -> Memory {
        let mut least = Memory { allocated: u64::MAX, resident: u64::MAX };
        for _ in 0..8 {
            least.allocated = least.allocated.min(self.envoy.allocated().await);
            least.resident = least.resident.min(self.envoy.resident());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        least
    }

    /// A line of progress every ten seconds.
    fn tell(&mut self) {
        if self.told.elapsed() < Duration::from_secs(10) {
            return;
        }
        self.told = Instant::now();
        println!(
            "{} {:>5} s: {}; {} outages, {} rotations, {} pushes",
            self.side.name(),
            self.began.elapsed().as_secs(),
            self.field.tally.progress(),
            self.course.outages.values().sum::<u64>(),
            self.course.rotations,
            self.course.pushes,
        );
    }
}
