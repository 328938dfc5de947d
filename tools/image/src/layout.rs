//! An OCI image layout (image-spec 1.1) in memory, and the two images in it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

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

/// What the images say of themselves.
#[derive(Debug)]
pub struct Labels {
    /// The release.
    pub version: String,
    /// The commit.
    pub revision: String,
    /// When, RFC 3339.
    pub created: String,
    /// Where the source is.
    pub source: String,
}

impl Labels {
    /// The predefined annotations of the image specification.
    fn annotations(&self) -> BTreeMap<String, String> {
        [
            ("title", "tollgate"),
            ("description", "Verifies JWTs, limits callers and tags requests inside Envoy"),
            ("licenses", "Apache-2.0"),
            ("version", &self.version),
            ("revision", &self.revision),
            ("created", &self.created),
            ("source", &self.source),
            ("documentation", &format!("{}/blob/main/README.md", self.source)),
        ]
        .map(|(name, value)| (format!("org.opencontainers.image.{name}"), value.to_owned()))
        .into()
    }
}

/// The files of a layout.
#[derive(Debug, Default)]
pub struct Layout {
    /// By their SHA-256 in hexadecimal.
    blobs: BTreeMap<String, Vec<u8>>,
    /// The descriptors of the images.
    images: Vec<Value>,
}

impl Layout {
    /// The layout with both images of a module.
    ///
    /// # Errors
    /// When the module is none, or something cannot be written as JSON, tar or gzip.
    pub fn of(module: &[u8], labels: &Labels) -> Result<Self, Box<dyn Error>> {
        if !module.starts_with(b"\0asm\x01\0\0\0") {
            return Err("this is no WebAssembly module".into());
        }
        let mut layout = Self::default();
        layout.compat(module, labels)?;
        layout.artifact(module, labels)?;
        Ok(layout)
    }

    /// An ordinary image of one layer.
    fn compat(&mut self, module: &[u8], labels: &Labels) -> Result<(), Box<dyn Error>> {
        let mut annotations = labels.annotations();
        let tar = tar_of(PLUGIN, module)?;
        let layer = gzip(&tar)?;
        let config = json!({
            // There is no platform: nothing of it runs outside of a proxy. Tools that look for one
            // want these fields all the same.
            "architecture": "wasm",
            "os": "wasip1",
            "created": labels.created,
            "config": {"Labels": annotations},
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex(&tar))]},
            "history": [{"created": labels.created, "created_by": "tools/image"}],
        });
        let config = self.add_json(IMAGE_CONFIG, &config)?;
        let layer = self.add(TAR_GZIP, layer);
        annotations.insert("module.wasm.image/variant".to_owned(), "compat".to_owned());
        self.add_image("compat", config, vec![layer], &annotations)
    }

    /// The bare module and what it is written for.
    fn artifact(&mut self, module: &[u8], labels: &Labels) -> Result<(), Box<dyn Error>> {
        let runtime = json!({"type": "envoy_proxy", "abiVersions": ["0.2.1"], "config": {}});
        let mut module = self.add(WASM_LAYER, module.to_vec());
        let mut runtime = self.add_json(WASM_CONFIG, &runtime)?;
        for (layer, title) in [(&mut module, PLUGIN), (&mut runtime, "runtime-config.json")] {
            if let Some(fields) = layer.as_object_mut() {
                let title = json!({"org.opencontainers.image.title": title});
                fields.insert("annotations".to_owned(), title);
            }
        }
        let config = self.add_json(EMPTY, &json!({}))?;
        // Envoy's own fetcher takes the first layer, Istio's the one of this type of exactly two.
        self.add_image("artifact", config, vec![module, runtime], &labels.annotations())
    }

    fn add_image(
        &mut self,
        name: &str,
        config: Value,
        layers: Vec<Value>,
        annotations: &BTreeMap<String, String>,
    ) -> Result<(), Box<dyn Error>> {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": layers,
            "annotations": annotations,
        });
        if name == "artifact" {
            manifest["artifactType"] = json!(WASM_CONFIG);
        }
        let mut descriptor = self.add_json(MANIFEST, &manifest)?;
        descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        self.images.push(descriptor);
        Ok(())
    }

    fn add_json(&mut self, kind: &str, value: &Value) -> Result<Value, Box<dyn Error>> {
        Ok(self.add(kind, serde_json::to_vec(value)?))
    }

    /// Adds a blob; its descriptor.
    fn add(&mut self, kind: &str, blob: Vec<u8>) -> Value {
        let (digest, size) = (hex(&blob), blob.len());
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

    /// Writes the layout into a directory that does not exist.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), Box<dyn Error>> {
        let blobs = directory.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        for (digest, blob) in &self.blobs {
            fs::write(blobs.join(digest), blob)?;
        }
        fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": self.images});
        fs::write(directory.join("index.json"), serde_json::to_vec_pretty(&index)?)?;
        Ok(())
    }
}

/// The SHA-256 of bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// An archive of one file that anybody may read, without owner and time.
fn tar_of(name: &str, content: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(content.len())?);
    header.set_mode(0o444);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, content)?;
    Ok(archive.into_inner()?)
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    // 255: an unknown operating system, so that the header is the same on all.
    let builder = GzBuilder::new().mtime(0).operating_system(255);
    let mut encoder = builder.write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
