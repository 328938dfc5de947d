//! A model of how Envoy finds the upstream of a request, and worlds to hold the filter against it:
//! virtual hosts with routes, the rules that say the same, and requests that try to get between them.
//!
//! `tests/routing.rs` judges the requests without a proxy, `tests/e2e_routing.rs` has a real Envoy
//! route them.

#![allow(dead_code, missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "host_option.rs"]
mod host_option;

pub use host_option::HostOption;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// The requirements of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Open,
    Optional,
    Token,
    Role,
}

/// The properties of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Credential {
    None,
    Plain,
    Admin,
}

impl Credential {
    /// Whether it is all that an upstream asks for.
    pub fn meets(self, level: Level) -> bool {
        match level {
            Level::Open | Level::Optional => true,
            Level::Token => self != Self::None,
            Level::Role => self == Self::Admin,
        }
    }
}

/// How a route and its rule compare a path.
#[derive(Clone, Debug)]
pub enum PathKind {
    /// `path` · `/a`
    Exact(String),
    /// `path_separated_prefix` · `/a/**`
    Below(String),
    /// `safe_regex` · `/models/*:predict`
    Part(String, String),
    /// `prefix: /` · any path
    Any,
}

impl PathKind {
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(text) => path == text,
            Self::Below(text) => {
                path.strip_prefix(text.as_str()).is_some_and(|r| r.is_empty() || r.starts_with('/'))
            }
            Self::Part(before, after) => path
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(|part| !part.is_empty() && !part.contains('/')),
            Self::Any => path.starts_with('/'),
        }
    }

    fn pattern(&self) -> String {
        match self {
            Self::Exact(text) => text.clone(),
            Self::Below(text) => format!("{text}/**"),
            Self::Part(before, after) => format!("{before}*{after}"),
            Self::Any => "/**".to_owned(),
        }
    }

    fn route_match(&self) -> Value {
        match self {
            Self::Exact(text) => json!({"path": text}),
            Self::Below(text) => json!({"path_separated_prefix": text}),
            Self::Part(before, after) => {
                json!({"safe_regex": {"regex": format!("{before}[^/]+{after}")}})
            }
            Self::Any => json!({"prefix": "/"}),
        }
    }

    /// A path that it is meant for.
    fn example(&self) -> String {
        match self {
            Self::Exact(text) => text.clone(),
            Self::Below(text) => format!("{text}/x"),
            Self::Part(before, after) => format!("{before}m1{after}"),
            Self::Any => "/other".to_owned(),
        }
    }
}

/// A route and its upstream.
#[derive(Clone, Debug)]
pub struct Route {
    pub path: PathKind,
    pub level: Level,
    /// Whether the upstream gets a key of its own; only with [`Level::Token`] and above.
    pub lends: bool,
    /// Whether the rule admits encoded slashes.
    pub slashes: bool,
}

/// A virtual host. The first of its domains is what its rules name; the others of the host with `*`
/// are such as no rule can name.
#[derive(Clone, Debug)]
pub struct VirtualHost {
    pub domains: Vec<String>,
    pub routes: Vec<Route>,
}

/// Virtual hosts, the one with `*` last.
#[derive(Clone, Debug)]
pub struct World {
    pub hosts: Vec<VirtualHost>,
    pub ignore_parameters: bool,
    pub lenient: bool,
    /// Whether no rule is for the virtual host with `*`.
    pub unruled: bool,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Probe {
    /// `{port}` stands for that of the listener.
    pub authority: String,
    pub path: String,
    pub credential: Credential,
    /// Neither part was twisted.
    pub plain: bool,
}

/// The number of an upstream: that of its virtual host and of its route.
pub type Upstream = (usize, usize);

impl World {
    pub fn route(&self, (host, route): Upstream) -> &Route {
        &self.hosts[host].routes[route]
    }

    /// What an upstream asks for; one without a rule is not for callers without a token.
    pub fn level(&self, upstream: Upstream) -> Level {
        match self.is_unruled(upstream.0) {
            true => Level::Token,
            false => self.route(upstream).level,
        }
    }

