//! To Azure Monitor: what a real Envoy wrote goes through a real collector, and through Microsoft's client.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::example::Folder;
use support::ports::free_address;
use support::prelude::*;
use support::tls::Authority;
use support::walk::examples;
use support::{poll, root, skip};
use tokio::io::AsyncWriteExt;

use super::azure;
use super::definition::{Kind, definition};
use super::world::{World, configuration};

const GATEWAY: &str = "examples/kubernetes/base/envoy.yaml";
const COLLECTOR: &str = "examples/azure/monitor/collector";
const WAIT: Duration = Duration::from_secs(60);
/// The folder of a container's log, as Kubernetes names it.
const POD: &str = "pods/models_tollgate-0_0a1b2c3d-0000-4000-8000-000000000001/envoy";

/// The lines of a real Envoy: an allowed request and three refused ones. `None` without Envoy.
async fn lines() -> Option<Vec<String>> {
    let example = examples().into_iter().find(|example| example.name == GATEWAY).unwrap();
    let world = World::of(&configuration(&example.value)).await?;
    let started = world.start(example.value).await;
    let calls = world.calls();
    for (number, call) in calls.iter().enumerate() {
        world.send(&started, number, call).await;
    }
    let all = async || Some(started.envoy.output_lines()).filter(|all| all.len() == calls.len());
    let lines = poll(WAIT, all).await.expect("a line for each request");
    Some(lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect())
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// A file that `make monitor` installs; `None` after a note without it.
fn installed(path: &str) -> Option<PathBuf> {
    let path = root().join(path);
    if !path.is_file() {
        skip::absent(&format!("{} is absent: run `make monitor`", path.display()));
        return None;
    }
    Some(path)
}

/// Lines as containerd writes them. It cuts a long one in two; here, each.
fn container_log(stream: &str, lines: &[&str]) -> String {
    let written = |line: &&str| {
        let (start, end) = line.split_at(line.len() / 2);
        let head = format!("2026-01-02T03:04:05.678901234Z {stream}");
        format!("{head} P {start}\n{head} F {end}\n")
    };
    lines.iter().map(written).collect()
}

/// A running collector.
struct Collector(Child);

impl Collector {
    /// With the shipped configuration; it reads, keeps its state and logs in a folder.
    fn start(binary: &Path, folder: &Path, receiver: &Upstream) -> Self {
        let log = std::fs::File::options().create(true).append(true).open(folder.join("log.txt"));
        let log = log.unwrap();
        // As text, for the test to read it.
        let readable = "yaml:exporters::otlp_http: {encoding: json, compression: none}";
        let files = ["collector.yaml", "otlp.yaml"].map(|name| format!("{COLLECTOR}/{name}"));
        let configurations = files.into_iter().chain([readable.to_owned()]);
        let child = Command::new(binary)
            .args(configurations.map(|name| format!("--config={name}")))
            .env("AUDIT_LOGS", folder.join("pods/*_*_*/envoy/*.log"))
            .env("STATE", folder.join("state"))
            .env("OTLP_ENDPOINT", receiver.url(""))
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }

    /// Ends it as Kubernetes does.
    async fn stop(mut self) {
        Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        let ended = async || self.0.try_wait().unwrap();
        assert!(poll(WAIT, ended).await.expect("the collector ends").success());
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A member of OTLP: a list of names and values.
fn attributes(list: &Value) -> BTreeMap<String, Value> {
    let entries = list.as_array().unwrap().iter();
    let entry = |entry: &Value| {
        let value = entry["value"].as_object().unwrap().iter().next();
        let value = value.map_or(Value::Null, |(kind, value)| match kind.as_str() {
            // Text in JSON, because it has 64 bits.
            "intValue" => json!(value.as_str().unwrap().parse::<i64>().unwrap()),
            _ => value.clone(),
        });
        (entry["key"].as_str().unwrap().to_owned(), value)
    };
    entries.map(entry).collect()
}

/// The records that a receiver got, each with its resource.
fn records(receiver: &Upstream) -> Vec<(Value, Value)> {
    let mut found = Vec::new();
    for request in receiver.requests() {
        assert_eq!(request.path, "/v1/logs");
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        for resource in body["resourceLogs"].as_array().unwrap() {
            for scope in resource["scopeLogs"].as_array().unwrap() {
                let records = scope["logRecords"].as_array().unwrap().iter();
                found.extend(records.map(|record| (resource["resource"].clone(), record.clone())));
            }
        }
    }
    found
}

/// A record has every field of its line, its time and its severity.
fn assert_record(resource: &Value, record: &Value, line: &Value) {
    let found = attributes(&record["attributes"]);
    let fields: BTreeMap<_, _> = line.as_object().unwrap().clone().into_iter().collect();
    assert_eq!(found, fields);
    for field in definition().iter().filter(|field| !field.optional) {
        assert!(found.contains_key(&field.name), "{} of {found:?}", field.name);
    }
    let nanoseconds: u64 = record["timeUnixNano"].as_str().unwrap().parse().unwrap();
    let seconds = format!("@{}", nanoseconds / 1_000_000_000);
    let date = Command::new("date").args(["-u", "+%FT%T", "-d", &seconds]).output().unwrap();
    let date = String::from_utf8(date.stdout).unwrap();
    let milliseconds = nanoseconds / 1_000_000 % 1000;
    assert_eq!(line["Time"], format!("{}.{milliseconds:03}Z", date.trim()));
    let (severity, number) = match line["Decision"].as_str().unwrap() {
        "allow" => ("INFO", 9),
        _ => ("WARN", 13),
    };
    assert_eq!(
        (&record["severityText"], &record["severityNumber"]),
        (&json!(severity), &json!(number))
    );
    let text = |name: &str| line[name].as_str().unwrap();
    let body = format!("{} {}", text("Decision"), text("Reason"));
    assert_eq!(record["body"]["stringValue"], body);
    let resource = attributes(&resource["attributes"]);
    for (name, value) in [
        ("service.name", "tollgate"),
        ("k8s.namespace.name", "models"),
        ("k8s.pod.name", "tollgate-0"),
        ("k8s.container.name", "envoy"),
    ] {
        assert_eq!(resource[name], value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make monitor: the collector must have been built"]
async fn a_collector_makes_one_record_of_each_line_also_over_its_restart() {
    let Some(binary) = installed("target/collector/otelcol") else { return };
    let Some(lines) = lines().await else { return };
    let receiver = Upstream::answering(|_| Reply::json(&json!({}))).await;
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join(POD)).unwrap();
    let log = format!("{POD}/0.log");
    let (first, rest) = lines.split_at(2);
    let write = |lines: &[String]| {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let path = folder.path().join(&log);
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        // Envoy's own log, a program that writes other lines, and a line that was cut off.
        let others = container_log("stdout", &["plain", r#"{"a": 1}"#, r#"{"Time": "2026"#]);
        let own = container_log("stderr", &lines);
        let text = own + &others + &container_log("stdout", &lines);
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    let arrived = async |count: usize| {
        let enough = async || Some(records(&receiver)).filter(|all| all.len() >= count);
        poll(WAIT, enough).await.unwrap_or_else(|| {
            let log = std::fs::read_to_string(folder.path().join("log.txt")).unwrap();
            panic!("{} of {count} records\n{log}", records(&receiver).len())
        })
    };
    write(first);
    let collector = Collector::start(&binary, folder.path(), &receiver);
    arrived(first.len()).await;
    collector.stop().await;
    // While no collector runs.
    write(rest);
    let collector = Collector::start(&binary, folder.path(), &receiver);
    arrived(lines.len()).await;
    collector.stop().await;
    let found = records(&receiver);
    assert_eq!(found.len(), lines.len());
    for line in lines.iter().map(|line| parsed(line)) {
        let id = |record: &Value| attributes(&record["attributes"])["XRequestId"].clone();
        let mut same = found.iter().filter(|(_, record)| id(record) == line["XRequestId"]);
        let (resource, record) = same.next().unwrap();
        assert!(same.next().is_none());
        assert_record(resource, record, &line);
    }
}

/// Whether a value fits a column of a stream.
fn fits(value: &Value, kind: &str) -> bool {
    let is_time = |text: &str| {
        Command::new("date").args(["-d", text]).output().is_ok_and(|date| date.status.success())
    };
    value.is_null()
        || match kind {
            "string" => value.is_string(),
            "long" => value.is_i64(),
            "datetime" => value.as_str().is_some_and(is_time),
            _ => panic!("{kind} is no type of the rule"),
        }
}

/// The columns of the shipped rule.
fn columns() -> BTreeMap<String, String> {
    let streams = "/resources/1/properties/streamDeclarations/Custom-TollgateAudit/columns";
    let template = azure::template();
    let columns = template.pointer(streams).unwrap().as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    columns.iter().map(|column| (text(&column["name"]), text(&column["type"]))).collect()
}

/// In place of Azure's endpoint: takes rows that fit the columns of the shipped rule.
#[derive(Clone, Default)]
struct Rule(Arc<Mutex<Vec<Value>>>);

impl Rule {
    const TOKEN: &str = "the-token-of-the-platform";

    fn answer(&self, request: &Recorded) -> Reply {
        let path =
            "/dataCollectionRules/dcr-test/streams/Custom-TollgateAudit?api-version=2023-01-01";
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", path));
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {}", Self::TOKEN)));
        let columns = columns();
        for row in rows(request) {
            for (name, value) in row.as_object().unwrap() {
                let kind = columns.get(name);
                if !kind.is_some_and(|kind| fits(value, kind)) {
                    let message = format!("{name}: {value} for {kind:?}");
                    let error = json!({"error": {"code": "InvalidRow", "message": message}});
                    let body = error.to_string();
                    return Reply::new(400, body).header("content-type", "application/json");
                }
            }
            self.0.lock().unwrap().push(row);
        }
        Reply::new(204, "")
    }
}

/// The rows of a request, which the client compresses.
fn rows(request: &Recorded) -> Vec<Value> {
    assert_eq!(request.header("content-encoding"), Some("gzip"));
    let folder = Folder::new();
    let packed = folder.file("rows.gz", &request.body);
    let output = Command::new("gzip").args(["-dc", &packed]).output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs the shipped program on lines, with an identity as App Service gives it.
async fn upload(python: &Path, rule: &Rule, lines: &str) -> Output {
    let endpoint = Upstream::answering({
        let rule = rule.clone();
        move |request| rule.answer(request)
    })
    .await;
    let platform = Upstream::answering(|_| {
        Reply::json(&json!({
            "access_token": Rule::TOKEN, "expires_on": (mint::now() + 3600).to_string(),
            "resource": "https://monitor.azure.com", "token_type": "Bearer",
        }))
    })
    .await;
    // The client sends its token over TLS only.
    let (authority, folder, address) = (Authority::new(), Folder::new(), free_address());
    let port = address.port();
    let to = endpoint.address();
    let tls = authority.terminate(([127, 0, 0, 1].into(), port), "localhost", to, false).await;
    let mut child = tokio::process::Command::new(python)
        .arg(root().join(azure::FOLDER).join("upload.py"))
        .env_clear()
        .env("AUDIT_ENDPOINT", format!("https://localhost:{port}"))
        .env("AUDIT_RULE", "dcr-test")
        .env("IDENTITY_ENDPOINT", platform.url("/msi/token"))
        .env("IDENTITY_HEADER", "only-this-program-knows")
        .env("REQUESTS_CA_BUNDLE", folder.file("authority.pem", authority.pem()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).await.unwrap();
    drop(input);
    let output = tokio::time::timeout(WAIT, child.wait_with_output()).await;
    tls.abort();
    output.expect("the client ends").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "make monitor: Microsoft's client must have been installed"]
async fn microsofts_client_sends_each_line_to_a_rule_that_refuses_other_columns_and_types() {
    let Some(python) = installed("target/monitor/bin/python3") else { return };
    let Some(lines) = lines().await else { return };
    let rule = Rule::default();
    // Envoy's own log in the same file.
    let file = format!("[info] starting\n{}\n{{\"a\": 1}}\n[1]\n", lines.join("\n"));
    let sent = upload(&python, &rule, &file).await;
    let errors = String::from_utf8_lossy(&sent.stderr);
    assert!(sent.status.success(), "{errors}");
    assert_eq!(String::from_utf8(sent.stdout).unwrap(), format!("{} lines sent\n", lines.len()));
    let taken = std::mem::take(&mut *rule.0.lock().unwrap());
    assert_eq!(taken, lines.iter().map(|line| parsed(line)).collect::<Vec<_>>());
    // What the transformation makes a number is one.
    for field in definition().iter().filter(|field| field.kind == Kind::Digits) {
        for row in &taken {
            let digits = row.get(&field.name).and_then(Value::as_str);
            assert!(digits.is_none_or(|digits| digits.parse::<i64>().is_ok()), "{row}");
        }
    }
    for (name, value) in [
        ("Unknown", json!("x")),
        ("ResponseCode", json!("401")),
        ("Remaining", json!(5)),
        ("Time", json!("yesterdays")),
    ] {
        let line = merged(parsed(&lines[0]), json!({name: value}));
        let refused = upload(&python, &rule, &line.to_string()).await;
        let errors = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && errors.contains("InvalidRow"), "{name}: {errors}");
        assert!(!errors.contains(Rule::TOKEN) && rule.0.lock().unwrap().is_empty(), "{name}");
    }
}

#[test]
#[ignore = "make monitor: Microsoft's clients must have been installed"]
fn microsofts_clients_know_all_of_the_template_and_notice_a_change() {
    let Some(python) = installed("target/monitor/bin/python3") else { return };
    let check = |template: &str, bicep: &str| {
        let folder = Folder::new();
        folder.file("template.json", template);
        folder.file("template.bicep", bicep);
        let script = root().join("tests/data/monitor/template.py");
        Command::new(&python).arg(script).arg(folder.path()).output().unwrap()
    };
    let read = |name: &str| std::fs::read_to_string(root().join(azure::FOLDER).join(name)).unwrap();
    let (template, bicep) = (read("template.json"), read("template.bicep"));
    let good = check(&template, &bicep);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    for (shipped, wrong) in [
        ("streamDeclarations", "streamDeclaration"),
        ("\"datetime\"", "\"date\""),
        ("\"dateTime\"", "\"date\""),
        ("totalRetentionInDays", "totalRetention"),
        ("\"defaultValue\": 90", "\"defaultValue\": \"many\""),
        ("serializedData", "serialized"),
        ("\"Analytics\"", "\"Analytic\""),
    ] {
        let changed = template.replace(shipped, wrong);
        assert!(changed != template && !check(&changed, &bicep).status.success(), "{wrong}");
    }
    for (shipped, other) in
        [("'Direct'", "'Linux'"), ("int = 90", "int = 30"), ("properties: {", "")]
    {
        let changed = bicep.replace(shipped, other);
        assert!(changed != bicep && !check(&template, &changed).status.success(), "{other}");
    }
}

/// A line as the table has it, with some fields changed. All are of one moment, so that no bin divides them.
fn row(line: &Value, changes: Value) -> Value {
    let mut row = merged(line.clone(), changes);
    for name in ["Time", "TimeGenerated"] {
        row[name] = json!("2026-01-02T03:04:05.678Z");
    }
    for field in definition().iter().filter(|field| field.kind == Kind::Digits) {
        let digits = row[&field.name].as_str().map(|digits| digits.parse::<i64>().unwrap());
        row[&field.name] = json!(digits);
    }
    row
}

/// An engine of KQL that is not Microsoft's. It refuses what it does not know, so that an answer is one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "make monitor: an engine of KQL must have been installed"]
async fn eight_of_the_ten_questions_have_the_right_answer_over_the_lines_of_a_real_envoy() {
    let Some(python) = installed("target/monitor/bin/python3") else { return };
    let Some(lines) = lines().await else { return };
    let lines: Vec<_> = lines.iter().map(|line| parsed(line)).collect();
    let [allowed, _, missing, expired] = &lines[..] else { panic!("{lines:#?}") };
    let mut rows: Vec<_> = lines.iter().map(|line| row(line, json!({}))).collect();
    let spent = json!({"EndpointName": "chat", "Model": "small", "Usage": "42", "Remaining": null});
    rows.push(row(allowed, spent));
    let own = json!({"ResponseCode": 503, "Reason": "keys_unavailable"});
    rows.push(row(missing, own));
    let cut = json!({"ResponseCode": 504, "ResponseCodeReason": "response_timeout"});
    rows.push(row(allowed, merged(cut, json!({"UpstreamDurationMs": null, "Remaining": null}))));
    let questions = azure::questions();
    let queries: Vec<_> = questions.iter().map(|(_, query)| query).collect();
    let input = json!({"columns": azure::table(), "rows": rows, "queries": queries}).to_string();
    let folder = Folder::new();
    let input = std::fs::File::open(folder.file("input.json", input)).unwrap();
    let script = root().join("tests/data/monitor/ask.py");
    let output = Command::new(python).arg(script).stdin(input).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let (caller, address) = (&allowed["Identity"], &missing["ClientAddress"]);
    let provider = &allowed["Provider"];
    for (number, expected) in [
        (
            1,
            json!([
                {"Caller": caller, "Reason": "rate_limited", "Requests": 1},
                {"Caller": address, "Reason": "token_missing", "Requests": 1},
                {"Caller": caller, "Reason": "expired", "Example": expired["XRequestId"]},
                {"Caller": address, "Reason": "keys_unavailable", "Rule": "score"},
            ]),
        ),
        (2, json!([{"Identity": caller, "LowestPercent": 0, "Requests": 2, "Refused": 1}])),
        (
            3,
            json!([{"Identity": caller, "Provider": provider, "UserAgent": "audit/1", "Requests": 1}]),
        ),
        (
            4,
            json!([
                {"Identity": caller, "EndpointName": "chat", "Model": "small", "Requests": 1, "Spent": 42},
                {"Identity": caller, "Model": null, "Requests": 2, "Spent": 2},
            ]),
        ),
        (
            6,
            json!([
                {"EndpointName": "chat", "Identity": caller, "Requests": 1},
                {"EndpointName": allowed["EndpointName"], "Identity": caller, "Requests": 2},
            ]),
        ),
        (
            8,
            json!([
                {"Fault": "keys_unavailable", "ResponseCode": 503, "Requests": 1},
                {"Fault": "response_timeout", "ResponseCode": 504, "Requests": 1, "Callers": 1},
            ]),
        ),
        (
            9,
            json!([
                {"Provider": provider, "Kid": "key-1", "Accepted": 3, "Unknown": 0},
                {"Provider": "none", "Kid": null, "Accepted": 0, "NoKeys": 1},
            ]),
        ),
        (
            10,
            json!([
                {"EndpointName": "chat", "Requests": 1, "P50": allowed["UpstreamDurationMs"]},
                {"EndpointName": allowed["EndpointName"], "Requests": 1},
            ]),
        ),
    ] {
        let found = answers[number - 1].as_array().unwrap();
        let expected = expected.as_array().unwrap();
        let fits = |wanted: &&Value| {
            let wanted = wanted.as_object().unwrap();
            found.iter().any(|row| wanted.iter().all(|(name, value)| row[name] == *value))
        };
        let missing: Vec<_> = expected.iter().filter(|wanted| !fits(wanted)).collect();
        let title = &questions[number - 1].0;
        assert!(
            missing.is_empty() && found.len() == expected.len(),
            "{title}: {missing:#?}\n{found:#?}"
        );
    }
    assert_eq!((&answers[4], &answers[6]), (&Value::Null, &Value::Null), "now translated");
}
