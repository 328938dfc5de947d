//! Fetches remote key sets through the proxy's clusters and logs the results.

mod asked;
mod fetch;

use std::cell::{Ref, RefCell};
use std::time::Duration;

use log::{error, info, warn};
use proxy_wasm::types::{BufferType, MapType};

use self::asked::Asked;
use self::fetch::Fetch;
use super::host;
use super::metrics::Metrics;
use super::random::jitter;
use super::store::SharedData;
use crate::keys::answer::{self, FetchError};
use crate::keys::local::{Lack, LocalKeys, Missing, Wait};
use crate::policy::Policy;
use crate::request::headers::Headers;
use crate::time::Moment;
use crate::verify::Keys;
use crate::verify::keyset::{KeySet, SkippedKey};
use crate::verify::provider::KeysFrom;

/// The remote key sets of one worker, and its running fetches.
#[derive(Default)]
pub struct RemoteKeys {
    /// By the provider's index; `None` for static keys.
    local: RefCell<Vec<Option<LocalKeys>>>,
    /// The running fetches by call number: at most one per provider.
    calls: RefCell<Vec<(u32, Asked)>>,
}

/// The key sets at one moment.
pub struct CurrentKeys<'a> {
    policy: &'a Policy,
    local: Ref<'a, Vec<Option<LocalKeys>>>,
    now: Moment,
}

impl Keys for CurrentKeys<'_> {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        match &self.policy.providers.get(provider)?.keys {
            KeysFrom::Static(keys) => Some(keys),
            KeysFrom::Remote(_) => self.local.get(provider)?.as_ref()?.current(self.now),
        }
    }

    fn version(&self, provider: usize) -> Option<u64> {
        match &self.policy.providers.get(provider)?.keys {
            KeysFrom::Static(_) => Some(0),
            KeysFrom::Remote(_) => {
                let local = self.local.get(provider)?.as_ref()?;
                local.current(self.now).map(|_| local.version())
            }
        }
    }
}

impl RemoteKeys {
    /// Prepares the state of each remote provider; nothing is fetched yet.
    pub fn new(plugin: &str, policy: &Policy) -> Self {
        let local = policy.providers.iter().map(|provider| match &provider.keys {
            KeysFrom::Static(_) => None,
            KeysFrom::Remote(remote) => Some(LocalKeys::new(plugin, &provider.name, remote)),
        });
        Self { local: RefCell::new(local.collect()), calls: RefCell::default() }
    }

    /// Whether any provider has remote keys.
    pub fn any(&self) -> bool {
        self.local.borrow().iter().any(Option::is_some)
    }

    /// The key sets in use now.
    pub fn current<'a>(&'a self, policy: &'a Policy, now: Moment) -> CurrentKeys<'a> {
        CurrentKeys { policy, local: self.local.borrow(), now }
    }

    /// The number of fetches of a provider that have ended; waiting requests compare it.
    pub fn attempts(&self, provider: usize) -> u64 {
        self.with(provider, |keys| Some(keys.record().attempts)).unwrap_or(0)
    }

    /// The next step of a request that lacks a key of `provider`; see [`LocalKeys::on_missing`].
    pub fn on_missing(&self, provider: usize, lack: Lack, now: Moment, wait: Wait) -> Missing {
        self.with(provider, |keys| keys.on_missing(&SharedData, lack, now, wait).ok())
            .unwrap_or(Missing::Final)
    }

    /// The time until the next fetch of a provider begins.
    pub fn next_fetch(&self, provider: usize, now: Moment) -> Option<Duration> {
        self.with(provider, |keys| Some(keys.next_fetch(now)))
    }

    /// Adopts the key sets that other workers fetched.
    pub fn adopt(&self, policy: &Policy, metrics: &Metrics) {
        for fetch in Fetch::all(policy, metrics) {
            self.with(fetch.index, |keys| keys.refresh(&SharedData).ok());
            self.measure(&fetch);
        }
    }

    /// Starts the fetches that are due.
    pub fn fetch(&self, policy: &Policy, metrics: &Metrics) {
        for fetch in Fetch::all(policy, metrics) {
            let now = host::now();
            let leased = self.with(fetch.index, |keys| {
                let cause = keys.wants_fetch(now)?;
                keys.lease(&SharedData, cause, now).ok()
            });
            if leased == Some(true) {
                self.dispatch(&fetch, Asked::first(&fetch));
            }
        }
    }

    /// Returns the leases of running fetches, whose answers will not come.
    pub fn release(&self) {
        for (_, call) in self.calls.borrow_mut().drain(..) {
            self.with(call.provider, |keys| keys.shared().release(&SharedData).ok());
        }
    }

    fn with<T>(&self, index: usize, change: impl FnOnce(&mut LocalKeys) -> Option<T>) -> Option<T> {
        self.local.borrow_mut().get_mut(index)?.as_mut().and_then(change)
    }

