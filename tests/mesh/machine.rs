//! The machine of a suite.
//!
//! `cargo xtask mesh` gives each test program its own network, mounts and process ids. This module fills them: a
//! bridge for pods, a list of names and a list of authorities that only the suite sees. Everything else is the
//! file system of the real machine.

use std::fs;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{LazyLock, Mutex, OnceLock};
use std::thread;

use nix::sched::{CloneFlags, setns};
use support::tls::Authority;
use support::{root, skip};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::program::run;

/// Where the list of the system's authorities lies. Envoy, Go and curl read it.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The names known from the start.
const HOSTS: &str = "127.0.0.1 localhost\n";

/// The first address of the bridge: the machine itself, as pods see it.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);

/// The folder of a suite's logs and files.
pub fn folder() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let program = std::env::current_exe().unwrap();
        let name = program.file_stem().unwrap().to_string_lossy().into_owned();
        let name = name.rsplit_once('-').map_or(name.clone(), |(name, _)| name.to_owned());
        let folder = root().join("target/mesh/runs").join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder.canonicalize().unwrap()
    };
    FOLDER.get_or_init(make).clone()
}

/// Prepares the machine, once for a suite; `false` after [`skip::absent`] outside `make mesh`.
pub fn ready() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    if std::env::var_os("TOLLGATE_MESH").is_none() {
        skip::absent("the control planes run under `make mesh`");
        return false;
    }
    *READY.get_or_init(|| {
        prepare();
        true
    })
}

fn prepare() {
    let authorities = fs::read_to_string(AUTHORITIES).unwrap_or_default();
    for (file, content) in [
        ("hosts", HOSTS.to_owned()),
        ("resolv.conf", "nameserver 127.0.0.1\n".to_owned()),
        ("authorities.pem", authorities + authority().pem()),
    ] {
        fs::write(folder().join(file), content).unwrap();
    }
    for (file, place) in [
        ("hosts", "/etc/hosts"),
        ("resolv.conf", "/etc/resolv.conf"),
        ("authorities.pem", AUTHORITIES),
    ] {
        run(Command::new("mount").arg("--bind").arg(folder().join(file)).arg(place)).ok();
    }
    fs::create_dir_all("/run/netns").unwrap();
    // Names of pods, which no other program sees.
    run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run/netns"])).ok();
    ip("link set lo up");
    // With an address of its own: a bridge takes the lowest of its ports, which changes when a pod is added, and pods
    // would then send to the former one for half a minute.
    ip("link add br0 address 02:00:00:00:00:01 type bridge");
    ip(&format!("addr add {ADDRESS}/24 dev br0"));
    ip("link set br0 up");
}

/// Runs `ip` with these arguments, separated by spaces.
///
/// # Panics
/// If it fails.
pub fn ip(arguments: &str) {
    run(Command::new("ip").args(arguments.split(' '))).ok();
}

/// Adds a name that every program of the suite resolves to this address.
pub fn name(address: impl Into<std::net::IpAddr>, names: &str) {
    append("hosts", &format!("{} {names}\n", address.into()));
}

/// Adds an authority that every program of the suite trusts which starts later.
pub fn trust(pem: &str) {
    append("authorities.pem", pem);
}

/// The authority of the suite's servers, which every program of the suite trusts.
pub fn authority() -> &'static Authority {
    static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
    &AUTHORITY
}

/// Runs the suite's servers on the machine itself.
pub fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
    &RUNTIME
}

/// The file stays the same one, because it is mounted.
fn append(file: &str, text: &str) {
    use std::io::Write as _;
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap();
    let path = folder().join(file);
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// A second address of the machine itself, for a server on a fixed port. The last part is below 10.
pub fn address(last: u8) -> Ipv4Addr {
    let address = Ipv4Addr::new(10, 244, 0, last);
    ip(&format!("addr add {address}/24 dev br0"));
    address
}

/// A pod: a network of its own with one address on the bridge. A default route leads to the machine.
pub fn pod(name: &str, last: u8) -> Ipv4Addr {
    let address = Ipv4Addr::new(10, 244, 0, last);
    ip(&format!("netns add {name}"));
    ip(&format!("-n {name} link set lo up"));
    ip(&format!("link add v-{name} type veth peer name eth0 netns {name}"));
    ip(&format!("link set v-{name} master br0 up"));
    ip(&format!("-n {name} addr add {address}/24 dev eth0"));
    ip(&format!("-n {name} link set eth0 up"));
    ip(&format!("-n {name} route add default via {ADDRESS}"));
    address
}

/// A command that runs in the network of a pod.
pub fn in_pod(pod: &str, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", pod, program]);
    command
}

/// Runs a future to its end in the network of a pod.
pub fn within<F: Future>(pod: &str, future: impl FnOnce() -> F + Send) -> F::Output
where
    F::Output: Send,
{
    thread::scope(|scope| scope.spawn(|| enter(pod).block_on(future())).join().unwrap())
}

/// Runs a future in the network of a pod for the rest of the suite: a server.
pub fn serve<F: Future>(pod: &str, future: impl FnOnce() -> F + Send + 'static) {
    let pod = pod.to_owned();
    thread::spawn(move || {
        enter(&pod).block_on(async {
            future().await;
            std::future::pending::<()>().await;
        });
    });
}

/// A connection that starts in the network of a pod; any thread can use it.
pub async fn connect(pod: String, address: SocketAddr) -> std::io::Result<TcpStream> {
    // Of its own, because it stays in that network.
    let thread =
        thread::spawn(move || enter(&pod).block_on(TcpStream::connect(address))?.into_std());
    let joined = tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
    TcpStream::from_std(joined?)
}

/// Moves the thread into the network of a pod. The runtime has no other threads, which would be elsewhere.
fn enter(pod: &str) -> Runtime {
    let file = fs::File::open(format!("/run/netns/{pod}")).unwrap();
    setns(file, CloneFlags::CLONE_NEWNET).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
