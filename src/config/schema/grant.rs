//! The grants of a caller as written.

use super::record::record;
use super::unions::Scalar;

record! {
    /// Grants of a caller. All members must hold.
    RawGrant { "minProperties": 1 } [
        /// At least one of these roles.
        roles_any: Vec<String> { "minItems": 1 },
        /// All of these roles.
        roles_all: Vec<String> { "minItems": 1 },
        /// At least one of these scopes.
        scopes_any: Vec<String> { "minItems": 1 },
        /// All of these scopes.
        scopes_all: Vec<String> { "minItems": 1 },
        /// Member of at least one of these groups.
        groups_any: Vec<String> { "minItems": 1 },
        /// One of these clients (`azp`, `appid` or `client_id`).
        clients: Vec<String> { "minItems": 1 },
        /// Tests of single claims.
        claims: Vec<RawClaimTest> { "minItems": 1 },
    ]
}

record! {
    /// A claim and exactly one test.
    RawClaimTest { "minProperties": 2, "maxProperties": 2 } [
        /// The claim: a name, or a JSON Pointer if it starts with `/`.
        claim: String { "required": true, "minLength": 1 },
        /// The claim equals one of these values, or is a list that contains one of them.
        any_of: Vec<Scalar> { "minItems": 1 },
        /// The claim equals this value.
        equals: Scalar,
        /// The claim is a list that contains this value.
        contains: Scalar,
        /// Whether the claim must be present or absent.
        exists: bool,
    ]
}
