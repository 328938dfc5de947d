//! What is left out when a response is read fast makes no difference to its number.

use serde_json::{Value, json};

use super::*;

/// The number as a reader finds it that checks every byte and leaves nothing out.
fn plain(measure: &Measure, content_type: &str, text: &[u8]) -> Option<u64> {
    let mut measure = measure.clone();
    measure.sieve = Sieve::default();
    let mut meter = ResponseMeter::new(&measure, content_type.as_bytes());
    meter.document = Document::strict(&measure);
    text.chunks(1).for_each(|piece| meter.feed(&measure, piece));
    meter.finish(&measure)
}

/// The number when the text is cut at these places.
fn fast(measure: &Measure, content_type: &str, text: &[u8], sizes: &[usize]) -> Option<u64> {
    let mut meter = ResponseMeter::new(measure, content_type.as_bytes());
    let (mut rest, mut sizes) = (text, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().map_or(rest.len(), |size| rest.len().min(*size));
        let (piece, after) = rest.split_at(size);
        meter.feed(measure, piece);
        rest = after;
    }
    meter.finish(measure)
}

/// A document: members with the names of pointers and others, at any depth.
fn document() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("total_tokens".to_owned()),
        Just("\"total_tokens\":3\\".to_owned()),
        Just("data: {\"n\":1}\n\n".to_owned()),
        "[\\\\\"{}\\[\\]:,\n\r a-zé€\u{0}😀]{0,24}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u16>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    let name = prop_oneof![
        3 => prop::sample::select(vec!["usage", "message", "total_tokens", "output_tokens", "n", "x"])
            .prop_map(str::to_owned),
        1 => text,
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

/// The text of a document, with some letters of names as escapes.
fn spelled(document: &Value, how: u8) -> String {
    let text = document.to_string();
    match how {
        0 => text.replace("tokens\"", "token\\u0073\""),
        1 => text.replace("usage", "us\\u0061ge").replace('é', "\\u00e9"),
        2 => text.replace(':', " : ").replace(',', " , "),
        _ => text,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_fast_reader_finds_the_number_of_one_that_checks_all(
        documents in prop::collection::vec((document(), 0..6_u8), 1..6),
        framing in 0..5_u8,
        junk in prop::sample::select(vec!["", ": ping\n\n", "event: x\nid\n", "retry: 1\r\n\r\n", "\n"]),
        pointers in prop::sample::select(vec![
            vec!["/usage/total_tokens", "/message/usage/total_tokens"],
            vec!["/usage/output_tokens", "/n"],
            vec!["/usage", "/x/0/n"],
            vec!["/message", "/message/n", "/1/n"],
            vec!["/é", "/usage/total_tokens"],
            vec!["/usage/1", "/0"],
            vec!["/x/2", "/n"],
        ]),
        sizes in prop::collection::vec(1..200_usize, 1..5),
    ) {
        let texts: Vec<String> = documents.iter().map(|(one, how)| spelled(one, *how)).collect();
        let (content_type, reply) = match framing {
            0 => (JSON, texts[0].clone()),
            1 => (JSON, format!("[{}]", texts.join(","))),
            2 => (LINE, texts.iter().map(|text| format!("{text}\n")).collect()),
            3 => (EVENTS, texts.iter().map(|text| format!("data: {text}\n\n{junk}")).collect()),
            _ => (EVENTS, texts.iter().map(|text| format!("{junk}data:{text}\r\n\r\n")).collect()),
        };
        let measure = measure(&[(&pointers, 1)]);
        let want = plain(&measure, content_type, reply.as_bytes());
        let got = fast(&measure, content_type, reply.as_bytes(), &sizes);
        prop_assert_eq!(got, want, "{}", &reply);
        prop_assert_eq!(fast(&measure, content_type, reply.as_bytes(), &[]), want, "{}", reply);
    }
}

#[test]
fn an_element_of_an_array_is_found_without_a_name() {
    for (pointer, [first, last]) in
        [("/1", ["[1,2,3]", "[1,5,3]"]), ("/n/1", ["{\"n\":[1,2]}", "{\"n\":[1,5]}"])]
    {
        let measure = pointers(&[pointer]);
        for (content_type, reply) in
            framings(last).into_iter().filter(|(_, reply)| reply.contains("data:"))
        {
            let reply = reply.replace(FIRST, first);
            assert_eq!(fast(&measure, content_type, reply.as_bytes(), &[]), Some(5), "{reply}");
        }
        let lines = format!("{first}\n{last}\n");
        assert_eq!(fast(&measure, LINE, lines.as_bytes(), &[]), Some(5), "{lines}");
    }
}

#[test]
fn what_no_pointer_leads_into_is_neither_bounded_nor_checked() {
    let measure = pointers(&["/usage/n"]);
    let deep = |levels| format!("{}{}", "[{\"a\":".repeat(levels), "}]".repeat(levels));
    for inside in
        [&*deep(100_000), "[1,,2}", "{\"\u{1}\\x\":\"\\\\\",\"\\\"]\":[\"]\"]}", "[\"\\\"\"]"]
    {
        let reply = format!("{{\"choices\":{inside},\"usage\":{{\"n\":7}}}}");
        assert_eq!(fast(&measure, JSON, reply.as_bytes(), &[]), Some(7), "{inside:.60}");
        assert_eq!(fast(&measure, JSON, reply.as_bytes(), &[1, 2, 3]), Some(7), "{inside:.60}");
    }
    // What is cut in it has not come to its end.
    for cut in ["[1", "[\"]", "{\"a\":[]", "[\"\\\"]"] {
        let reply = format!("{{\"usage\":{{\"n\":7}},\"choices\":{cut}");
        assert_eq!(fast(&measure, JSON, reply.as_bytes(), &[]), None, "{cut}");
        assert_eq!(fast(&measure, JSON, format!("{reply}}}").as_bytes(), &[1]), None, "{cut}");
    }
}

#[test]
fn a_stream_of_many_kilobytes_has_the_number_of_its_last_event_with_one() {
    let measure = Preset::Any.measure().unwrap();
    let chunk = json!({"choices": [{"delta": {"content": "a \"discount\" and \u{1f600}\n"}}], "usage": null});
    let last = json!({"choices": [], "usage": {"total_tokens": 77}});
    for end in ["\n\n", "\r\n\r\n", "\r\r"] {
        for place in [0, 1, 150, 299] {
            let event = |index| {
                let data = if index == place { &last } else { &chunk };
                format!("event: e\ndata: {data}{end}").replace('\n', &end[..end.len() / 2])
            };
            let stream: String = (0..300).map(event).collect();
            for sizes in [&[][..], &[4096], &[61, 1000], &[16384]] {
                let got = fast(&measure, EVENTS, stream.as_bytes(), sizes);
                assert_eq!(got, Some(77), "{end:?} {place} {sizes:?}");
            }
        }
    }
}
