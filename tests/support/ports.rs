//! Ports for programs that cannot choose one themselves.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;

/// Below the ports that the kernel gives to connections and to listeners without a port of their own
/// (`ip_local_port_range`), and above those of control planes.
const PORTS: std::ops::Range<u16> = 21_000..30_000;

/// The files of the ports of this process. Each is locked until the process ends.
static OURS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// An address of loopback at which no program listens, and that no other test of this checkout gets.
///
/// # Panics
/// When no port is free.
pub fn free_address() -> SocketAddr {
    let folder = crate::root().join("target/ports");
    fs::create_dir_all(&folder).unwrap();
    let mut ours = OURS.lock().unwrap();
    // Programs that run side by side begin at different places.
    let begin = usize::try_from(std::process::id()).unwrap() * 97;
    let ports = PORTS.cycle().skip(begin % PORTS.len()).take(PORTS.len());
    for port in ports {
        let file = File::create(folder.join(port.to_string())).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if file.try_lock().is_ok() && TcpListener::bind(address).is_ok() {
            ours.push(file);
            return address;
        }
    }
    panic!("no port is free")
}
