//! A namespace with a pod for each `failStrategy`, and what its callers get.

use std::thread;
use std::time::{Duration, Instant};

use mesh::istio::pod::{Pod, Spec};
use mesh::istio::{Mesh, namespaces};
use mesh::{api, machine, program, until};
use serde_json::{Value, json};
use support::client::{self, Request};
use support::manifests::{PLUGIN, read};
use support::scenario::merge;
use support::scrape::Scrape;

use crate::page::Row;
use crate::sources::Sources;

const STRATEGIES: [&str; 3] = ["FAIL_CLOSE", "FAIL_RELOAD", "FAIL_OPEN"];

/// So many connections reach each worker of a pod.
pub const CALLS: usize = 12;

/// A refusal of the filter.
pub const BEFORE: &str = "as before";

/// Neither the filter nor the EnvoyFilter.
const FORGED: &str = "every request passes, forged headers too";

pub struct Scene {
    pub mesh: &'static Mesh,
    pub sources: &'static Sources,
    pub namespace: &'static str,
    /// One for each strategy.
    pub pods: [Pod; 3],
    names: [String; 3],
}

impl Scene {
    /// The filter is in effect. The pods are named after the strategies, behind a prefix.
    pub fn start(
        mesh: &'static Mesh,
        sources: &'static Sources,
        namespace: &'static str,
        prefix: &str,
    ) -> Self {
        namespaces(&[namespace]);
        for mut object in read("istio/base/keys.yaml") {
            object["metadata"]["namespace"] = json!(namespace);
            api::apply(&object.to_string()).ok();
        }
        let names = ["close", "reload", "open"].map(|name| format!("{prefix}{name}"));
        let pods = names.each_ref().map(|name| Spec::sidecar(namespace, name).start());
        let scene = Self { mesh, sources, namespace, pods, names };
        scene.headers(true);
        scene.good();
        scene
    }

    /// The EnvoyFilter that removes headers.
    pub fn headers(&self, there: bool) {
        let mut filter = read("istio/base/headers.yaml").remove(0);
        filter["metadata"]["namespace"] = json!(self.namespace);
        match there {
            true => api::apply(&filter.to_string()).ok(),
            false => api::kubectl([
                "delete",
                "envoyfilter",
                "tollgate-headers",
                "--namespace",
                self.namespace,
            ])
            .ok(),
        };
    }

    /// Applies the shipped plugin for each pod, with these changes of its `spec`.
    pub fn apply(&self, change: &Value) {
        let plugins = STRATEGIES.iter().zip(&self.names).map(|(strategy, name)| {
            let mut plugin = read(PLUGIN).remove(0);
            plugin["metadata"] = json!({"name": name, "namespace": self.namespace});
            merge(
                &mut plugin["spec"],
                json!({
                    "sha256": self.mesh.digest,
                    "failStrategy": strategy,
                    "selector": {"matchLabels": {"app": name}},
                    "match": [{"mode": "SERVER"}],
                }),
            );
            merge(&mut plugin["spec"], change.clone());
            // A file has no digest.
            if plugin["spec"]["sha256"].is_null() {
                plugin["spec"]
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| name != "sha256" && name != "imagePullPolicy");
            }
            plugin.to_string()
        });
        api::apply(&plugins.collect::<Vec<_>>().join("\n---\n")).ok();
    }

    /// Applies the right plugin, and waits for the filter.
    pub fn good(&self) {
        self.apply(&json!({}));
        self.cured();
    }

    /// Waits until every pod is ready and refuses requests as before.
    pub fn cured(&self) {
        for pod in &self.pods {
            pod.ready();
            expect(pod, BEFORE);
        }
    }

    /// Runs `kubectl WHAT… NAME` for each plugin in this namespace.
    pub fn kubectl(&self, before: &[&str], after: &[&str]) {
        for name in &self.names {
            let middle = [name.as_str(), "--namespace", self.namespace];
            api::kubectl([before, &middle, after].concat()).ok();
        }
    }

    /// A new pod in the place of each.
    pub fn renew(&self) {
        thread::scope(|scope| {
            for pod in &self.pods {
                scope.spawn(|| pod.begin());
            }
        });
    }

    /// The row with a changed plugin: what callers of running pods get, and then those of new ones.
    pub fn happens(&self, row: &Row, change: &Value) {
        let before = self.rejects(row);
        let marks = self.marks();
        self.apply(change);
        self.running(row, marks);
        self.started(row);
        if let Some(before) = before {
            assert!(self.rejects(row).unwrap() > before, "{}", row.look);
        }
    }

    /// What callers of running pods get, after the words of the row were logged.
    pub fn running(&self, row: &Row, marks: [usize; 3]) {
        for (pod, mark) in self.pods.iter().zip(marks) {
            logged(pod, mark, row);
        }
        for (pod, answers) in self.pods.iter().zip(&row.answers) {
            expect(pod, &answers[0]);
        }
    }

    /// What callers of new pods get, and what the metrics of these pods say.
    pub fn started(&self, row: &Row) {
        self.renew();
        for (pod, answers) in self.pods.iter().zip(&row.answers) {
            if answers[1] != "no connection" {
                pod.ready();
            }
            logged(pod, 0, row);
            expect(pod, &answers[1]);
            assert_eq!(pod.is_ready(), answers[1] != "no connection", "{}", row.name);
            for metric in row.quoted("metric").into_iter().filter(|m| !m.starts_with("pilot_")) {
                until(10, metric, || (value(&pod.metrics(), metric) > 0.0).then_some(()));
            }
            for metric in row.quoted("no metric") {
                assert_eq!(value(&pod.metrics(), metric), 0.0, "{}", row.name);
            }
        }
    }

    /// How long the logs are.
    pub fn marks(&self) -> [usize; 3] {
        self.pods.each_ref().map(|pod| pod.log().len())
    }

    /// The metric of istiod that the row names.
    fn rejects(&self, row: &Row) -> Option<f64> {
        let metric =
            row.quoted("metric").into_iter().find(|metric| metric.starts_with("pilot_"))?;
        Some(value(&istiod(), metric))
    }
}

