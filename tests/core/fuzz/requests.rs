//! Paths, authorities, headers, and templates filled from them.

use tollgate::caller::tags::sanitise;
use tollgate::gate::judged::Decision;
use tollgate::gate::verdict::Verdict;
use tollgate::policy::owned::OwnedHeaders;
use tollgate::reason::Reason;
use tollgate::request::headers::Headers;
use tollgate::request::host::Authority;
use tollgate::request::path;
use tollgate::request::token_source::{self, Found};
use tollgate::template::{ClaimRef, Filled, Part, PartValue, Scope, Template};

use super::host_option::HostOption;
use super::{judge, policy};

/// A path with one reading reaches the open rule only if that reading is an open path.
pub fn paths(data: &[u8]) {
    let bare = path::without_query(data);
    assert!(!bare.contains(&b'?') && !bare.contains(&b'#'));
    let _ = path::without_parameters(data);
    let headers = Headers::from_pairs(&[
        (&b":method"[..], &b"GET"[..]),
        (b":authority", b"ml"),
        (b":path", data),
    ]);
    judge(&headers, |decision| opened(bare, decision));
}

/// An authority: a request without a token passes only if it passes in each way in which Envoy
/// compares hosts, and is refused if some way reads a closed host.
pub fn authority(data: &[u8]) {
    // The first byte is the port that the listener has, the rest the authority.
    let (listener, given) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
    let listener = u16::from(listener);
    let read = Authority::parse(given);
    if let Some(read) = read {
        assert_eq!(read.whole(), given);
        assert!(given.starts_with(read.host()) && !read.host().is_empty());
        assert_eq!(Authority::parse(read.host()).map(|again| again.host()), Some(read.host()));
    }
    let Ok(text) = std::str::from_utf8(given) else {
        assert!(read.is_none(), "{}", given.escape_ascii());
        return;
    };
    for option in HostOption::ALL {
        let seen = option.seen(text, listener);
        let host = option.compared(&seen);
        let headers = Headers::from_pairs(&[
            (":method", "GET"),
            (":authority", seen.as_str()),
            (":path", "/by-host"),
        ]);
        judge(&headers, |decision| {
            let below = |suffix: &str| host.len() > suffix.len() && host.ends_with(suffix);
            let reason = decision.verdict.reason();
            let rule = decision.facts.rule.as_ref().map(|rule| rule.name.as_str());
            if matches!(decision.verdict, Verdict::Allow(_)) {
                let open = host == "public.example.com" || below(".public.example.com");
                assert!(open, "{option:?}: {text} opened as {host}");
            }
            if host == "secret.example.com" || below(".internal.example.com") {
                let closed = rule == Some("secret") || reason == Reason::HostAmbiguous;
                assert!(closed, "{option:?}: {text} is {host}, {reason:?} by {rule:?}");
            }
            let flawed = !seen.is_empty() && Authority::parse(seen.as_bytes()).is_none();
            assert!(!flawed || reason == Reason::HostAmbiguous, "{seen}");
        });
    }
}

/// A broken buffer is read up to the break; every spelling of an owned header is stripped.
pub fn header_map(data: &[u8]) {
    let broken = Headers::from_buffer(data.to_vec());
    let pairs: Vec<_> = broken.iter().collect();
    let whole = Headers::from_pairs(&pairs);
    assert!(whole.iter().eq(pairs.iter().copied()));
    let owned = OwnedHeaders::of(policy());
    let lines = lines(data);
    let headers = Headers::from_pairs(&lines);
    let stripped: Vec<&[u8]> = owned.to_strip(&headers).collect();
    let left = headers.without(|name| owned.owns(name));
    assert_eq!(left.iter().count() + stripped.len(), lines.len());
    assert_eq!(owned.to_strip(&left).count(), 0);
    let folded = |name: &[u8]| -> Vec<u8> {
        let fold = |byte: &u8| match byte.is_ascii_alphanumeric() {
            true => byte.to_ascii_lowercase(),
            false => b'-',
        };
        name.iter().map(fold).collect()
    };
    for (name, value) in &lines {
        let name_folded = folded(name);
        if name_folded == b"x-auth-subject" || name_folded.starts_with(b"x-tollgate-") {
            assert!(stripped.contains(&&name[..]), "{}", name.escape_ascii());
        }
        let safe = sanitise(&String::from_utf8_lossy(value));
        assert!(safe.len() <= 1024 && safe.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
    }
}

/// A request with any headers: without a signature only an open path passes, and a removed token is
/// not found again.
pub fn verdict(data: &[u8]) {
    let mut pairs = lines(data);
    for (name, value) in [(":method", "GET"), (":authority", "ml"), (":path", "/score")] {
        if !pairs.iter().any(|(given, _)| given == name.as_bytes()) {
            pairs.push((name.into(), value.into()));
        }
    }
    let headers = Headers::from_pairs(&pairs);
    let path = headers.value(":path").unwrap_or_default();
    judge(&headers, |decision| opened(path::without_query(path), decision));
    for rewrite in token_source::removal(&headers, &policy().token, true) {
        pairs.retain(|(name, _)| *name != rewrite.name);
        let name = rewrite.name;
        pairs.extend(rewrite.values.into_iter().map(|value| (name.clone(), value)));
    }
    let rest = Headers::from_pairs(&pairs);
    if let Found::One(token) = token_source::find(&rest, &policy().token) {
        assert!(token.is_empty(), "{}", token.escape_ascii());
    }
}

/// A template that is read has parts, and none that is empty text.
pub fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(template) = Template::parse(text) {
        assert!(!template.parts().is_empty());
    }
}

