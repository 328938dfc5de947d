//! The manifests under `examples/kubernetes/` are what Kubernetes' own types say, refer to each other
//! and to Envoy's configuration correctly, and grant no more than Envoy needs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::OnceLock;

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use support::manifests::{self, Kustomize, files, named, one, read, text};
use support::root;

const BASE: &str = "examples/kubernetes/base";
const ADMISSION: &str = "examples/kubernetes/admission";
const PROBE: &str = "examples/kubernetes/probe";
const INIT: &str = "examples/kubernetes/overlays/init-container";
const KEY_VAULT: &str = "examples/kubernetes/overlays/key-vault";
const SPEC: &str = "/spec/template/spec";
const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The objects of the base and of the overlay; all tests share one run of Kustomize.
fn built() -> Option<&'static [(&'static str, Vec<Value>)]> {
    static BUILT: OnceLock<Vec<(&str, Vec<Value>)>> = OnceLock::new();
    let kustomize = Kustomize::find()?;
    let build = || [BASE, INIT].map(|folder| (folder, kustomize.build(folder))).into();
    Some(BUILT.get_or_init(build))
}

/// The object as the API server keeps it: without the members that the type does not have.
fn kept(object: &Value) -> serde_json::Result<Value> {
    fn through<T: Serialize + DeserializeOwned>(object: &Value) -> serde_json::Result<Value> {
        serde_json::to_value(serde_json::from_value::<T>(object.clone())?)
    }
    match text(object, "/kind") {
        "ConfigMap" => through::<ConfigMap>(object),
        "CronJob" => through::<CronJob>(object),
        "Deployment" => through::<Deployment>(object),
        "HorizontalPodAutoscaler" => through::<HorizontalPodAutoscaler>(object),
        "Namespace" => through::<Namespace>(object),
        "NetworkPolicy" => through::<NetworkPolicy>(object),
        "PodDisruptionBudget" => through::<PodDisruptionBudget>(object),
        "Service" => through::<Service>(object),
        "ServiceAccount" => through::<ServiceAccount>(object),
        "ValidatingWebhookConfiguration" => through::<ValidatingWebhookConfiguration>(object),
        kind => panic!("no type for {kind}"),
    }
}

#[test]
fn every_object_is_what_kubernetes_types_say() {
    let Some(built) = built() else { return };
    for (folder, objects) in built {
        assert_eq!(objects.len(), 8, "{folder}");
        for object in objects {
            assert_eq!(kept(object).unwrap(), *object, "{folder}");
            assert_eq!(object["metadata"]["namespace"], "models", "{folder}: {}", object["kind"]);
        }
    }
}

#[test]
fn a_member_that_kubernetes_does_not_know_and_a_value_of_another_type_are_noticed() {
    let Some(built) = built() else { return };
    let deployment = one(&built[0].1, "Deployment");
    for (pointer, member, value) in [
        ("/spec", "replica", json!(2)),
        ("/spec/template/spec", "securityContex", json!({})),
        ("/spec/template/spec/volumes/2/image", "ref", json!("x")),
        ("/spec/template/spec/containers/0", "ports", json!("8443")),
        ("/spec/template/spec/containers/0/readinessProbe", "periodSeconds", json!("5")),
    ] {
        let mut changed = deployment.clone();
        changed.pointer_mut(pointer).unwrap()[member] = value;
        assert!(kept(&changed).is_err() || kept(&changed).unwrap() != changed, "{member}");
    }
}

#[test]
fn the_probe_is_a_job_of_kubernetes_types_that_fails_with_its_first_attempt() {
    let Some(kustomize) = Kustomize::find() else { return };
    let objects = kustomize.build(PROBE);
    let job = one(&objects, "CronJob");
    assert_eq!(kept(job).unwrap(), *job);
    assert_eq!(job["metadata"]["namespace"], "models");
    let spec = job.pointer("/spec/jobTemplate/spec").unwrap();
    assert_eq!(spec["backoffLimit"], 0);
    let pod = spec.pointer("/template/spec").unwrap();
    assert_eq!(pod["restartPolicy"], "Never");
    assert_eq!(pod["automountServiceAccountToken"], false);
    has_few_rights(pod, PROBE);
}

