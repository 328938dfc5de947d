//! Receivers of logs and spans over gRPC.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_of_open_telemetry_gets_lines_and_spans_with_identity_and_reason() {
    let Some(fixture) = Fixture::new("ES256").await else { return };
    let collector = Receiver::start().await;
    let sample = sample(&fixture).with("opentelemetry", collector.address());
    let envoy = start(&fixture, sample).await;
    trace_of_one_limited_call(&fixture, &envoy).await;
    for method in ["LogsService/Export", "TraceService/Export"] {
        assert_received(&collector, method, full_spans(&fixture)).await;
        let secret = contains(&collector.received(method), b"code=secret");
        assert!(!secret || !full_spans(&fixture), "{method} has the query");
    }
}

async fn trace_of_one_limited_call(fixture: &Fixture, envoy: &Envoy) {
    // A query may contain a secret.
    let request = fixture.get("/once?code=secret", "alice");
    assert_eq!(envoy.send(&request).await.status, 200);
    assert_eq!(envoy.send(&request).await.status, 429);
}

async fn assert_received(receiver: &Receiver, method: &str, full_spans: bool) {
    let texts = ["https://issuer.test/alice", "rate_limited", "once", "deny"];
    let texts = if full_spans || !method.contains("Trace") { &texts[..] } else { &texts[..1] };
    let all = async || {
        let bytes = receiver.received(method);
        texts.iter().all(|text| contains(&bytes, text.as_bytes())).then_some(())
    };
    eventually(all).await.expect(method);
}
