//! `xtask image DIST`: puts the module into the OCI layout `DIST/image`, as two images:
//!
//! - `compat`: an ordinary image, `plugin.wasm` in its one layer, for Istio, Envoy Gateway and every
//!   tool that reads images.
//! - `artifact`: two layers, the bare module first and its runtime's configuration second, for
//!   Istio, Envoy Gateway, and Envoy's own fetcher, which takes the first layer as it is.
//!
//! It also writes `DIST/tollgate.cdx.json`, the bill of materials.
//!
//! The bytes depend on the module, `Cargo.lock` and the labels alone, so two builds of one commit
//! have one digest. Neither a daemon nor privileges are needed; `skopeo` copies the layout to a
//! registry. buildah could make the first image, but not with fixed times, and no artifact.

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::archive::sha256;
use crate::labels::Labels;
use crate::layout::Layout;
use crate::sbom;

/// The built module and the files that are made of it.
pub struct Image {
    /// The module.
    pub module: Vec<u8>,
    /// Both images.
    pub layout: Layout,
    /// The bill of materials.
    pub bill: Vec<u8>,
}

impl Image {
    /// Builds both images and the bill of `dist/tollgate.wasm`.
    pub fn build(labels: &Labels) -> Result<Self, Box<dyn Error>> {
        let module = fs::read("dist/tollgate.wasm")
            .map_err(|error| format!("dist/tollgate.wasm: {error}; run make wasm"))?;
        let layout = Layout::of(&module, labels)?;
        let bill = serde_json::to_vec_pretty(&sbom::of(&module, labels)?)?;
        Ok(Self { module, layout, bill })
    }

    /// One line for the module and one for each image: the name and `sha256:…`.
    pub fn digests(&self) -> String {
        let mut text = format!("module    sha256:{}\n", sha256(&self.module));
        for (name, digest) in self.layout.images() {
            text += &format!("{name:9} {digest}\n");
        }
        text
    }
}

/// Builds and writes all of it, and prints the digests.
pub fn run(dist: &Path) -> Result<(), Box<dyn Error>> {
    let labels = Labels::read()?;
    let image = Image::build(&labels)?;
    write(&dist.join("image"), &image.layout.files()?)?;
    fs::write(dist.join("tollgate.cdx.json"), &image.bill)?;
    print!("{}", image.digests());
    let dist = dist.display();
    eprintln!("{dist}/image ({}, {}), {dist}/tollgate.cdx.json", labels.version, labels.revision);
    Ok(())
}

/// Writes files into a new directory; an earlier one is removed.
pub fn write(directory: &Path, files: &crate::archive::Files) -> Result<(), Box<dyn Error>> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    for (path, content) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap_or(directory))?;
        fs::write(path, content)?;
    }
    Ok(())
}