#[test]
fn the_admission_webhook_is_reached_under_the_name_in_its_certificate() {
    let Some(kustomize) = Kustomize::find() else { return };
    let of = |overlay: &str| kustomize.build(&format!("{ADMISSION}/overlays/{overlay}"));
    let (managed, by_hand) = (of("cert-manager"), of("secret"));
    for objects in [&managed, &by_hand] {
        for object in objects.iter().filter(|object| object["kind"] != "Issuer") {
            let has_no_type = object["kind"] == "Certificate";
            assert!(has_no_type || kept(object).unwrap() == *object, "{object}");
        }
        let deployment = one(objects, "Deployment");
        let pod = deployment.pointer(SPEC).unwrap();
        has_few_rights(pod, ADMISSION);
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["serviceAccountName"], one(objects, "ServiceAccount")["metadata"]["name"]);
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        for (kind, selector) in [
            ("Service", "/spec/selector"),
            ("Deployment", "/spec/selector/matchLabels"),
            ("PodDisruptionBudget", "/spec/selector/matchLabels"),
            ("NetworkPolicy", "/spec/podSelector/matchLabels"),
        ] {
            assert_eq!(one(objects, kind).pointer(selector).unwrap(), labels, "{kind}");
        }
        let container = &pod["containers"][0];
        for probe in ["readinessProbe", "livenessProbe"] {
            assert_eq!(container[probe]["httpGet"]["port"], container["ports"][0]["name"]);
            assert_eq!(container[probe]["httpGet"]["scheme"], "HTTPS");
        }
        let service = one(objects, "Service");
        let webhook = &one(objects, "ValidatingWebhookConfiguration")["webhooks"][0];
        let called = &webhook["clientConfig"]["service"];
        assert_eq!(called["name"], service["metadata"]["name"]);
        assert_eq!(called["namespace"], service["metadata"]["namespace"]);
        assert_eq!(called["port"], service["spec"]["ports"][0]["port"]);
        assert_eq!(service["spec"]["ports"][0]["targetPort"], container["ports"][0]["name"]);
        assert_eq!(webhook["sideEffects"], "None");
    }
    let certificate = named(&managed, "Certificate", "tollgate-admission");
    assert_eq!(certificate["spec"]["dnsNames"], json!(["tollgate-admission.tollgate-system.svc"]));
    let secret =
        one(&managed, "Deployment").pointer(&format!("{SPEC}/volumes/0/secret/secretName"));
    assert_eq!(Some(&certificate["spec"]["secretName"]), secret);
    let configuration = one(&managed, "ValidatingWebhookConfiguration");
    assert_eq!(
        configuration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"],
        "tollgate-system/tollgate-admission"
    );
    let configuration = one(&by_hand, "ValidatingWebhookConfiguration");
    assert!(configuration["webhooks"][0]["clientConfig"]["caBundle"].is_string());
}

#[test]
fn every_file_is_part_of_a_kustomization() {
    for path in files("examples/kubernetes") {
        let folder = path.parent().unwrap();
        let kustomization = folder.join("kustomization.yaml");
        let text = std::fs::read_to_string(root().join(&kustomization)).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(path == kustomization || text.contains(name), "{}", path.display());
    }
}

