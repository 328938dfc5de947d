//! Fetching remote key sets through the proxy's clusters, and telling the operator about it.

use std::cell::{Ref, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use log::{error, info, warn};
use proxy_wasm::hostcalls;
use proxy_wasm::types::BufferType;

use super::metrics::Metrics;
use super::random::jitter;
use super::store::SharedData;
use crate::abi::{self, Map};
use crate::headers::Headers;
use crate::policy::Policy;
use crate::provider::{KeysFrom, Provider, Remote, RemoteSource};
use crate::remote::answer::{self, FetchError};
use crate::remote::local::{LocalKeys, Missing};
use crate::remote::record::refresh_after;
use crate::uri::HttpUri;
use crate::verify::Keys;
use crate::verify::keyset::KeySet;

/// The remote key sets of one worker and the fetches that it has under way.
#[derive(Default)]
pub struct RemoteKeys {
    /// By the provider's index; `None` for static keys.
    local: RefCell<Vec<Option<LocalKeys>>>,
    /// By the call's number.
    calls: RefCell<HashMap<u32, Call>>,
}

/// One call under way.
#[derive(Clone, Copy)]
struct Call {
    provider: usize,
    /// The discovery document comes first where one is configured.
    discovery: bool,
}

/// The key sets at one moment.
pub struct CurrentKeys<'a> {
    policy: &'a Policy,
    local: Ref<'a, Vec<Option<LocalKeys>>>,
    now: u64,
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

    /// Whether there is anything to fetch.
    pub fn any(&self) -> bool {
        self.local.borrow().iter().any(Option::is_some)
    }

    /// The sets to verify with now.
    pub fn current<'a>(&'a self, policy: &'a Policy, now: u64) -> CurrentKeys<'a> {
        CurrentKeys { policy, local: self.local.borrow(), now }
    }

    /// How many fetches of a provider have ended; a waiting request compares it.
    pub fn attempts(&self, provider: usize) -> u64 {
        let local = self.local.borrow();
        local.get(provider).and_then(Option::as_ref).map_or(0, |keys| keys.record().attempts)
    }

    /// What a request that lacks a key of `provider` should do; see [`LocalKeys::on_missing`].
    pub fn on_missing(&self, provider: usize, unknown_kid: bool, now: u64) -> Missing {
        let mut local = self.local.borrow_mut();
        match local.get_mut(provider) {
            Some(Some(keys)) => {
                keys.on_missing(&SharedData, unknown_kid, now).unwrap_or(Missing::Final)
            }
            _ => Missing::Final,
        }
    }

    /// Adopts what other workers fetched and starts the fetches that are due.
    pub fn tick(&self, policy: &Policy, metrics: &Metrics) {
        for (index, provider) in policy.providers.iter().enumerate() {
            let KeysFrom::Remote(remote) = &provider.keys else { continue };
            self.adopt(index, provider, metrics);
            let now = abi::now();
            let leased = self.with(index, |keys| {
                let cause = keys.wants_fetch(now)?;
                keys.lease(&SharedData, cause, now).ok().filter(|leased| *leased)
            });
            if leased.is_some() {
                self.dispatch(index, provider, remote, remote.source.clone(), metrics);
            }
        }
    }

    fn with<T>(&self, index: usize, change: impl FnOnce(&mut LocalKeys) -> Option<T>) -> Option<T> {
        self.local.borrow_mut().get_mut(index)?.as_mut().and_then(change)
    }

    fn adopt(&self, index: usize, provider: &Provider, metrics: &Metrics) {
        let now = abi::now();
        self.with(index, |keys| {
            let changed = keys.refresh(&SharedData).unwrap_or(false);
            let count = keys.current(now).map_or(0, KeySet::len);
            let name = &provider.name;
            metrics.set(&format!("tollgate_jwks_keys.provider.{name}"), as_u64(count));
            if keys.record().good_at > 0 {
                let age = now.saturating_sub(keys.record().good_at) / 1_000_000_000;
                metrics.set(&format!("tollgate_jwks_age_seconds.provider.{name}"), age);
            }
            changed.then_some(())
        });
    }

    fn dispatch(
        &self,
        index: usize,
        provider: &Provider,
        remote: &Remote,
        source: RemoteSource,
        metrics: &Metrics,
    ) {
        let uri = source.uri();
        let discovery = matches!(source, RemoteSource::Discovery(_));
        match call(&remote.cluster, uri, remote.timeout) {
            Some(number) => {
                self.calls.borrow_mut().insert(number, Call { provider: index, discovery });
            }
            None => self.failed(index, provider, remote, FetchError::Dispatch, metrics),
        }
    }

    /// Takes the answer to a call of ours; `body` is the size that the host announces.
    pub fn on_answer(&self, number: u32, body: usize, policy: &Policy, metrics: &Metrics) {
        let Some(Call { provider: index, discovery }) = self.calls.borrow_mut().remove(&number)
        else {
            return;
        };
        let Some(provider) = policy.providers.get(index) else { return };
        let KeysFrom::Remote(remote) = &provider.keys else { return };
        let headers = Headers::from_buffer(abi::header_pairs(Map::CallResponse));
        let answer = answer::check_head(&headers, body).map(|()| {
            let bytes = hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, body);
            bytes.ok().flatten().unwrap_or_default()
        });
        match answer {
            Err(error) => self.failed(index, provider, remote, error, metrics),
            Ok(document) if discovery => match answer::jwks_uri(&document, &issuers(provider)) {
                Ok(uri) => {
                    self.dispatch(index, provider, remote, RemoteSource::Uri(uri), metrics);
                }
                Err(error) => self.failed(index, provider, remote, error, metrics),
            },
            Ok(set) => self.fetched(index, provider, remote, &set, &headers, metrics),
        }
    }

    fn fetched(
        &self,
        index: usize,
        provider: &Provider,
        remote: &Remote,
        set: &[u8],
        headers: &Headers,
        metrics: &Metrics,
    ) {
        let (keys, skipped) = match answer::key_set(set) {
            Ok(parsed) => parsed,
            Err(error) => return self.failed(index, provider, remote, error, metrics),
        };
        let name = &provider.name;
        for key in &skipped {
            warn!("tollgate: provider {name}: keys[{}] is skipped: {}", key.index, key.why);
        }
        metrics.add(&fetch_counter(name, "key_skipped"), as_u64(skipped.len()));
        metrics.add(&fetch_counter(name, "ok"), 1);
        let stored = self.with(index, |local| {
            let shared = local.shared();
            let refresh = refresh_after(shared.timing(), answer::max_age(headers), jitter());
            shared.succeed(&SharedData, set, refresh, abi::now()).ok().flatten().map(|_| refresh)
        });
        match stored {
            Some(refresh) => info!(
                "tollgate: provider {name}: fetched {} key(s) through cluster {}; next fetch in {}s",
                keys.len(),
                remote.cluster,
                refresh / 1_000_000_000
            ),
            None => error!("tollgate: provider {name}: fetched keys could not be shared"),
        }
        self.adopt(index, provider, metrics);
    }

    fn failed(
        &self,
        index: usize,
        provider: &Provider,
        remote: &Remote,
        error: FetchError,
        metrics: &Metrics,
    ) {
        let name = &provider.name;
        metrics.add(&fetch_counter(name, error.label()), 1);
        let now = abi::now();
        let next =
            self.with(index, |keys| keys.shared().fail(&SharedData, jitter(), now).ok().flatten());
        let wait = next.map_or(0, |record| record.next_at.saturating_sub(now) / 1_000_000);
        let uri = remote.source.uri();
        let hint = match error {
            FetchError::Dispatch => {
                "; check that this cluster exists under exactly this name (in Istio: outbound|443||HOST, \
                 which needs a ServiceEntry), that it is known before this filter loads (static, not only \
                 discovered), and that the URI has a host"
            }
            _ => "",
        };
        let serving = match self.current_count(index, now) {
            0 => "there are no keys to verify with".to_owned(),
            count => format!("the last {count} good key(s) serve"),
        };
        warn!(
            "tollgate: provider {name}: fetching {uri} through cluster {} failed: {error}; \
             {serving}; next try in {wait}ms{hint}",
            remote.cluster
        );
    }

    fn current_count(&self, index: usize, now: u64) -> usize {
        let local = self.local.borrow();
        let keys = local.get(index).and_then(Option::as_ref);
        keys.and_then(|keys| keys.current(now)).map_or(0, KeySet::len)
    }
}

fn fetch_counter(provider: &str, result: &str) -> String {
    format!("tollgate_jwks_fetch.provider.{provider}.result.{result}")
}

fn issuers(provider: &Provider) -> Vec<String> {
    provider.issuers.iter().map(crate::provider::Issuer::text).collect()
}

/// Starts a call. It goes through the SDK, which routes the answer to the context that called.
fn call(cluster: &str, uri: &HttpUri, timeout: Duration) -> Option<u32> {
    let headers = vec![
        (":method", "GET"),
        (":scheme", uri.scheme.as_str()),
        (":authority", uri.authority.as_str()),
        (":path", uri.path.as_str()),
        ("accept", "application/json"),
    ];
    hostcalls::dispatch_http_call(cluster, headers, None, vec![], timeout).ok()
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
