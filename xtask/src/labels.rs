//! The labels of images and of the bill of materials.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::output;

/// The origin of a build. It follows from the commit, so two builds of one commit have the same bytes.
#[derive(Debug, Default)]
pub struct Labels {
    /// The version of the release.
    pub version: String,
    /// The commit; `-modified` is appended if a tracked file differs from it.
    pub revision: String,
    /// The time of the commit in Unix seconds.
    pub seconds: u64,
    /// The URL of the repository.
    pub source: String,
}

impl Labels {
    /// Reads `Cargo.toml` and the commit. `IMAGE_VERSION`, `IMAGE_REVISION` and `SOURCE_DATE_EPOCH`
    /// take precedence. Outside of a repository the revision is `unknown` and the time is 0.
    pub fn read() -> Result<Self, Box<dyn Error>> {
        let manifest = fs::read_to_string("Cargo.toml")?;
        let field = |name: &str| {
            let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(" = ")?.to_owned());
            let line = manifest.lines().find_map(value);
            line.map(|value| value.trim_matches('"').to_owned()).ok_or(format!("no {name}"))
        };
        let variable = |name: &str| env::var(name).ok();
        let time = variable("SOURCE_DATE_EPOCH");
        let time = time.or_else(|| output("git", &["log", "-1", "--format=%ct"]).ok());
        Ok(Self {
            version: variable("IMAGE_VERSION").map_or_else(|| field("version"), Ok)?,
            revision: variable("IMAGE_REVISION").unwrap_or_else(|| revision(Path::new("."))),
            seconds: time.as_deref().map_or(Ok(0), |seconds| seconds.trim().parse())?,
            source: field("repository")?,
        })
    }

    /// The time of the commit, RFC 3339.
    pub fn created(&self) -> Result<String, Box<dyn Error>> {
        let time = OffsetDateTime::from_unix_timestamp(i64::try_from(self.seconds)?)?;
        Ok(time.format(&Rfc3339)?)
    }
}

/// The commit of the repository in a folder. Files that git does not know are no part of it: the build reads
/// none of them.
fn revision(folder: &Path) -> String {
    let folder = folder.to_string_lossy();
    let git = |arguments: &[&str]| {
        let output = output("git", &[&["-C", &folder], arguments].concat());
        Some(output.ok()?.trim().to_owned())
    };
    let mut revision = git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let changes = git(&["status", "--porcelain", "--untracked-files=no"]);
    if changes.is_some_and(|changes| !changes.is_empty()) {
        revision.push_str("-modified");
    }
    revision
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tracked_file_makes_a_revision_modified() {
        let folder = env::temp_dir().join(format!("tollgate-labels-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let git = |arguments: &[&str]| {
            let who = ["-c", "user.name=labels", "-c", "user.email=labels@example.com"];
            let place = ["-C", folder.to_str().unwrap()];
            output("git", &[&place[..], &who, arguments].concat()).unwrap()
        };
        git(&["init", "--quiet"]);
        fs::write(folder.join("tracked"), "a").unwrap();
        git(&["add", "tracked"]);
        git(&["commit", "--quiet", "--message=first"]);
        let clean = git(&["rev-parse", "HEAD"]).trim().to_owned();
        fs::write(folder.join("first.yaml"), "a").unwrap();
        assert_eq!(revision(&folder), clean);
        fs::write(folder.join("tracked"), "b").unwrap();
        assert_eq!(revision(&folder), format!("{clean}-modified"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
