//! Loads the configuration and the keys that `explain` uses.

use serde_json::Value;
use tollgate::verify::keyset::{KeySet, SecretKeys};
use tollgate::verify::provider::KeysFrom;

use super::Arguments;
use super::engine::Engines;
use super::scene::Scene;
use crate::document::{self, Chosen};
use crate::environment::{Given, Kind, Variables};
use crate::output::{self, Failure};

/// Loads everything; a configuration that the filter would reject is an error.
pub fn scene(arguments: &Arguments) -> Result<Scene, Failure> {
    let Some(config) = &arguments.config else { return Err(Failure::usage("--config is missing")) };
    let file = config.display();
    let given = Given::parse(&arguments.env)?;
    let content = document::load(config, Chosen::ByName);
    let (_, found) = document::one(&content, arguments.number, config)?;
    let text = found.text.as_deref().unwrap_or_default();
    let variables = Variables::new(&given, found.handed.as_ref(), text);
    let (policy, _) = tollgate::config::compile(text, &variables).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(|p| format!("\n  {p}")).collect();
        Failure::Refused(format!(
            "{file}: the filter refuses the configuration:{}",
            problems.concat()
        ))
    })?;
    for (name, kind) in variables.used().assumed {
        if kind != Kind::KeySet {
            let note = output::doubtful("note");
            anstream::eprintln!("{note}: {name} is not set; assumed to hold {}", kind.noun());
            continue;
        }
        // With an assumed key set, no token would verify.
        let missing = readers(text, &name).into_iter().find(|provider| {
            let given = |entry: &String| entry.split_once('=').is_some_and(|(p, _)| p == provider);
            !arguments.keys.iter().any(given)
        });
        if let Some(provider) = missing {
            return Err(Failure::usage(format_args!(
                "{file}: {name} is not set: pass the key set with --keys {provider}=FILE, or the \
                 variable with --env {name}"
            )));
        }
    }
    let engines = Engines::of(policy.crypto);
    let mut scene =
        Scene { given: policy.providers.iter().map(|_| None).collect(), policy, engines };
    for entry in &arguments.keys {
        add_keys(&mut scene, entry)?;
    }
    Ok(scene)
}

/// The providers whose keys are in a variable.
fn readers(text: &[u8], variable: &str) -> Vec<String> {
    let document: Value = serde_json::from_slice(text).unwrap_or_default();
    let providers = document.get("providers").and_then(Value::as_array).into_iter().flatten();
    let reads =
        |provider: &&Value| provider.pointer("/keys/env").and_then(Value::as_str) == Some(variable);
    let name = |provider: &Value| Some(provider.get("name")?.as_str()?.to_owned());
    providers.filter(reads).filter_map(name).collect()
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
        let known: Vec<_> =
            scene.policy.providers.iter().map(|known| known.name.as_str()).collect();
        return Err(Failure::usage(format_args!(
            "--keys: {name:?} is not a provider; allowed: {}",
            known.join(", ")
        )));
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
