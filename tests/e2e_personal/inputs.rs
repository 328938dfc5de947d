//! The inputs of the filter, each with a mark, and the requests that carry the marks.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderMap, HeaderValue};
use support::prelude::*;
use support::tls::{Authority, Client};

/// The address that requests over TLS come from.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 66, 55, 44);

/// An input of the filter.
pub struct Input {
    /// Its name on the page.
    pub name: &'static str,
    /// A text that is in no other input, in lower case.
    pub mark: &'static str,
    /// The value of a tag that is made of it.
    pub tagged: &'static str,
}

const fn input(name: &'static str, mark: &'static str, tagged: &'static str) -> Input {
    Input { name, mark, tagged }
}

/// All inputs, in the order of the page.
pub const INPUTS: [Input; 42] = [
    input("client address", "127.66.55.44", "127.66.55.44"),
    input("method (HTTP/2)", "zqmethod", "zqmethod"),
    input("host", "zqhost", "zqhost"),
    input("path, segment `{endpoint}`", "zqendpoint", "zqendpoint"),
    input("path without a rule", "zqelsewhere", "zqelsewhere"),
    input("gRPC service and method", "zqservice", "zqservice"),
    input("query", "zqquery", "zqquery"),
    input("`user-agent`", "zqagent", "zqagent"),
    input("`x-forwarded-for`", "203.0.113.77", "203.0.113.77"),
    input("`x-request-id`", "zqrequestid", "zqrequestid"),
    input("`x-ms-client-request-id`", "zqclientid", "zqclientid"),
    input("`azureml-model-deployment`", "zqdeployment", "zqdeployment"),
    input("`x-client-trace-id`", "zqtraceid", "zqtraceid"),
    input("`x-envoy-downstream-service-cluster`", "zqcluster", "zqcluster"),
    input("`tracestate`", "zqtracestate", "zqtracestate"),
    input("`baggage`", "zqbaggage", "zqbaggage"),
    input("`referer`", "zqreferer", "zqreferer"),
    input("`cookie`", "zqcookie", "zqcookie"),
    input("`origin`", "zqorigin", "zqorigin"),
    input("`access-control-request-headers`", "zqcorsheader", "zqcorsheader"),
    input("a header of a tag", "zqspoofed", "zqspoofed"),
    input("any other header", "zqnote", "zqnote"),
    input("trailers", "zqtrailer", "zqtrailer"),
    input("`authorization` of another scheme", "zqcredentials", "zqcredentials"),
    input("malformed token", "zqmalformed", "zqmalformed"),
    input("request body", "zqbody", "zqbody"),
    input("member of the body in a tag", "zqmodel", "zqmodel"),
    input("client certificate", "zqcertificate", "zqcertificate"),
    input("claim `sub`", "zqsubject", "https://issuer.test/zqsubject"),
    input("claim `name`", "zqname", "zqname"),
    input("claim `email`", "zqemail", "zqemail@example.org"),
    input("claim `upn`", "zqupn", "zqupn@example.org"),
    input("claim `oid`", "zqoid", "zqoid"),
    input("claim `preferred_username`", "zqpreferred", "zqpreferred@example.org"),
    input("claim `groups`", "zqgroups", "zqgroups"),
    input("claim `jti`", "zqjti", "zqjti"),
    input("other members of the token's header", "zqheadermember", "zqheadermember"),
    input("`kid` of an unknown key", "zqkid", "zqkid"),
    input("`sub` of an expired token", "zqexpired", "https://issuer.test/zqexpired"),
    input("`sub` of a token for another audience", "zqaudience", "https://issuer.test/zqaudience"),
    input("`sub` of a forged token", "zqforged", "zqforged"),
    input("`iss` of an unknown issuer", "zqissuer", "zqissuer"),
];

/// Sends every input. Each mark is in one request at least.
pub async fn send_all(
    fixture: &Fixture,
    authority: &Authority,
    address: SocketAddr,
) -> Vec<Response> {
    let person = authority.client("spiffe://example.org/zqcertificate");
    let mut responses = Vec::new();
    for request in requests(fixture) {
        responses.push(send(authority, &person, address, &request).await);
    }
    responses.extend(over_http2(fixture, address).await);
    responses
}

async fn send(
    authority: &Authority,
    person: &Client,
    address: SocketAddr,
    request: &Request,
) -> Response {
    let stream = authority.connect(IpAddr::V4(CLIENT), address, Some(person)).await.unwrap();
    Connection::over(stream, request).await
}

