//! Into MLflow: what a real Envoy wrote, by the exporter and the command of the page, into a real tracking server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use support::daemon::{Daemon, answers};
use support::example::Folder;
use support::ports::free_address;
use support::prelude::*;
use support::sample::Sample;
use support::{poll, root, skip};

use super::definition::definition;

const PAGE: &str = "docs/mlflow.md";
const EXPORTER: &str = "examples/mlflow/export.py";
/// The server migrates an empty database when it starts.
const WAIT: Duration = Duration::from_secs(180);
/// How long a window of the test is, seconds.
const WINDOW: u64 = 1;

#[test]
fn the_exporter_reads_fields_of_the_definition() {
    let code = std::fs::read_to_string(root().join(EXPORTER)).unwrap();
    let defined: BTreeSet<_> = definition().into_iter().map(|field| field.name).collect();
    let words = code.split('"').skip(1).step_by(2);
    let is_field = |word: &&str| {
        let letters = word.len() > 1 && word.chars().all(|c| c.is_ascii_alphabetic());
        letters && word.starts_with(|c: char| c.is_ascii_uppercase())
    };
    let read: BTreeSet<_> = words.filter(is_field).map(str::to_owned).collect();
    assert!(read.len() > 10, "{read:?}");
    let unknown: Vec<_> = read.difference(&defined).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

/// A tracking server on a free port, with an empty database.
struct Tracking {
    address: SocketAddr,
    server: Daemon,
}

/// The server starts a web server and workers, which do not end with it.
impl Drop for Tracking {
    fn drop(&mut self) {
        let group = format!("-{}", self.server.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    }
}

impl Tracking {
    /// `None` after a note without MLflow.
    async fn start() -> Option<Self> {
        let binaries = root().join("target/mlflow/bin");
        if !binaries.join("mlflow").is_file() {
            skip::absent("MLflow is absent: run `make mlflow`");
            return None;
        }
        let (address, folder) = (free_address(), Folder::new());
        let mut command = Command::new(binaries.join("mlflow"));
        command
            .args(["server", "--workers=1", "--host=127.0.0.1"])
            .arg(format!("--port={}", address.port()))
            .arg(format!("--backend-store-uri=sqlite:///{}/mlflow.db", folder.path().display()))
            .current_dir(folder.path())
            .process_group(0);
        let server = Daemon::start(command, folder, async || Some(())).await;
        let ready = async || answers(address, "/health").await;
        if poll(WAIT, ready).await.is_none() {
            let log = std::fs::read_to_string(server.folder.path().join("log.txt"));
            panic!("MLflow is not ready:\n{}", log.unwrap());
        }
        Some(Self { address, server })
    }

    /// Runs the command of the page on these lines, with further arguments. What it prints.
    fn export(&self, lines: &[Vec<u8>], more: &[&str]) -> String {
        let log = self.server.folder.path().join("audit.log");
        // Other lines are in a container's log, too.
        let noise = [&b"[warning] not JSON"[..], b"{\"a\": 1}"].map(<[u8]>::to_vec);
        std::fs::write(&log, [&noise[..], lines].concat().join(&b'\n')).unwrap();
        let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
        let command =
            page.lines().find(|line| line.starts_with("python3 examples/mlflow/export.py"));
        let command = command.unwrap().replace("audit.log", log.to_str().unwrap());
        let output = Command::new("bash")
            .args(["-c", &format!("{command} {}", more.join(" "))])
            .env("PATH", format!("{}/target/mlflow/bin:/usr/bin:/bin", root().display()))
            .env("MLFLOW_TRACKING_URI", format!("http://{}", self.address))
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    async fn ask(&self, request: Request) -> Value {
        let request = request.host("localhost").header("content-type", "application/json");
        let response = client::send(self.address, &request).await;
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        response.json()
    }

    /// The runs of the experiment, by their names.
    async fn runs(&self) -> BTreeMap<String, Run> {
        let api = "/api/2.0/mlflow";
        let name = format!("{api}/experiments/get-by-name?experiment_name=tollgate");
        let experiment = self.ask(Request::get(name)).await["experiment"]["experiment_id"].clone();
        let search = json!({"experiment_ids": [experiment]}).to_string();
        let found = self.ask(Request::post(format!("{api}/runs/search"), search)).await;
        let mut runs = BTreeMap::new();
        for run in found["runs"].as_array().unwrap() {
            let id = run["info"]["run_id"].as_str().unwrap();
            let mut metrics = BTreeMap::new();
            for metric in run["data"]["metrics"].as_array().unwrap() {
                let key = metric["key"].as_str().unwrap();
                let history = format!("{api}/metrics/get-history?run_id={id}&metric_key={key}");
                let history = self.ask(Request::get(history)).await;
                let steps = history["metrics"].as_array().unwrap().iter();
                let step = |one: &Value| {
                    assert_eq!(one["timestamp"], one["step"].as_u64().unwrap() * 1000 * WINDOW);
                    (one["step"].as_u64().unwrap(), one["value"].as_f64().unwrap())
                };
                metrics.insert(key.to_owned(), steps.map(step).collect());
            }
            let name = run["info"]["run_name"].as_str().unwrap().to_owned();
            let run = Run {
                metrics,
                tags: pairs(&run["data"]["tags"]),
                params: pairs(&run["data"]["params"]),
            };
            assert!(runs.insert(name, run).is_none(), "one run for each endpoint and rule");
        }
        runs
    }
}

fn pairs(list: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pairs = list.as_array().into_iter().flatten();
    pairs.map(|pair| (text(&pair["key"]), text(&pair["value"]))).collect()
}

/// A run as the server has it.
#[derive(Debug, PartialEq)]
struct Run {
    /// The steps and values of each metric.
    metrics: BTreeMap<String, Vec<(u64, f64)>>,
    tags: BTreeMap<String, String>,
    params: BTreeMap<String, String>,
}

impl Run {
    /// The sum of a metric over all steps.
    fn sum(&self, metric: &str) -> f64 {
        self.metrics.get(metric).into_iter().flatten().map(|(_, value)| value).sum()
    }

    fn most(&self, metric: &str) -> f64 {
        self.metrics[metric].iter().map(|(_, value)| *value).fold(f64::MIN, f64::max)
    }

    fn assert_sums(&self, sums: &[(&str, f64)]) {
        for (metric, expected) in sums {
            assert_eq!(self.sum(metric), *expected, "{metric}: {:#?}", self.metrics);
        }
        for (metric, steps) in &self.metrics {
            let different: BTreeSet<_> = steps.iter().map(|(step, _)| step).collect();
            assert_eq!(different.len(), steps.len(), "{metric}: a step has two values");
        }
    }
}

/// The demo's Envoy, whose upstream fails if a request asks for it.
struct Demo {
    fixture: Fixture,
    envoy: Envoy,
    sent: usize,
}

impl Demo {
    async fn start() -> Option<Self> {
        let fail = |request: &Recorded| match request.header("x-fail") {
            Some(_) => Reply::new(500, "Traceback"),
            None => Reply::new(200, "[1]"),
        };
        let fixture = Fixture::answering("ES256", fail).await?;
        let sample = Sample::load(fixture.upstream.address()).for_envoy(&fixture.binary);
        let envoy = fixture.proxy().start_file(&sample.text()).await;
        Some(Self { fixture, envoy, sent: 0 })
    }

    async fn send(&mut self, request: Request, status: u16) {
        let response = self.envoy.send(&request).await;
        assert_eq!(response.status, status, "{}", response.reason());
        self.sent += 1;
    }

    /// Scores a body of this size with a deployment of this endpoint.
    async fn score(&mut self, endpoint: &str, subject: &str, size: usize) {
        let request = score(endpoint, size).bearer(self.fixture.token(subject));
        self.send(request, 200).await;
    }

    /// The lines of all requests that were sent.
    async fn lines(&self) -> Vec<Vec<u8>> {
        let all = async || Some(self.envoy.output_lines()).filter(|all| all.len() == self.sent);
        poll(WAIT, all).await.expect("a line for each request")
    }
}

fn score(endpoint: &str, size: usize) -> Request {
    let path = format!("/api/v1/endpoint/{endpoint}/score");
    Request::post(path, vec![b'x'; size]).header("azureml-model-deployment", "blue")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make mlflow: MLflow is a large installation"]
async fn the_requests_of_an_audit_log_become_runs_and_a_second_export_adds_only_what_is_new() {
    let Some(tracking) = Tracking::start().await else { return };
    let Some(mut demo) = Demo::start().await else { return };
    for number in 0..40 {
        // Each caller has a bucket of five.
        demo.score("churn", &format!("caller-{}", number / 4), 1_000 + number).await;
    }
    demo.score("churn", "caller-outlier", 200_000).await;
    demo.score("fraud", "caller-0", 70).await;
    let failing =
        score("churn", 1_000).header("x-fail", "1").bearer(demo.fixture.token("caller-11"));
    demo.send(failing, 500).await;
    let past = json!({"exp": mint::now() - 300, "iat": mint::now() - 4_000});
    let expired = score("churn", 10).bearer(demo.fixture.token_with("caller-12", past));
    demo.send(expired, 401).await;
    demo.send(score("churn", 10), 401).await;
    demo.send(score("churn", 10), 401).await;
    for number in 0..6 {
        let status = if number < 5 { 200 } else { 429 };
        let request = score("fraud", 80).bearer(demo.fixture.token("caller-13"));
        demo.send(request, status).await;
    }
    // An endpoint that a caller made up, and a path that no rule has.
    demo.send(score("made-up", 10), 401).await;
    demo.send(Request::get("/nothing"), 403).await;

    let lines = demo.lines().await;
    tracking.export(&lines, &["--window=1", "--final", "--module-version=0.1.0"]);
    let runs = tracking.runs().await;
    let names: Vec<_> = runs.keys().map(String::as_str).collect();
    assert_eq!(names, ["churn score", "fraud score", "other none", "other score"]);
    let churn = &runs["churn score"];
    let sizes = (0..40).map(|number| f64::from(1_000 + number)).sum::<f64>() + 201_000.0;
    churn.assert_sums(&[
        ("requests", 45.0),
        ("decision/allow", 42.0),
        ("decision/deny", 3.0),
        ("denied/token_missing", 2.0),
        ("denied/expired", 1.0),
        ("cost", 42.0),
        ("request_bytes/sum", sizes),
        ("response_bytes/sum", 41.0 * 3.0 + 9.0),
        ("deployment/blue/requests", 45.0),
        ("size_score/outliers", 1.0),
    ]);
    assert!(churn.most("error_share") > 0.0 && churn.most("denied_share") > 0.0);
    assert!(churn.most("latency_ms/p95") >= churn.most("latency_ms/p50"));
    let [median, spread] =
        ["size_median", "size_spread"].map(|name| churn.params[name].parse::<f64>().unwrap());
    assert!(
        (1_000.0..1_040.0).contains(&median) && (10.0..20.0).contains(&spread),
        "{:?}",
        churn.params
    );
    let expected = 0.6745 * (200_000.0 - median) / spread;
    assert!((churn.most("size_score/max") - expected).abs() < 1e-6);
    for (tag, value) in [
        ("tollgate.endpoint", "churn"),
        ("tollgate.rule", "score"),
        ("tollgate.deployments", "blue"),
        ("tollgate.version", "0.1.0"),
    ] {
        assert_eq!(churn.tags[tag], value);
    }
    let params = churn.params.clone();
    let fraud = &runs["fraud score"];
    fraud.assert_sums(&[("requests", 7.0), ("denied/rate_limited", 1.0), ("cost", 6.0)]);
    assert!(!fraud.params.contains_key("size_median"), "six sizes are no baseline");
    runs["other score"].assert_sums(&[("requests", 1.0), ("denied/token_missing", 1.0)]);
    runs["other none"].assert_sums(&[("requests", 1.0), ("denied/no_rule", 1.0)]);
    let text = format!("{runs:?}");
    for personal in ["caller-", "issuer.test", "127.0.0.1"] {
        assert!(!text.contains(personal), "{personal} left the log");
    }

    let again = tracking.export(&lines, &["--window=1", "--final", "--module-version=0.1.0"]);
    assert!(!again.contains("requests in"), "{again}");
    assert_eq!(tracking.runs().await, runs);

    // The next requests are in later windows.
    let last = runs.values().map(|run| run.tags["tollgate.until"].parse::<u64>().unwrap()).max();
    let later = async || (mint::now() > last.unwrap()).then_some(());
    poll(WAIT, later).await.unwrap();
    demo.score("churn", "caller-20", 1_010).await;
    demo.score("fraud", "caller-20", 70).await;
    let lines = demo.lines().await;
    // The newest window may get more lines, so that it waits.
    tracking.export(&lines, &["--window=1", "--grace=5"]);
    assert_eq!(tracking.runs().await["churn score"].sum("requests"), 45.0);
    tracking.export(&lines, &["--window=1", "--final"]);
    let runs = tracking.runs().await;
    runs["churn score"].assert_sums(&[("requests", 46.0), ("size_score/outliers", 1.0)]);
    runs["fraud score"].assert_sums(&[("requests", 8.0)]);
    assert_eq!(runs["churn score"].params, params, "the baseline stays");
}
