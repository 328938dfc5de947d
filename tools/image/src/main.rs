//! `image build MODULE LAYOUT`: puts the module into an OCI layout, twice:
//!
//! - `compat`: an ordinary image, `plugin.wasm` in its one layer, for Istio and Envoy Gateway and for
//!   every tool that knows images.
//! - `artifact`: two layers, the bare module first and its runtime's configuration second, for
//!   Istio, Envoy Gateway, and Envoy's own fetcher, which takes the first layer as it is.
//!
//! `image sbom MODULE FILE`: writes the crates that are compiled into the module as CycloneDX JSON.
//!
//! Nothing but the arguments, the module and the variables below decides about a byte, so two builds
//! of one commit have one digest. Neither a daemon nor privileges are needed; `skopeo` copies the
//! layout from there. buildah could make the first image, but not with fixed times, and no artifact.
//!
//! `IMAGE_VERSION`, `IMAGE_REVISION`, `IMAGE_CREATED` (RFC 3339), `IMAGE_SOURCE`: what the labels
//! say; `CARGO`: the cargo to ask.

mod layout;
mod sbom;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use layout::{Labels, Layout};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["build", module, layout] => build(Path::new(module), Path::new(layout)),
        ["sbom", module, file] => write_sbom(Path::new(module), Path::new(file)),
        _ => Err("usage: image build MODULE LAYOUT | image sbom MODULE FILE".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image: {error}");
            ExitCode::FAILURE
        }
    }
}

fn labels() -> Result<Labels, Box<dyn Error>> {
    let variable = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    Ok(Labels {
        version: variable("IMAGE_VERSION")?,
        revision: variable("IMAGE_REVISION")?,
        created: variable("IMAGE_CREATED")?,
        source: variable("IMAGE_SOURCE")?,
    })
}

fn build(module: &Path, directory: &Path) -> Result<(), Box<dyn Error>> {
    let module = fs::read(module)?;
    let layout = Layout::of(&module, &labels()?)?;
    // Made anew, so that nothing of an earlier build stays.
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    layout.write(directory)?;
    println!("module    sha256:{}", layout::hex(&module));
    for (name, digest) in layout.images() {
        println!("{name:9} {digest}");
    }
    Ok(())
}

fn write_sbom(module: &Path, file: &Path) -> Result<(), Box<dyn Error>> {
    let module = fs::read(module)?;
    let bill = sbom::of(&module, &labels()?)?;
    fs::write(file, serde_json::to_vec_pretty(&bill)?)?;
    Ok(())
}
