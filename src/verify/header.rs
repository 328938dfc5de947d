//! The protected header of a token (RFC 7515 §4).

use super::algorithm::Algorithm;
use super::error::VerifyError;
use super::json::{self, Document};
use crate::base64url;

/// The members of a header that are used. `jwk`, `jku`, `x5u`, `x5c`, `x5t` and all others are
/// ignored, so that a token never brings or names its own key (CVE-2018-0114).
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub kid: Option<String>,
    /// `typ`.
    pub typ: Option<String>,
}

impl Header {
    /// Reads the base64url text of a header. A member that is null counts as absent, except the
    /// members that change the meaning of the token: `alg`, `crit`, `b64`, `zip` and `enc`.
    ///
    /// # Errors
    /// `Encoding`, `HeaderJson`, `HeaderMember`, `Encrypted`, `Compressed`, `Nested`,
    /// `CritUnsupported`, `AlgorithmNotAllowed`.
    pub fn parse(text: &[u8]) -> Result<Self, VerifyError> {
        let bytes = base64url::decode(text).ok_or(VerifyError::Encoding)?;
        let members = json::read_object(bytes).ok_or(VerifyError::HeaderJson)?;
        let member = |name| text_member(&members, name).map_err(VerifyError::HeaderMember);
        let alg = member("alg")?.ok_or(VerifyError::HeaderMember("alg"))?;
        // A hint (RFC 7515 §4.1.4); an empty `kid` names no key.
        let kid = member("kid")?.filter(|kid| !kid.is_empty());
        let typ = member("typ")?;
        if members.get("enc").is_some() {
            return Err(VerifyError::Encrypted);
        }
        if members.get("zip").is_some() {
            return Err(VerifyError::Compressed);
        }
        // RFC 7519 §5.2: with "JWT" the payload is another token.
        if member("cty")?.is_some_and(|cty| same_media_type(cty, "JWT")) {
            return Err(VerifyError::Nested);
        }
        // RFC 7515 §4.1.11: a verifier must understand each extension in `crit`; this one supports
        // none. RFC 7797 §6 requires `b64` in `crit`; a header without it is refused as well.
        let plain = members.get("b64").is_none_or(|b64| b64.as_bool() == Some(true));
        if members.get("crit").is_some() || !plain {
            return Err(VerifyError::CritUnsupported);
        }
        let algorithm =
            Algorithm::from_name(alg.as_bytes()).ok_or(VerifyError::AlgorithmNotAllowed)?;
        Ok(Self { algorithm, kid: kid.map(str::to_owned), typ: typ.map(str::to_owned) })
    }
}

/// A member of type string; one that is null counts as absent.
fn text_member<'d>(
    members: &'d Document,
    name: &'static str,
) -> Result<Option<&'d str>, &'static str> {
    match members.get(name).filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or(name),
    }
}

/// Whether two media types are equal. ASCII case does not count, and `application/` may be absent
/// if no other `/` follows (RFC 7515 §4.1.9).
pub fn same_media_type(one: &str, other: &str) -> bool {
    short(one).eq_ignore_ascii_case(short(other))
}

