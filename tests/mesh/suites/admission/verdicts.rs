//! What `kubectl apply` says.

use std::collections::BTreeSet;
use std::process::Command;

use mesh::{api, machine, program};
use serde_json::{Value, json};
use support::example::adapt;
use support::manifests::{Kustomize, PLUGIN, files, read};
use support::mistakes::configurations;
use support::{docs, root};

use super::{World, checked, stream};

/// The lines about problems in an error of kubectl.
fn refusals(errors: &str) -> Vec<String> {
    let line = |line: &str| {
        let list = line.strip_prefix("- ").map(str::to_owned);
        let one = || {
            let (_, line) = line.split_once("denied the request: ")?;
            (!line.ends_with(" problems")).then(|| line.to_owned())
        };
        list.or_else(one)
    };
    errors.lines().filter_map(line).collect()
}

/// The warnings of the webhook in what kubectl prints.
fn warnings(errors: &str) -> BTreeSet<String> {
    let warnings = errors.lines().filter_map(|line| line.strip_prefix("Warning: tollgate: "));
    warnings.map(str::to_owned).collect()
}

#[test]
fn each_mistake_of_the_page_is_refused_with_the_words_of_check() {
    let Some(world) = World::start("mistakes", 8441) else { return };
    let (good, wrong) = configurations();
    let objects: Vec<_> = wrong
        .iter()
        .enumerate()
        .map(|(index, config)| {
            world.manifests(config, &format!("tollgate-{index}"))[index % 4].clone()
        })
        .chain(world.manifests(&good, "tollgate"))
        .collect();
    let answer = api::apply(&stream(&objects));
    let [problems, warned] = checked("mistakes.yaml", &stream(&objects));
    assert_eq!(refusals(&answer.stderr), problems, "{}", answer.stderr);
    let refused = answer.stderr.matches("check.admission.tollgate").count();
    assert_eq!(refused + world.objects().len(), objects.len(), "{}", answer.stderr);
    println!("{refused} of {} objects refused, {} problems", objects.len(), problems.len());
    assert!(refused >= 40, "{refused}");
    for warning in warnings(&answer.stderr) {
        let short = warning.trim_start_matches('…');
        assert!(warned.iter().any(|wanted| wanted.ends_with(short)), "{warning}");
    }
    for name in ["wasmplugin", "trafficextension", "envoyextensionpolicy", "envoyfilter"] {
        let found = api::get(&[name, "tollgate", "--namespace", world.namespace]);
        assert!(found.is_some(), "{name}");
    }
}

/// A client-side apply, as users do it.
#[test]
fn kubectl_prints_what_the_page_shows() {
    let Some(world) = World::start("page", 8448) else { return };
    let blocks = docs::blocks("docs/admission.md");
    let shown = blocks.iter().find(|block| block.language == "console").unwrap();
    let (command, output) = shown.text.split_once('\n').unwrap();
    let words = command.strip_prefix("$ kubectl ").unwrap().split(' ');
    let plugin = std::fs::read_to_string(root().join(PLUGIN)).unwrap();
    let wrong = adapt(plugin, &[("rate: 10/s", "rate: 10 per minute")]);
    std::fs::write(machine::folder().join("plugin.yaml"), wrong).unwrap();
    let mut kubectl = Command::new("kubectl");
    kubectl.env("KUBECONFIG", api::kubeconfig()).current_dir(machine::folder());
    let answer = program::run(kubectl.args(words).args(["--namespace", world.namespace]));
    assert_eq!(answer.refused().trim_end(), output);
}

#[test]
fn the_shipped_manifests_are_admitted_and_their_warnings_shown() {
    let Some(world) = World::start("shipped", 8442) else { return };
    let kustomize = Kustomize::find().unwrap();
    let folders = files("istio").into_iter().filter(|path| {
        let text = std::fs::read_to_string(support::root().join(path)).unwrap();
        path.ends_with("kustomization.yaml") && !text.contains("kind: Component")
    });
    let objects = folders
        .flat_map(|path| kustomize.build(path.parent().unwrap().to_str().unwrap()))
        .chain(files("examples/envoy-gateway").into_iter().flat_map(read));
    let kinds = ["WasmPlugin", "TrafficExtension", "EnvoyExtensionPolicy", "EnvoyFilter"];
    let ours = |object: &Value| kinds.contains(&object["kind"].as_str().unwrap());
    let objects: Vec<_> = objects.filter(ours).map(|object| world.here(object)).collect();
    let answer = api::accepts(&stream(&objects));
    assert!(answer.good, "{}", answer.stderr);
    assert_eq!(answer.stdout.lines().count(), objects.len());
    let [problems, warned] = checked("shipped.yaml", &stream(&objects));
    assert_eq!(problems, Vec::<String>::new());
    let shown = warnings(&answer.stderr);
    assert_eq!(shown, warned.into_iter().collect(), "{}", answer.stderr);
    // The zeros of the digests.
    assert!(shown.iter().any(|warning| warning.starts_with("spec.sha256: is a placeholder")));
    println!("{} objects, {} warnings", objects.len(), shown.len());
}

