//! JSONTestSuite (nst/JSONTestSuite) through the body guard, natively, and through the readers of claims;
//! `e2e_payload` sends the same files through a real Envoy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../benches/bodies/random.rs"]
mod random;
#[path = "../benches/bodies/replies.rs"]
mod replies;
#[path = "../benches/bodies/requests.rs"]
mod requests;

use serde_json::Value;
use support::json_suite::{files, passes};
use tollgate::body::json::pointers::Pointers;
use tollgate::body::meter::ResponseMeter;
use tollgate::body::{Guard, IncludeUsage, Refusal};
use tollgate::reason::Reason;
use tollgate::request::headers::Headers;
use tollgate::verify::json;

/// The bytes of each body of the benchmark, about.
const SIZE: usize = 3000;

fn guard(max_depth: usize) -> Guard {
    Guard {
        include_usage: IncludeUsage::Off,
        reads: true,
        needs_body: vec!["POST".to_owned()],
        content_types: None,
        max_bytes: 64 << 20,
        max_depth,
        max_rows: None,
        pointers: Pointers::new([&["data".to_owned()][..]]),
        required: 1..1,
    }
}

fn judge(guard: &Guard, body: &[u8], size: usize) -> Result<u64, Refusal> {
    let mut check = guard.check(&Headers::from_pairs(&[(":method", "POST")]));
    body.chunks(size).try_for_each(|piece| check.feed(guard, piece))?;
    check.finish(guard)
}

#[test]
fn every_file_of_the_suite_is_decided_as_stated_however_it_is_cut() {
    let guard = guard(1024);
    let Some(files) = files() else { return };
    assert!(files.len() > 300, "{}", files.len());
    for (name, body) in files {
        for size in [1, 2, 3, 5, 64, usize::MAX] {
            let verdict = judge(&guard, &body, size);
            assert_eq!(verdict.is_ok(), passes(&name), "{name} cut at {size}: {verdict:?}");
        }
    }
}

#[test]
fn every_body_of_the_benchmark_is_read_alike_at_every_cut() {
    for requests::Request { name, guard, body } in requests::all() {
        let read = |pieces: &[&[u8]]| {
            let mut check = guard.check(&Headers::default());
            pieces.iter().try_for_each(|piece| check.feed(&guard, piece))?;
            let rows = check.finish(&guard)?;
            let model = check.captured(&guard, &["model".to_owned()]).map(<[u8]>::to_vec);
            Ok::<_, Refusal>((rows, model))
        };
        let bytes = body.as_bytes();
        let want = read(&bytes.chunks(1).collect::<Vec<_>>());
        assert!(want.is_ok(), "{name}: {want:?}");
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(read(&[first, second]), want, "{name} cut at {cut}");
            let complete = cut == 0 || cut == bytes.len();
            assert_eq!(read(&[first]).is_ok(), complete, "{name} up to {cut}");
        }
    }
    for replies::Reply { name, preset, content_type, body } in replies::all() {
        let sums = preset.measure().unwrap();
        let read = |pieces: &[&[u8]]| {
            let mut meter = ResponseMeter::new(&sums, content_type.as_bytes());
            pieces.iter().for_each(|piece| meter.feed(&sums, piece));
            meter.finish(&sums)
        };
        let bytes = body.as_bytes();
        let want = read(&bytes.chunks(1).collect::<Vec<_>>());
        assert!(want.is_some(), "{name}");
        for cut in 0..=bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(read(&[first, second]), want, "{name} cut at {cut}");
        }
    }
}

#[test]
fn every_file_of_the_suite_is_the_same_claim_to_both_readers() {
    let Some(files) = files() else { return };
    for (name, body) in files {
        let claims = [b"{\"claim\":", body.as_slice(), b"}"].concat();
        let usual = json::parse_object(&claims).map(Value::Object);
        let read = json::read_object(claims);
        assert_eq!(read.is_some(), usual.is_some(), "{name}");
        if let (Some(read), Some(usual)) = (read, usual) {
            assert!(passes(&name) && read.root() == usual, "{name}");
        }
    }
}

#[test]
fn nesting_is_bounded_by_the_configured_depth_alone() {
    for (brackets, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [1, 32, 1024] {
            let nested = |depth: usize| {
                let inside = if close == "]" { "" } else { "0" };
                [brackets.repeat(depth), inside.into(), close.repeat(depth)].concat()
            };
            let verdict = |body: &str| judge(&guard(depth), body.as_bytes(), 7);
            assert_eq!(verdict(&nested(depth)).map(|_| ()), Ok(()), "{depth}");
            for more in [depth + 1, 20_000] {
                let refusal = verdict(&nested(more)).unwrap_err();
                assert_eq!(refusal.reason(), Reason::DepthExceeded, "{depth} {more}");
            }
        }
    }
    let brackets = vec![b'['; 10 << 20];
    assert_eq!(judge(&guard(1024), &brackets, 4096).unwrap_err().reason(), Reason::DepthExceeded);
}