    fn measure(&self, fetch: &Fetch<'_>) {
        let (name, now) = (fetch.name(), host::now());
        let keys = format!("tollgate_jwks_keys.provider.{name}");
        fetch.metrics.set(&keys, as_u64(self.count(fetch.index, now)));
        let good_at =
            self.with(fetch.index, |keys| Some(keys.record().good_at)).unwrap_or_default();
        if good_at > Moment::EPOCH {
            let age = now.since(good_at).as_secs();
            fetch.metrics.set(&format!("tollgate_jwks_age_seconds.provider.{name}"), age);
        }
    }

    /// The number of keys in use.
    fn count(&self, index: usize, now: Moment) -> usize {
        self.with(index, |keys| keys.current(now).map(KeySet::len)).unwrap_or(0)
    }

    fn dispatch(&self, fetch: &Fetch<'_>, asked: Asked) {
        match asked.send(fetch.remote.timeout) {
            Ok(number) => self.calls.borrow_mut().push((number, asked)),
            Err(error) => self.failed(fetch, &asked, &error, ""),
        }
    }

    /// Takes the answer to a fetch. `size`: the size of its body, as the host announces it.
    pub fn on_answer(&self, number: u32, size: usize, policy: &Policy, metrics: &Metrics) {
        let place = self.calls.borrow().iter().position(|(call, _)| *call == number);
        let Some(place) = place else { return };
        let (_, asked) = self.calls.borrow_mut().swap_remove(place);
        let Some(fetch) = Fetch::of(asked.provider, policy, metrics) else { return };
        let headers = Headers::from_buffer(host::header_pairs(MapType::HttpCallResponseHeaders));
        match answer::check_head(&headers, size) {
            Ok(()) if asked.discovery => match answer::jwks_uri(&body(size), fetch.provider) {
                Ok(uri) => self.dispatch(&fetch, Asked::keys(&fetch, uri)),
                Err(error) => self.failed(&fetch, &asked, &error, ""),
            },
            Ok(()) => self.fetched(&fetch, &asked, &body(size), &headers),
            Err(FetchError::Status(status)) => match answer::words_of_proxy(status, &body(size)) {
                Some(words) => self.failed(&fetch, &asked, &FetchError::Unreachable, &words),
                None => self.failed(&fetch, &asked, &FetchError::Status(status), ""),
            },
            Err(error) => self.failed(&fetch, &asked, &error, ""),
        }
    }

    fn fetched(&self, fetch: &Fetch<'_>, asked: &Asked, set: &[u8], headers: &Headers) {
        let (keys, skipped) = match answer::key_set(set) {
            Ok(parsed) => parsed,
            Err(error) => return self.failed(fetch, asked, &error, ""),
        };
        let name = fetch.name();
        for key in &skipped {
            let SkippedKey { index, why } = key;
            warn!("tollgate: provider {name}: keys[{index}] is skipped: {why}; from {asked}");
        }
        fetch.counted("key_skipped", as_u64(skipped.len()));
        fetch.counted("ok", 1);
        let count = keys.len();
        let stored = self.with(fetch.index, |local| {
            let max_age = answer::max_age(headers);
            let refresh = local.shared().timing().refresh_after(max_age, jitter());
            let stored = local.succeed(&SharedData, set, keys, refresh, host::now());
            stored.ok().filter(|stored| *stored).map(|_| refresh)
        });
        match stored {
            Some(refresh) => info!(
                "tollgate: provider {name}: fetched {count} key(s) from {asked}; next fetch in {}s",
                refresh.as_secs()
            ),
            None => error!("tollgate: provider {name}: keys from {asked} could not be shared"),
        }
        self.measure(fetch);
    }

    /// `words`: the proxy's own explanation, if any.
    fn failed(&self, fetch: &Fetch<'_>, asked: &Asked, error: &FetchError, words: &str) {
        fetch.counted(error.label(), 1);
        let now = host::now();
        let wait = self.with(fetch.index, |keys| {
            let _ = keys.fail(&SharedData, jitter(), now);
            Some(keys.record().next_try(keys.shared().timing(), now).since(now))
        });
        let serving = match self.count(fetch.index, now) {
            0 => "there are no keys to verify with".to_owned(),
            count => format!("the last {count} good key(s) serve"),
        };
        let colon = if words.is_empty() { "" } else { ": " };
        warn!(
            "tollgate: provider {}: fetching {asked} failed: {error}{colon}{words}; {serving}; next \
             try in {}ms{}",
            fetch.name(),
            wait.unwrap_or_default().as_millis(),
            asked.hint(fetch.remote, error)
        );
        self.measure(fetch);
    }
}

/// The body of the answer, up to the size that is read.
fn body(size: usize) -> Vec<u8> {
    let most = size.min(answer::MAX_BODY);
    host::buffer(BufferType::HttpCallResponseBody, 0, most)
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
