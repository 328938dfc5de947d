//! A host for native tests: it defines the calls that a proxy would, one host for each thread.

#![allow(unsafe_code, clippy::missing_safety_doc)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::slice;

use super::exports::proxy_on_memory_allocate;
use crate::request::headers::Headers;

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const BAD_ARGUMENT: u32 = 2;
const CAS_MISMATCH: u32 = 8;
const INTERNAL_FAILURE: u32 = 10;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A reply that the filter sent.
#[derive(Clone, Debug)]
pub struct SentReply {
    pub status: u32,
    pub headers: Pairs,
    pub body: Vec<u8>,
    pub grpc_status: i32,
}

/// Everything the host holds.
#[derive(Default)]
pub struct FakeHost {
    /// The root context of the configuration in use.
    pub root: u32,
    pub now: u64,
    pub configuration: Vec<u8>,
    /// The request of the stream that the calls are about.
    pub request: Pairs,
    /// Those of streams that wait, by their contexts.
    pub requests: HashMap<u32, Pairs>,
    /// Its trailers.
    pub trailers: Pairs,
    pub response: Pairs,
    /// What the host holds of the request's body.
    pub body: Vec<u8>,
    pub properties: HashMap<Vec<u8>, Vec<u8>>,
    pub filter_state: BTreeMap<String, Vec<u8>>,
    pub shared: HashMap<Vec<u8>, (Vec<u8>, u32)>,
    pub replies: Vec<SentReply>,
    pub log: Vec<String>,
    pub metrics: Vec<(String, i64)>,
    /// Milliseconds; 0 while none was asked for.
    pub tick_period: u32,
    /// The clusters called, in order; a call's number is its place, counted from 1.
    pub calls: Vec<String>,
    /// Whether calls are refused for want of a cluster.
    pub clusters_missing: bool,
    /// The answer to a call.
    pub answer: (Pairs, Vec<u8>),
    /// How often a request was let go on from outside its own callback.
    pub resumed: u32,
    /// When set, every call of the request path answers with this status and does nothing.
    pub failing: Option<u32>,
    /// When set, this one call answers with this status and does nothing.
    pub failing_call: Option<(&'static str, u32)>,
    /// The calls that were made.
    pub used: BTreeSet<&'static str>,
    /// Whether shared data answers with an internal failure.
    pub shared_data_fails: bool,
}

thread_local! {
    static HOST: RefCell<FakeHost> = RefCell::default();
}

/// Looks at, or changes, the host of this thread.
pub fn host<T>(with: impl FnOnce(&mut FakeHost) -> T) -> T {
    HOST.with(|host| with(&mut host.borrow_mut()))
}

/// Runs a call unless the host is told to fail.
fn answer(name: &'static str, call: impl FnOnce(&mut FakeHost) -> u32) -> u32 {
    host(|host| {
        host.used.insert(name);
        match (host.failing, host.failing_call) {
            (Some(status), _) => status,
            (_, Some((failing, status))) if failing == name => status,
            _ => call(host),
        }
    })
}

fn bytes(data: *const u8, size: usize) -> Vec<u8> {
    match data.is_null() {
        true => Vec::new(),
        false => unsafe { slice::from_raw_parts(data, size) }.to_vec(),
    }
}

fn give(value: Vec<u8>, data: *mut *mut u8, size: *mut usize) -> u32 {
    unsafe {
        *size = value.len();
        *data = proxy_on_memory_allocate(value.len());
        (*data).copy_from_nonoverlapping(value.as_ptr(), value.len());
    }
    OK
}

impl FakeHost {
    fn map(&mut self, map: u32) -> &mut Pairs {
        match map {
            0 => &mut self.request,
            1 => &mut self.trailers,
            6 => &mut self.answer.0,
            _ => &mut self.response,
        }
    }
}

fn owned(headers: &Headers) -> Pairs {
    headers.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_log(_: u32, data: *const u8, size: usize) -> u32 {
    let line = String::from_utf8_lossy(&bytes(data, size)).into_owned();
    // The hook sends a panic here, and the abort that follows takes the log along.
    if line.contains("panicked at") {
        eprintln!("{line}");
        return OK;
    }
    answer("proxy_log", |host| {
        host.log.push(line);
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32 {
    answer("proxy_get_current_time_nanoseconds", |host| {
        unsafe { *time = host.now };
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_buffer_bytes(
    kind: u32,
    start: usize,
    length: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    const REQUEST_BODY: u32 = 0;
    const RESPONSE_BODY: u32 = 1;
    const CALL_ANSWER: u32 = 4;
    const PLUGIN_CONFIGURATION: u32 = 7;
    answer("proxy_get_buffer_bytes", |host| {
        let all = match kind {
            REQUEST_BODY | RESPONSE_BODY => &host.body,
            CALL_ANSWER => &host.answer.1,
            PLUGIN_CONFIGURATION => &host.configuration,
            _ => return NOT_FOUND,
        };
        match all.get(start..) {
            Some(rest) => give(rest[..length.min(rest.len())].to_vec(), data, size),
            None => BAD_ARGUMENT,
        }
    })
}

/// As Envoy: a part is replaced at the beginning alone, and bytes behind the end are added to it.
#[unsafe(no_mangle)]
extern "C" fn proxy_set_buffer_bytes(
    _: u32,
    start: usize,
    length: usize,
    data: *const u8,
    size: usize,
) -> u32 {
    let new = bytes(data, size);
    answer("proxy_set_buffer_bytes", |host| match start {
        0 => {
            host.body.splice(..length.min(host.body.len()), new);
            OK
        }
        _ if start >= host.body.len() => {
            host.body.extend(new);
            OK
        }
        _ => BAD_ARGUMENT,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32 {
    answer("proxy_get_header_map_pairs", |host| {
        give(Headers::from_pairs(host.map(map)).as_bytes().to_vec(), data, size)
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32 {
    let key = bytes(key, key_size);
    answer("proxy_remove_header_map_value", |host| {
        host.map(map).retain(|(name, _)| *name != key);
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_replace_header_map_value(
    map: u32,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let (key, value) = (bytes(key, key_size), bytes(value, value_size));
    answer("proxy_replace_header_map_value", |host| {
        host.map(map).retain(|(name, _)| *name != key);
        host.map(map).push((key, value));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_add_header_map_value(
    map: u32,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let (key, value) = (bytes(key, key_size), bytes(value, value_size));
    answer("proxy_add_header_map_value", |host| {
        host.map(map).push((key, value));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_property(
    path: *const u8,
    path_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> u32 {
    let path = bytes(path, path_size);
    answer("proxy_get_property", |host| match host.properties.get(&path) {
        Some(value) => give(value.clone(), data, size),
        None => NOT_FOUND,
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_property(
    path: *const u8,
    path_size: usize,
    value: *const u8,
    value_size: usize,
) -> u32 {
    let path = String::from_utf8_lossy(&bytes(path, path_size)).into_owned();
    let value = bytes(value, value_size);
    answer("proxy_set_property", |host| {
        host.filter_state.insert(path, value);
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_get_shared_data(
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
    cas: *mut u32,
) -> u32 {
    let key = bytes(key, key_size);
    answer("proxy_get_shared_data", |host| match host.shared.get(&key) {
        _ if host.shared_data_fails => INTERNAL_FAILURE,
        Some((value, number)) => {
            unsafe { *cas = *number };
            give(value.clone(), data, size)
        }
        None => NOT_FOUND,
    })
}

/// CAS 0 overwrites blindly; a number that cannot match creates an absent key, as in Envoy.
#[unsafe(no_mangle)]
extern "C" fn proxy_set_shared_data(
    key: *const u8,
    key_size: usize,
    value: *const u8,
    value_size: usize,
    cas: u32,
) -> u32 {
    let (key, value) = (bytes(key, key_size), bytes(value, value_size));
    answer("proxy_set_shared_data", |host| {
        if host.shared_data_fails {
            return INTERNAL_FAILURE;
        }
        let next = match host.shared.get(&key) {
            Some((_, number)) if cas != 0 && cas != *number => return CAS_MISMATCH,
            Some((_, number)) => number + 1,
            None => 1,
        };
        host.shared.insert(key, (value, next));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_send_local_response(
    status: u32,
    _: *const u8,
    _: usize,
    body: *const u8,
    body_size: usize,
    headers: *const u8,
    headers_size: usize,
    grpc_status: i32,
) -> u32 {
    let headers = owned(&Headers::from_buffer(bytes(headers, headers_size)));
    let body = bytes(body, body_size);
    answer("proxy_send_local_response", |host| {
        host.replies.push(SentReply { status, headers, body, grpc_status });
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_define_metric(_: u32, name: *const u8, size: usize, id: *mut u32) -> u32 {
    let name = String::from_utf8_lossy(&bytes(name, size)).into_owned();
    answer("proxy_define_metric", |host| {
        unsafe { *id = host.metrics.len() as u32 };
        host.metrics.push((name, 0));
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, by: i64) -> u32 {
    answer("proxy_increment_metric", |host| {
        host.metrics[id as usize].1 += by;
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> u32 {
    answer("proxy_record_metric", |host| {
        host.metrics[id as usize].1 = value as i64;
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> u32 {
    answer("proxy_set_effective_context", |host| {
        if let Some(request) = host.requests.get(&context) {
            host.request = request.clone();
        }
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> u32 {
    answer("proxy_set_tick_period_milliseconds", |host| {
        host.tick_period = period;
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_continue_stream(_: u32) -> u32 {
    answer("proxy_continue_stream", |host| {
        host.resumed += 1;
        OK
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: u32,
    number: *mut u32,
) -> u32 {
    let cluster = String::from_utf8_lossy(&bytes(cluster, cluster_size)).into_owned();
    answer("proxy_http_call", |host| {
        if host.clusters_missing {
            return BAD_ARGUMENT;
        }
        host.calls.push(cluster);
        unsafe { *number = host.calls.len() as u32 };
        OK
    })
}

/// This host has no foreign functions.
#[unsafe(no_mangle)]
extern "C" fn proxy_call_foreign_function(
    _: *const u8,
    _: usize,
    _: *const u8,
    _: usize,
    _: *mut *mut u8,
    _: *mut usize,
) -> u32 {
    answer("proxy_call_foreign_function", |_| NOT_FOUND)
}

/// The calls that the SDK links but the filter never makes.
macro_rules! unused {
    ($($name:ident)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name() -> u32 {
            panic!(concat!("the filter does not call ", stringify!($name)))
        })*
    };
}

unused! {
    proxy_get_log_level
    proxy_set_header_map_pairs proxy_get_header_map_value
    proxy_register_shared_queue proxy_resolve_shared_queue proxy_dequeue_shared_queue
    proxy_enqueue_shared_queue proxy_close_stream
    proxy_grpc_call proxy_grpc_stream proxy_grpc_send proxy_grpc_cancel proxy_grpc_close
    proxy_get_status proxy_done proxy_get_metric
}
