//! Callers that are refused together: when their SDKs come back, with and without a spread of the wait. The numbers
//! are in docs/clients.md; no time decides the test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::clients::Language;
use super::*;

/// Callers of each language.
const CALLERS: usize = 10;

/// The callers of one language, ready to call.
struct Callers(Child, BufReader<ChildStdout>);

impl Callers {
    fn start(language: Language, job: &Value) -> Self {
        let script = match language {
            Language::Python => "storm.py",
            Language::Node => "storm.mjs",
        };
        let mut command = Command::new(language.program());
        command.arg(language.script().with_file_name(script)).current_dir(language.folder());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{job}").unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut callers = Self(child, output);
        assert_eq!(callers.line(), "ready");
        callers
    }

    fn go(&mut self) {
        writeln!(self.0.stdin.as_mut().unwrap()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }
}

/// Lets the callers of both languages call at once; how many calls passed in the end.
async fn storm(base: String, token: String) -> usize {
    let job = json!({"base": base, "token": token, "callers": CALLERS});
    let run = move || {
        let mut all =
            [Language::Python, Language::Node].map(|language| Callers::start(language, &job));
        all.iter_mut().for_each(Callers::go);
        let passed = all.iter_mut().map(|callers| callers.line().parse::<usize>().unwrap()).sum();
        for mut callers in all {
            callers.0.wait().unwrap();
        }
        passed
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Prints the number of requests in each second since the first one.
async fn print(what: &str, envoy: &Envoy, passed: usize) {
    envoy.send(&Request::get("/end").case("end")).await;
    envoy.access("end").await;
    let log = envoy.access_log();
    let chats = log.iter().filter(|entry| entry["path"] != "/end");
    let mut starts: Vec<f64> =
        chats.map(|entry| entry["start"].as_str().unwrap().parse().unwrap()).collect();
    starts.sort_by(f64::total_cmp);
    let mut seconds = BTreeMap::new();
    for start in &starts {
        *seconds.entry((start - starts[0]) as u32).or_insert(0) += 1;
    }
    let count = starts.len();
    eprintln!("{what}: {count} requests, by second {seconds:?}; {passed} calls passed");
    assert!(starts.len() >= 2 * CALLERS, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make sdk: the SDKs must have been installed"]
async fn callers_that_are_refused_together_come_back_apart() {
    if !Language::Python.installed() || !Language::Node.installed() {
        return skip::absent("openai is absent: run `make sdk`");
    }
    let Some(fixture) = Fixture::answering("ES256", server::answer).await else { return };
    let start = "%START_TIME(%s.%3f)%";
    let limited = json!({
        "rules": [{"name": "all", "limits": ["one"]}],
        "limits": [{"name": "one", "rate": "1/s", "burst": 1}],
    });
    let envoy = fixture.envoy(limited).log_field("start", start).start().await;
    let base = format!("http://{}/v1", envoy.address());
    let passed = storm(base, fixture.token("team")).await;
    print("with the spread", &envoy, passed).await;

    // The same limit without the spread, as in an upstream that names the plain wait.
    let last = Mutex::new(None::<Instant>);
    let plain = Upstream::answering(move |request| {
        let mut last = last.lock().unwrap();
        match *last {
            Some(at) if at.elapsed() < Duration::from_secs(1) => {
                Reply::new(429, "{}").header("retry-after", "1")
            }
            _ => {
                *last = Some(Instant::now());
                server::answer(request)
            }
        }
    })
    .await;
    let envoy = fixture.proxy().upstream(plain.address()).log_field("start", start).start().await;
    let base = format!("http://{}/v1", envoy.address());
    let passed = storm(base, "none".to_owned()).await;
    print("without a spread", &envoy, passed).await;
}