    /// Whether no rule is for a virtual host.
    pub fn is_unruled(&self, host: usize) -> bool {
        self.unruled && self.hosts[host].domains[0] == "*"
    }

    /// Where Envoy leads a request whose authority is compared as this text.
    pub fn find(&self, compared: &str, path: &str) -> Option<Upstream> {
        let host = self.virtual_host(compared)?;
        let path = path.split(['?', '#']).next().unwrap();
        let path = match self.ignore_parameters {
            true => path.split(';').next().unwrap(),
            false => path,
        };
        let route = self.hosts[host].routes.iter().position(|route| route.path.matches(path))?;
        Some((host, route))
    }

    /// The virtual host: an exact domain, the longest suffix, the longest prefix, any.
    fn virtual_host(&self, text: &str) -> Option<usize> {
        let domains = || {
            let each = self.hosts.iter().enumerate();
            each.flat_map(|(index, host)| host.domains.iter().map(move |d| (index, d.as_str())))
        };
        let longer = |rest: &str| text.len() > rest.len();
        let exact = domains().find(|(_, domain)| *domain == text);
        let suffix = domains()
            .filter(|(_, d)| {
                let rest = d.strip_prefix('*').filter(|rest| !rest.is_empty());
                rest.is_some_and(|rest| longer(rest) && text.ends_with(rest))
            })
            .max_by_key(|(_, domain)| domain.len());
        let prefix = domains()
            .filter(|(_, d)| {
                let rest = d.strip_suffix('*').filter(|rest| !rest.is_empty());
                rest.is_some_and(|rest| longer(rest) && text.starts_with(rest))
            })
            .max_by_key(|(_, domain)| domain.len());
        let any = domains().find(|(_, domain)| *domain == "*");
        exact.or(suffix).or(prefix).or(any).map(|(index, _)| index)
    }

    /// The rules, in the order of the virtual hosts: exact domains, suffixes by their length, any.
    pub fn rules(&self) -> (Value, Vec<Upstream>) {
        let rank = |host: &VirtualHost| match host.domains[0].as_str() {
            "*" => (2, 0),
            suffix if suffix.starts_with('*') => (1, usize::MAX - suffix.len()),
            _ => (0, 0),
        };
        let mut order: Vec<usize> = (0..self.hosts.len()).collect();
        order.sort_by_key(|index| rank(&self.hosts[*index]));
        let mut rules = Vec::new();
        let mut upstreams = Vec::new();
        for host in order.into_iter().filter(|host| !self.is_unruled(*host)) {
            for (index, route) in self.hosts[host].routes.iter().enumerate() {
                let mut rule = json!({"name": format!("r{host}-{index}"), "match": {}});
                if self.hosts[host].domains[0] != "*" {
                    rule["match"]["hosts"] = json!([self.hosts[host].domains[0]]);
                }
                if !matches!(route.path, PathKind::Any) {
                    rule["match"]["paths"] = json!([route.path.pattern()]);
                }
                if route.slashes {
                    rule["match"]["encoded_slash"] = json!("allow");
                }
                match route.level {
                    Level::Open => rule["auth"] = json!("none"),
                    Level::Optional => rule["auth"] = json!("optional"),
                    Level::Token => {}
                    Level::Role => rule["allow"] = json!([{"roles_any": ["Admin"]}]),
                }
                if route.lends {
                    rule["upstream_authorization"] =
                        json!({"env": format!("KEY_{host}_{index}"), "prefix": "Key "});
                }
                rules.push(rule);
                upstreams.push((host, index));
            }
        }
        (json!(rules), upstreams)
    }

    /// Members of the plugin's configuration beside its providers.
    pub fn plugin(&self, providers: Value) -> (Value, Vec<Upstream>) {
        let (rules, upstreams) = self.rules();
        let ambiguous = if self.lenient { "allow" } else { "reject" };
        let plugin = json!({"providers": providers, "rules": rules, "ambiguous_paths": ambiguous});
        (plugin, upstreams)
    }

