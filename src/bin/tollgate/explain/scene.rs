//! Runs the gate without a proxy, over a configuration, given keys and full buckets.

use std::cell::RefCell;
use std::rc::Rc;

use tollgate::body::Check;
use tollgate::caller::cache::{CacheSettings, TokenCache};
use tollgate::few::Few;
use tollgate::gate::facts::Facts;
use tollgate::gate::judged::{Decision, Judged};
use tollgate::gate::verdict::Verdict;
use tollgate::gate::{Gate, Request};
use tollgate::limit::concurrency::Concurrency;
use tollgate::limit::plan::Planned;
use tollgate::limit::table::Table;
use tollgate::policy::Policy;
use tollgate::policy::owned::OwnedHeaders;
use tollgate::reason::Reason;
use tollgate::request::headers::Headers;
use tollgate::request::token_source::{self, Found, Place};
use tollgate::store::memory::Memory;
use tollgate::time::Moment;
use tollgate::verify::keyset::KeySet;
use tollgate::verify::provider::KeysFrom;
use tollgate::verify::{Keys, base64url};

use super::engine::Engines;

/// The smallest table; it serves one request.
const IDENTITIES: u32 = 8;

/// Everything that decides a request.
pub struct Scene {
    /// The compiled configuration.
    pub policy: Policy,
    /// Key sets from `--keys`, by provider.
    pub given: Vec<Option<KeySet>>,
    /// The engines that verify signatures.
    pub engines: Engines,
}

/// The parts that all requests of one run share.
pub struct Line {
    /// Pseudo-headers and headers, without the token.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The downstream address.
    pub client_address: String,
    /// The body, if it is given.
    pub body: Option<Vec<u8>>,
    /// The SHA-256 of the client's certificate in hexadecimal.
    pub peer_certificate: Option<String>,
    /// Nanoseconds since the Unix epoch.
    pub now: Moment,
}

impl Line {
    /// Sets a pseudo-header.
    pub fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(header, _)| header != name);
        self.headers.insert(0, (name.to_owned(), value.as_bytes().to_vec()));
    }

    /// Whether the request ends with these headers: it has no body, or its method usually has none.
    pub fn bodyless(&self, headers: &Headers) -> bool {
        let method = headers.value(":method").unwrap_or_default();
        let usual = matches!(method, b"GET" | b"HEAD" | b"OPTIONS");
        self.body.as_ref().map_or(usual, Vec::is_empty)
    }
}

/// A body that was read to its end, or as far as it was not refused.
pub struct Read {
    /// What was found in it.
    pub check: Check,
    /// The rows that count for the cost, if it was admitted.
    pub rows: Option<u64>,
    /// Whether it changes before it passes.
    pub changes: bool,
}

/// One request and its outcome.
pub struct Outcome {
    /// The headers as received.
    pub received: Headers,
    /// The headers without those that only the filter may write; decisions are made by these.
    pub headers: Headers,
    /// The verdict; if the body decides, the one for a body that is admitted.
    pub verdict: Verdict,
    /// Whether the body decides, and is not given.
    pub needs_body: bool,
    /// The body, if it is given and the rule reads it.
    pub read: Option<Read>,
    /// The findings behind the verdict.
    pub facts: Facts,
    /// What the request takes from the rule's limits.
    pub plan: Few<Planned>,
}

impl Outcome {
    /// Whether the keys decide that the filter fetches, and are not given.
    pub fn needs_keys(&self) -> bool {
        self.verdict.reason() == Reason::KeysUnavailable
    }
}

impl Keys for Scene {
    fn keys(&self, provider: usize) -> Option<&KeySet> {
        let given = self.given.get(provider).and_then(Option::as_ref);
        given.or_else(|| match &self.policy.providers.get(provider)?.keys {
            KeysFrom::Static(keys) => Some(keys),
            KeysFrom::Remote(_) => None,
        })
    }
}

