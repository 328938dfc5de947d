//! The world of the rows, and what is seen in it.

use std::net::Ipv4Addr;

use mesh::envoy_gateway::world::{World, conditions, shipped};
use mesh::program::{run, tollgate};
use mesh::{machine, until};
use serde_json::{Value, json};
use support::client::{self, Request};

use crate::causes::Sources;
use crate::page::{self, quoted};
use crate::rows::Row;

/// Tag headers as a caller may send them.
const FORGED: [&str; 3] = ["x-auth-identity", "x_auth_identity", "X-AUTH-IDENTITY"];

pub struct Scene {
    pub world: World,
    pub sources: Sources,
    is_down: bool,
}

/// What the logs and counters were before something happened.
pub struct Mark {
    gateway: String,
    proxy: String,
    metrics: String,
}

impl Scene {
    pub fn start() -> Self {
        let world = World::start();
        let sources = Sources::start(&world);
        machine::name(world.proxy.at(443).ip(), "ml.example.com");
        Self { world, sources, is_down: false }
    }

    /// The shipped policy with another `failOpen`.
    pub fn policy(&self, fail_open: bool) -> Value {
        let mut policy = shipped("policy.yaml").remove(0);
        policy["spec"]["wasm"][0]["failOpen"] = json!(fail_open);
        policy
    }

    /// Applies these policies beside the shipped ClientTrafficPolicy, and deletes others.
    pub fn apply(&self, policies: &[Value]) {
        let clients = shipped("clients.yaml").remove(0);
        self.world.policies(&[&[clients], policies].concat());
    }

    /// Applies the shipped policy and waits until it is in effect.
    pub fn good(&self) {
        self.apply(&[self.policy(false)]);
        self.serves();
    }

    /// Waits until a request without a token is refused and one with a token passes.
    pub fn serves(&self) {
        self.world.until(&tokenless(), 401, "token_missing");
        self.world.until(&self.world.score("alice"), 200, "");
    }

    pub fn good_again(&mut self) {
        self.good();
    }

    /// Sends requests with trailers until no worker refuses a request without a token any more.
    pub fn kill_vms(&self) {
        let mut callers = 0..;
        until(60, "the VMs die", || {
            for number in callers.by_ref().take(8) {
                let head = Request::new("POST", "/score").header("transfer-encoding", "chunked");
                let mut request =
                    head.bearer(self.world.token(&format!("caller-{number}"), json!({})));
                request.body = b"0\r\nx-last: 1\r\n\r\n".to_vec();
                self.world.verdict(&request);
            }
            let lives = (0..16).any(|_| self.world.verdict(&tokenless()).0 == 401);
            (!lives).then_some(())
        });
    }

    pub fn mark(&self) -> Mark {
        Mark { gateway: self.log(), proxy: self.world.proxy.log(), metrics: self.metrics() }
    }

    /// Ends Envoy Gateway, unless it is down.
    pub fn stop(&mut self) {
        if !std::mem::replace(&mut self.is_down, true) {
            self.world.controller.stop();
        }
    }

    /// Starts Envoy Gateway, unless it runs.
    pub fn start_again(&mut self) {
        if std::mem::replace(&mut self.is_down, false) {
            self.world.controller.start();
        }
    }

    /// What Envoy Gateway has logged; nothing while it is down.
    fn log(&self) -> String {
        if self.is_down { String::new() } else { self.world.controller.log() }
    }

    /// The metrics of Envoy Gateway and of its proxy.
    fn metrics(&self) -> String {
        let of = |at, path: &str| {
            let answer = machine::runtime().block_on(client::try_send(at, &Request::get(path)));
            answer.map(|answer| String::from_utf8(answer.body).unwrap()).unwrap_or_default()
        };
        let own = of((Ipv4Addr::LOCALHOST, 19001).into(), "/metrics");
        own + &of(self.world.proxy.at(19001), "/stats/prometheus")
    }

    /// Sees what a row of the page says.
    pub fn expect(&self, before: &Mark, row: &page::Row, make: &Row, fail_open: bool) {
        let what = format!("{} (failOpen: {fail_open})", row.name);
        self.expect_policy(&what, &row.policy);
        let request = (make.request)(&self.world);
        for part in row.look.split("; ").filter(|part| *part != "–") {
            self.expect_trace(&what, before, part, &request);
        }
        let cell = &row.answers[usize::from(fail_open)];
        let wanted = answer(cell);
        until(60, &format!("{what}: {cell}"), || {
            (self.world.verdict(&request) == wanted).then_some(())
        });
        // A request whose keys are awaited is held for seconds.
        let repeats = if wanted.1 == "keys_unavailable" { 0 } else { 3 };
        for _ in 0..repeats {
            assert_eq!(self.world.verdict(&request), wanted, "{what}");
        }
        match wanted.0 {
            500 => assert_eq!(self.body(&request), "", "{what}"),
            503 if wanted.1.is_empty() => {
                assert_eq!(self.body(&request), "", "{what}");
                self.expect_trace(&what, before, "log of the proxy: `wasm_fail_stream`", &request);
            }
            413 => assert_eq!(self.body(&request), "Payload Too Large", "{what}"),
            _ => {}
        }
        self.expect_no_forgery(&what);
    }

