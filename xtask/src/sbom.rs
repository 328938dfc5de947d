//! The crates that are compiled into the module, as CycloneDX 1.5 JSON.
//!
//! They come from cargo's tree for the module's target, without build and development dependencies
//! and without macros, which run in the compiler. Link-time optimisation may drop a listed crate; the
//! module has none that is not listed.
//!
//! cargo-cyclonedx 0.5 does not replace this: it lists macros (`syn`, `serde_derive`) and the crates of
//! features that only the tests enable, and its references contain the path of the working directory.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;

use serde_json::{Value, json};

use crate::archive::sha256;
use crate::labels::Labels;
use crate::output;

/// Lists the crates of the module; the fields of a line are separated by `|`.
const TREE: &str = "tree --locked --package tollgate --target wasm32-wasip1 \
                    --edges normal,no-proc-macro --prefix depth --format |{p}|{l}|{r}";

/// The features of the module.
pub const ALL: &[&str] = &[];

/// The features of the module without a verifier.
pub const NO_VERIFIER: &[&str] = &["--no-default-features"];

/// A package by name and version.
type Id = (String, String);

/// A crate of the module.
#[derive(Debug, Default, PartialEq)]
struct Crate {
    license: String,
    repository: String,
    needs: BTreeSet<Id>,
}

/// The bill of a module that was built from the working directory with these features.
pub fn of(module: &[u8], features: &[&str], labels: &Labels) -> Result<Value, Box<dyn Error>> {
    let arguments: Vec<_> = TREE.split_whitespace().chain(features.iter().copied()).collect();
    let tree = output("cargo", &arguments)?;
    let (root, crates) = parse(&tree).ok_or("cargo tree: unknown format")?;
    let checksums = checksums_of(&fs::read_to_string("Cargo.lock")?);
    let digest = sha256(module);
    let reference = |id: &Id| match *id == root {
        true => format!("pkg:generic/tollgate@{}", labels.version),
        false => format!("pkg:cargo/{}@{}", id.0, id.1),
    };
    // One entry, or none if cargo does not know its text.
    let list = |text: &str, entry: Value| if text.is_empty() { json!([]) } else { json!([entry]) };
    let component = |(id, known): (&Id, &Crate)| {
        let sum = checksums.get(id).map_or("", String::as_str);
        json!({
            "type": "library",
            "bom-ref": reference(id),
            "name": id.0,
            "version": id.1,
            "purl": reference(id),
            "scope": "required",
            "licenses": list(&known.license, json!({"expression": known.license})),
            "hashes": list(sum, json!({"alg": "SHA-256", "content": sum})),
            "externalReferences": list(&known.repository, json!({"type": "vcs", "url": known.repository})),
        })
    };
    let components = crates.iter().filter(|(id, _)| **id != root).map(component);
    let needs = |known: &Crate| known.needs.iter().map(reference).collect::<Vec<_>>();
    let dependencies =
        crates.iter().map(|(id, known)| json!({"ref": reference(id), "dependsOn": needs(known)}));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": serial_number(&digest),
        "version": 1,
        "metadata": {
            "timestamp": labels.created()?,
            "component": {
                "type": "application",
                "bom-ref": reference(&root),
                "name": root.0,
                "version": labels.version,
                "licenses": [{"expression": "Apache-2.0"}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "externalReferences": [{"type": "vcs", "url": labels.source}],
                "properties": [{"name": "git.revision", "value": labels.revision}],
            },
        },
        "components": components.collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    }))
}

/// The root and all crates of a tree with lines `depth|name v1.2.3 …|license|repository`. A repeated
/// crate ends with ` (*)` and has its dependencies at its first line. `None` for another format.
fn parse(tree: &str) -> Option<(Id, BTreeMap<Id, Crate>)> {
    let mut crates = BTreeMap::<Id, Crate>::new();
    // The current line's ancestors, and then the line itself.
    let mut path: Vec<Id> = Vec::new();
    for line in tree.lines() {
        let mut fields = line.trim_end_matches(" (*)").split('|');
        path.truncate(fields.next()?.parse().ok()?);
        let mut words = fields.next()?.split(' ');
        let id = (words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned());
        // The slash is an old spelling that SPDX does not know.
        let license = fields.next()?.replace('/', " OR ");
        let repository = fields.next()?.to_owned();
        if let Some(parent) = path.last() {
            crates.get_mut(parent)?.needs.insert(id.clone());
        }
        let new = || Crate { license, repository, needs: BTreeSet::new() };
        crates.entry(id.clone()).or_insert_with(new);
        path.push(id);
    }
    Some((path.into_iter().next()?, crates))
}

/// The SHA-256 of each crate's archive in the registry, from the lock file.
fn checksums_of(lock: &str) -> BTreeMap<Id, String> {
    let field = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    let entry = |package: &str| {
        let id = (field(package, "name")?, field(package, "version")?);
        Some((id, field(package, "checksum")?))
    };
    lock.split("[[package]]").filter_map(entry).collect()
}

/// A UUID that is derived from the module, so that two bills of one module are equal.
fn serial_number(digest: &str) -> String {
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    // Version 8 (RFC 9562 §5.8): the bits are the maker's own.
    format!(
        "urn:uuid:{}-{}-8{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 15),
        part(15, 18),
        part(18, 30)
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    fn id(name: &str) -> Id {
        (name.to_owned(), "1.0.0".to_owned())
    }

    #[test]
    fn each_crate_of_a_tree_is_listed_once_with_its_own_dependencies() {
        let tree = "0|tollgate v1.0.0 (/src)|Apache-2.0|https://example.com\n\
                    1|a v1.0.0|MIT/Apache-2.0|\n2|b v1.0.0|MIT|\n3|c v1.0.0||\n\
                    1|b v1.0.0|MIT| (*)\n";
        let (root, crates) = parse(tree).unwrap();
        assert_eq!(root, id("tollgate"));
        let names: Vec<_> = crates.keys().map(|id| id.0.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "tollgate"]);
        assert_eq!(crates[&root].needs, [id("a"), id("b")].into());
        assert_eq!(crates[&id("b")].needs, [id("c")].into());
        assert_eq!(crates[&id("a")].license, "MIT OR Apache-2.0");
        assert_eq!(parse("tollgate v1.0.0"), None);
    }

    #[test]
    fn a_lock_file_gives_the_checksums_of_registry_packages() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"r\"\n\
                    checksum = \"abc\"\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";
        let found = checksums_of(lock);
        assert_eq!(found, BTreeMap::from([(("a".into(), "1.0.0".into()), "abc".into())]));
    }

    #[test]
    fn a_serial_number_is_a_uuid() {
        let number = serial_number(&"ab".repeat(32));
        assert_eq!(number, "urn:uuid:abababab-abab-8aba-8bab-abababababab");
    }
}
