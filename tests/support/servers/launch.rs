//! The command, files and requirements of each server.

use std::fs::{create_dir_all, write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use super::{Kind, installed, root};

/// The file of a server's directory to which its program writes.
pub(super) const CALLS: &str = "calls.jsonl";

/// The first missing part of a server.
pub(super) fn missing(kind: Kind) -> Option<String> {
    let system = |name: &str| match binary(name) {
        Some(_) => None,
        None => Some(name.to_owned()),
    };
    let file = |name: &str| match installed().join(name) {
        path if path.exists() => None,
        _ => Some(format!("target/servers/{name}")),
    };
    let python = || file("python/requirements.txt");
    match kind {
        Kind::Nginx => system("nginx").or_else(python),
        Kind::Apache => system("apache2").or_else(|| file("program")),
        Kind::Lighttpd => system("lighttpd").or_else(|| file("program")),
        Kind::Go => file("program"),
        Kind::Flask | Kind::Wsgi | Kind::Uvicorn | Kind::AzureMl => python(),
        Kind::Express => system("node").or_else(|| file("node/node_modules/express")),
        Kind::Node | Kind::NodeH2 => system("node"),
        Kind::Mlflow => python().or_else(|| file("model.hash")),
    }
}

/// A program by its name; the folders of system programs are not on everybody's path.
fn binary(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).collect::<Vec<_>>();
    let system = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"].map(PathBuf::from);
    folders.into_iter().chain(system).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A free port below those that the system gives to outgoing connections, so that none of them
/// takes it before the server listens.
pub(super) fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 9_000) as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (start + step) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A fresh directory with the files of the server.
pub(super) fn directory(kind: Kind) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{}-{number}", kind.name(), std::process::id());
    // Apache runs its programs as another user, which may not see the folder of the repository.
    let directory = match kind {
        Kind::Apache => std::env::temp_dir().join(format!("tollgate-{name}")),
        _ => root().join("target/e2e").join(name),
    };
    let _ = std::fs::remove_dir_all(&directory);
    create_dir_all(&directory).unwrap();
    write(directory.join(CALLS), "").unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&directory, 0o755);
    mode(&directory.join(CALLS), 0o666);
    if matches!(kind, Kind::Apache | Kind::Lighttpd) {
        std::fs::copy(installed().join("program"), directory.join("program")).unwrap();
        mode(&directory.join("program"), 0o755);
    }
    directory
}

/// The entry script that calls `record.py`.
pub(super) const ENTRY: &str = "tests/data/servers/score.py";

/// The processes of a server, the one that listens first. Only Microsoft's has an entry script.
pub(super) fn commands(kind: Kind, entry: &str, port: u16, directory: &Path) -> Vec<Command> {
    let sources = root().join("tests/data/servers");
    let python = installed().join("python/bin/python3");
    let port_text = port.to_string();
    let command = |program: &Path| {
        let mut command = Command::new(program);
        command
            .env("PORT", &port_text)
            .env("CALLS", directory.join(CALLS))
            .env("HOME", directory)
            .env("PYTHONPATH", &sources)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NODE_PATH", installed().join("node/node_modules"));
        command
    };
    let module = |arguments: &[&str]| {
        let mut command = command(&python);
        command.arg("-m").args(arguments);
        command
    };
    let script = |program: &Path, name: &str| {
        let mut command = command(program);
        command.arg(sources.join(name));
        command
    };
    let system = |name: &str| binary(name).unwrap();
    match kind {
        Kind::Nginx => {
            write(directory.join("nginx.conf"), nginx(port)).unwrap();
            let mut server = command(&system("nginx"));
            server.arg("-p").arg(directory).args(["-c", "nginx.conf", "-e", "stderr"]);
            let mut program = script(&python, "scgi.py");
            program.env("SOCKET", directory.join("program.sock"));
            vec![server, program]
        }
        Kind::Apache => {
            let file = directory.join("apache.conf");
            write(&file, apache(port, directory)).unwrap();
            let mut server = command(&system("apache2"));
            server.args(["-D", "FOREGROUND", "-f"]).arg(file);
            vec![server]
        }
        Kind::Lighttpd => {
            let file = directory.join("lighttpd.conf");
            write(&file, lighttpd(port, directory)).unwrap();
            let mut server = command(&system("lighttpd"));
            server.args(["-D", "-f"]).arg(file);
            vec![server]
        }
        Kind::Go => vec![command(&installed().join("program"))],
        Kind::Flask => {
            let bind = format!("127.0.0.1:{port}");
            vec![module(&[
                "gunicorn",
                "flask_app:app",
                "--bind",
                &bind,
                "--worker-class",
                "gthread",
                "--threads",
                "8",
                "--header-map",
                "dangerous",
                "--keep-alive",
                "60",
            ])]
        }
        Kind::Wsgi => vec![script(&python, "wsgi.py")],
        Kind::Uvicorn => vec![module(&[
            "uvicorn",
            "asgi_app:app",
            "--host",
            "127.0.0.1",
            "--port",
            &port_text,
            "--log-level",
            "warning",
        ])],
        Kind::Express => vec![script(&system("node"), "express_app.js")],
        Kind::Node => vec![script(&system("node"), "node_server.js")],
        Kind::NodeH2 => {
            let mut server = script(&system("node"), "node_server.js");
            server.env("PROTOCOL", "h2c");
            vec![server]
        }
        Kind::AzureMl => {
            let mut server = module(&["azureml_inference_server_http", "--worker_count", "1"]);
            server.args(["--port", &port_text, "--entry_script"]).arg(root().join(entry));
            vec![server]
        }
        Kind::Mlflow => {
            let model = installed().join("model");
            let mut server = module(&["mlflow", "models", "serve", "--env-manager", "local"]);
            server.args(["--host", "127.0.0.1", "--workers", "1", "--port", &port_text]);
            server.arg("--model-uri").arg(model).env("MLFLOW_DISABLE_TELEMETRY", "true");
            // It starts `uvicorn` by its name.
            let folder = python.parent().unwrap().to_path_buf();
            let path = std::env::var_os("PATH").unwrap_or_default();
            let folders = std::iter::once(folder).chain(std::env::split_paths(&path));
            server.env("PATH", std::env::join_paths(folders).unwrap());
            vec![server]
        }
    }
}

