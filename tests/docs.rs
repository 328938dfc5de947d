//! The pages, the workflows and the files under examples/azure/ are true: every configuration loads,
//! every link to a file resolves, and every network policy agrees with its page.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use support::{docs, root};
use tollgate::config::{Environment, compile};
use tollgate::reason::Reason;

struct Variables;

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "AML_ENDPOINT_KEY" | "MODEL_SERVER_KEY" => Some("a-key".into()),
            "TOLLGATE_JWKS" => Some(
                json!({"keys": [{
                    "kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256",
                    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
                }]})
                .to_string(),
            ),
            "TOLLGATE_HASH_KEY" => Some("0123456789abcdef0123456789abcdef".into()),
            _ => None,
        }
    }
}

#[test]
fn every_configuration_of_every_page_loads_without_a_warning() {
    let mut flaws = Vec::new();
    let mut checked = BTreeSet::new();
    for page in docs::pages() {
        for block in docs::blocks(&page) {
            for config in block.configurations() {
                checked.insert(page.clone());
                let at = format!("{page}:{}", block.line);
                match compile(config.to_string().as_bytes(), &Variables) {
                    Ok((_, warnings)) => {
                        flaws.extend(warnings.iter().map(|warning| format!("{at}: {warning}")));
                    }
                    Err(problems) => {
                        flaws.extend(problems.iter().map(|problem| format!("{at}: {problem}")));
                    }
                }
            }
        }
    }
    assert_eq!(flaws, [""; 0], "{flaws:#?}");
    for page in ["README.md", "docs/azure-ml.md", "docs/migration.md"] {
        assert!(checked.contains(page), "{page} has a configuration: {checked:?}");
    }
}

#[test]
fn every_link_between_pages_and_files_leads_somewhere() {
    let mut dead = Vec::new();
    for page in docs::pages() {
        let text = std::fs::read_to_string(root().join(&page)).unwrap();
        let folder = Path::new(&page).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { resolve(folder, file) };
            if !root().join(&target).exists() {
                dead.push(format!("{page}: {link}: no such file"));
            } else if !anchor.is_empty() && !anchors(&target).contains(anchor) {
                dead.push(format!("{page}: {link}: no such heading"));
            }
        }
    }
    assert_eq!(dead, [""; 0], "{dead:#?}");
}

#[test]
fn the_index_names_every_page() {
    let index = std::fs::read_to_string(root().join("docs/README.md")).unwrap();
    let named = |page: &String| {
        let link = page.strip_prefix("docs/").map_or(format!("../{page}"), str::to_owned);
        link == "README.md" || index.contains(&format!("]({link})"))
    };
    let missing: Vec<_> = docs::pages().into_iter().filter(|page| !named(page)).collect();
    assert_eq!(missing, [""; 0], "add a line for each to docs/README.md");
}

#[test]
fn the_table_of_reasons_links_to_the_section_of_each() {
    let runbook = std::fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let rows: String = runbook.lines().filter(|line| line.starts_with("| ")).collect();
    for reason in Reason::ALL.map(Reason::as_str) {
        assert!(rows.contains(&format!("[`{reason}`](#{reason})")), "{reason}");
    }
}

#[test]
fn the_workflows_may_only_read_and_call_targets_that_exist() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let mut targets = BTreeSet::new();
    for file in ["checks", "release"] {
        let workflow = docs::manifests(&format!(".github/workflows/{file}.yml")).remove(0);
        assert_eq!(workflow["permissions"], json!({"contents": "read"}), "{file}");
        for job in workflow["jobs"].as_object().unwrap().values() {
            assert!(job.get("permissions").is_none(), "{file}: {job}");
            for step in job["steps"].as_array().unwrap() {
                let action = step["uses"].as_str().unwrap_or("none@v1");
                let (_, version) = action.split_once("@v").unwrap();
                assert!(version.parse::<u32>().is_ok(), "{action}");
                targets.extend(
                    step["run"]
                        .as_str()
                        .and_then(|run| run.strip_prefix("make "))
                        .map(str::to_owned),
                );
            }
        }
    }
    assert_eq!(targets, BTreeSet::from(["lint", "mesh", "release", "test"].map(str::to_owned)));
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}:")), "{target}");
    }
}

/// A relative path from a folder of the repository.
fn resolve(folder: &Path, file: &str) -> String {
    let mut parts: Vec<_> = folder.iter().map(|part| part.to_str().unwrap()).collect();
    for part in file.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop().unwrap_or_else(|| panic!("{file} leaves the repository"));
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// The anchors of a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

/// The configuration of the guide grants access to each role that the registration offers.
#[test]
fn the_roles_of_the_guide_are_those_that_the_registration_offers() {
    let text = std::fs::read_to_string(root().join("examples/azure/app-roles.json")).unwrap();
    let roles: Vec<Value> = serde_json::from_str(&text).unwrap();
    let offered: BTreeSet<_> = roles.iter().map(|role| role["value"].as_str().unwrap()).collect();
    let config =
        docs::configuration("docs/azure-ml.md", "tollgate holds the endpoint's key").to_string();
    for role in &offered {
        assert!(config.contains(&format!("{role:?}")), "{role} is granted nothing");
    }
    assert_eq!(offered.len(), 2);
}