/// The metrics of istiod.
pub fn istiod() -> Scrape {
    let request = Request::get("/metrics");
    let answer =
        machine::runtime().block_on(client::send((machine::ADDRESS, 15014).into(), &request));
    Scrape::new(String::from_utf8(answer.body).unwrap())
}

/// The sum of the series that a text such as `name{label="value"}` selects.
fn value(scrape: &Scrape, selector: &str) -> f64 {
    let wanted = Scrape::new(format!("{selector} 0")).samples.remove(0);
    let is_it = |sample: &&support::scrape::Sample| {
        sample.name == wanted.name
            && wanted.labels.iter().all(|(name, value)| sample.labels.get(name) == Some(value))
    };
    scrape.samples.iter().filter(is_it).map(|sample| sample.value).sum()
}

/// Waits for the words of the row in the log of a pod.
fn logged(pod: &Pod, mark: usize, row: &Row) {
    for words in row.quoted("log") {
        until(60, &format!("{words:?} in the log of {}", row.name), || {
            pod.log().get(mark..)?.contains(words).then_some(())
        });
    }
}

/// Waits until a pod gives the same answer to everyone: on each connection another worker may answer. The probe of the
/// command line tool says the same.
pub fn expect(pod: &Pod, expected: &str) {
    let (mut seen, deadline) = (String::new(), Instant::now() + Duration::from_secs(60));
    while (0..CALLS).any(|_| {
        seen = answer(pod);
        seen != expected
    }) {
        assert!(Instant::now() < deadline, "expected {expected}, saw {seen}");
        thread::sleep(Duration::from_millis(50));
    }
    let mut probe = program::tollgate();
    probe.args(["probe", "--method", "POST", &format!("http://{}:8080/score", pod.address)]);
    assert_eq!(program::run(&mut probe).good, expected == BEFORE, "{expected}");
}

/// What a caller without a token and with forged headers gets.
pub fn answer(pod: &Pod) -> String {
    let case = support::mint::now().to_string() + &format!("{:?}", std::time::Instant::now());
    let forged = |request: Request, name: &str| request.header(name, "forged");
    let request = [
        "x-auth-identity",
        "x_auth_identity",
        "X-AUTH-IDENTITY",
        "x~auth~identity",
        "x-auth-tenant",
        "X_Auth.Roles",
    ]
    .into_iter()
    .fold(Request::post("/score", "{}").case(&case), forged);
    let address = (pod.address, 8080).into();
    let Ok(response) = machine::runtime().block_on(client::try_send(address, &request)) else {
        return "no connection".to_owned();
    };
    let body = String::from_utf8_lossy(&response.body).into_owned();
    match (response.status, pod.saw(&case)) {
        (401, None) if response.reason() == "token_missing" => BEFORE.to_owned(),
        (200, Some(seen)) if seen.head_contains(b"forged") => FORGED.to_owned(),
        (200, Some(_)) => "every request passes".to_owned(),
        (403, None) if body == "RBAC: access denied" => "403".to_owned(),
        (500, None) if body.is_empty() => "500".to_owned(),
        (503, None) if body.is_empty() => "503".to_owned(),
        (status, seen) => format!("{status} {body:?} {}", seen.is_some()),
    }
}
