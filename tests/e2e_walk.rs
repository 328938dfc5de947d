//! The request of docs/identity-walk.md: NGINX, gateway and sidecar as shipped, with the changes of the page,
//! and each cell of its tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use support::edge::{Kind, Proxy, caller};
use support::example::{Example, Folder};
use support::prelude::*;
use support::tls::{Authority, connect_from};
use support::{docs, poll, root};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PAGE: &str = "docs/identity-walk.md";
const GATEWAY: &str = "spiffe://cluster.local/ns/ingress/sa/gateway";
const SIDECAR: &str = "spiffe://cluster.local/ns/models/sa/scoring";
const ENDPOINT_KEY: &str = "the-key-of-the-endpoint";

const HEADERS: &str =
    "| Header | Alice sends | NGINX forwards | The gateway forwards | The endpoint receives |";
const HCM: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The rows of the page's table that begins with this header.
fn table(header: &str) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let start = format!("{header}\n");
    let (_, rows) = page.split_once(&start).unwrap_or_else(|| panic!("no table {header}"));
    let rows = rows.lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        cells.map(str::to_owned).collect()
    };
    rows.map(cells).collect()
}

/// The change of the page under a heading.
fn change(heading: &str) -> Value {
    let blocks = docs::blocks(PAGE);
    let found: Vec<_> = blocks.iter().filter(|block| block.heading == heading).collect();
    assert_eq!(found.len(), 1, "{heading}");
    found[0].documents().remove(0)
}

/// A shipped file.
fn shipped(path: &str) -> Value {
    serde_yaml_ng::from_str(&std::fs::read_to_string(root().join(path)).unwrap()).unwrap()
}

/// The gateway's file with the change of the page, the certificate of this workload, and the cluster
/// `upstream` at this address.
fn gateway(name: &str, authority: &Authority, sidecar: SocketAddr, folder: &Folder) -> Example {
    let mut file = shipped("envoy/nginx/envoy.yaml");
    let cluster = file.pointer_mut("/static_resources/clusters/0").unwrap();
    *cluster = merged(cluster.clone(), change("Changes to the gateway"));
    let (certificate, key) = authority.workload_pem(name);
    Example::parse(&file.to_string())
        .cluster("upstream", sidecar)
        .with_file("/etc/tollgate/tls/gateway.crt", &folder.file("gateway.crt", certificate))
        .with_file("/etc/tollgate/tls/gateway.key", &folder.file("gateway.key", key))
        .with_file("/etc/tollgate/tls/ca.crt", &folder.file("ca.crt", authority.pem()))
}

/// The sidecar's file with the changes of the page, in front of this endpoint.
fn sidecar(authority: &Authority, endpoint: SocketAddr, folder: &Folder) -> Example {
    let change = change("Changes to the sidecar");
    assert_eq!(change.as_object().unwrap().len(), 3);
    let mut file = shipped("envoy/sidecar.yaml");
    let hcm = file.pointer_mut(HCM).unwrap();
    hcm["xff_num_trusted_hops"] = change["xff_num_trusted_hops"].clone();
    let wasm = &mut hcm["http_filters"][0]["typed_config"]["config"];
    let variables = "environment_variables";
    wasm["vm_config"][variables] = change[variables].clone();
    let text = wasm["configuration"]["value"].as_str().unwrap();
    let mut config: Value = serde_json::from_str(text).unwrap();
    let rules = config["rules"].as_array_mut().unwrap();
    let score = rules.iter_mut().find(|rule| rule["name"] == "score").unwrap();
    score["upstream_authorization"] = change["upstream_authorization"].clone();
    wasm["configuration"]["value"] = json!(config.to_string());
    let (certificate, key) = authority.workload_pem(SIDECAR);
    Example::parse(&file.to_string())
        .cluster("application", endpoint)
        .with_file("/etc/tollgate/tls/tls.crt", &folder.file("tls.crt", certificate))
        .with_file("/etc/tollgate/tls/tls.key", &folder.file("tls.key", key))
        .with_file("/etc/tollgate/tls/ca.crt", &folder.file("ca.crt", authority.pem()))
}

/// What the placeholders of the page stand for; those without a value stand for any text without a comma.
type Known = BTreeMap<&'static str, String>;