#[test]
fn the_objects_refer_to_each_other() {
    let Some(built) = built() else { return };
    for (folder, objects) in built {
        let deployment = one(objects, "Deployment");
        let pod = deployment.pointer(SPEC).unwrap();
        let container = &pod["containers"][0];
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        let selects = |labels_wanted: &Value| {
            let wanted = labels_wanted.as_object().unwrap();
            assert!(!wanted.is_empty(), "{folder}: selects all");
            wanted.iter().all(|(name, value)| labels[name] == *value)
        };
        let ports: Vec<_> =
            container["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();

        assert!(selects(&deployment["spec"]["selector"]["matchLabels"]));
        assert!(selects(&one(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]));
        let service = &one(objects, "Service")["spec"];
        assert!(selects(&service["selector"]));
        assert!(ports.contains(&&service["ports"][0]["targetPort"]));
        assert!(service["ports"].as_array().unwrap().len() == 1, "metrics stay inside");
        let target = &one(objects, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"];
        assert_eq!(target["name"], deployment["metadata"]["name"]);
        assert!(deployment["spec"].get("replicas").is_none(), "the autoscaler sets it");
        let account = one(objects, "ServiceAccount");
        assert_eq!(pod["serviceAccountName"], account["metadata"]["name"]);
        assert_eq!(account["automountServiceAccountToken"], false);
        assert_eq!(pod["automountServiceAccountToken"], false);
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert_eq!(container[probe]["httpGet"], json!({"path": "/ready", "port": "metrics"}));
        }
        let config = &pod["volumes"][0]["configMap"]["name"];
        assert_eq!(*config, one(objects, "ConfigMap")["metadata"]["name"]);
        assert!(text(config, "").len() > "tollgate-".len(), "a hash of the content");

        let own = named(objects, "NetworkPolicy", "tollgate");
        assert!(selects(&own["spec"]["podSelector"]["matchLabels"]));
        for rule in own["spec"]["ingress"].as_array().unwrap() {
            assert!(ports.contains(&&rule["ports"][0]["port"]));
        }
        let models = &named(objects, "NetworkPolicy", "scoring-from-tollgate")["spec"];
        assert!(!selects(&models["podSelector"]["matchLabels"]));
        let [only] = models["ingress"][0]["from"].as_array().unwrap().as_slice() else {
            panic!("one peer")
        };
        assert!(selects(&only["podSelector"]["matchLabels"]));
        assert!(only.get("namespaceSelector").is_none());
    }
}

#[test]
fn envoy_finds_its_files_listens_where_the_pod_says_and_keeps_admin_to_itself() {
    let Some(built) = built() else { return };
    for (folder, objects) in built {
        let pod = one(objects, "Deployment").pointer(SPEC).unwrap();
        let container = &pod["containers"][0];
        let data = &one(objects, "ConfigMap")["data"];
        let envoy = manifests::documents(text(data, "/envoy.yaml")).remove(0);
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mount = |name: &str| {
            let mount = mounts.iter().find(|mount| mount["name"] == name).unwrap();
            assert_eq!(mount["readOnly"], true, "{folder}");
            text(mount, "/mountPath")
        };
        let below = |path: &str| format!("{}/plugin.wasm", mount("module")) == path;
        let hcm = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        let plugin = &envoy.pointer(hcm).unwrap()["http_filters"][0]["typed_config"]["config"];
        assert!(below(text(plugin, "/vm_config/code/local/filename")), "{folder}");
        let both = format!("{}{}", text(data, "/envoy.yaml"), text(data, "/tls.yaml"));
        for (volume, file) in [("config", "tls.yaml"), ("tls", "tls.crt"), ("tls", "tls.key")] {
            assert!(both.contains(&format!("{}/{file}", mount(volume))), "{folder}: {file}");
        }
        assert_eq!(container["args"][1], format!("{}/envoy.yaml", mount("config")));

        let listeners = envoy["static_resources"]["listeners"].as_array().unwrap();
        let open: Vec<_> =
            listeners.iter().map(|l| &l["address"]["socket_address"]["port_value"]).collect();
        let said: Vec<_> =
            container["ports"].as_array().unwrap().iter().map(|p| &p["containerPort"]).collect();
        assert_eq!(open, said, "{folder}");
        let admin = &envoy["admin"]["address"]["socket_address"];
        assert_eq!(admin["address"], "127.0.0.1");
        let stop = text(container, "/lifecycle/preStop/exec/command/2");
        assert!(stop.contains(&format!("/dev/tcp/127.0.0.1/{}", admin["port_value"])), "{stop}");
    }
}

/// Asserts that the containers of a pod can do nothing that they need not.
fn has_few_rights(pod: &Value, folder: &str) {
    let context = &pod["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    for member in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod.get(member).is_none());
    }
    let containers = pod["containers"].as_array().unwrap().iter();
    for container in containers.chain(pod["initContainers"].as_array().into_iter().flatten()) {
        let wanted = json!({
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
        });
        assert_eq!(container["securityContext"], wanted, "{folder}");
        assert!(container["resources"]["limits"]["memory"].is_string(), "{folder}");
    }
}

#[test]
fn no_container_has_more_rights_than_it_needs() {
    let Some(built) = built() else { return };
    for (folder, objects) in built {
        let pod = one(objects, "Deployment").pointer(SPEC).unwrap();
        has_few_rights(pod, folder);
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
        let stop = text(&pod["containers"][0], "/lifecycle/preStop/exec/command/2");
        let sleep: u64 = stop.trim().rsplit_once("sleep ").unwrap().1.parse().unwrap();
        let drain = &pod["containers"][0]["args"].as_array().unwrap();
        let drain = drain.iter().position(|arg| arg == "--drain-time-s").map(|at| &drain[at + 1]);
        let drain: u64 = text(drain.unwrap(), "").parse().unwrap();
        assert!(drain < sleep && sleep < grace, "{drain} < {sleep} < {grace}");
    }
}

#[test]
fn the_two_ways_differ_in_where_the_module_comes_from_and_both_compare_its_digest() {
    let Some(built) = built() else { return };
    let [(_, base), (_, init)] = built else { panic!("two") };
    let mut from_init = one(init, "Deployment").clone();
    let pod = from_init.pointer_mut(SPEC).unwrap();
    let download = pod["initContainers"][0].take();
    pod.as_object_mut().unwrap().remove("initContainers");
    assert!(pod["volumes"][2]["emptyDir"].is_object());
    let image = one(base, "Deployment").pointer(&format!("{SPEC}/volumes/2")).unwrap().clone();
    assert!(text(&image, "/image/reference").ends_with(&format!("@sha256:{DIGEST}")));
    pod["volumes"][2] = image;
    assert_eq!(from_init, *one(base, "Deployment"));
    assert_eq!(one(init, "ConfigMap"), one(base, "ConfigMap"));
    let variable = |name: &str| {
        let all = download["env"].as_array().unwrap();
        text(all.iter().find(|variable| variable["name"] == name).unwrap(), "/value").to_owned()
    };
    assert_eq!(variable("MODULE_SHA256"), DIGEST);
    assert!(variable("MODULE_URL").starts_with("https://"));
    assert!(variable("MODULE_URL").ends_with(&format!("/blobs/sha256:{DIGEST}")));
}

/// The parameters of the Azure provider, and the members of one object of a vault
/// (Azure/secrets-store-csi-driver-provider-azure, `pkg/provider/types`).
const VAULT: [&str; 9] = [
    "keyvaultName",
    "cloudName",
    "usePodIdentity",
    "useVMManagedIdentity",
    "userAssignedIdentityID",
    "tenantID",
    "cloudEnvFileName",
    "clientID",
    "objects",
];
const OBJECT: [&str; 8] = [
    "objectName",
    "objectAlias",
    "objectVersion",
    "objectVersionHistory",
    "objectType",
    "objectFormat",
    "objectEncoding",
    "filePermission",
];

#[test]
fn key_vault_writes_each_file_that_envoy_reads_and_the_pod_differs_in_nothing_else() {
    let Some(kustomize) = Kustomize::find() else { return };
    let (objects, base) = (kustomize.build(KEY_VAULT), kustomize.build(BASE));
    for object in objects.iter().filter(|object| object["kind"] != "SecretProviderClass") {
        assert_eq!(kept(object).unwrap(), *object);
    }
    let deployment = one(&objects, "Deployment");
    let pod = deployment.pointer(SPEC).unwrap();
    let (volume, mount) = (&pod["volumes"][1], &pod["containers"][0]["volumeMounts"][1]);
    assert_eq!(volume["name"], mount["name"]);
    let folder = text(mount, "/mountPath");

    let vault = one(&objects, "SecretProviderClass");
    let class = volume.pointer("/csi/volumeAttributes/secretProviderClass");
    assert_eq!(class, Some(&vault["metadata"]["name"]));
    let parameters = vault["spec"]["parameters"].as_object().unwrap();
    assert!(parameters.keys().all(|name| VAULT.contains(&name.as_str())), "{parameters:?}");
    let list = manifests::documents(text(vault, "/spec/parameters/objects")).remove(0);
    let mut written: Vec<String> = Vec::new();
    for object in list["array"].as_array().unwrap() {
        let object = manifests::documents(object.as_str().unwrap()).remove(0);
        assert!(object.as_object().unwrap().keys().all(|name| OBJECT.contains(&name.as_str())));
        assert_eq!(object["objectType"], "secret", "with its key and chain");
        written.push(format!("{folder}/{}", text(&object, "/objectAlias")));
    }
    let data = one(&objects, "ConfigMap")["data"].as_object().unwrap();
    let mut read = Vec::new();
    for (name, content) in data.iter().filter(|(name, _)| *name != "envoy.yaml") {
        let named = format!("/etc/tollgate/config/{name}");
        assert!(text(&data["envoy.yaml"], "").contains(&named), "{named}");
        let secret = manifests::documents(content.as_str().unwrap()).remove(0);
        let secret = secret.to_string();
        let files = secret.split("\"filename\":\"").skip(1);
        read.extend(files.map(|rest| rest.split('"').next().unwrap().to_owned()));
        let watched = format!("\"watched_directory\":{{\"path\":\"{folder}\"}}");
        assert!(secret.contains(&watched) || secret.contains("generic_secret"), "{secret}");
    }
    read.sort();
    read.dedup();
    written.sort();
    assert_eq!(read, written);

    let envoy = manifests::documents(text(&data["envoy.yaml"], "")).remove(0);
    let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    let upstream = envoy["static_resources"]["clusters"][0].pointer(endpoint).unwrap();
    let models = named(&objects, "NetworkPolicy", "scoring-from-tollgate");
    assert_eq!(models["spec"]["ingress"][0]["ports"][0]["port"], upstream["port_value"]);

    let account = one(&objects, "ServiceAccount");
    let client = &account["metadata"]["annotations"]["azure.workload.identity/client-id"];
    assert_eq!(*client, parameters["clientID"]);
    let mut same = deployment.clone();
    let labels = &mut same["spec"]["template"]["metadata"]["labels"];
    let label = labels.as_object_mut().unwrap().remove("azure.workload.identity/use");
    assert_eq!(label, Some(json!("true")));
    let before = one(&base, "Deployment").pointer(SPEC).unwrap();
    let pod = same.pointer_mut(SPEC).unwrap();
    pod["volumes"][0] = before["volumes"][0].clone();
    pod["volumes"][1] = before["volumes"][1].clone();
    pod["containers"][0]["volumeMounts"][1] = before["containers"][0]["volumeMounts"][1].clone();
    assert_eq!(same, *one(&base, "Deployment"));
}

#[test]
fn the_pods_run_the_version_of_envoy_that_the_tests_run() {
    let versions = std::fs::read_to_string(root().join("scripts/install/versions")).unwrap();
    let version = versions.lines().find_map(|line| line.strip_prefix("ENVOY_VERSION=")).unwrap();
    let version = version.split_whitespace().next().unwrap();
    for file in [&format!("{BASE}/deployment.yaml"), "examples/envoy-gateway/module.yaml"] {
        let manifests = read(file);
        let deployment = manifests.iter().find(|one| one["kind"] == "Deployment").unwrap();
        let image = text(deployment, &format!("{SPEC}/containers/0/image"));
        assert_eq!(image, format!("docker.io/envoyproxy/envoy:v{version}"), "{file}");
    }
}
