//! `examples/ingress-nginx`: its names are those of the controller, and NGINX with the lines of the controller's own
//! template, filled in with its values, in front of the Deployment's Envoy. The controller itself does not run:
//! its balancer in Lua is a plain `upstream` here, and lines of modules that Debian's NGINX lacks are left out.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use support::edge::{Kind, Proxy, caller};
use support::entra::{self, OBJECT, TENANT};
use support::example::{Example, Folder};
use support::idp::{Idp, Scheme};
use support::manifests::read;
use support::prelude::*;
use support::skip::absent;
use support::tls::Authority;
use support::{poll, root};

use crate::page;

const FOLDER: &str = "examples/ingress-nginx";
const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// A file of the controller; `None` after [`absent`].
fn controller(name: &str) -> Option<String> {
    let path = root().join("target/servers/ingress-nginx").join(name);
    let text = std::fs::read_to_string(path).ok();
    if text.is_none() {
        absent("target/servers/ingress-nginx is absent: run scripts/install/servers");
    }
    text
}

/// What `examples/ingress-nginx` sets.
struct Settings {
    annotations: Value,
    data: Value,
}

impl Settings {
    fn read() -> Self {
        let file = |name: &str| read(format!("{FOLDER}/{name}.yaml")).remove(0);
        Self {
            annotations: file("ingress")["metadata"]["annotations"].take(),
            data: file("controller")["data"].take(),
        }
    }

    /// The value of an annotation, or else of a key.
    fn get(&self, name: &str) -> &str {
        let annotation = self.annotations.get(format!("{PREFIX}{name}"));
        let value = annotation.or(self.data.get(name)).unwrap_or_else(|| panic!("{name}"));
        value.as_str().unwrap()
    }
}

#[test]
fn the_ingress_has_annotations_and_keys_of_its_controller() {
    let (Some(annotations), Some(config)) = (controller("annotations.go"), controller("config.go"))
    else {
        return;
    };
    let settings = Settings::read();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for name in names(&settings.annotations) {
        let name = name.strip_prefix(PREFIX).unwrap_or_else(|| panic!("{name}"));
        assert!(annotations.contains(&format!("= \"{name}\"")), "no annotation {name}");
        assert!(!name.contains("snippet"), "{name} needs a controller that allows it");
    }
    for name in names(&settings.data) {
        let member = [format!("json:\"{name}\""), format!("json:\"{name},omitempty\"")];
        assert!(member.iter().any(|member| config.contains(member)), "no key {name}");
    }
}

/// The line of the template that begins so, with a value in place of what the template fills in.
fn line(template: &str, begins: &str, value: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = template.lines().map(words).filter(|line| line.starts_with(begins));
    let lines: BTreeSet<_> = lines.collect();
    let [line] = &lines.into_iter().collect::<Vec<_>>()[..] else { panic!("{begins}") };
    let line = line.replace("{{ $proxySetHeader }}", "proxy_set_header");
    match (line.find("{{"), line.rfind("}}")) {
        (Some(from), Some(to)) => format!("{}{value}{}\n", &line[..from], &line[to + 2..]),
        _ => line + "\n",
    }
}

