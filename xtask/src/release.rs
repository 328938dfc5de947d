//! `xtask release DIST`: collects the files of a release under `DIST/release`, with the digests of
//! this build written into the examples. docs/release.md has the checklist around it.
//!
//! `ALLOW_MODIFIED=1` allows a trial from a working tree with changes.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use crate::archive::{Files, gzip, sha256, tar};
use crate::image::{self, Image};
use crate::labels::Labels;
use crate::output;

/// Kinds of Kubernetes resources that name the image, unless they fetch a file over HTTP.
const IMAGE_KINDS: [&str; 4] = [
    "kind: WasmPlugin",
    "kind: TrafficExtension",
    "kind: EnvoyExtensionPolicy",
    "kind: Deployment",
];

/// The kinds of files that belong to the examples.
const EXTENSIONS: [&str; 7] = ["yaml", "yml", "json", "conf", "cfg", "py", "txt"];

/// Builds and writes all of it, and prints the digests.
pub fn run(dist: &Path) -> Result<(), Box<dyn Error>> {
    let labels = Labels::read()?;
    if labels.revision.ends_with("-modified") && env::var_os("ALLOW_MODIFIED").is_none() {
        return Err("the tree has changes, so this build cannot be repeated; commit them".into());
    }
    let image = Image::build(&labels)?;
    let name = format!("tollgate-{}", labels.version);
    let archive = |folder: &str, files: Files| {
        let files = files.into_iter().map(|(path, content)| (format!("{folder}/{path}"), content));
        tar(&files.collect(), 0o644, labels.seconds)
    };
    let examples = archive(&format!("{name}-examples"), examples(&image)?)?;
    let layout = archive(&format!("{name}-oci"), image.layout.files()?)?;
    let mut files = Files::from([
        (format!("{name}-examples.tar.gz"), gzip(&examples)?),
        (format!("{name}-oci.tar"), layout),
        (format!("{name}.cdx.json"), image.bill.clone()),
        (format!("{name}.schema.json"), fs::read("docs/tollgate.schema.json")?),
        (format!("{name}.wasm"), image.module.clone()),
        (format!("{name}-host.cdx.json"), image.host_bill.clone()),
        (format!("{name}-host.wasm"), image.host_module.clone()),
        ("digests.txt".to_owned(), image.digests().into_bytes()),
    ]);
    let sums = files.iter().map(|(name, content)| format!("{}  {name}\n", sha256(content)));
    files.insert("SHA256SUMS".to_owned(), sums.collect::<String>().into_bytes());
    let release = dist.join("release");
    image::write(&release, &files)?;
    eprint!("{}", image.digests());
    eprintln!("{}: {} files", release.display(), files.len());
    Ok(())
}

/// The committed examples, with the digests of this build in place of the 64 zeros.
fn examples(image: &Image) -> Result<Files, Box<dyn Error>> {
    let compat = image.layout.images().find(|(name, _)| *name == "compat");
    let (_, compat) = compat.ok_or("the layout has no image compat")?;
    let compat = compat.trim_start_matches("sha256:");
    let module = sha256(&image.module);
    let mut examples = Files::new();
    for file in output("git", &["ls-files", "--", "envoy", "istio", "examples"])?.lines() {
        let extension = Path::new(file).extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
            let text = fs::read_to_string(file)?;
            let digest = if names_image(&text) { compat } else { &module };
            // Kubernetes' schemas demand 64 digits, so that is what the examples have.
            examples.insert(file.to_owned(), text.replace(&"0".repeat(64), digest).into_bytes());
        }
    }
    Ok(examples)
}

fn names_image(manifest: &str) -> bool {
    let image = |line: &str| IMAGE_KINDS.iter().any(|kind| line.starts_with(kind));
    let file = |line: &str| line.starts_with(' ') && line.trim_start() == "type: HTTP";
    manifest.lines().any(image) && !manifest.lines().any(file)
}
