//! `tollgate check`: finds the problems of every configuration in files, before a proxy loads it.

mod directory;
mod heads;
mod print;
mod refused;
mod shared;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use clap::{Args, ValueEnum};
use tollgate::policy::Policy;
use tollgate::policy::rule::Rule;

use crate::document::{self, Buffer, Chosen, Content, Finding, Found, Host, Level, Place};
use crate::environment::{Given, Used, Variables};
use crate::output::{Failure, WRONG};
use directory::collect;
pub use print::short;
pub use refused::refused;
use shared::Neighbour;

/// Find problems in configurations: bare JSON or YAML, or in files of Envoy, Istio or Envoy Gateway.
///
/// In Envoy's configuration, the command checks each tollgate filter; in manifests, each WasmPlugin,
/// TrafficExtension and EnvoyExtensionPolicy.
///
/// A manifest is recognized by the name or address of its module, by a configuration with providers, or by
/// the label `tollgate: check`.
///
/// Variables without a value are assumed to hold one; a note names them.
///
/// Exit codes: 0 without problems, whatever the warnings; 1 for problems, with --strict also for
/// warnings; 2 for an invalid command line, a directory without a configuration, or a variable of
/// --env that no configuration reads.
#[derive(Args)]
pub struct Arguments {
    /// Files (`-` for standard input), or directories, whose *.yaml, *.yml and *.json files are checked.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    paths: Vec<PathBuf>,
    /// An environment variable of the VM: NAME=VALUE, or NAME to pass on one that is set here.
    #[arg(long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Treat warnings as problems.
    #[arg(long)]
    strict: bool,
    /// How to print the findings; `github` makes annotations of a GitHub workflow.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// The forms of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// Commands of GitHub Actions.
    Github,
}

/// The findings of one file.
struct Report {
    file: String,
    sections: Vec<Section>,
}

/// The findings of one configuration, or of the file itself.
struct Section {
    document: usize,
    at: String,
    place: Option<Place>,
    name: Option<String>,
    is_configuration: bool,
    findings: Vec<Finding>,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let given = Given::parse(&arguments.env)?;
    let mut contents = Vec::new();
    for path in &arguments.paths {
        let mut files = Vec::new();
        let chosen = match path.is_dir() {
            true => Chosen::ByDirectory,
            false => Chosen::ByName,
        };
        collect(path, &mut files)
            .map_err(|error| Failure::usage(format_args!("{}: {error}", path.display())))?;
        let first = contents.len();
        contents.extend(files.into_iter().map(|file| {
            let content = document::load(&file, chosen);
            (file, content)
        }));
        let mut inside = contents.iter().skip(first);
        if chosen == Chosen::ByDirectory && inside.all(|(_, content)| content.found.is_empty()) {
            let path = path.display();
            // Perhaps it would contain one, if that could be read.
            let findings = contents.iter().skip(first).find_map(|(file, content)| {
                let finding = content.findings.first()?;
                Some(format!("; {}: {}", file.display(), finding.message))
            });
            return Err(Failure::usage(format_args!(
                "{path}: the directory contains no configuration of tollgate{}",
                findings.unwrap_or_default()
            )));
        }
    }
    let around = Around::of(contents.iter_mut().map(|(_, content)| content));
    let reports: Vec<_> = contents
        .into_iter()
        .map(|(file, content)| report(&file, content, &given, &around))
        .collect();
    let found = |level| {
        let sections = reports.iter().flat_map(|report| &report.sections);
        sections.flat_map(|s| &s.findings).any(|finding| finding.level == level)
    };
    let wrong = found(Level::Problem) || (arguments.strict && found(Level::Warning));
    match arguments.format {
        _ if arguments.json => print::json(&reports)?,
        Format::Json => print::json(&reports)?,
        Format::Github => print::github(&reports)?,
        Format::Text => print::people(&reports)?,
    };
    if wrong {
        return Ok(ExitCode::from(WRONG));
    }
    given.all_read()?;
    Ok(ExitCode::SUCCESS)
}

/// The path and the message of the first problem or warning of a text, except for a digest that is a
/// placeholder.
pub fn first_of(text: &[u8]) -> Option<(String, String)> {
    let mut content = document::parse(text);
    let around = Around { buffered: true, ..Around::of(std::iter::once(&mut content)) };
    let report = report(Path::new("-"), content, &Given::default(), &around);
    let mut findings = report.sections.into_iter().flat_map(|section| section.findings);
    let serious = |finding: &Finding| {
        finding.level != Level::Note && !finding.message.contains(document::PLACEHOLDER)
    };
    let finding = findings.find(serious)?;
    Some((finding.path, finding.message))
}