#[test]
fn other_filters_are_left_alone_and_the_label_claims_them() {
    let Some(world) = World::start("others", 8443) else { return };
    let wrong = json!({"providers": 1, "number": -1e300, "text": "x".repeat(1 << 20)});
    let other = |name: &str, labels: Value| {
        world.manifests(&wrong, name).map(|object| {
            let text = object.to_string().replace("tollgate", "authn");
            let mut object: Value = serde_json::from_str(&text).unwrap();
            object["metadata"]["labels"] = labels.clone();
            object
        })
    };
    for (name, labels, kept) in [
        ("plain", json!({}), 4),
        ("labelled", json!({"tollgate": "no"}), 4),
        ("checked", json!({"tollgate": "check"}), 0),
    ] {
        let answer = api::apply(&stream(&other(name, labels)));
        assert_eq!(answer.stderr.matches("denied the request").count(), 4 - kept, "{answer:?}");
        let found = world.objects();
        let named = |object: &&String| object.ends_with(&format!("/{name}"));
        assert_eq!(found.iter().filter(named).count(), kept, "{answer:?}");
    }
}

#[test]
fn a_wrong_object_of_before_can_be_annotated_mended_and_deleted_and_not_changed_otherwise() {
    let Some(world) = World::start("before", 8444) else { return };
    let (good, _) = configurations();
    let mut bad = good.clone();
    bad["limits"][0]["rate"] = json!("10 per minute");
    // Without the webhook: its configuration is deleted for a moment.
    let configuration = ["validatingwebhookconfiguration", world.namespace];
    let saved = api::get(&configuration).unwrap();
    api::kubectl(["delete", configuration[0], configuration[1]]).ok();
    let wrong = world.manifests(&bad, "tollgate");
    mesh::until(60, "the API does not ask any more", || {
        api::apply(&stream(&wrong)).good.then_some(())
    });
    let mut saved = saved;
    for member in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
        saved["metadata"].as_object_mut().unwrap().remove(member);
    }
    api::apply(&saved.to_string()).ok();
    let [other, ..] = world.manifests(&bad, "tollgate-other");
    mesh::until(60, "the API asks again", || {
        api::accepts(&other.to_string()).stderr.contains("denied the request").then_some(())
    });

    let patch = |kind: &str, patch: &Value| {
        let patch = patch.to_string();
        let arguments = ["--namespace", world.namespace, "--type", "merge", "--patch", &patch];
        api::kubectl(["patch", kind, "tollgate"].into_iter().chain(arguments))
    };
    for kind in ["wasmplugin", "trafficextension", "envoyextensionpolicy", "envoyfilter"] {
        let annotated =
            json!({"metadata": {"annotations": {"a": "b"}, "finalizers": ["tollgate.test/held"]}});
        let answer = patch(kind, &annotated);
        assert!(answer.good && answer.stderr.contains("is not a rate"), "{kind}: {answer:?}");
    }
    // A merge patch replaces a list whole.
    let with = |rate: &str| {
        let mut limits = good["limits"].clone();
        limits[0]["rate"] = json!(rate);
        json!({"spec": {"pluginConfig": {"limits": limits}}})
    };
    assert!(patch("wasmplugin", &with("20 per minute")).refused().contains("is not a rate"));
    patch("wasmplugin", &with("20/m")).ok();

    for kind in ["wasmplugin", "trafficextension", "envoyextensionpolicy", "envoyfilter"] {
        let delete = ["delete", kind, "tollgate", "--namespace", world.namespace, "--wait=false"];
        api::kubectl(delete).ok();
        patch(kind, &json!({"metadata": {"finalizers": null}})).ok();
    }
    assert!(world.objects().is_empty());
}

#[test]
fn hostile_objects_are_refused_if_they_are_ours_and_admitted_otherwise() {
    let Some(world) = World::start("hostile", 8445) else { return };
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({"a": inner}));
    for (name, config, said) in [
        ("large", json!({"text": "<".repeat(400 << 10)}), " bytes of configuration; allowed: "),
        ("deep", nested(200), "nests too deep; allowed: "),
        ("list", json!({"providers": vec![json!([]); 1_000]}), "problems"),
        ("number", json!({"providers": [{"clock_skew": 1.7e308}]}), "clock_skew"),
    ] {
        let [plugin, .., filter] = world.manifests(&config, &format!("tollgate-{name}"));
        // A text has no levels.
        let filter = Some(filter).filter(|_| name != "deep");
        for object in [plugin].into_iter().chain(filter) {
            let answer = api::accepts(&object.to_string());
            assert!(!answer.good && answer.stderr.contains(said), "{name}: {answer:?}");
            assert!(answer.stderr.contains("denied the request"), "{name}: {answer:?}");
            let text = object.to_string().replace("tollgate", "other");
            let answer = api::accepts(&text);
            assert!(answer.good && answer.stderr.is_empty(), "{name}: {answer:?}");
        }
    }
    assert!(world.webhook.log().lines().all(|line| !line.contains("panicked")));
}