    /// Every variable that a rule names, and its value.
    pub fn keys(&self) -> Vec<(String, String)> {
        let each = self.hosts.iter().enumerate();
        each.flat_map(|(host, virtual_host)| {
            let routes = 0..virtual_host.routes.len();
            routes.map(move |route| (format!("KEY_{host}_{route}"), format!("k-{host}-{route}")))
        })
        .collect()
    }

    /// The route configuration: hosts of even number lead to one cluster, the others to another;
    /// `x-upstream` says which upstream it is.
    pub fn route_config(&self, option: HostOption) -> Value {
        let virtual_host = |(host, virtual_host): (usize, &VirtualHost)| {
            let routes: Vec<Value> = virtual_host
                .routes
                .iter()
                .enumerate()
                .map(|(index, route)| {
                    json!({
                        "match": route.path.route_match(),
                        "route": {"cluster": if host % 2 == 0 { "upstream" } else { "second" }},
                        "request_headers_to_add": [{
                            "header": {"key": "x-upstream", "value": format!("{host}-{index}")},
                            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                        }],
                    })
                })
                .collect();
            json!({"name": format!("h{host}"), "domains": virtual_host.domains, "routes": routes})
        };
        let hosts: Vec<Value> = self.hosts.iter().enumerate().map(virtual_host).collect();
        json!({
            "virtual_hosts": hosts,
            "ignore_port_in_host_matching": option == HostOption::IgnorePort,
            "ignore_path_parameters_in_path_matching": self.ignore_parameters,
        })
    }
}

const NAMES: [&str; 5] = ["public.test", "secret.test", "a.secret.test", "b.a.secret.test", "x.y"];
const SUFFIXES: [&str; 4] = ["*.test", "*.secret.test", "*.a.secret.test", "*.y"];
/// Domains that no rule can name.
const OTHERS: [&str; 6] =
    ["secret.*", "public.test:1", "secret.test:8080", "public.test.", "a.*", "*.test:1"];
const PATHS: [&str; 4] = ["/public", "/secret", "/models", "/a/b"];

fn level() -> impl Strategy<Value = Level> {
    select(vec![Level::Open, Level::Open, Level::Optional, Level::Token, Level::Role])
}

fn route() -> impl Strategy<Value = Route> {
    let path = (select(&PATHS[..]), 0..3_usize).prop_map(|(text, kind)| match kind {
        0 => PathKind::Exact(text.to_owned()),
        1 => PathKind::Below(text.to_owned()),
        _ => PathKind::Part(format!("{text}/"), ":predict".to_owned()),
    });
    (path, level(), any::<bool>(), any::<bool>()).prop_map(|(path, level, lends, slashes)| Route {
        // A rule that admits encoded slashes treats them as data, like Envoy.
        slashes: slashes && matches!(path, PathKind::Part(..)),
        lends: lends && level >= Level::Token,
        path,
        level,
    })
}

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let last = (level(), any::<bool>()).prop_map(|(level, lends)| Route {
        path: PathKind::Any,
        level,
        lends: lends && level >= Level::Token,
        slashes: false,
    });
    (prop::collection::vec(route(), 0..3), last).prop_map(|(mut routes, last)| {
        routes.push(last);
        routes
    })
}

pub fn world() -> impl Strategy<Value = World> {
    let named = (
        prop::sample::subsequence(NAMES.to_vec(), 1..4),
        prop::sample::subsequence(SUFFIXES.to_vec(), 0..3),
        prop::sample::subsequence(OTHERS.to_vec(), 0..4),
    );
    let tables = prop::collection::vec(routes(), 8);
    let options = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.25));
    (named, tables, options).prop_map(
        |((names, suffixes, others), tables, (ignore_parameters, lenient, unruled))| {
            let mut domains: Vec<Vec<String>> =
                names.iter().chain(&suffixes).map(|domain| vec![(*domain).to_owned()]).collect();
            let any = std::iter::once("*").chain(others.iter().copied());
            domains.push(any.map(str::to_owned).collect());
            let hosts = domains.into_iter().zip(tables);
            let hosts = hosts.map(|(domains, routes)| VirtualHost { domains, routes }).collect();
            World { hosts, ignore_parameters, lenient, unruled }
        },
    )
}

