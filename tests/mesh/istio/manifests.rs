//! The folder `istio` of the repository, adapted as the pages say, and the commands of the pages in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{docs, manifests, root};

use crate::program::{self, Answer};
use crate::{api, built, machine};

/// `exec` and `logs` need a kubelet. Here they enter the network of the pod `NAME-1`, and read its log.
const KUBECTL: &str = r#"#!/bin/bash
case $1 in
exec) pod=${2#deploy/}-1; until [[ $1 == -- ]]; do shift; done; shift; exec ip netns exec "$pod" "$@" ;;
logs) exec cat "$LOGS/${2#deploy/}-1.log" ;;
*) exec "$PROGRAMS/kubectl" "$@" ;;
esac
"#;

/// `proxy-config WHAT deploy/NAME --namespace NAMESPACE` forwards a port of the pod. Here it reads the dump of the pod.
const ISTIOCTL: &str = r#"#!/bin/bash
if [[ $1 != proxy-config ]]; then exec "$ISTIO/istioctl" "$@"; fi
what=$2 pod=${3#deploy/}-1; shift 5
ip netns exec "$pod" curl -s 'localhost:15000/config_dump?include_eds' >"$LOGS/$pod.dump"
exec "$ISTIO/istioctl" proxy-config "$what" --file "$LOGS/$pod.dump" "$@"
"#;

/// The block of docs/deploy-istio.md under a heading that contains a text.
pub fn block(heading: &str, text: &str) -> String {
    let mut blocks = docs::blocks("docs/deploy-istio.md").into_iter();
    let found = blocks.find(|block| block.heading == heading && block.text.contains(text));
    found.unwrap_or_else(|| panic!("no {text:?} under {heading}")).text
}

/// A folder with a copy of the folder `istio` in it.
pub struct Manifests(PathBuf);

impl Manifests {
    /// A copy in which only the digest of the image was set.
    pub(super) fn pasted(name: &str, digest: &str) -> Self {
        let folder = machine::folder().join(name);
        fs::create_dir_all(&folder).unwrap();
        program::run(Command::new("cp").arg("--recursive").arg(root().join("istio")).arg(&folder))
            .ok();
        Self(folder).change(manifests::PLUGIN, &"0".repeat(64), digest)
    }

    /// Changes a text that stands in a file once.
    pub fn change(self, file: &str, from: &str, to: &str) -> Self {
        let path = self.0.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {file}");
        fs::write(path, text.replace(from, to)).unwrap();
        self
    }

    /// Moves what an overlay installs into another namespace.
    pub fn within(self, namespace: &str, overlay: &str) -> Self {
        let file = format!("istio/overlays/{overlay}/kustomization.yaml");
        let text = fs::read_to_string(self.0.join(&file)).unwrap();
        let line = text.lines().find(|line| line.starts_with("namespace: ")).unwrap();
        self.change(&file, line, &format!("namespace: {namespace}"))
    }

    /// The folder in which the commands of the pages run.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Applies a folder, such as `overlays/sidecar`.
    pub fn apply(&self, folder: &str) {
        self.shell(&format!("kubectl apply --kustomize istio/{folder}"), &[]).ok();
    }

    /// Runs a block of the pages as its reader does: a line that fails does not end it. These variables are set.
    pub fn shell(&self, script: &str, variables: &[(&str, &str)]) -> Answer {
        let shims = machine::folder().join("bin");
        fs::create_dir_all(&shims).unwrap();
        for (name, text) in [("kubectl", KUBECTL), ("istioctl", ISTIOCTL)] {
            let path = shims.join(name);
            // Whole at once: another test may run it meanwhile.
            let new = shims.join(format!("{name}-{:?}", std::thread::current().id()));
            fs::write(&new, text).unwrap();
            fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
            fs::rename(new, path).unwrap();
        }
        let path = format!("{}:{}", shims.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-c", script]).current_dir(&self.0);
        command
            .env("PATH", path)
            .env("KUBECONFIG", api::kubeconfig())
            .env("LOGS", machine::folder());
        command.env("PROGRAMS", built("kubernetes")).env("ISTIO", built("istio"));
        program::run(command.envs(variables.iter().copied()))
    }
}
