//! JSONTestSuite: its files, and the body guard's verdict on each.

use super::skip;

/// The files whose outcome RFC 8259 leaves open and that the guard lets pass: numbers outside the
/// range of a double, which are well-formed, and nesting below the configured depth. All other
/// `i_` files are refused: text that is not UTF-8, a byte order mark, lone surrogates.
const OPEN_AND_PASSED: [&str; 11] = [
    "i_number_double_huge_neg_exp.json",
    "i_number_huge_exp.json",
    "i_number_neg_int_huge_exp.json",
    "i_number_pos_double_huge_exp.json",
    "i_number_real_neg_overflow.json",
    "i_number_real_pos_overflow.json",
    "i_number_real_underflow.json",
    "i_number_too_big_neg_int.json",
    "i_number_too_big_pos_int.json",
    "i_number_very_big_negative_int.json",
    "i_structure_500_nested_arrays.json",
];

/// Name and content of each file; `None` after [`skip::absent`] without the suite.
pub fn files() -> Option<Vec<(String, Vec<u8>)>> {
    let folder = skip::shared("vectors/JSONTestSuite/test_parsing")?;
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    Some(files)
}

/// Whether the guard lets a file pass, at a depth of 512 or more.
pub fn passes(name: &str) -> bool {
    match name.as_bytes() {
        [b'y', b'_', ..] => true,
        [b'n', b'_', ..] => false,
        _ => OPEN_AND_PASSED.contains(&name),
    }
}
