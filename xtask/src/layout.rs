//! An OCI image layout (image-spec 1.1) in memory, and the two images in it.

use std::collections::BTreeMap;
use std::error::Error;

use serde_json::{Value, json};

use crate::archive::{Files, gzip, sha256, tar};
use crate::labels::Labels;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Layers of the Wasm artifact image specification, which Istio's fetcher looks for.
const WASM_LAYER: &str = "application/vnd.module.wasm.content.layer.v1+wasm";
const WASM_CONFIG: &str = "application/vnd.module.wasm.config.v1+json";
/// OCI's descriptor of nothing: `{}`.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The name of the module inside the compat image; Istio looks for no other.
const PLUGIN: &str = "plugin.wasm";

/// The blobs of a layout and its index.
#[derive(Debug, Default)]
pub struct Layout {
    /// By their SHA-256 in hexadecimal.
    blobs: BTreeMap<String, Vec<u8>>,
    /// The descriptors of the images.
    images: Vec<Value>,
}

impl Layout {
    /// The layout with both images of each module; the names of the images begin with that of the module.
    pub fn of(modules: &[(&str, &[u8])], labels: &Labels) -> Result<Self, Box<dyn Error>> {
        let mut layout = Self::default();
        let created = labels.created()?;
        let annotations = annotations(labels, &created);
        for (name, module) in modules {
            if !module.starts_with(b"\0asm\x01\0\0\0") {
                return Err("this is not a WebAssembly module".into());
            }
            layout.compat(name, module, annotations.clone(), &created)?;
            layout.artifact(name, module, &annotations)?;
        }
        Ok(layout)
    }

    /// An ordinary image of one layer.
    fn compat(
        &mut self,
        name: &str,
        module: &[u8],
        mut annotations: Annotations,
        created: &str,
    ) -> Result<(), Box<dyn Error>> {
        let tar = tar(&Files::from([(PLUGIN.to_owned(), module.to_vec())]), 0o444, 0)?;
        let layer = gzip(&tar)?;
        let config = json!({
            // The module has no platform, because it runs inside a proxy. Tools demand the fields.
            "architecture": "wasm",
            "os": "wasip1",
            "created": created,
            "config": {"Labels": annotations},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(&tar))]},
            "history": [{"created": created, "created_by": "cargo xtask image"}],
        });
        let config = self.add_json(IMAGE_CONFIG, &config)?;
        let layer = self.add(TAR_GZIP, layer);
        annotations.insert("module.wasm.image/variant".to_owned(), "compat".to_owned());
        self.add_image(&format!("{name}compat"), config, vec![layer], &annotations)
    }

    /// The bare module, and the configuration of its runtime.
    fn artifact(
        &mut self,
        name: &str,
        module: &[u8],
        annotations: &Annotations,
    ) -> Result<(), Box<dyn Error>> {
        let runtime = json!({"type": "envoy_proxy", "abiVersions": ["0.2.1"], "config": {}});
        let mut module = self.add(WASM_LAYER, module.to_vec());
        let mut runtime = self.add_json(WASM_CONFIG, &runtime)?;
        for (layer, title) in [(&mut module, PLUGIN), (&mut runtime, "runtime-config.json")] {
            set(layer, "annotations", json!({"org.opencontainers.image.title": title}));
        }
        let config = self.add_json(EMPTY, &json!({}))?;
        // Envoy's own fetcher takes the first layer, Istio's the one of this type of exactly two.
        self.add_image(&format!("{name}artifact"), config, vec![module, runtime], annotations)
    }

    fn add_image(
        &mut self,
        name: &str,
        config: Value,
        layers: Vec<Value>,
        annotations: &Annotations,
    ) -> Result<(), Box<dyn Error>> {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
            "annotations": annotations,
        });
        if name.ends_with("artifact") {
            set(&mut manifest, "artifactType", json!(WASM_CONFIG));
        }
        let mut descriptor = self.add_json(MANIFEST, &manifest)?;
        let reference = json!({"org.opencontainers.image.ref.name": name});
        set(&mut descriptor, "annotations", reference);
        self.images.push(descriptor);
        Ok(())
    }

    fn add_json(&mut self, kind: &str, value: &Value) -> Result<Value, Box<dyn Error>> {
        Ok(self.add(kind, serde_json::to_vec(value)?))
    }

    /// Adds a blob and returns its descriptor.
    fn add(&mut self, kind: &str, blob: Vec<u8>) -> Value {
        let (digest, size) = (sha256(&blob), blob.len());
        self.blobs.insert(digest.clone(), blob);
        json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": size})
    }

    /// The names of the images and the digests of their manifests.
    pub fn images(&self) -> impl Iterator<Item = (&str, &str)> {
        self.images.iter().filter_map(|image| {
            let name = image.pointer("/annotations/org.opencontainers.image.ref.name");
            Some((name?.as_str()?, image.pointer("/digest")?.as_str()?))
        })
    }

    /// The files of the layout, by their paths in its directory.
    pub fn files(&self) -> Result<Files, Box<dyn Error>> {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.images});
        let blob =
            |(digest, blob): (&String, &Vec<u8>)| (format!("blobs/sha256/{digest}"), blob.clone());
        let mut files: Files = self.blobs.iter().map(blob).collect();
        files.insert("index.json".into(), serde_json::to_vec_pretty(&index)?);
        files.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        Ok(files)
    }
}

type Annotations = BTreeMap<String, String>;

/// The predefined annotations of the image specification.
fn annotations(labels: &Labels, created: &str) -> Annotations {
    [
        ("title", "tollgate"),
        ("description", "Verifies JWTs, limits callers and tags requests inside Envoy"),
        ("licenses", "Apache-2.0"),
        ("version", &labels.version),
        ("revision", &labels.revision),
        ("created", created),
        ("source", &labels.source),
        ("documentation", &format!("{}/blob/main/README.md", labels.source)),
    ]
    .map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.to_owned()))
    .into()
}

/// Sets a member of an object.
fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