impl Scene {
    /// Judges a request with this token, or without one.
    pub fn judge(&self, line: &Line, token: Option<&[u8]>) -> Outcome {
        let received = self.headers(line, token);
        let headers = OwnedHeaders::of(&self.policy).stripped(&received);
        // Shared data of a proxy that has just started, in which every bucket is full.
        let store = Memory::default();
        let table = Table::open(&store, "explain", IDENTITIES, [7; 16]).ok();
        let counted = self.policy.rules.iter().any(|rule| rule.concurrency.is_some());
        let concurrency = table.as_ref().filter(|_| counted).and_then(|table| {
            Concurrency::open(&store, "explain", table, 7).ok().map(RefCell::new)
        });
        let forgetful = CacheSettings { entries: 0, ..self.policy.token_cache };
        let cache = TokenCache::new(forgetful, 0);
        let gate = Gate {
            policy: &self.policy,
            keys: self,
            engine: &self.engines,
            cache: &cache,
            table: table.as_ref(),
            concurrency: concurrency.as_ref(),
            store: &store,
        };
        let request = Request {
            headers: &headers,
            bodyless: line.bodyless(&headers),
            client_address: &|| Some(line.client_address.clone()),
            now: line.now,
            peer_certificate: &|| line.peer_certificate.clone().map(String::into_bytes),
            clock: &|| line.now,
        };
        let (verdict, facts, needs_body, read) = match (gate.judge(&request), &line.body) {
            (Judged::Decided(Decision { verdict, facts, .. }), _) => (verdict, facts, false, None),
            (Judged::Body(pending), None) => {
                (pending.verdict_if_admitted(), pending.facts, true, None)
            }
            (Judged::Body(pending), Some(body)) => {
                let guard = Rc::clone(&pending.guard);
                let mut check = guard.check(&headers);
                let rows = match check.feed(&guard, body) {
                    Ok(()) => check.finish(&guard),
                    Err(refusal) => Err(refusal),
                };
                let Decision { verdict, facts, edit, .. } =
                    pending.conclude(&gate, &request, &check, rows);
                let read = Read { check, rows: rows.ok(), changes: edit.is_some() };
                (verdict, facts, false, Some(read))
            }
        };
        let plan = gate.plan(&request, &facts, read.as_ref().map(|read| &read.check));
        Outcome { received, headers, verdict, needs_body, read, facts, plan }
    }

    /// The headers of a request without a token, as the rules see them.
    pub fn stripped(&self, line: &Line) -> Headers {
        OwnedHeaders::of(&self.policy).stripped(&self.headers(line, None))
    }

    /// The token that the filter finds in the request.
    pub fn find<'h>(&self, headers: &'h Headers) -> Found<'h> {
        token_source::find(headers, &self.policy.token)
    }

    /// The request with the token in the first place that `token.from` names.
    fn headers(&self, line: &Line, token: Option<&[u8]>) -> Headers {
        let mut pairs = line.headers.clone();
        if let (Some(token), Some(place)) = (token, self.policy.token.from.first()) {
            put(&mut pairs, place, token);
        }
        Headers::from_pairs(&pairs)
    }
}

fn put(pairs: &mut Vec<(String, Vec<u8>)>, place: &Place, token: &[u8]) {
    match place {
        Place::Header { name, prefix } => {
            pairs.push((name.clone(), [prefix.as_bytes(), token].concat()));
        }
        Place::Cookie(name) => {
            let value = [name.as_bytes(), b"=", token].concat();
            pairs.push(("cookie".to_owned(), value));
        }
        Place::Query(name) => {
            if let Some((_, path)) = pairs.iter_mut().find(|(header, _)| header == ":path") {
                path.push(if path.contains(&b'?') { b'&' } else { b'?' });
                path.extend_from_slice(name.as_bytes());
                path.push(b'=');
                path.extend_from_slice(token);
            }
        }
        Place::WebsocketProtocol(prefix) => {
            let token = match prefix.starts_with("base64url.") {
                true => base64url::encode(token).into_bytes(),
                false => token.to_vec(),
            };
            let value = [prefix.as_bytes(), &token, b", json"].concat();
            pairs.push(("sec-websocket-protocol".to_owned(), value));
        }
        Place::WebsocketProtocolAfter(word) => {
            let value = [word.as_bytes(), b", ", token].concat();
            pairs.push(("sec-websocket-protocol".to_owned(), value));
        }
    }
}
