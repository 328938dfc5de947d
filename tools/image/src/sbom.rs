//! The crates that are compiled into the module, as CycloneDX 1.5 JSON.
//!
//! Cargo says which: its tree for the module's target without build and development dependencies
//! and without macros, which run in the compiler and leave nothing of themselves behind. Link-time
//! optimisation may drop a crate that is listed; none is in the module that is not.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::error::Error;
use std::process::Command;

use serde_json::{Value, json};

use crate::layout::{Labels, hex};

/// The package whose module it is.
const PACKAGE: &str = "tollgate";
/// What it is compiled for.
const TARGET: &str = "wasm32-wasip1";

/// A package by name and version.
type Id = (String, String);

/// The bill of a module that was built from the working directory.
///
/// # Errors
/// When cargo cannot be asked, or answers what it should not.
pub fn of(module: &[u8], labels: &Labels) -> Result<Value, Box<dyn Error>> {
    let tree = cargo(&[
        "tree",
        "--locked",
        "--package",
        PACKAGE,
        "--target",
        TARGET,
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ])?;
    let crates = packages_of(&tree);
    let platform = ["--filter-platform", TARGET];
    let metadata = [&["metadata", "--locked", "--format-version", "1"], &platform[..]].concat();
    let metadata = cargo(&metadata)?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let checksums = checksums_of(&std::fs::read_to_string("Cargo.lock")?);
    let digest = hex(module);
    let mut components = Vec::new();
    for package in &crates {
        if package.0 != PACKAGE {
            components.push(component(package, &metadata, &checksums)?);
        }
    }
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": serial_number(&digest),
        "version": 1,
        "metadata": {
            "timestamp": labels.created,
            "component": {
                "type": "application",
                "bom-ref": format!("pkg:generic/{PACKAGE}@{}", labels.version),
                "name": PACKAGE,
                "version": labels.version,
                "licenses": [{"expression": "Apache-2.0"}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "externalReferences": [{"type": "vcs", "url": labels.source}],
                "properties": [{"name": "git.revision", "value": labels.revision}],
            },
        },
        "components": components,
        "dependencies": dependencies(&crates, &metadata, &labels.version),
    }))
}

fn cargo(arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("cargo {}: {text}", arguments.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// `name v1.2.3 …` line by line; repeated ones count once.
fn packages_of(tree: &str) -> BTreeSet<Id> {
    let id = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    };
    tree.lines().filter_map(id).collect()
}

/// The SHA-256 of each crate's archive in the registry, as the lock file has it.
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

fn reference((name, version): &Id) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// What cargo knows of a package.
fn described<'a>((name, version): &Id, metadata: &'a Value) -> Option<&'a Value> {
    let packages = metadata.get("packages")?.as_array()?;
    packages.iter().find(|package| {
        package.get("name").and_then(Value::as_str) == Some(name)
            && package.get("version").and_then(Value::as_str) == Some(version)
    })
}

fn component(
    package: &Id,
    metadata: &Value,
    checksums: &BTreeMap<Id, String>,
) -> Result<Value, Box<dyn Error>> {
    let known = described(package, metadata).ok_or_else(|| format!("cargo lost {}", package.0))?;
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(package),
        "name": package.0,
        "version": package.1,
        "purl": reference(package),
        "scope": "required",
    });
    if let Some(license) = known.get("license").and_then(Value::as_str) {
        // The slash is an old spelling that SPDX does not know.
        component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    if let Some(checksum) = checksums.get(package) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if let Some(repository) = known.get("repository").and_then(Value::as_str) {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    Ok(component)
}

/// Which of the crates needs which, of those that are listed.
fn dependencies(crates: &BTreeSet<Id>, metadata: &Value, version: &str) -> Vec<Value> {
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let names: BTreeMap<String, Id> = list(metadata.get("packages"))
        .iter()
        .filter_map(|package| {
            let text = |field: &str| Some(package.get(field)?.as_str()?.to_owned());
            Some((text("id")?, (text("name")?, text("version")?)))
        })
        .collect();
    let shown = |id: &Id| match id.0 == PACKAGE {
        true => format!("pkg:generic/{PACKAGE}@{version}"),
        false => reference(id),
    };
    list(metadata.pointer("/resolve/nodes"))
        .iter()
        .filter_map(|node| {
            let id = names.get(node.get("id")?.as_str()?).filter(|id| crates.contains(*id))?;
            let needs: BTreeSet<String> = list(node.get("deps"))
                .iter()
                .filter(|dependency| {
                    list(dependency.get("dep_kinds")).iter().any(|kind| kind["kind"].is_null())
                })
                .filter_map(|dependency| names.get(dependency.get("pkg")?.as_str()?))
                .filter(|id| crates.contains(*id))
                .map(shown)
                .collect();
            Some(json!({"ref": shown(id), "dependsOn": needs}))
        })
        .collect()
}

/// A UUID that follows from the module, so that the bill of one module is one file.
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
    use super::*;

    #[test]
    fn a_tree_gives_each_package_once_whatever_its_source() {
        let tree =
            "tollgate v0.1.0 (/src)\nserde v1.0.1\nserde v1.0.1 (*)\nx v2.0.0 (proc-macro)\n";
        let found: Vec<_> = packages_of(tree).into_iter().map(|id| reference(&id)).collect();
        let expected = ["serde@1.0.1", "tollgate@0.1.0", "x@2.0.0"];
        assert_eq!(found, expected.map(|id| format!("pkg:cargo/{id}")));
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
