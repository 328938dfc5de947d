//! The fields that receivers over gRPC get.

use support::eventually;
use support::grpc::Receiver;
use support::prelude::*;
use support::sample::Sample;

use super::definition::{Source, definition, required};
use super::world::{Started, World, configuration};

const DEMO: &str = "envoy/envoy.yaml";

/// The demo with a part of `envoy/telemetry`, the calls of a world through it, and the values that
/// the receiver must get for each. Envoy sends them as long as it runs.
async fn run(part: &str, receiver: &Receiver) -> Option<(Vec<Value>, Started)> {
    let config = configuration(&support::sample::read(DEMO));
    let world = World::of(&config).await?;
    let fixture = &world.fixture;
    let sample = Sample::load_file(DEMO, fixture.upstream.address());
    let sample = sample.with(part, receiver.address()).for_envoy(&fixture.binary);
    let started = world.start(serde_json::from_str(&sample.text()).unwrap()).await;
    let mut expected = Vec::new();
    for (number, call) in world.calls().iter().enumerate() {
        expected.push(world.send(&started, number, call).await);
    }
    Some((expected, started))
}

/// A protobuf number: seven bits in each byte, and whether more follow.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0)? + 1;
    let (digits, rest) = bytes.split_at(length);
    Some((digits.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f)), rest))
}

/// The content of a field with this number at the start of a message, if it has a length.
fn member(field: u8, bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = number(bytes.strip_prefix(&[field << 3 | 2])?)?;
    rest.get(..length)
}

/// The values of a name in every map of the messages: an entry is a message of a key (field 1) and a
/// value (field 2), and so is an attribute of OpenTelemetry.
fn values<'m>(messages: &'m [u8], name: &str) -> Vec<&'m [u8]> {
    let length = u8::try_from(name.len()).unwrap();
    let key = [&[0x0a, length], name.as_bytes()].concat();
    let starts = messages.windows(key.len()).enumerate().filter(|(_, part)| *part == key);
    starts.filter_map(|(at, _)| member(2, &messages[at + key.len()..])).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// All of the messages, once they have this many values of the name.
async fn received(receiver: &Receiver, method: &str, name: &str, count: usize) -> Vec<u8> {
    let all = async || {
        let messages = receiver.received(method);
        (values(&messages, name).len() >= count).then_some(messages)
    };
    eventually(all).await.expect(method)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_of_open_telemetry_gets_every_field_as_an_attribute() {
    let collector = Receiver::start().await;
    let Some((expected, _started)) = run("opentelemetry", &collector).await else { return };
    let messages = received(&collector, "LogsService/Export", "Time", expected.len()).await;
    for name in required() {
        // AnyValue.string_value
        let values = values(&messages, &name).into_iter().map(|value| member(1, value).unwrap());
        let values: Vec<_> =
            values.map(|value| String::from_utf8(value.to_vec()).unwrap()).collect();
        assert_eq!(values.len(), expected.len(), "{name}");
        for (value, expected) in values.iter().zip(&expected) {
            match &expected[&name] {
                Value::Null if expected.get(&name).is_some() => assert_eq!(value, "-", "{name}"),
                Value::Null => assert!(!value.is_empty(), "{name}"),
                known => assert_eq!(*value, text(known), "{name}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_service_gets_every_field_and_a_path_with_its_query() {
    let service = Receiver::start().await;
    let Some((expected, _started)) = run("grpc-access-log", &service).await else { return };
    let method = "AccessLogService/StreamAccessLogs";
    let count = expected.len();
    let messages = received(&service, method, "wasm.tollgate.decision", count).await;
    for field in definition() {
        let known = expected.iter().filter_map(|line| line.get(&field.name));
        let known: Vec<_> = known.filter(|value| !value.is_null()).map(text).collect();
        let found: Vec<_> = match field.source() {
            // A message of any type: the type, then the value.
            Source::State(state) => {
                let any = values(&messages, &state).into_iter();
                any.map(|any| known.iter().find(|k| any.ends_with(k.as_bytes())).cloned()).collect()
            }
            Source::Header(header) => {
                let all = values(&messages, &header).into_iter();
                all.map(|value| String::from_utf8(value.to_vec()).ok()).collect()
            }
            Source::Message => continue,
        };
        assert_eq!(found, known.into_iter().map(Some).collect::<Vec<_>>(), "{}", field.name);
    }
    for own in ["/score?code=secret", "audit/1", "127.0.0.1", "via_upstream", "tollgate_expired"] {
        assert!(messages.windows(own.len()).any(|part| part == own.as_bytes()), "{own}");
    }
}
