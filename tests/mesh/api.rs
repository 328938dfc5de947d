//! A Kubernetes API: etcd and kube-apiserver on loopback. There is no kubelet, scheduler or controller, so that
//! pods and endpoints are only objects.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::program::{self, Answer, Program};
use super::{built, machine, until};

/// Where the API listens.
pub const URL: &str = "https://127.0.0.1:6443";

/// The issuer of its service accounts' tokens.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// The token of the administrator of an API that ends with the test.
const ADMINISTRATOR: &str = "administrator";

/// Where a pod has the token of its service account and the authority of the API.
pub const POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The key that signs the tokens of service accounts, in PEM.
pub fn key() -> PathBuf {
    machine::folder().join("service-accounts.key")
}

/// The certificate of the API and of its authority.
fn certificate() -> PathBuf {
    machine::folder().join("certificates/apiserver.crt")
}

/// A running API.
pub struct Api {
    _etcd: Program,
    _server: Program,
}

impl Api {
    pub fn start() -> Self {
        let folder = machine::folder();
        let key = key();
        let openssl = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out"];
        program::run(Command::new("openssl").args(openssl).arg(&key)).ok();
        let tokens = folder.join("tokens.csv");
        fs::write(&tokens, format!("{ADMINISTRATOR},admin,admin,system:masters\n")).unwrap();
        let etcd = Program::start(
            "etcd",
            Command::new("etcd")
                .args(["--unsafe-no-fsync", "--log-level", "warn", "--data-dir"])
                .arg(folder.join("etcd")),
        );
        let (key, tokens) = (key.display(), tokens.display());
        let server = Program::start(
            "kube-apiserver",
            Command::new("kube-apiserver").args([
                "--etcd-servers=http://127.0.0.1:2379".to_owned(),
                "--bind-address=127.0.0.1".to_owned(),
                "--advertise-address=127.0.0.1".to_owned(),
                // A reconciler would write this address into the endpoints of `kubernetes`, which the API refuses.
                "--endpoint-reconciler-type=none".to_owned(),
                // The server makes its certificate itself, here.
                format!("--cert-dir={}", folder.join("certificates").display()),
                "--authorization-mode=RBAC".to_owned(),
                format!("--token-auth-file={tokens}"),
                "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
                format!("--service-account-issuer={ISSUER}"),
                format!("--service-account-key-file={key}"),
                format!("--service-account-signing-key-file={key}"),
                "--allow-privileged".to_owned(),
            ]),
        );
        let certificate = certificate();
        until(60, "the certificate of the API", || certificate.is_file().then_some(()));
        let config = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "mesh",
            "contexts": [{"name": "mesh", "context": {"cluster": "mesh", "user": "admin"}}],
            "clusters": [{"name": "mesh", "cluster": {"server": URL, "certificate-authority": certificate}}],
            "users": [{"name": "admin", "user": {"token": ADMINISTRATOR}}],
        });
        fs::write(kubeconfig(), config.to_string()).unwrap();
        until(60, "the API is ready", || kubectl(["get", "--raw", "/readyz"]).good.then_some(()));
        Self { _etcd: etcd, _server: server }
    }

    /// Adds the definitions of the Gateway API, Istio, Envoy Gateway and the other projects whose kinds our
    /// manifests use.
    pub fn define(&self) {
        // Server-side: some are too large for the annotation of a client-side apply.
        for (option, path) in [
            ("--kustomize", built("envoy-gateway").join("gateway-api")),
            ("--filename", built("envoy-gateway").join("crds")),
            ("--filename", built("istio").join("crds.yaml")),
            ("--filename", built("definitions")),
        ] {
            kubectl(["apply", "--server-side", option, &path.display().to_string()]).ok();
        }
        kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).ok();
    }

    /// Gives the machine what a pod has: the API under its name on port 443, and its authority in a file.
    pub fn in_pod(&self) {
        let service = std::net::Ipv4Addr::new(10, 96, 0, 1);
        machine::ip(&format!("addr add {service}/32 dev lo"));
        machine::name(service, "kubernetes.default.svc kubernetes.default.svc.cluster.local");
        let redirect =
            format!("-t nat -A OUTPUT -d {service} -p tcp --dport 443 -j REDIRECT --to-ports 6443");
        program::run(Command::new("iptables").args(redirect.split(' '))).ok();
        fs::create_dir_all("/run/secrets").unwrap();
        program::run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run/secrets"])).ok();
        fs::create_dir_all(POD).unwrap();
        fs::copy(certificate(), format!("{POD}/ca.crt")).unwrap();
    }
}

/// The configuration of `kubectl`, istiod and Envoy Gateway.
pub fn kubeconfig() -> PathBuf {
    machine::folder().join("kubeconfig")
}

/// Runs `kubectl`.
pub fn kubectl<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Answer {
    program::run(command().args(arguments))
}

/// Applies manifests as `kubectl apply --server-side` does, which refuses unknown fields.
pub fn apply(manifests: &str) -> Answer {
    let arguments = ["apply", "--server-side", "--validate=strict", "--filename", "-"];
    program::feed(command().args(arguments), manifests)
}

/// What the API answers to [`apply`], without keeping anything.
pub fn accepts(manifests: &str) -> Answer {
    try_apply(&["--server-side", "--validate=strict"], manifests)
}

/// What the API answers to `kubectl apply` with these options, without keeping anything.
pub fn try_apply(options: &[&str], manifests: &str) -> Answer {
    let arguments = ["apply", "--dry-run=server", "--filename", "-"];
    program::feed(command().args(arguments).args(options), manifests)
}

/// One object as JSON; `None` if it does not exist.
pub fn get(arguments: &[&str]) -> Option<Value> {
    let answer = program::run(command().arg("get").args(arguments).args(["--output", "json"]));
    answer.good.then(|| serde_json::from_str(&answer.stdout).unwrap())
}

/// The API's answer to an object that it does not keep, such as a TokenReview.
pub fn ask(object: &Value) -> Value {
    let arguments = ["create", "--output", "json", "--filename", "-"];
    let answer = program::feed(command().args(arguments), &object.to_string()).ok();
    serde_json::from_str(&answer).unwrap()
}

/// A token of a service account, by TokenRequest.
pub fn token(namespace: &str, account: &str, audience: &str) -> String {
    let arguments = ["create", "token", account, "--namespace", namespace, "--audience", audience];
    kubectl(arguments).ok().trim().to_owned()
}

fn command() -> Command {
    let mut command = Command::new("kubectl");
    command.env("KUBECONFIG", kubeconfig());
    // Not the kinds that another API on this address had.
    command.env("KUBECACHEDIR", machine::folder().join("kubectl"));
    command
}
