//! The histograms of `telemetry.histograms`, by rule: sizes, rows and time of the requests that passed.

use proxy_wasm::types::MetricType;

use super::host::{self, number};
use super::metrics;
use crate::limit::cost::Cost;
use crate::policy::rule::Rule;

/// The histograms of one rule, by the host's numbers: `tollgate_request_bytes`, `_response_bytes`, `_upstream_ms`
/// and, if its cost counts rows, `_rows`. `None` where the host refused one.
#[derive(Clone, Copy)]
pub struct Histograms([Option<u32>; 4]);

impl Histograms {
    /// Defines the histograms of a rule.
    pub fn of(rule: &Rule) -> Self {
        let define = |name| {
            let name = format!("tollgate_{name}.rule.{}", rule.name);
            metrics::define(MetricType::Histogram, &name)
        };
        let rows = matches!(rule.cost, Cost::Rows { .. }).then_some("rows");
        Self([
            define("request_bytes"),
            define("response_bytes"),
            define("upstream_ms"),
            rows.and_then(define),
        ])
    }

    /// Records a stream that ends. The size of the response and the time are those of the proxy's access log:
    /// `%BYTES_SENT%`, and the time from the first byte sent to the upstream to the last one received from it,
    /// which a request that was not sent does not have. `rows`: those of the body, if it has any.
    pub fn record(self, received: &Received, rows: Option<u64>) {
        let values = [
            Some(received.bytes),
            number(b"response\0size"),
            number(b"response\0backend_latency").map(|nanos| nanos / 1_000_000),
            rows,
        ];
        for (histogram, value) in self.0.into_iter().zip(values) {
            if let (Some(histogram), Some(value)) = (histogram, value) {
                host::record_metric(histogram, value);
            }
        }
    }
}

/// The bytes of a request's body. Envoy 1.36 has no property for them: `request.size` is what the caller
/// announced.
#[derive(Default)]
pub struct Received {
    /// All that the host has shown.
    bytes: u64,
    /// The part of it that the host no longer holds.
    gone: u64,
}

impl Received {
    /// The host shows the part of the body that it holds.
    pub fn shown(&mut self, size: usize) {
        self.bytes = self.gone.saturating_add(size as u64);
    }

    /// What was shown goes on.
    pub fn pass(&mut self) {
        self.gone = self.bytes;
    }
}