fn short(media_type: &str) -> &str {
    const PREFIX: &str = "application/";
    match (media_type.get(..PREFIX.len()), media_type.get(PREFIX.len()..)) {
        (Some(start), Some(rest)) if start.eq_ignore_ascii_case(PREFIX) && !rest.contains('/') => {
            rest
        }
        _ => media_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Header, VerifyError> {
        Header::parse(base64url::encode(json.as_bytes()).as_bytes())
    }

    #[test]
    fn the_members_in_use_are_taken_and_key_material_is_read_past() {
        let header = parse(
            r#"{"typ":"JWT","alg":"RS256","kid":"k","jwk":{"kty":"oct","k":""},
               "jku":"https://evil","x5u":"x","x5c":["y"],"x5t":"z","cty":"json","b64":true}"#,
        )
        .ok()
        .unwrap();
        assert_eq!(header.algorithm, Algorithm::Rs256);
        assert_eq!(header.kid.as_deref(), Some("k"));
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        for none in ["", r#","kid":"""#, r#","kid":null"#] {
            let header = parse(&format!(r#"{{"alg":"ES256"{none}}}"#)).ok().unwrap();
            assert!(header.kid.is_none(), "{none}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_for_its_own_reason() {
        use VerifyError::*;
        let table = [
            (r#"{}"#, HeaderMember("alg")),
            (r#"{"alg":1}"#, HeaderMember("alg")),
            (r#"{"alg":null}"#, HeaderMember("alg")),
            (r#"{"alg":["RS256"]}"#, HeaderMember("alg")),
            (r#"{"ALG":"RS256"}"#, HeaderMember("alg")),
            (r#"{"alg":"RS256","kid":1}"#, HeaderMember("kid")),
            (r#"{"alg":"RS256","kid":[]}"#, HeaderMember("kid")),
            (r#"{"alg":"RS256","typ":[]}"#, HeaderMember("typ")),
            (r#"{"alg":"RS256","cty":{}}"#, HeaderMember("cty")),
            (r#"{"alg":"none"}"#, AlgorithmNotAllowed),
            (r#"{"alg":"None"}"#, AlgorithmNotAllowed),
            (r#"{"alg":"nOnE"}"#, AlgorithmNotAllowed),
            (r#"{"alg":""}"#, AlgorithmNotAllowed),
            (r#"{"alg":"rs256"}"#, AlgorithmNotAllowed),
            (r#"{"alg":"RS256\u0000"}"#, AlgorithmNotAllowed),
            (r#"{"alg":"RS1"}"#, AlgorithmNotAllowed),
            (r#"{"alg":"RS256","crit":["exp"]}"#, CritUnsupported),
            (r#"{"alg":"RS256","crit":[]}"#, CritUnsupported),
            (r#"{"alg":"RS256","crit":null}"#, CritUnsupported),
            (r#"{"alg":"RS256","b64":null}"#, CritUnsupported),
            (r#"{"alg":"RS256","b64":false,"crit":["b64"]}"#, CritUnsupported),
            (r#"{"alg":"RS256","b64":false}"#, CritUnsupported),
            (r#"{"alg":"RS256","zip":"DEF"}"#, Compressed),
            (r#"{"alg":"RS256","zip":null}"#, Compressed),
            (r#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#, Encrypted),
            (r#"{"alg":"RS256","enc":null}"#, Encrypted),
            (r#"{"alg":"RS256","cty":"JWT"}"#, Nested),
            (r#"{"alg":"RS256","cty":"jwt"}"#, Nested),
            (r#"{"alg":"RS256","cty":"Application/Jwt"}"#, Nested),
            (r#"{"alg":"RS256","alg":"RS256"}"#, HeaderJson),
            (r#"["alg"]"#, HeaderJson),
            (r#"{"alg":"RS256"} "x""#, HeaderJson),
        ];
        for (json, error) in table {
            assert_eq!(parse(json).err(), Some(error), "{json}");
        }
        assert_eq!(Header::parse(b"e30=").err(), Some(Encoding));
    }

    #[test]
    fn null_members_and_an_empty_kid_of_a_token_are_absent() {
        let header = parse(
            r#"{"alg":"ES256","kid":null,"typ":null,"cty":null,"jwk":null,"x5c":null,"x":null}"#,
        );
        let header = header.ok().unwrap();
        assert_eq!((header.kid, header.typ), (None, None));
        assert_eq!(parse(r#"{"alg":"ES256","kid":""}"#).ok().unwrap().kid, None);
        let ed25519 = parse(r#"{"alg":"Ed25519"}"#).ok().unwrap();
        assert_eq!(ed25519.algorithm, Algorithm::EdDsa);
    }

    #[test]
    fn media_types_compare_without_case_and_without_application() {
        for (one, other, same) in [
            ("JWT", "jwt", true),
            ("at+jwt", "application/at+jwt", true),
            ("APPLICATION/AT+JWT", "at+JWT", true),
            ("application/a/b", "a/b", false),
            ("at+jwt", "jwt", false),
            ("text/jwt", "jwt", false),
            ("", "application/", true),
            ("é", "application/é", true),
        ] {
            assert_eq!(same_media_type(one, other), same, "{one} {other}");
        }
    }
}
