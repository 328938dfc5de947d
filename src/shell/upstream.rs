//! Writes the headers of a request that passes.

use proxy_wasm::types::MapType;

use super::host::{self, HostError};
use crate::gate::facts::Facts;
use crate::policy::Policy;
use crate::policy::rule::Rule;
use crate::request::headers::Headers;
use crate::request::token_source;

/// The only option of `connection` in a request that passes.
const UPGRADE: &[u8] = b"upgrade";

/// Adds the tags of a request, removes its token unless it is forwarded, and sets the upstream's
/// authorization. `allowed`: no dry run or pending body can still refuse the request.
///
/// # Errors
/// The first call that the host refuses. Such a request must not pass, because it may still have headers that
/// had to go.
pub fn write_request(
    policy: &Policy,
    facts: &Facts,
    allowed: bool,
    headers: &Headers,
) -> Result<(), HostError> {
    for (index, value) in facts.tags() {
        let header = policy.tags.get(*index).and_then(|tag| tag.header.as_ref());
        if let Some(header) = header {
            // The header was stripped before, so there is none to replace. The first search in a map makes
            // the host index it: 1 µs.
            host::header_add(MapType::HttpRequestHeaders, header.as_bytes(), value.as_bytes())?;
        }
    }
    if !policy.token.forward {
        let verified = facts.caller.is_some();
        for rewrite in token_source::removal(headers, &policy.token, verified) {
            write_header(&rewrite.name, &rewrite.values)?;
        }
    }
    // The next hop removes the headers that it names (RFC 9110 §7.6.1), even those of the filter. A proxy
    // forwards it in upgrade requests only.
    let connection = headers.value("connection");
    if connection.is_some_and(|options| !options.eq_ignore_ascii_case(UPGRADE)) {
        host::header_replace(MapType::HttpRequestHeaders, b"connection", UPGRADE)?;
    }
    match facts.rule.as_deref() {
        Some(rule) => write_by_rule(rule, allowed || !(policy.dry_run || rule.dry_run), headers),
        None => Ok(()),
    }
}

/// Writes what a rule asks for. `lends`: the request gets the rule's key. A dry run of the rule admits every
/// request, but lends the key only to those that would pass without it, and so not while a body is pending.
fn write_by_rule(rule: &Rule, lends: bool, headers: &Headers) -> Result<(), HostError> {
    // The cost of a coded response could not be read.
    if rule.traits.charges_response {
        for (name, _) in headers.spellings("accept-encoding") {
            host::header_remove(MapType::HttpRequestHeaders, name)?;
        }
    }
    if let Some(key) = rule.upstream_authorization.as_ref().filter(|_| lends) {
        let name = key.header.as_bytes();
        // Servers would read another spelling beside the upstream's.
        for (given, _) in headers.spellings(&key.header).filter(|(given, _)| *given != name) {
            host::header_remove(MapType::HttpRequestHeaders, given)?;
        }
        write_header(name, &[key.value.expose().as_bytes().to_vec()])?;
    }
    Ok(())
}

/// Writes the length of a body that changes, if the request names one; `None` removes it. Other spellings go, because
/// a server may read them as the length.
///
/// # Errors
/// The first call that the host refuses.
pub fn write_length(headers: &Headers, length: Option<u64>) -> Result<(), HostError> {
    const NAME: &str = "content-length";
    for (name, _) in headers.spellings(NAME) {
        match length {
            Some(length) if name == NAME.as_bytes() => {
                let value = length.to_string();
                host::header_replace(MapType::HttpRequestHeaders, name, value.as_bytes())?;
            }
            _ => host::header_remove(MapType::HttpRequestHeaders, name)?,
        }
    }
    Ok(())
}

/// Replaces all lines of a header.
fn write_header(name: &[u8], values: &[Vec<u8>]) -> Result<(), HostError> {
    match values {
        [value] => host::header_replace(MapType::HttpRequestHeaders, name, value),
        values => {
            host::header_remove(MapType::HttpRequestHeaders, name)?;
            let mut values = values.iter();
            values.try_for_each(|value| host::header_add(MapType::HttpRequestHeaders, name, value))
        }
    }
}
