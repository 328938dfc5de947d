//! Tells the program the version of the library, as the lock file has it.

fn main() {
    let lock = std::fs::read_to_string("Cargo.lock").unwrap();
    let (_, after) = lock.split_once("name = \"jsonwebtoken\"\nversion = \"").unwrap();
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-env=JSONWEBTOKEN={}", after.split('"').next().unwrap());
}