/// A request for one of the hosts and routes of a world, twisted or not.
pub fn probe(world: &World) -> impl Strategy<Value = Probe> + use<> {
    let world = world.clone();
    let credential =
        select(vec![Credential::None, Credential::None, Credential::Plain, Credential::Admin]);
    let twists = prop::collection::vec((0..40_usize, any::<Index>()), 0..3);
    (any::<Index>(), any::<Index>(), credential, twists).prop_map(
        move |(host, route, credential, twists)| {
            let hosts: Vec<&str> = NAMES.iter().copied().chain(["z.a.secret.test", "q"]).collect();
            let mut authority = host.get(&hosts).to_string();
            let routes: Vec<&Route> = world.hosts.iter().flat_map(|host| &host.routes).collect();
            let mut path = route.get(&routes).path.example();
            let plain = twists.is_empty();
            for (twist, at) in twists {
                match twist {
                    0..=19 => authority = twisted_authority(authority, twist, at),
                    _ => path = twisted_path(path, twist - 20, at),
                }
            }
            Probe { authority, path, credential, plain }
        },
    )
}

fn twisted_authority(authority: String, twist: usize, at: Index) -> String {
    let letter = at.index(authority.len().max(1));
    match twist {
        0 | 1 => format!("{authority}:1"),
        2 => format!("{authority}:8080"),
        3 => format!("{authority}:{{port}}"),
        4 => format!("{authority}:"),
        5 => format!("{authority}:x"),
        6 | 7 => format!("{authority}."),
        8 => format!("{authority}.:1"),
        9 => format!("{authority}..",),
        10 => format!("a~b.{authority}"),
        11 => format!(".{authority}"),
        12 => format!("user@{authority}"),
        13 => format!("{authority},{authority}"),
        14 => authority.to_ascii_uppercase(),
        15 => format!("{authority}:1:2"),
        16 => format!("!$&.{authority}"),
        17 => format!("[::1].{authority}"),
        18 => match authority.get(letter..=letter) {
            Some(one) => {
                let escape = format!("%{:02x}", one.as_bytes()[0]);
                authority.replacen(one, &escape, 1)
            }
            None => authority,
        },
        _ => format!("{authority}:01"),
    }
}

fn twisted_path(path: String, twist: usize, at: Index) -> String {
    let letter = at.index(path.len().max(1));
    let escaped = |upper: bool| match path.as_bytes().get(letter) {
        Some(byte) => {
            let escape = if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
            format!("{}{escape}{}", &path[..letter], &path[letter + 1..])
        }
        None => path.clone(),
    };
    let after_segment = |text: &str| {
        let ends: Vec<usize> = path
            .char_indices()
            .filter(|(index, c)| *c == '/' && *index > 0)
            .map(|(index, _)| index)
            .chain([path.len()])
            .collect();
        let end = *at.get(&ends);
        format!("{}{text}{}", &path[..end], &path[end..])
    };
    match twist {
        0..=2 => escaped(true),
        3..=5 => escaped(false),
        6 | 7 => after_segment(";x=1"),
        8 => after_segment("%3bx"),
        9 => after_segment("/"),
        10 => format!("{path}/"),
        11 => path.to_ascii_uppercase(),
        12 => after_segment("%2Fx"),
        13 => after_segment("/.."),
        14 => after_segment("%2e"),
        15 => path.replacen('/', "/x%2F", 1),
        16 => path.replacen("/a", "/%2e%2e%2Fa", 1),
        17 => format!("{path}?x=/secret;y"),
        18 => after_segment("%2541"),
        _ => after_segment("%25%32%66"),
    }
}
