//! The labels of images and of the bill of materials.

use std::error::Error;
use std::{env, fs};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::output;

/// The origin of a build. It follows from the commit, so two builds of one commit have the same bytes.
#[derive(Debug, Default)]
pub struct Labels {
    /// The version of the release.
    pub version: String,
    /// The commit; `-modified` is appended if the working tree differs from it.
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
            revision: variable("IMAGE_REVISION").unwrap_or_else(revision),
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

fn revision() -> String {
    let git = |arguments: &[&str]| Some(output("git", arguments).ok()?.trim().to_owned());
    let mut revision = git(&["rev-parse", "HEAD"]).unwrap_or_else(|| "unknown".into());
    if git(&["status", "--porcelain"]).is_some_and(|changes| !changes.is_empty()) {
        revision.push_str("-modified");
    }
    revision
}
