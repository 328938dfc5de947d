//! A registry that asks for a login by token authentication, over the images of another registry.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::mint::{b64, now};
use support::upstream::{Recorded, Reply, Upstream};

use crate::program::{self, Program};
use crate::registry::{HOST, Registry};
use crate::{api, machine};

/// The registry, and the server of its tokens.
pub const PORT: u16 = 7443;
const TOKENS: u16 = 6443;

const USER: &str = "puller";
const PASSWORD: &str = "stand-in-for-a-password";

/// A registry whose tokens only the user of [`secret`] gets.
pub struct Login {
    _registry: Program,
    tokens: Upstream,
}

impl Login {
    pub fn start(registry: &Registry) -> Self {
        let folder = machine::folder().join("login");
        fs::create_dir_all(&folder).unwrap();
        let certificate = folder.join("tokens.crt");
        let mut make = Command::new("openssl");
        make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tokens", "-out"]);
        program::run(make.arg(&certificate).arg("-keyout").arg(folder.join("tokens.key"))).ok();
        let settings = json!({"auth": {"token": {
            "realm": format!("https://{HOST}:{TOKENS}/token"),
            "service": "registry", "issuer": "mesh", "rootcertbundle": certificate,
        }}});
        let program = registry.beside("registry-login", PORT, settings);
        let address = registry.address();
        let tokens = machine::runtime().block_on(async move {
            let answer = move |request: &Recorded| answer(request, &folder);
            let tokens = Upstream::answering(answer).await;
            let authority = machine::authority();
            authority.terminate((address, TOKENS), HOST, tokens.address(), false).await;
            tokens
        });
        Self { _registry: program, tokens }
    }

    /// How many tokens were asked for.
    pub fn asked(&self) -> usize {
        self.tokens.count()
    }
}

/// Creates the secret of the user.
pub fn secret(namespace: &str, name: &str) {
    let server = format!("--docker-server={HOST}:{PORT}");
    let [user, password] =
        [format!("--docker-username={USER}"), format!("--docker-password={PASSWORD}")];
    let arguments = ["create", "secret", "docker-registry", name, "--namespace", namespace];
    api::kubectl(arguments.into_iter().chain([&*server, &*user, &*password])).ok();
}

/// A token that opens the repository, for the user.
fn answer(request: &Recorded, folder: &Path) -> Reply {
    let basic =
        program::feed(Command::new("base64").arg("--wrap=0"), &format!("{USER}:{PASSWORD}")).ok();
    if request.header("authorization") != Some(&format!("Basic {basic}")) {
        return Reply::new(401, "");
    }
    let certificate = fs::read_to_string(folder.join("tokens.crt")).unwrap();
    let certificate: String = certificate.lines().filter(|line| !line.starts_with('-')).collect();
    let (header, time) = (json!({"alg": "RS256", "typ": "JWT", "x5c": [certificate]}), now());
    let claims = json!({
        "iss": "mesh", "sub": USER, "aud": "registry", "jti": "1",
        "iat": time, "nbf": time - 60, "exp": time + 600,
        "access": [{"type": "repository", "name": "tollgate", "actions": ["pull"]}],
    });
    let input = [header, claims].map(|part| b64(part.to_string().as_bytes())).join(".");
    fs::write(folder.join("input"), &input).unwrap();
    let mut sign = Command::new("openssl");
    sign.args(["dgst", "-sha256", "-sign"])
        .arg(folder.join("tokens.key"))
        .arg("-out")
        .arg(folder.join("signature"));
    program::run(sign.arg(folder.join("input"))).ok();
    let signature = b64(&fs::read(folder.join("signature")).unwrap());
    let token = format!("{input}.{signature}");
    Reply::json(&json!({"token": token, "access_token": token}))
}