/// The problems and warnings of the configurations of one object of a cluster, with paths in the object.
/// What depends on other objects, such as the buffer filter, is left out.
pub fn object(configurations: Vec<Found>) -> Vec<Finding> {
    let mut all = Vec::new();
    for mut found in configurations {
        let (around, inside) = findings(&mut found, &Given::default(), None);
        all.extend(around.into_iter().filter(|finding| finding.level != Level::Note));
        all.extend(inside.into_iter().map(|mut finding| {
            finding.split();
            finding.path = found.path(&finding.path);
            finding
        }));
    }
    all
}

/// What the other manifests say of the proxy.
struct Around {
    /// Whether one makes it buffer whole bodies.
    buffered: bool,
    /// Those with the buffers of connections.
    buffers: Vec<Buffer>,
}

impl Around {
    fn of<'c>(contents: impl Iterator<Item = &'c mut Content>) -> Self {
        let mut around = Self { buffered: false, buffers: Vec::new() };
        for content in contents {
            around.buffered |= content.buffers;
            around.buffers.append(&mut content.client_buffers);
        }
        around
    }
}

fn report(path: &Path, mut content: Content, given: &Given, manifests: &Around) -> Report {
    let mut sections = Vec::new();
    let of_file = std::mem::take(&mut content.findings);
    if !of_file.is_empty() {
        sections.push(Section {
            document: 1,
            at: String::new(),
            place: None,
            name: None,
            is_configuration: false,
            findings: of_file,
        });
    }
    let neighbours = content.found.iter();
    let neighbours: Vec<_> =
        neighbours.filter_map(|(number, found)| Neighbour::new(*number, found, given)).collect();
    for (document, mut found) in std::mem::take(&mut content.found) {
        let (mut all, mut inside) = findings(&mut found, given, Some(manifests));
        for finding in &mut all {
            let at = match finding.is_about_variable() {
                true => &found.handed_at,
                false => &finding.path,
            };
            finding.place = content.place(document, at);
        }
        inside.extend(shared::check(&neighbours, document, &found));
        for finding in &mut inside {
            content.place_inside(document, &found, finding);
        }
        all.extend(inside);
        // Problems first.
        all.sort_by_key(|finding| finding.level);
        let Found { at, name, .. } = found;
        let place = content.place(document, &at);
        let is_configuration = true;
        sections.push(Section { document, at, place, name, is_configuration, findings: all });
    }
    Report { file: path.display().to_string(), sections }
}

/// The findings about the document around a configuration, with paths in the document, and those of the
/// filter itself, with paths in the configuration. `manifests` are the others, if they are known.
fn findings(
    found: &mut Found,
    given: &Given,
    manifests: Option<&Around>,
) -> (Vec<Finding>, Vec<Finding>) {
    let mut around = std::mem::take(&mut found.findings);
    let mut inside = std::mem::take(&mut found.inside);
    let Some(text) = &found.text else { return (around, inside) };
    let variables = Variables::new(given, found.handed.as_ref(), text);
    match tollgate::config::compile(text, &variables) {
        Ok((policy, warnings)) => {
            inside.extend(warnings.into_iter().map(|w| Finding::warning(w.path, w.message)));
            inside.extend(buffers(&policy, found, manifests));
            let buffered = manifests.is_none_or(|manifests| manifests.buffered);
            inside.extend(heads::check(&policy, found, buffered));
        }
        Err(problems) => {
            inside.extend(problems.into_iter().map(|p| Finding::problem(p.path, p.message)));
        }
    }
    let Used { withheld, assumed } = variables.used();
    around.extend(withheld.into_iter().map(|name| {
        let why = format!("does not pass {name} to the VM, but the configuration reads it; add it");
        Finding::problem(found.handed_at.clone(), why)
    }));
    around.extend(assumed.into_iter().map(|(name, kind)| {
        let why = format!("not set; assumed to hold {}", kind.noun());
        Finding::new(Level::Note, name, why)
    }));
    (around, inside)
}

/// Finds rules that admit larger bodies than the proxy buffers: it answers 413 before the filter can.
fn buffers(policy: &Policy, found: &Found, manifests: Option<&Around>) -> Vec<Finding> {
    let manifests = manifests.filter(|_| found.host == Host::Gateway);
    let gateway = || Some(document::smallest(&found.gateways, &manifests?.buffers));
    let Some(buffer) = found.buffer.or_else(gateway) else { return Vec::new() };
    let (whose, cure) = match found.host {
        Host::Gateway => (
            "Envoy Gateway's buffer of a connection",
            "set connection.bufferLimit in a ClientTrafficPolicy for the Gateway",
        ),
        _ => ("the listener's per_connection_buffer_limit_bytes", "raise the listener's limit"),
    };
    let small = |(index, rule): (usize, &Rc<Rule>)| {
        let most = rule.payload.as_ref()?.max_bytes;
        (most > buffer).then(|| {
            let why = format!(
                "is {most} bytes, and {whose} is {buffer}: Envoy refuses larger bodies with 413; {cure}"
            );
            Finding::warning(format!("rules[{index}].payload.max_bytes"), why)
        })
    };
    policy.rules.iter().enumerate().filter_map(small).collect()
}
