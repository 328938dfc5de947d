//! Refused bodies and headers, with their reason.

use super::*;

#[test]
fn a_member_in_another_letter_case_is_refused_like_a_duplicate() {
    let guard = guard(&["/inputs/tokens", "/data"], &["/data", "/inputs"]);
    for body in [
        r#"{"data":[1],"Data":[1,2,3]}"#,
        r#"{"DATA":[1,2,3],"data":[1]}"#,
        r#"{"Data":[1]}"#,
        r#"{"data":[1],"\u0044ata":[2]}"#,
        r#"{"data":[1],"inputſ":{"tokens":[2]}}"#,
        r#"{"data":[1],"input\u017f":{"tokens":[2]}}"#,
        r#"{"inputs":{"tokens":[1],"to\u212aens":[2,3]}}"#,
        r#"{"inputs":{"tokens":[1],"toKens":[2,3]}}"#,
        r#"{"inputs":{"tokens":[1],"Tokens":[2,3]}}"#,
    ] {
        let verdict = judged(&guard, body);
        assert!(
            matches!(verdict, Err(Refusal::Malformed(Malformed { flaw: Flaw::Case, .. }))),
            "{verdict:?}: {body}"
        );
        assert_eq!(verdict.unwrap_err().reason(), Reason::PayloadMalformed);
    }
    for (body, want) in [
        // Elsewhere letter case does not matter.
        (r#"{"data":[1],"x":{"Data":[1,2],"data":1},"Other":1,"other":2}"#, 1),
        (r#"{"inputs":{"tokens":[1,2],"Data":[1]}}"#, 2),
        (r#"{"data":[1],"dat":[1,2],"dataa":[1,2],"datä":[1,2]}"#, 1),
    ] {
        assert_eq!(judged(&guard, body), Ok(want), "{body}");
    }
    // A pointer leads to each of them.
    let both = self::guard(&["/data", "/Data"], &[]);
    assert_eq!(judged(&both, r#"{"data":[1],"Data":[1,2]}"#), Ok(2));
}

#[test]
fn a_flaw_is_reported_with_its_offset() {
    let guard = Guard { max_rows: None, ..guard(&[], &["/data"]) };
    let malformed = |offset, flaw| Err(Refusal::Malformed(Malformed { offset, flaw }));
    let deep = "[".repeat(33);
    for (body, want) in [
        ("", Err(Refusal::NoBody)),
        (" ", malformed(1, Flaw::End)),
        (r#"{"data":1"#, malformed(9, Flaw::End)),
        (r#"{"data":1}}"#, malformed(10, Flaw::Trailing)),
        (r#"{"data":1,}"#, malformed(10, Flaw::Name)),
        (r#"{"data" 1}"#, malformed(8, Flaw::Colon)),
        (r#"{"data":01}"#, malformed(9, Flaw::Separator)),
        (r#"{"data":1.}"#, malformed(10, Flaw::Number)),
        (r#"{"data":nul}"#, malformed(11, Flaw::Literal)),
        (r#"{"data":"\x"}"#, malformed(10, Flaw::Escape)),
        (r#"{"data":"\ud800"}"#, malformed(15, Flaw::Surrogate)),
        (r#"{"data":"\udc00"}"#, malformed(14, Flaw::Surrogate)),
        ("{\"data\":\"\n\"}", malformed(9, Flaw::Control)),
        (r#"{"data":1,"d\u0061ta":2}"#, malformed(20, Flaw::Duplicate)),
        (r#"{"other":1,"other":2}"#, Err(Refusal::Lacking)),
        (r#"[{"data":1}]"#, Err(Refusal::Lacking)),
        (&deep, malformed(32, Flaw::Depth)),
    ] {
        for size in [1, 4, 1000] {
            assert_eq!(judge(&guard, body.as_bytes(), size), want, "{size}: {body}");
        }
    }
    let guard = self::guard(&[], &["/data"]);
    let many = format!(r#"{{"data":[{}1]}}"#, "1,".repeat(100));
    assert_eq!(judge(&guard, many.as_bytes(), 9), Err(Refusal::Rows(101)));
}

#[test]
fn a_body_is_refused_at_the_first_byte_too_many() {
    let guard = Guard { max_bytes: 10, ..guard(&[], &[]) };
    assert_eq!(judge(&guard, b"[1,2,3,45]", 3), Ok(4));
    for size in 1..12 {
        let mut check = guard.check(&Headers::default());
        let body = [b' '; 11];
        let outcomes: Vec<_> = body.chunks(size).map(|piece| check.feed(&guard, piece)).collect();
        let (last, before) = outcomes.split_last().unwrap();
        assert_eq!(*last, Err(Refusal::TooLarge { announced: false }), "{size}");
        assert!(before.iter().all(Result::is_ok));
    }
}

#[test]
fn headers_are_refused_before_the_body() {
    let json = ("content-type", "application/json");
    for (pairs, want) in [
        (vec![json], Ok(())),
        (vec![("content-type", "Application/JSON ; charset=\"UTF-8\"")], Ok(())),
        (vec![("content-type", "application/json;charset=utf-16")], Err(Refusal::Charset)),
        (vec![("content-type", "application/jsonx")], Err(Refusal::MediaType)),
        (vec![("content-type", "text/plain")], Err(Refusal::MediaType)),
        (vec![("content-type", "")], Err(Refusal::MediaType)),
        (vec![], Err(Refusal::MediaType)),
        (vec![json, json], Err(Refusal::MediaType)),
        (vec![json, ("content_type", "text/csv")], Err(Refusal::MediaType)),
        (vec![("content_type", "application/json")], Err(Refusal::MediaType)),
        (vec![json, ("content~encoding", "gzip")], Err(Refusal::Encoded)),
        (vec![json, ("content-encoding", "identity")], Ok(())),
        (vec![json, ("content-encoding", "gzip")], Err(Refusal::Encoded)),
        (vec![json, ("content-encoding", "identity, br")], Err(Refusal::Encoded)),
        (vec![json, ("content-length", "1048576")], Ok(())),
        (vec![json, ("content-length", "1048577")], Err(Refusal::TooLarge { announced: true })),
    ] {
        let headers = Headers::from_pairs(&pairs);
        assert_eq!(guard(&[], &[]).admit(&headers, false), want, "{pairs:?}");
    }
}

#[test]
fn a_request_without_a_body_is_refused_only_if_its_method_needs_one() {
    for (method, want) in [
        ("POST", Err(Refusal::NoBody)),
        ("GET", Ok(())),
        ("DELETE", Ok(())),
        // The rule of this guard does not name it.
        ("PUT", Ok(())),
    ] {
        let guard = guard(&["/data"], &["/data"]);
        let headers = Headers::from_pairs(&[(":method", method), ("content-type", "text/plain")]);
        assert_eq!(guard.admit(&headers, true), want, "{method}");
        assert_eq!(guard.check(&headers).finish(&guard), want.map(|()| 0), "{method}");
    }
}

#[test]
fn a_guard_that_reads_nothing_judges_any_body_by_its_size_and_type() {
    let types = |list: &[&str]| Some(list.iter().map(|&text| text.to_owned()).collect());
    let any = Guard { reads: false, content_types: None, max_bytes: 4, ..guard(&[], &[]) };
    let listed = Guard { content_types: types(&["audio/wav", "none"]), ..any.clone() };
    for (pairs, of_any, of_listed) in [
        (vec![], Ok(()), Ok(())),
        (vec![("content-type", "audio/wav")], Ok(()), Ok(())),
        (vec![("content-type", "audio/wav;charset=latin1")], Ok(()), Ok(())),
        (vec![("content-type", "audio/wav"), ("content-encoding", "gzip")], Ok(()), Ok(())),
        (vec![("content-type", "none")], Ok(()), Err(Refusal::MediaType)),
        (vec![("content-type", "audio/mp3")], Ok(()), Err(Refusal::MediaType)),
        (vec![("content_type", "audio/wav")], Ok(()), Err(Refusal::MediaType)),
    ] {
        let headers = Headers::from_pairs(&pairs);
        assert_eq!(any.admit(&headers, false), of_any, "{pairs:?}");
        assert_eq!(listed.admit(&headers, false), of_listed, "{pairs:?}");
    }
    assert_eq!(judge(&any, b"\xff\0{[", 3), Ok(0));
    assert_eq!(judge(&any, b"12345", 3), Err(Refusal::TooLarge { announced: false }));
}

#[test]
fn an_upgrade_has_no_body_to_wait_for() {
    let guard = Guard { content_types: None, ..guard(&["/data"], &[]) };
    let upgrade = ("upgrade", "websocket");
    let asked = ("connection", "keep-alive, Upgrade");
    for (headers, want) in [
        (vec![upgrade], Err(Refusal::NoBody)),
        (vec![upgrade, asked, ("content-length", "2")], Err(Refusal::NoBody)),
        (vec![upgrade, asked, ("transfer-encoding", "chunked")], Err(Refusal::NoBody)),
        // Without the option there is no upgrade.
        (vec![upgrade, ("content-length", "2")], Ok(())),
        (vec![upgrade, ("transfer-encoding", "chunked")], Ok(())),
        (vec![], Ok(())),
    ] {
        assert_eq!(guard.admit(&Headers::from_pairs(&headers), false), want, "{headers:?}");
    }
}