/// The configuration of NGINX for `examples/ingress-nginx`, in front of this Envoy.
fn conf(template: &str, envoy: SocketAddr, authority: &str) -> String {
    let settings = Settings::read();
    let on = |name: &str| if settings.get(name) == "true" { "on" } else { "off" };
    let fill = |begins: &str, value: &str| line(template, begins, value);
    let of = |begins: &str, name: &str| fill(begins, settings.get(name));
    assert_eq!(settings.get("use-forwarded-headers"), "false");
    assert_eq!(settings.get("log-format-escape-json"), "true");
    let headers = [
        "Host $best_http_host;",
        "Upgrade ",
        "Connection $connection_upgrade;",
        "X-Request-ID ",
        "X-Real-IP ",
        "X-Forwarded-For $remote_addr;",
        "X-Forwarded-Host ",
        "X-Forwarded-Port ",
        "X-Forwarded-Proto ",
        "X-Forwarded-Scheme ",
        "X-Scheme ",
        "X-Original-Forwarded-For ",
        "Proxy ",
    ];
    // Of these, only the last but one has a part to fill in.
    let header =
        |begins| fill(&format!("{{{{ $proxySetHeader }}}} {begins}"), "$http_x_forwarded_for");
    let headers = headers.map(header).concat();
    let location = [
        of("client_max_body_size {{ $location.Proxy", "proxy-body-size"),
        headers,
        of("proxy_send_timeout {{ $location", "proxy-send-timeout"),
        of("proxy_read_timeout {{ $location", "proxy-read-timeout"),
        of("proxy_buffering {{ $location", "proxy-buffering"),
        of("proxy_request_buffering {{ $location", "proxy-request-buffering"),
        of("proxy_next_upstream {{ build", "proxy-next-upstream"),
        fill("proxy_http_version {{ $location", "1.1"),
        fill("proxy_ssl_trusted_certificate {{ $location", authority),
        of("proxy_ssl_verify {{ $location", "proxy-ssl-verify"),
        of("proxy_ssl_name {{ $location", "proxy-ssl-name"),
        of("proxy_ssl_server_name {{ $location", "proxy-ssl-server-name"),
    ];
    assert_eq!(settings.get("backend-protocol"), "HTTPS");
    [
        "worker_processes auto;\nevents {}\nhttp {\n".to_owned(),
        of("large_client_header_buffers", "large-client-header-buffers"),
        fill("underscores_in_headers", on("enable-underscores-in-headers")),
        fill("ignore_invalid_headers", on("ignore-invalid-headers")),
        format!("log_format upstreaminfo escape=json '{}';\n", settings.get("log-format-upstream"))
            // Variables of the controller.
            .replace("$namespace/$ingress_name", "models/tollgate"),
        "access_log /var/log/nginx/access.log upstreaminfo;\n".to_owned(),
        format!("proxy_hide_header {};\n", settings.get("hide-headers")),
        "map $http_x_request_id $req_id { default $http_x_request_id; \"\" $request_id; }\n"
            .to_owned(),
        "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }\n".to_owned(),
        format!("upstream upstream_balancer {{ server {envoy}; keepalive 320; }}\n"),
        "server {\nlisten 8443 ssl http2;\nssl_certificate /etc/tollgate/tls/tls.crt;\n\
         ssl_certificate_key /etc/tollgate/tls/tls.key;\nlocation / {\n\
         set $pass_access_scheme $scheme;\nset $best_http_host $http_host;\n\
         set $pass_port $server_port;\n"
            .to_owned(),
        location.concat(),
        "proxy_pass https://upstream_balancer;\n}\n}\n}\n".to_owned(),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_lines_of_ingress_nginx_token_caller_and_id_are_those_of_the_page() {
    let Some(template) = controller("nginx.tmpl") else { return };
    let Some(fixture) = Fixture::new("RS256").await else { return };
    if Kind::Nginx.program().is_none() {
        return;
    }
    let (authority, folder) = (Authority::new(), Folder::new());
    let idp = Idp::serving(Scheme::Https, entra::keys(&fixture.signer));
    let (certificate, key) = authority.workload_pem("tollgate.models.svc");
    let tls = std::fs::read_to_string(root().join("examples/kubernetes/base/tls.yaml")).unwrap();
    folder.file("tls.crt", certificate);
    folder.file("tls.key", key);
    let tls = tls.replace("/etc/tollgate/tls", folder.path().to_str().unwrap());
    let example =
        std::fs::read_to_string(root().join("examples/kubernetes/base/envoy.yaml")).unwrap();
    let example = example.replace("/etc/tollgate/module/plugin.wasm", "dist/tollgate.wasm");
    let mut change = page::change("ingress-nginx");
    let example = Example::parse(&example)
        .managed(|manager| {
            let routes = merged(manager["route_config"].take(), change["route_config"].take());
            *manager = merged(manager.take(), change);
            manager["route_config"] = routes;
        })
        .cluster("upstream", fixture.upstream.address())
        .cluster("entra", idp.address())
        .with_file("/etc/tollgate/config/tls.yaml", &folder.file("tls.yaml", tls))
        .with_file("/etc/ssl/certs/ca-certificates.crt", &folder.file("idp.crt", idp.ca_pem()));
    let envoy = fixture.proxy().start_file(&example.text()).await;
    let trusted = folder.file("ca.crt", authority.pem());
    let nginx = Proxy::nginx(&authority, conf(&template, envoy.address(), &trusted)).await;
    let send =
        async |request: &Request| authority.send_from(caller(9), nginx.address, request).await;

    let identity = format!("{TENANT}/{OBJECT}");
    let token = |changes| fixture.signer.sign(&entra::claims(TENANT, changes));
    let line = async |id: &str| {
        let line = async || nginx.access_log().into_iter().find(|line| line["XRequestId"] == id);
        poll(std::time::Duration::from_secs(10), line).await.expect("a line of NGINX")
    };
    let good = token(json!({}));
    let request = Request::post("/score", "{}")
        .bearer(&good)
        .header("x-request-id", "chosen")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-auth-identity", "root")
        .header("x_auth_identity", "root")
        .header("x-tollgate-identity", "root");
    let response = send(&request).await;
    assert_eq!(response.status, 200, "{} {:#?}", response.reason(), envoy.filter_log());
    assert_eq!(response.header("x-tollgate-identity"), None);
    let seen = fixture.upstream.last().unwrap();
    assert!(
        seen.header("authorization") == Some(&format!("Bearer {good}")),
        "the token, byte for byte"
    );
    assert_eq!(seen.header("x-auth-identity"), Some(identity.as_str()));
    assert!(!seen.head_contains(b"root"));
    assert!(seen.header("x-forwarded-for").unwrap().starts_with("127.0.0.9,"));
    let id = seen.header("x-request-id").unwrap().to_owned();
    assert_eq!((id.len(), response.header("x-request-id")), (36, Some(id.as_str())));
    assert_eq!(line(&id).await["Identity"], identity);
    let audit = envoy.access_after(0).await;
    assert_eq!((&audit["XRequestId"], &audit["Identity"]), (&json!(id), &json!(identity)));
    assert_eq!(audit["ClientAddress"], "127.0.0.9");

    // A refusal comes back with its reason, and its caller is in NGINX's log, too.
    let expired = token(json!({"exp": mint::now() - 300}));
    let response = send(&Request::post("/score", "{}").bearer(expired)).await;
    assert_eq!((response.status, response.reason().as_str()), (401, "expired"));
    let refused = line(response.header("x-request-id").unwrap()).await;
    assert_eq!((&refused["Identity"], &refused["ResponseCode"]), (&json!(identity), &json!("401")));
}
