//! The process `envoy-gateway`: the control plane of the proxies, and their server of modules.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::container::Container;
use crate::program::{Program, run};
use crate::{api, machine};

/// The namespace of the control plane and of its proxies.
pub const NAMESPACE: &str = "envoy-gateway-system";

/// Its Service. The proxies' bootstrap names it with a dot at the end.
const SERVICE: &str = "envoy-gateway.envoy-gateway-system.svc.cluster.local";

/// Backends and patches are off by default.
const CONFIG: &str = "
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyGateway
gateway: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
provider:
  type: Kubernetes
  kubernetes:
    leaderElection: {disable: true}
    proxyTopologyInjector: {disabled: true}
extensionApis: {enableBackend: true, enableEnvoyPatchPolicy: true}
";

/// An installed control plane; it runs from [`Controller::start`] on.
pub struct Controller {
    container: Container,
    program: Option<Program>,
}

impl Controller {
    /// Makes its namespace and its certificates, which `envoy-gateway certgen` keeps in Secrets.
    pub fn install() -> Self {
        api::kubectl(["create", "namespace", NAMESPACE]).ok();
        let arguments = ["certgen", "--disable-topology-injector"];
        run(configured(&mut Command::new("envoy-gateway")).args(arguments)).ok();
        let container = Container::new("envoy-gateway", &["/certs"]);
        container.volume("/certs", "secret", NAMESPACE, "envoy-gateway");
        container.write("/config.yaml", CONFIG);
        machine::name(machine::ADDRESS, &format!("{SERVICE} {SERVICE}."));
        Self { container, program: None }
    }

    /// Starts it as a new pod does: it has no module yet.
    pub fn start(&mut self) {
        let _ = fs::remove_dir_all(home());
        fs::create_dir_all(home()).unwrap();
        let mut command = self.container.command("envoy-gateway");
        let arguments = ["server", "--config-path", "/config.yaml"];
        let command = configured(&mut command).args(arguments);
        self.program = Some(Program::start("envoy-gateway", command));
    }

    /// Ends it; the proxies go on.
    pub fn stop(&mut self) {
        self.program.take().unwrap().end();
    }

    /// What it has logged since its start.
    pub fn log(&self) -> String {
        self.program.as_ref().unwrap().log()
    }
}

/// It keeps the modules below its home.
fn home() -> PathBuf {
    machine::folder().join("home")
}

fn configured(command: &mut Command) -> &mut Command {
    command
        .env("KUBECONFIG", api::kubeconfig())
        .env("ENVOY_GATEWAY_NAMESPACE", NAMESPACE)
        .env("HOME", home())
}
