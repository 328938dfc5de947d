//! Loads the configuration and the keys that `explain` uses.

use tollgate::verify::keyset::{KeySet, SecretKeys};
use tollgate::verify::provider::KeysFrom;

use super::Arguments;
use super::engine::Engines;
use super::scene::Scene;
use crate::document::{self, Chosen};
use crate::environment::{Given, Variables};
use crate::output::Failure;

/// Loads everything; a configuration that the filter would reject is an error.
pub fn scene(arguments: &Arguments) -> Result<Scene, Failure> {
    let file = arguments.config.display();
    let given = Given::parse(&arguments.env)?;
    let content = document::load(&arguments.config, Chosen::ByName);
    if let Some(finding) = content.findings.first() {
        return Err(Failure::usage(format_args!("{file}: {}", finding.message)));
    }
    let count = content.found.len();
    let found = arguments.number.checked_sub(1).and_then(|index| content.found.get(index));
    let Some((_, found)) = found else {
        return Err(Failure::usage(format_args!("{file}: has {count} configurations")));
    };
    let Some(text) = &found.text else {
        return Err(Failure::usage(format_args!("{file}: see `tollgate check {file}`")));
    };
    let variables = Variables::new(&given, found.handed.as_ref());
    let (policy, _) = tollgate::config::compile(text, &variables).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(|p| format!("\n  {p}")).collect();
        Failure::usage(format_args!("{file}: the filter refuses this:{}", problems.concat()))
    })?;
    let engines = Engines::of(policy.crypto);
    let mut scene =
        Scene { given: policy.providers.iter().map(|_| None).collect(), policy, engines };
    for entry in &arguments.keys {
        add_keys(&mut scene, entry)?;
    }
    Ok(scene)
}

/// `PROVIDER=FILE`.
fn add_keys(scene: &mut Scene, entry: &str) -> Result<(), Failure> {
    let Some((name, file)) = entry.split_once('=') else {
        return Err(Failure::usage("--keys: allowed: PROVIDER=FILE"));
    };
    let index = scene.policy.providers.iter().position(|provider| provider.name == name);
    let provider = index.and_then(|index| scene.policy.providers.get(index));
    let place = index.and_then(|index| scene.given.get_mut(index));
    let (Some(provider), Some(place)) = (provider, place) else {
        return Err(Failure::usage(format_args!("--keys: there is no provider {name:?}")));
    };
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::usage(format_args!("--keys: {file}: {error}")))?;
    // As in the filter: fetched key sets must not hold symmetric keys.
    let secrets = match provider.keys {
        KeysFrom::Static(_) => SecretKeys::Admit,
        KeysFrom::Remote(_) => SecretKeys::Refuse,
    };
    let parsed = KeySet::parse(&bytes, secrets);
    let (keys, _) =
        parsed.map_err(|error| Failure::usage(format_args!("--keys: {file}: {error}")))?;
    *place = Some(keys);
    Ok(())
}
