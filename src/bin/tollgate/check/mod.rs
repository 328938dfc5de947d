//! `tollgate check`: every problem of every configuration in some files, before anything loads it.

mod print;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::document::{self, Chosen, Finding, Found, Level};
use crate::environment::{Given, Variables};
use crate::output::{Failure, WRONG};

/// Check configurations: bare ones (JSON, YAML), those in an Envoy configuration, in an Istio
/// WasmPlugin or TrafficExtension, in an EnvoyExtensionPolicy.
///
/// Exit code: 0 nothing wrong, or warnings alone; 1 problems; 2 usage.
#[derive(Args)]
pub struct Arguments {
    /// Files, or directories whose *.yaml, *.yml and *.json are looked through.
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// An environment variable of the VM: NAME=VALUE, or NAME for one that is set here.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Warnings fail, too.
    #[arg(long)]
    strict: bool,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// What was found in one file.
struct Report {
    file: String,
    sections: Vec<Section>,
}

/// What was found in one configuration, or in the file itself.
struct Section {
    document: usize,
    at: String,
    name: Option<String>,
    is_configuration: bool,
    findings: Vec<Finding>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let given = Given::parse(&arguments.env)?;
    let mut reports = Vec::new();
    for path in &arguments.paths {
        let mut files = Vec::new();
        let chosen = match path.is_dir() {
            true => Chosen::ByDirectory,
            false => Chosen::ByName,
        };
        collect(path, &mut files)
            .map_err(|error| Failure::usage(format_args!("{}: {error}", path.display())))?;
        reports.extend(files.iter().map(|file| check_file(file, chosen, &given)));
    }
    let found = |level| {
        let sections = reports.iter().flat_map(|report| &report.sections);
        sections.flat_map(|s| &s.findings).any(|finding| finding.level == level)
    };
    let wrong = found(Level::Problem) || (arguments.strict && found(Level::Warning));
    match arguments.json {
        true => print::json(&reports)?,
        false => print::people(&reports)?,
    };
    Ok(if wrong { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

/// The files of a directory in the order of their names; links to directories are not followed.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !std::fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let path = entry.path();
        let wanted = ["yaml", "yml", "json"];
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if hidden => {}
            _ if entry.file_type()?.is_dir() => collect(&path, files)?,
            Some(extension) if wanted.contains(&extension) && path.is_file() => files.push(path),
            _ => {}
        }
    }
    Ok(())
}

fn check_file(path: &Path, chosen: Chosen, given: &Given) -> Report {
    let content = document::load(path, chosen);
    let mut sections = Vec::new();
    if !content.findings.is_empty() {
        sections.push(Section {
            document: 1,
            at: String::new(),
            name: None,
            is_configuration: false,
            findings: content.findings,
        });
    }
    sections.extend(content.found.into_iter().map(|(document, found)| Section {
        document,
        at: found.at.clone(),
        name: found.name.clone(),
        is_configuration: true,
        findings: findings(found, given),
    }));
    Report { file: path.display().to_string(), sections }
}

/// What the filter would say of a configuration, and what its surroundings do to it; problems
/// first.
fn findings(mut found: Found, given: &Given) -> Vec<Finding> {
    let mut all = std::mem::take(&mut found.findings);
    if let Some(text) = &found.text {
        let variables = Variables::new(given, found.handed.as_ref());
        match tollgate::config::compile(text, &variables) {
            Ok((policy, warnings)) => {
                all.extend(warnings.into_iter().map(|w| Finding::warning(w.path, w.message)));
                all.extend(buffers(&policy, &found));
            }
            Err(problems) => {
                all.extend(problems.into_iter().map(|p| Finding::problem(p.path, p.message)));
            }
        }
        all.extend(variables.withheld().into_iter().map(|name| {
            let why = format!("does not hand {name} to the VM, and the configuration asks for it");
            Finding::problem(found.handed_at.clone(), why)
        }));
    }
    all.sort_by_key(|finding| finding.level);
    all
}

/// A proxy that buffers less of a body than a rule admits answers 413 in the filter's place.
fn buffers(policy: &tollgate::policy::Policy, found: &Found) -> Vec<Finding> {
    let Some(buffer) = found.buffer else { return Vec::new() };
    let small = |(index, rule): (usize, &tollgate::rule::Rule)| {
        let most = rule.payload.as_ref()?.max_bytes;
        (most > buffer).then(|| {
            let why = format!(
                "admits bodies of {most} bytes, and the listener's \
                 per_connection_buffer_limit_bytes is {buffer}: Envoy answers 413 to what is larger"
            );
            Finding::warning(format!("rules[{index}].payload.max_bytes"), why)
        })
    };
    policy.rules.iter().enumerate().filter_map(small).collect()
}