/// Whether a value is as a cell says.
fn is(cell: &str, value: Option<&str>, known: &Known) -> bool {
    let Some(value) = value else { return cell == "–" };
    let mut rest = value;
    let mut parts = cell.split('<');
    let Some(after) = rest.strip_prefix(parts.next().unwrap()) else { return false };
    rest = after;
    for part in parts {
        let (name, text) = part.split_once('>').unwrap();
        match known.get(name) {
            Some(known) => match rest.strip_prefix(known.as_str()) {
                Some(after) => rest = after,
                None => return false,
            },
            None => {
                let end = if text.is_empty() { Some(rest.len()) } else { rest.find(text) };
                let Some(end) = end.filter(|end| *end > 0) else { return false };
                if rest[..end].contains(',') {
                    return false;
                }
                rest = &rest[end..];
            }
        }
        let Some(after) = rest.strip_prefix(text) else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// Compares one column of the table of headers with a request.
fn compare(column: usize, seen: &Recorded, known: &Known) {
    let header =
        "| Header | Alice sends | NGINX forwards | The gateway forwards | The endpoint receives |";
    let rows = table(header);
    assert!(rows.len() >= 10, "{}", rows.len());
    for row in rows {
        let values = seen.all(&row[0]);
        assert!(values.len() <= 1, "{}: {values:?}", row[0]);
        let value = values.first().map(|value| str::from_utf8(value).unwrap());
        assert!(is(&row[column], value, known), "{} is {value:?}, not {}", row[0], row[column]);
    }
}

/// Alice's request, from the first column.
fn request(known: &Known) -> Request {
    table(HEADERS).iter().fold(Request::post("/score", "{}"), |request, row| {
        let value = row[1].replace("<token>", &known["token"]);
        request.header(&row[0], value)
    })
}

/// The newest line of an Envoy with this path and status.
async fn line(envoy: &Envoy, status: u16) -> Value {
    let log = async || {
        let lines = envoy.access_log();
        lines.into_iter().rev().find(|l| l["Path"] == "/score" && l["ResponseCode"] == status)
    };
    poll(Duration::from_secs(10), log).await.expect("a line")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_of_the_page_has_at_each_hop_the_headers_and_lines_of_its_tables() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    if Kind::Nginx.program().is_none() {
        return;
    }
    let authority = Authority::new();
    let folder = Folder::new();
    let endpoint = fixture.upstream.address();
    let mut known = Known::from([
        ("token", fixture.token("alice")),
        ("endpoint key", ENDPOINT_KEY.to_owned()),
        ("caller", caller(9).to_string()),
    ]);
    let alice = request(&known);
    let send = async |proxy: &Proxy, request: &Request| {
        authority.send_from(caller(9), proxy.address, request).await
    };

    // NGINX alone.
    let nginx = Proxy::start(Kind::Nginx, &authority, endpoint, &[]).await;
    assert_eq!(send(&nginx, &alice).await.status, 200);
    compare(2, &fixture.upstream.last().unwrap(), &known);

    // With the gateway as shipped: what it forwards, before a sidecar reads it.
    let shipped = Example::load(Kind::Nginx.envoy()).cluster("upstream", endpoint);
    let envoy = fixture.proxy().start_file(&shipped.text()).await;
    let nginx = Proxy::start(Kind::Nginx, &authority, envoy.address(), &[]).await;
    assert_eq!(send(&nginx, &alice).await.status, 200);
    let id = |line: &Value| line["XRequestId"].as_str().unwrap().to_owned();
    known.insert("request id", id(&line(&envoy, 200).await));
    compare(3, &fixture.upstream.last().unwrap(), &known);
    drop((nginx, envoy));

    // All hops.
    let sidecar = sidecar(&authority, endpoint, &folder);
    let sidecar = fixture
        .proxy()
        .environment("AML_ENDPOINT_KEY", ENDPOINT_KEY)
        .start_file(&sidecar.text())
        .await;
    let gateway = gateway(GATEWAY, &authority, sidecar.address(), &folder);
    let gateway = fixture.proxy().start_file(&gateway.text()).await;
    let nginx = Proxy::start(Kind::Nginx, &authority, gateway.address(), &[]).await;
    let response = send(&nginx, &alice).await;
    assert_eq!(response.status, 200, "{}", response.body.escape_ascii());
    let lines = [line(&gateway, 200).await, line(&sidecar, 200).await];
    known.insert("request id", id(&lines[0]));
    assert_eq!(known["request id"].len(), 36, "an id of the gateway");
    compare(4, &fixture.upstream.last().unwrap(), &known);
    let rows = table("| Field | Line of the gateway | Line of the sidecar |");
    assert!(rows.len() >= 9, "{}", rows.len());
    for row in rows {
        for (cell, line) in row[1..].iter().zip(&lines) {
            let value = match &line[&row[0]] {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            assert!(is(cell, value.as_deref(), &known), "{} is {value:?}, not {cell}", row[0]);
        }
    }

    // A refused request has one line, and one whose signature is good names its caller.
    let served = (fixture.upstream.count(), sidecar.access_log().len());
    let expired = fixture.token_with("alice", json!({"exp": mint::now() - 300}));
    let response = send(&nginx, &Request::post("/score", "{}").bearer(expired)).await;
    assert_eq!((response.status, response.reason().as_str()), (401, "expired"));
    let refused = line(&gateway, 401).await;
    assert_eq!(refused["Identity"], "https://issuer.test/alice");
    assert_eq!(refused["Decision"], "deny");
    assert_eq!((fixture.upstream.count(), sidecar.access_log().len()), served);

    // The gateway takes connections of NGINX alone.
    let mut stream = connect_from(caller(2), gateway.address()).await.unwrap();
    let _ = stream.write_all(&alice.to_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{}", answer.escape_ascii());
    drop((nginx, gateway));

    // The sidecar takes those of the gateway alone: the same proxy as another workload does not get in.
    let other = "spiffe://cluster.local/ns/default/sa/other";
    let other = self::gateway(other, &authority, sidecar.address(), &folder);
    let other = fixture.proxy().start_file(&other.text()).await;
    let response = other.send(&alice).await;
    assert_eq!((response.status, response.reason().as_str()), (503, ""));
    assert_eq!((fixture.upstream.count(), sidecar.access_log().len()), served);
}
