//! `xtask image DIST`: puts each module into the OCI layout `DIST/image`, as two images, of which those of the
//! module without a verifier are `host-compat` and `host-artifact`:
//!
//! - `compat`: an ordinary image, `plugin.wasm` in its one layer, for Istio, Envoy Gateway and every
//!   tool that reads images.
//! - `artifact`: two layers, the bare module first and its runtime's configuration second, for
//!   Istio, Envoy Gateway, and Envoy's own fetcher, which takes the first layer as it is.
//!
//! It also writes `DIST/tollgate.cdx.json` and `DIST/tollgate-host.cdx.json`, the bills of materials.
//!
//! The bytes depend on the modules, `Cargo.lock` and the labels alone, so two builds of one commit
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
    /// The images of both modules.
    pub layout: Layout,
    /// The bill of materials.
    pub bill: Vec<u8>,
    /// The module without a verifier.
    pub host_module: Vec<u8>,
    /// Its bill of materials.
    pub host_bill: Vec<u8>,
}

impl Image {
    /// Builds the images and the bills of `dist/tollgate.wasm` and `dist/tollgate-host.wasm`.
    pub fn build(labels: &Labels) -> Result<Self, Box<dyn Error>> {
        let read =
            |path: &str| fs::read(path).map_err(|error| format!("{path}: {error}; run make wasm"));
        let module = read("dist/tollgate.wasm")?;
        let host_module = read("dist/tollgate-host.wasm")?;
        let layout = Layout::of(&[("", &module), ("host-", &host_module)], labels)?;
        let bill = |module: &[u8], features| {
            sbom::of(module, features, labels).map(|bill| serde_json::to_vec_pretty(&bill))
        };
        let bills = (bill(&module, sbom::ALL)??, bill(&host_module, sbom::NO_VERIFIER)??);
        Ok(Self { module, layout, bill: bills.0, host_module, host_bill: bills.1 })
    }

    /// One line for each module and each image: the name and `sha256:…`.
    pub fn digests(&self) -> String {
        let module = |name, module: &[u8]| (name, format!("sha256:{}", sha256(module)));
        let modules = [module("module", &self.module), module("host-module", &self.host_module)];
        let images = self.layout.images().map(|(name, digest)| (name, digest.to_owned()));
        modules
            .into_iter()
            .chain(images)
            .map(|(name, digest)| format!("{name:13} {digest}\n"))
            .collect()
    }
}

/// Builds and writes all of it, and prints the digests.
pub fn run(dist: &Path) -> Result<(), Box<dyn Error>> {
    let labels = Labels::read()?;
    let image = Image::build(&labels)?;
    write(&dist.join("image"), &image.layout.files()?)?;
    fs::write(dist.join("tollgate.cdx.json"), &image.bill)?;
    fs::write(dist.join("tollgate-host.cdx.json"), &image.host_bill)?;
    print!("{}", image.digests());
    let dist = dist.display();
    let (version, revision) = (&labels.version, &labels.revision);
    eprintln!(
        "{dist}/image ({version}, {revision}), {dist}/tollgate.cdx.json, {dist}/tollgate-host.cdx.json"
    );
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