    fn body(&self, request: &Request) -> String {
        String::from_utf8(self.world.call(request).body).unwrap()
    }

    /// Waits until the policy has the conditions of a cell, with its words in their messages.
    fn expect_policy(&self, what: &str, cell: &str) {
        if cell == "–" {
            return;
        }
        let fits = |all: &[(String, bool, String)], part: &str| {
            let words = quoted(part);
            let [kind, state, words @ ..] = &words[..] else { panic!("{what}: {cell}") };
            all.iter().any(|(name, is, message)| {
                name == kind
                    && *is == (*state == "True")
                    && words.iter().all(|word| message.contains(word))
            })
        };
        until(60, &format!("{what}: {cell}"), || {
            let conditions = conditions("envoyextensionpolicy", "tollgate");
            let fit = match (cell, conditions) {
                ("no status", conditions) => conditions.is_none(),
                (_, conditions) => {
                    let all = conditions.unwrap_or_default();
                    cell.split("; ").all(|part| fits(&all, part))
                }
            };
            fit.then_some(())
        });
    }

    /// Finds the words of one part of the cell where it says.
    fn expect_trace(&self, what: &str, before: &Mark, part: &str, request: &Request) {
        let words = quoted(part);
        let found = || {
            let all = |text: &str| words.iter().all(|word| text.contains(word));
            match part {
                _ if part.starts_with("log of Envoy Gateway") => {
                    all(since(&self.log(), &before.gateway))
                }
                _ if part.starts_with("log of the proxy") => {
                    all(since(&self.world.proxy.log(), &before.proxy))
                }
                _ if part.starts_with("metric") => {
                    count(&self.metrics(), &words) != count(&before.metrics, &words)
                }
                _ => panic!("{what}: {part}"),
            }
        };
        until(60, &format!("{what}: {part}"), || {
            let seen = found();
            if !seen {
                self.world.verdict(request);
            }
            seen.then_some(())
        });
    }

    /// No forged tag header arrives, and the probe is red unless tollgate refuses.
    fn expect_no_forgery(&self, what: &str) {
        let verdict = self.world.verdict(&tokenless());
        self.world.model.clear();
        for name in FORGED {
            // Envoy Gateway refuses names with `_`, unless it is told to admit them.
            let status = self.world.verdict(&tokenless().header(name, "root")).0;
            assert!(
                status == verdict.0 || (status == 400 && name.contains('_')),
                "{what}: {name}: {status}"
            );
        }
        let arrived = self.world.model.requests();
        assert_eq!(arrived.is_empty(), verdict.0 != 200, "{what}");
        for request in arrived {
            let forged = |name: &&&str| !request.all(&name.to_lowercase()).is_empty();
            assert_eq!(FORGED.iter().find(forged), None, "{what}");
        }
        let arguments = ["probe", "--method", "POST", "https://ml.example.com/score"];
        let probe = run(tollgate().args(arguments));
        assert_eq!(probe.good, verdict == (401, "token_missing".to_owned()), "{what}: {probe:?}");
    }
}

pub fn tokenless() -> Request {
    Request::post("/score", "{}")
}

/// What a cell says that callers get: status and reason; 0 is no answer.
fn answer(cell: &str) -> (u16, String) {
    let status = cell.split([' ', ',']).next().unwrap();
    let reason = quoted(cell).first().copied().unwrap_or_default().to_owned();
    match cell {
        "as before" => (401, "token_missing".to_owned()),
        "every request passes" => (200, String::new()),
        "no connection" => (0, String::new()),
        _ => (status.parse().unwrap_or_else(|_| panic!("{cell}")), reason),
    }
}

/// The part of a log that came later; all of it if it began anew.
fn since<'l>(log: &'l str, before: &str) -> &'l str {
    log.strip_prefix(before).unwrap_or(log)
}

/// The sum of the samples whose lines contain all words.
fn count(metrics: &str, words: &[&str]) -> f64 {
    let lines = metrics.lines().filter(|line| words.iter().all(|word| line.contains(word)));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
