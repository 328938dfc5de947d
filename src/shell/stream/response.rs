//! The response to a request, and the end of the stream.

use proxy_wasm::types::MapType;

use super::Stream;
use crate::reply;
use crate::shell::host;

impl Stream {
    /// Adds the fields of the limits to the response to an allowed request. `end`: it ends with its headers.
    pub fn take_response_headers(&self, end: bool) {
        self.answered_early();
        let mut state = self.state.borrow_mut();
        let limits = std::mem::take(&mut state.limits);
        reply::rate_limit_fields(&limits, &self.worker().policy, &mut |name, value| {
            let map = MapType::HttpResponseHeaders;
            let _ = host::header_replace(map, name.as_bytes(), value.as_bytes());
        });
        state.bill.begin();
        drop(state);
        if end {
            self.read_response(0, true);
        }
    }

    /// Reads the cost of a response that is charged. `size`: the bytes that the host holds of its body.
    pub fn read_response(&self, size: usize, end: bool) {
        let mut state = self.state.borrow_mut();
        if state.bill.is_empty() {
            return;
        }
        if let Some(cost) = state.bill.read(size, end) {
            self.worker().telemetry.usage(cost);
        }
    }
}

/// The host deletes the context of a stream once, however the stream ended: answered, reset, timed out or
/// refused. If the VM dies, no context is deleted, and the places in flight expire.
impl Drop for Stream {
    fn drop(&mut self) {
        let worker = &self.traffic.worker;
        let mut state = self.state.borrow_mut();
        if let Some(histograms) = state.histograms {
            histograms.record(&state.received, state.rows);
        }
        if let Some(lease) = state.lease.take() {
            worker.telemetry.count_store(&worker.buckets.release(lease));
        }
        if !state.bill.is_empty() {
            if state.bill.is_redirected() {
                state.bill.withdraw();
            }
            state.bill.settle(&worker.buckets, &worker.telemetry);
        }
    }
}