/// Starts a process in the group of `leader`, or in a group of its own.
pub(super) fn run(command: &mut Command, directory: &Path, leader: Option<u32>) -> Child {
    let output = directory.join("output.log");
    let output = std::fs::OpenOptions::new().create(true).append(true).open(output).unwrap();
    command
        .current_dir(directory)
        .process_group(leader.map_or(0, |id| id.cast_signed()))
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", command.get_program().display()))
}

/// Lets every header in, so that all headers that pass the filter reach the program.
fn nginx(port: u16) -> String {
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr crit;
         events {{ worker_connections 256; }}
         http {{
           access_log off;
           client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;
           uwsgi_temp_path t4; scgi_temp_path t5;
           server {{
             listen 127.0.0.1:{port};
             underscores_in_headers on; ignore_invalid_headers off;
             large_client_header_buffers 8 32k;
             location / {{
               scgi_pass unix:program.sock;
               scgi_param SCGI 1;
               scgi_param REQUEST_METHOD $request_method;
               scgi_param REQUEST_URI $request_uri;
               scgi_param DOCUMENT_URI $document_uri;
               scgi_param QUERY_STRING $query_string;
               scgi_param CONTENT_TYPE $content_type;
               scgi_param CONTENT_LENGTH $content_length;
             }}
           }}
         }}"
    )
}

/// `TraceEnable` is left as it comes: on.
fn apache(port: u16, directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "ServerRoot {directory}
         DefaultRuntimeDir {directory}
         PidFile {directory}/apache.pid
         ErrorLog {directory}/error.log
         LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
         LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
         LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
         LoadModule env_module /usr/lib/apache2/modules/mod_env.so
         LoadModule cgi_module /usr/lib/apache2/modules/mod_cgi.so
         Listen 127.0.0.1:{port}
         ServerName localhost
         User www-data
         Group www-data
         StartServers 2
         MaxKeepAliveRequests 0
         KeepAliveTimeout 60
         AllowEncodedSlashes On
         SetEnv CALLS {directory}/{CALLS}
         ScriptAlias / {directory}/program/
         <Directory {directory}>
           Options +ExecCGI
           Require all granted
         </Directory>
         "
    )
}

fn lighttpd(port: u16, directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "server.bind = \"127.0.0.1\"
         server.port = {port}
         server.document-root = \"{directory}\"
         server.errorlog = \"{directory}/error.log\"
         server.upload-dirs = ( \"{directory}\" )
         server.max-keep-alive-requests = 1000000
         server.modules = ( \"mod_alias\", \"mod_setenv\", \"mod_cgi\" )
         alias.url = ( \"/\" => \"{directory}/program/\" )
         cgi.assign = ( \"program\" => \"\" )
         setenv.set-environment = ( \"CALLS\" => \"{directory}/{CALLS}\" )
         "
    )
}