/// A good token with every claim.
fn token(fixture: &Fixture) -> String {
    let claims = claims_with(
        "zqsubject",
        json!({
            "name": "zqname", "email": "zqemail@example.org", "upn": "zqupn@example.org", "oid": "zqoid",
            "preferred_username": "zqpreferred@example.org", "groups": ["zqgroups"], "jti": "zqjti",
        }),
    );
    let header = json!({"alg": "ES256", "kid": "key-1", "typ": "JWT", "x-note": "zqheadermember"});
    fixture.signer.sign_with(header, &claims)
}

/// The headers of every request.
fn dressed(request: Request) -> Request {
    [
        ("user-agent", "zqagent/1"),
        ("x-forwarded-for", "203.0.113.77"),
        ("x-request-id", "zqrequestid"),
        ("x-ms-client-request-id", "zqclientid"),
        ("azureml-model-deployment", "zqdeployment"),
        ("x-client-trace-id", "zqtraceid"),
        ("x-envoy-downstream-service-cluster", "zqcluster"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "vendor=zqtracestate"),
        ("baggage", "user=zqbaggage"),
        ("referer", "https://zqreferer.example/"),
        ("cookie", "session=zqcookie"),
        ("origin", "https://zqorigin.example"),
        ("x-auth-identity", "zqspoofed"),
        ("x-note", "zqnote"),
        ("content-type", "application/json"),
    ]
    .into_iter()
    .fold(request.host("zqhost.example.com"), |request, (name, value)| request.header(name, value))
}

fn requests(fixture: &Fixture) -> Vec<Request> {
    let now = mint::now();
    let score = |token: &str| dressed(Request::post("/score?user=zqquery", "{}")).bearer(token);
    let with = |subject: &str, changes: Value| score(&fixture.token_with(subject, changes));
    let forged = Signer::new("ES256", "key-1").sign(&mint::claims("zqforged"));
    let unknown = Signer::new("ES256", "zqkid").sign(&mint::claims("someone"));
    let named = "/api/v1/endpoint/zqendpoint/score?user=zqquery";
    let body = r#"{"data": ["zqbody"]}"#;
    let good = dressed(Request::post(named, body)).bearer(token(fixture));
    let preflight = dressed(Request::new("OPTIONS", named))
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "zqcorsheader");
    // The limit has a burst of two.
    [good.clone(), with_trailer(good.clone()), good]
        .into_iter()
        .chain([
            preflight,
            dressed(Request::get("/zqelsewhere?user=zqquery")),
            // Envoy answers this one.
            dressed(Request::get("/zqelsewhere%2Fa?user=zqquery")),
            dressed(Request::post(named, body)),
            dressed(Request::post(named, body)).header("authorization", "Digest zqcredentials"),
            score("zqmalformed.zqmalformed.zqmalformed"),
            score(&unknown),
            score(&forged),
            with("zqexpired", json!({"iat": now - 900, "nbf": now - 900, "exp": now - 300})),
            with("zqaudience", json!({"aud": "another"})),
            with("someone", json!({"iss": "https://zqissuer.example"})),
            with("someone", json!({"aud": null})),
            dressed(Request::post("/guarded", r#"{"data": ["zqbody"], "model": "zqmodel"}"#))
                .bearer(fixture.token("guest")),
            dressed(Request::post("/guarded", "{\"data\": \"zqbody"))
                .bearer(fixture.token("guest")),
        ])
        .collect()
}

fn with_trailer(request: Request) -> Request {
    let mut request = request.chunked(1024);
    let end = request.body.len() - b"\r\n".len();
    request.body.splice(end..end, *b"x-checksum: zqtrailer\r\n");
    request
}

/// A method that HTTP/1.1 does not have, calls of gRPC with and without a token, and trailers.
async fn over_http2(fixture: &Fixture, address: SocketAddr) -> Vec<Response> {
    let odd = dressed(Request::new("ZQMETHOD", "/score"));
    let call = dressed(Request::new("POST", "/zqservice.Scores/Score")).h2();
    let mut responses = Vec::new();
    responses.push(client::send_h2(address, odd.h2()).await);
    for token in [None, Some(fixture.token("guest"))] {
        let mut call = call.clone();
        let headers = call.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        if let Some(token) = token {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let fields = [("x-checksum".parse().unwrap(), HeaderValue::from_static("zqtrailer"))];
        let fields = HeaderMap::from_iter(fields);
        let body = Full::new(Bytes::from_static(b"zqbody"))
            .with_trailers(std::future::ready(Some(Ok::<_, Infallible>(fields))));
        responses.push(client::send_h2_with(address, call.map(|_| body)).await);
    }
    responses
}
