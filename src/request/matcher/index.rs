//! Finds the matchers that may match a request, however many there are.
//!
//! A matcher is listed under the texts that a request must have: segments of its paths, at their places,
//! its hosts, its methods, and one of its headers. What is found may match, and what is not found matches
//! in no reading: the caller decides with [`Matcher::fit`].

pub mod candidates;
mod headers;
pub mod hosts;
mod methods;
pub mod paths;

use super::Matcher;
use crate::request::header_pattern::HeaderPattern;
use crate::request::headers::Headers;
use crate::request::line::Reading;
use candidates::{Candidates, Look};
use headers::ByHeader;
use hosts::Hosts;
use methods::Methods;
use paths::Paths;

/// The matchers of a list by what a request must have.
#[derive(Debug)]
pub struct Index {
    paths: Paths,
    hosts: Hosts,
    methods: Methods,
    headers: ByHeader,
}

impl Index {
    /// Lists the matchers by their positions.
    #[cold]
    pub fn new<'m>(matchers: impl Iterator<Item = &'m Matcher> + Clone) -> Self {
        let (mut paths, mut hosts, mut methods) =
            (Paths::default(), Hosts::default(), Methods::default());
        for (number, matcher) in (0..).zip(matchers.clone()) {
            match &matcher.paths {
                None => paths.add(None, number),
                Some(list) => list.iter().for_each(|path| paths.add(Some(path), number)),
            }
            match &matcher.hosts {
                None => hosts.add(None, number),
                Some(list) => list.iter().for_each(|host| hosts.add(Some(host), number)),
            }
            match &matcher.methods {
                None => methods.add(None, number),
                Some(list) => list.iter().for_each(|name| methods.add(Some(name), number)),
            }
        }
        Self {
            paths,
            hosts,
            methods,
            headers: ByHeader::new(matchers.map(|matcher| matcher.headers.as_slice())),
        }
    }

    /// The positions of the matchers that may match, in order.
    pub fn candidates(&self, request: &Reading<'_>) -> Candidates<'_> {
        let (host, path) = (request.host.unwrap_or_default(), request.path.unwrap_or_default());
        let mut found = self.find(host, path, request.method);
        if self.headers.any() {
            self.headers.look(request.headers, &mut found);
            found.end();
        }
        found
    }

    /// The positions of the matchers that may match all requests that `other` matches, in order: those
    /// that may match one of them.
    #[cold]
    pub fn wider(&self, other: &Matcher) -> Candidates<'_> {
        let path = other.paths.as_ref().and_then(|paths| paths.first()).map(paths::example);
        let host = other.hosts.as_ref().and_then(|hosts| hosts.first()).map(hosts::example);
        let method = other.methods.as_ref().and_then(|methods| methods.first());
        let (host, path) = (host.unwrap_or_default(), path.unwrap_or_default());
        let method = method.map_or(&b""[..], |method| method.as_bytes());
        let mut found = self.find(host.as_bytes(), &path, method);
        let value = |header: &HeaderPattern| header.value.clone().unwrap_or_default();
        let headers = other.headers.iter().map(|header| (header.name.as_str(), value(header)));
        self.headers.look(&Headers::from_pairs(&Vec::from_iter(headers)), &mut found);
        found.end();
        found
    }

    #[inline(never)]
    fn find(&self, host: &[u8], path: &[u8], method: &[u8]) -> Candidates<'_> {
        let mut found = Candidates::default();
        self.paths.look(path, &mut found);
        found.end();
        if self.hosts.any() {
            self.hosts.look(host, &mut found);
            found.end();
        }
        if self.methods.any() {
            self.methods.look(method, &mut found);
            found.end();
        }
        found
    }
}

#[cfg(test)]
pub(crate) mod tests;
