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

    /// Records a stream that ends, by the numbers that the proxy's access log has at this time:
    /// `%BYTES_RECEIVED%`, `%BYTES_SENT%` and the time from the first byte sent to the upstream to the last one
    /// received from it, which a request that was not sent does not have. `rows`: those of the body, if it has any.
    pub fn record(self, rows: Option<u64>) {
        // `request.size` would be what the caller announced.
        let request = number(b"request\0total_size").zip(number(b"request\0headers_bytes"));
        let values = [
            request.map(|(all, headers)| all.saturating_sub(headers)),
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
