//! The cost of a response: read while it passes, charged when it ends.

use proxy_wasm::types::{BufferType, MapType};

use super::body::PIECE;
use super::buckets::Buckets;
use super::host;
use super::store::SharedData;
use super::telemetry::Telemetry;
use crate::body;
use crate::body::meter::{Measure, ResponseMeter};
use crate::few::Few;
use crate::limit::plan::{End, Planned};
use crate::limit::{self, Counters};
use crate::request::headers::Headers;

/// The limits that a response is charged to.
#[derive(Default)]
pub struct Bill {
    charges: Few<Planned>,
    /// Reads the number of each charge, in their order; empty if the response cannot be read.
    meters: Vec<ResponseMeter>,
    /// Whether the response came to its end, or to an event after which clients leave it.
    whole: bool,
    /// Whether the head of a response has come.
    answered: bool,
    /// The upstream failed, or was never asked.
    failed: bool,
}

impl Bill {
    /// The limits that the response will be charged to.
    pub fn new(charges: Few<Planned>) -> Self {
        Self { charges, ..Self::default() }
    }

    /// Whether the response is not charged.
    pub fn is_empty(&self) -> bool {
        self.charges.is_empty()
    }

    /// Prepares to read a response whose headers have come.
    pub fn begin(&mut self) {
        self.answered = true;
        if self.charges.is_empty() || !self.meters.is_empty() {
            return;
        }
        let headers = Headers::from_buffer(host::header_pairs(MapType::HttpResponseHeaders));
        // A call of gRPC that failed before it had a response has its status here; the proxy itself answers so, too.
        let failed_call = headers.value("grpc-status").is_some_and(|status| status != b"0");
        self.failed |= failed_call || matches!(headers.value(":status"), Some([b'4' | b'5', ..]));
        if body::is_encoded(&headers) {
            return;
        }
        let content_type = headers.value("content-type").unwrap_or_default();
        let meter = |charge: &Planned| Some(ResponseMeter::new(measure(charge)?, content_type));
        self.meters = self.charges.iter().filter_map(meter).collect();
    }

    /// Reads the piece that the host is about to pass on, and holds nothing else of the body. At the `end`, and where
    /// clients may leave before it, returns the cost for the first limit.
    pub fn read(&mut self, size: usize, end: bool) -> Option<u64> {
        let mut seen = if self.meters.is_empty() { size } else { 0 };
        while seen < size {
            let piece = host::buffer(BufferType::HttpResponseBody, seen, (size - seen).min(PIECE));
            if piece.is_empty() {
                break;
            }
            seen += piece.len();
            for (charge, meter) in self.charges.iter().zip(&mut self.meters) {
                if let Some(measure) = measure(charge) {
                    meter.feed(measure, &piece);
                }
            }
        }
        self.whole = end || self.meters.first().is_some_and(ResponseMeter::is_done);
        let first = self.charges.first().filter(|_| self.whole)?;
        Some(first.charge(self.end(first, self.number(0))).0.cost)
    }

    /// The request does not reach the upstream after all.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// The request gets no response: what it has reserved is given back, and nothing else is charged.
    pub fn withdraw(&mut self) {
        let mut charges = Vec::from(std::mem::take(&mut self.charges));
        charges.retain(|charge| charge.reserved.is_some());
        *self = Self { failed: true, ..Self::new(Few::Many(charges)) };
    }

    /// Whether no response has come because the proxy follows a redirect of the upstream. It then begins anew with
    /// the request, and every filter sees it again.
    pub fn is_redirected(&self) -> bool {
        !self.answered
            && host::property(b"response\0code_details").as_deref() == Some(b"internal_redirect")
    }

    /// The end of the response for one charge. The number in an error counts where nothing was reserved.
    fn end(&self, charge: &Planned, found: Option<u64>) -> End {
        match found {
            _ if self.failed && charge.reserved.is_some() => End::Failed,
            Some(number) if self.whole => End::Told(number),
            Some(number) => End::Cut(number),
            None => End::Untold,
        }
    }

    /// The number that the response has so far for a charge.
    fn number(&self, index: usize) -> Option<u64> {
        let measure = measure(self.charges.get(index)?)?;
        self.meters.get(index)?.clone().finish(measure)
    }

    /// Charges a response that has ended, or that does not continue.
    pub fn settle(&self, buckets: &Buckets, telemetry: &Telemetry) {
        let Some(open) = buckets.opened() else { return };
        let mut counters = Counters::default();
        for (index, charge) in self.charges.iter().enumerate() {
            let (request, settlement) = charge.charge(self.end(charge, self.number(index)));
            let held = charge.held();
            limit::settle(&open.table, &SharedData, &host::now, &request, held, &mut counters);
            telemetry.count_charge(charge, settlement, request.cost);
        }
        telemetry.count_store(&counters);
    }
}

/// How a charge follows from the numbers in a response.
fn measure(charge: &Planned) -> Option<&Measure> {
    charge.limit.response_cost.as_ref().map(|cost| &cost.measure)
}