/// Two fillings of one template: the lines of the input are the template and the values of `{a}`,
/// `{b}` and `{c}`, first of the one, then of the other. Different parts yield different identities,
/// bucket keys and header values; equal parts yield equal ones.
pub fn identity(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
    let mut next = || lines.next().unwrap_or_default().into_owned();
    let Ok(template) = Template::parse(&next()) else { return };
    let fillings = [[next(), next(), next()], [next(), next(), next()]].map(Filling);
    let asked = |part: &Part| fillings.each_ref().map(|filling| filling.text(part));
    let parts = template.parts().iter().filter(|part| !matches!(part, Part::Text(_)));
    let mut differ = false;
    for part in parts {
        match asked(part) {
            [Some(one), Some(other)] => differ |= one != other,
            _ => return,
        }
    }
    let [identities, keys, shown] = [0, 1, 2].map(|kind| {
        fillings.each_ref().map(|filling| {
            let mut out = String::new();
            match kind {
                1 => assert!(template.render_key(filling, &mut out)),
                _ => assert_ne!(template.identify(filling, &mut out), Filled::Absent),
            }
            if kind == 2 { sanitise(&out) } else { out }
        })
    });
    assert_eq!(keys[0] != keys[1], differ, "{keys:?}");
    if template.is_separable() {
        assert_eq!(identities[0] != identities[1], differ, "{identities:?}");
    }
    assert_eq!(shown[0] != shown[1], identities[0] != identities[1], "{shown:?}");
    let [one, other] = [&fillings[0].0[0], &fillings[1].0[0]];
    assert_eq!(sanitise(one) != sanitise(other), one != other, "{one:?} {other:?}");
    for text in shown {
        assert!(text.len() <= 1024 && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        assert_eq!(text.trim(), text);
    }
}

/// The values of the claims `a`, `b` and `c`.
struct Filling([String; 3]);

impl Filling {
    fn text(&self, part: &Part) -> Option<&str> {
        let Part::Claim(ClaimRef::Name(name)) = part else { return None };
        let index = ["a", "b", "c"].iter().position(|known| known == name)?;
        Some(&self.0[index])
    }
}

impl Scope for Filling {
    fn value(&self, part: &Part) -> Option<PartValue<'_>> {
        self.text(part).map(|text| PartValue::Text(text.into()))
    }
}

/// Without a verified caller, an allowed request has an open path of one reading.
fn opened(path: &[u8], decision: &Decision) {
    assert!(decision.facts.caller.is_none());
    if matches!(decision.verdict, Verdict::Allow(_)) {
        assert!(!path::ambiguous(path), "{}", path.escape_ascii());
        let open = [&b"/open"[..], b"/maybe", b"/by-host"].contains(&path);
        // Parameters and escapes without need open nothing that the plain path would not.
        assert!(open || path.starts_with(b"/public"), "{}", path.escape_ascii());
    }
}

/// `name: value` lines.
fn lines(data: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pair = |line: &[u8]| {
        let colon = line.iter().skip(1).position(|byte| *byte == b':')? + 1;
        Some((line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii().to_vec()))
    };
    data.split(|byte| *byte == b'\n').take(64).filter_map(pair).collect()
}
