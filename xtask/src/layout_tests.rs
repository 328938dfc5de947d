#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Read;

use super::*;

const MODULE: &[u8] = b"\0asm\x01\0\0\0 and so on";

fn layout() -> Layout {
    layout_of(&[("", MODULE)])
}

fn layout_of(modules: &[(&str, &[u8])]) -> Layout {
    let labels = Labels {
        version: "1.2.3".to_owned(),
        revision: "abc".to_owned(),
        seconds: 1_767_323_045,
        source: "https://example.com/tollgate".to_owned(),
    };
    Layout::of(modules, &labels).unwrap()
}

impl Layout {
    fn blob(&self, descriptor: &Value) -> &[u8] {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let blob = &self.blobs[digest];
        assert_eq!(sha256(blob), digest);
        assert_eq!(descriptor["size"], blob.len());
        blob
    }

    fn manifest(&self, name: &str) -> Value {
        let named =
            |image: &&Value| image["annotations"]["org.opencontainers.image.ref.name"] == name;
        let image = self.images.iter().find(named).unwrap();
        assert_eq!(image["mediaType"], MANIFEST);
        serde_json::from_slice(self.blob(image)).unwrap()
    }
}

#[test]
fn two_modules_have_two_images_each_under_their_own_names() {
    let layout = layout_of(&[("", MODULE), ("host-", b"\0asm\x01\0\0\0 other")]);
    let names: Vec<_> = layout.images().map(|(name, _)| name).collect();
    assert_eq!(names, ["compat", "artifact", "host-compat", "host-artifact"]);
}

#[test]
fn two_builds_of_one_module_have_the_same_digests() {
    let (one, other) = (layout(), layout());
    assert_eq!(one.blobs, other.blobs);
    assert_eq!(one.images, other.images);
}

#[test]
fn the_digest_is_known_so_that_it_cannot_change_unnoticed_between_machines() {
    let layout = layout();
    let images: Vec<_> = layout.images().collect();
    assert_eq!(images, [("compat", COMPAT), ("artifact", ARTIFACT)]);
}

const COMPAT: &str = "sha256:ea306f19cea629690aa87af43b6fb5150072d034e44cb7267a7f3678859f8a0d";
const ARTIFACT: &str = "sha256:e85b8e05d5975d7122918e4e82257c8b9073cf446fa60d31754272046f1427c4";

#[test]
fn the_compat_image_is_what_the_fetchers_of_istio_and_envoy_gateway_take() {
    let layout = layout();
    let manifest = layout.manifest("compat");
    assert_eq!(manifest["mediaType"], MANIFEST);
    assert_eq!(manifest["annotations"]["module.wasm.image/variant"], "compat");
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 1);
    assert_eq!(layers[0]["mediaType"], TAR_GZIP);
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(layout.blob(&layers[0])).read_to_end(&mut tar).unwrap();
    let config: Value = serde_json::from_slice(layout.blob(&manifest["config"])).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", sha256(&tar)));
    let mut archive = tar::Archive::new(&tar[..]);
    let mut files = archive.entries().unwrap();
    let mut file = files.next().unwrap().unwrap();
    assert_eq!(file.path().unwrap().to_str(), Some("plugin.wasm"));
    let mut module = Vec::new();
    file.read_to_end(&mut module).unwrap();
    assert_eq!(module, MODULE);
    assert!(files.next().is_none());
}

#[test]
fn the_artifact_has_exactly_two_layers_and_the_bare_module_is_the_first() {
    let layout = layout();
    let manifest = layout.manifest("artifact");
    let layers = manifest["layers"].as_array().unwrap();
    let kinds: Vec<_> = layers.iter().map(|layer| layer["mediaType"].as_str().unwrap()).collect();
    assert_eq!(kinds, [WASM_LAYER, WASM_CONFIG]);
    assert_eq!(layout.blob(&layers[0]), MODULE);
    let config: Value = serde_json::from_slice(layout.blob(&layers[1])).unwrap();
    assert_eq!(config["type"], "envoy_proxy");
    assert_eq!(layout.blob(&manifest["config"]), b"{}");
}

#[test]
fn each_image_says_what_it_is_and_where_it_comes_from() {
    let layout = layout();
    for name in ["compat", "artifact"] {
        let manifest = layout.manifest(name);
        for (label, value) in [
            ("title", "tollgate"),
            ("version", "1.2.3"),
            ("revision", "abc"),
            ("created", "2026-01-02T03:04:05Z"),
            ("source", "https://example.com/tollgate"),
            ("licenses", "Apache-2.0"),
        ] {
            let label = format!("org.opencontainers.image.{label}");
            assert_eq!(manifest["annotations"][&label], value, "{name}");
        }
    }
}

#[test]
fn other_files_than_modules_are_refused() {
    assert!(Layout::of(&[("", b"<html>")], &Labels::default()).is_err());
}
