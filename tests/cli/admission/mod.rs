//! `tollgate admission`: what it refuses, and how it serves.

mod server;
mod verdicts;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use support::eventually;
use support::example::Folder;
use support::prelude::*;
use support::tls::Authority;

/// A running webhook and its certificate.
struct Webhook {
    child: Child,
    address: SocketAddr,
    authority: Authority,
    folder: Folder,
}

impl Webhook {
    fn start() -> Self {
        let (authority, folder) = (Authority::new(), Folder::new());
        write(&folder, &authority);
        let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["admission", "--listen", "127.0.0.1:0"])
            .arg("--cert")
            .arg(folder.path().join("tls.crt"))
            .arg("--key")
            .arg(folder.path().join("tls.key"))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(folder.path().join("log.txt")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("admission webhook at https://");
        let address = address.and_then(|rest| rest.strip_suffix("/validate")).unwrap();
        Self { address: address.parse().unwrap(), child, authority, folder }
    }

    async fn send(&self, request: &Request) -> Response {
        self.authority.send(self.address, None, request).await
    }

    /// The response to a review.
    async fn review(&self, request: Value) -> Value {
        let review = review(request);
        let answer = self.send(&post(review.to_string())).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let answer = answer.json();
        assert_eq!(answer["apiVersion"], review["apiVersion"]);
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], "0001");
        answer["response"].clone()
    }

    /// The response to the creation of an object.
    async fn create(&self, object: &Value) -> Value {
        self.review(json!({"operation": "CREATE", "object": object})).await
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log.txt")).unwrap()
    }

    /// Waits until the log has a text at least so many times.
    async fn logged(&self, text: &str, times: usize) {
        let told = async || (self.log().matches(text).count() >= times).then_some(());
        let found = eventually(told).await;
        found.unwrap_or_else(|| panic!("{times} times {text:?} in {}", self.log()));
    }

    /// Ends the program as Kubernetes does; its exit code.
    fn end(&mut self) -> Option<i32> {
        terminate(&self.child);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
}

/// Writes a new certificate of an authority and its key.
fn write(folder: &Folder, authority: &Authority) {
    let (chain, key) = authority.server_pem();
    folder.file("tls.crt", chain);
    folder.file("tls.key", key);
}

/// A review of this request.
fn review(request: Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": merged(json!({"uid": "0001"}), request)})
}

fn post(body: impl Into<Vec<u8>>) -> Request {
    Request::post("/validate?timeout=5s", body).header("content-type", "application/json")
}
