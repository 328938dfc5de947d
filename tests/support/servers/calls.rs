//! The lines of the programs, read back.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

/// One call of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The header `x-case`, by which a test finds its request; `mlflow` shows no headers.
    pub case: Option<String>,
    pub method: String,
    /// The path as the program sees it: decoded by its server, or not.
    pub path: String,
    /// Which of its routes the program took, if it has any.
    pub handler: Option<String>,
    /// Every header, or every variable of CGI, with its value.
    pub variables: Vec<(String, String)>,
    /// Trailers, where the server shows them.
    pub trailers: Vec<(String, String)>,
    /// Whether the whole body was read.
    pub whole: bool,
    /// The rows that the program found in the body.
    pub rows: u64,
}

impl Call {
    /// The values that the program finds for a header, under any name that its server gave it.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let all = self.variables.iter().chain(&self.trailers);
        all.filter(|(given, _)| folded(given) == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// The header of which a variable is, in lower case with `-` for all that is no letter or digit.
pub fn folded(name: &str) -> String {
    let fold = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(fold).collect();
    name.strip_prefix("http-").map(str::to_owned).unwrap_or(name)
}

/// The calls from `offset` on, and the offset of the next line.
pub(super) fn read(path: &Path, offset: u64) -> (Vec<Call>, u64) {
    let mut text = String::new();
    let mut file = File::open(path).unwrap();
    file.seek(SeekFrom::Start(offset)).unwrap();
    file.read_to_string(&mut text).unwrap();
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    let mut calls: Vec<Call> = Vec::new();
    for line in text[..end].lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let case = line["case"].as_str().map(str::to_owned);
        if line["event"] == "call" {
            calls.push(Call {
                case,
                method: text_of(&line["method"]),
                path: text_of(&line["path"]),
                handler: line["handler"].as_str().map(str::to_owned),
                variables: pairs(&line["variables"]),
                ..Call::default()
            });
        } else if let Some(call) =
            calls.iter_mut().rev().find(|call| call.case == case && !call.whole)
        {
            call.whole = true;
            call.rows = line["rows"].as_u64().unwrap_or_default();
            call.trailers = pairs(&line["trailers"]);
        }
    }
    (calls, offset + end as u64)
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    let pairs = value.as_array().into_iter().flatten();
    pairs.map(|pair| (text_of(&pair[0]), text_of(&pair[1]))).collect()
}
