//! The values that no program may read.

use support::paths::readings;
use support::servers::{Call, Kind, folded};

use super::rules::{LENT_KEY, MAX_BATCH, MAX_ROWS};
use super::world::Outcome;

/// The value of every header that a caller must not be able to write.
pub const SPOOF: &str = "spoofed";

/// A token that is not the caller's to pass on, because it was not verified.
pub const FORGED: &str = "forged-token";

/// The `x-case` of a request inside another one.
pub const HIDDEN: &str = "hidden";

/// The faults of an outcome.
pub fn faults(outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: String| {
        let name = outcome.kind.name();
        let status = outcome.status().map_or("none".to_owned(), |status| status.to_string());
        faults.push(format!("{name}: {what}; status {status}; {}", outcome.row.text()));
    };
    let entry = |name: &str| outcome.entry.as_ref().and_then(|entry| entry[name].as_str());
    let calls = outcome.calls.len();
    if entry("decision") == Some("deny") && calls > 0 {
        fault(format!("refused as {:?}, and the program was called", entry("reason")));
    }
    if calls > 1 {
        fault(format!("the program was called {calls} times"));
    }
    if outcome.row.served && calls == 0 {
        fault(format!("not served, {:?}", entry("reason")));
    }
    if outcome.row.status.is_some_and(|status| outcome.status() != Some(status)) {
        fault(format!("not refused with {:?}", outcome.row.status));
    }
    if let Some(response) = &outcome.response {
        let text = String::from_utf8_lossy(&response.body).into_owned();
        if text.contains(LENT_KEY) {
            fault("the answer holds the lent key".to_owned());
        }
    }
    let cost = entry("cost").and_then(|cost| cost.parse::<u64>().ok());
    for call in &outcome.calls {
        if !outcome.row.token {
            if let Some(path) = protected(outcome.kind, call) {
                fault(format!("{path} was served without a token"));
            }
            if let Some(host) = internal(call) {
                fault(format!("{host} was served without a token"));
            }
        }
        let all = call.variables.iter().chain(&call.trailers);
        for (name, value) in all {
            if value.contains(SPOOF) && owned(name, outcome.row.token) {
                fault(format!("the program reads {name} = {value:?}"));
            }
            let token_header = ["authorization", "x-user-token"].contains(&folded(name).as_str());
            if token_header && value.contains(FORGED) {
                fault(format!("the program reads {name} = {value:?}"));
            }
        }
        // A request that needs no token has no identity.
        let open = ["open", "open-host", "rest"].contains(&entry("rule").unwrap_or_default());
        let told = outcome.row.token && !open;
        for (name, value) in TAGS {
            let values = call.values(name);
            let right =
                values.iter().all(|given| if told { *given == value } else { given.is_empty() });
            if !right || told && values.is_empty() && outcome.kind != Kind::Mlflow {
                fault(format!("the program reads {name} = {values:?}"));
            }
        }
        if ["score", "limited"].contains(&entry("rule").unwrap_or_default()) {
            if call.rows > MAX_ROWS {
                fault(format!("the program reads {} rows", call.rows));
            }
            if cost.is_none_or(|cost| cost < call.rows) {
                fault(format!("the program reads {} rows, the cost is {cost:?}", call.rows));
            }
        }
        if call.values("x-mode").contains(&"batch") {
            let number = call.values("x-batch").into_iter().filter_map(number).max();
            // A number above `max` costs `max`.
            let number = number.unwrap_or(1).min(MAX_BATCH);
            let cost = cost.unwrap_or_default();
            if cost < number {
                fault(format!("the program reads {number}, the cost is {cost}"));
            }
        }
    }
    faults
}

/// The identity of alice's token.
const TAGS: [(&str, &str); 3] = [
    ("x-auth-identity", "https://issuer.test/alice"),
    ("x-auth-subject", "alice"),
    ("x-auth-issuer", "https://issuer.test"),
];

/// Whether only the filter may write a header. Where it lends no key, a caller may say what it wants
/// in `authorization`.
fn owned(name: &str, token: bool) -> bool {
    let name = folded(name);
    TAGS.iter().any(|(tag, _)| *tag == name)
        || name.starts_with("x-tollgate-")
        || token && name == "authorization"
}

/// The protected path that a program served, or may have: by its route, or by what it may make of
/// the path that it was given.
fn protected(kind: Kind, call: &Call) -> Option<String> {
    // The open host is open as a whole.
    if call.values("x-virtual-host").contains(&"open") {
        return None;
    }
    if call.handler.as_deref().is_some_and(|handler| handler != "other") {
        return Some(call.path.clone());
    }
    let closed = |path: &String| {
        let path = path.to_ascii_lowercase();
        ["/admin", "/secret", "/score", "/invocations"].contains(&path.trim_end_matches('/'))
            || path.starts_with("/admin/")
    };
    // Node shows the target as it came. Elsewhere a query is cut off, and what looks like one was
    // escaped.
    let path = match kind {
        Kind::Node | Kind::NodeH2 => call.path.clone(),
        _ => call.path.replace('?', "%3f").replace('#', "%23"),
    };
    readings(&path).into_iter().find(closed)
}

/// The internal host by which a request came, for Envoy or for the program.
fn internal(call: &Call) -> Option<String> {
    let own = |host: &str| {
        let host = host.to_ascii_lowercase();
        let name = host.split(':').next().unwrap_or_default();
        let name = name.strip_suffix('.').unwrap_or(name);
        let inside = name.strip_suffix(".internal.example.com");
        name == "secret.example.com" || inside.is_some_and(|prefix| !prefix.is_empty())
    };
    let given = |(name, _): &&(String, String)| ["host", "-authority"].contains(&&folded(name)[..]);
    let hosts = call.variables.iter().filter(given).map(|(_, host)| host.as_str());
    let hosts: Vec<_> = hosts.collect();
    if call.values("x-virtual-host").contains(&"internal") {
        return Some(format!("the virtual host of {hosts:?}"));
    }
    hosts.into_iter().find(|host| own(host)).map(str::to_owned)
}

/// The largest number that some language reads from a header's value: Python takes `5_0`, `+50` and
/// spaces, JavaScript `5e1`, and both a number at the beginning of more.
fn number(value: &str) -> Option<u64> {
    let items = value.split(',').filter_map(|item| {
        let item = item.trim().trim_start_matches('+').replace('_', "");
        let digits: String = item.chars().take_while(char::is_ascii_digit).collect();
        let float = item.parse::<f64>().ok().map(|number| number as u64);
        float.or_else(|| digits.parse().ok())
    });
    items.max()
}
