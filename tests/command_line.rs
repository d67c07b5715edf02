//! The process from outside: exit codes, streams, and the host's start-up.
//!
//! Runs the binary with an empty environment in an empty folder; asks no cloud.

#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use simulator::host::PortReservation;

const POLICY: &str = "TERMINATE_CLUSTERS_POLICY";
const REQUIRED: [(&str, &str); 4] = [
    (
        "TERMINATE_CLUSTERS_KEY_VAULT_URL",
        "https://kv-ops.vault.azure.net",
    ),
    ("TERMINATE_CLUSTERS_TENANT_ID_SECRET", "tenant"),
    ("TERMINATE_CLUSTERS_CLIENT_ID_SECRET", "id"),
    ("TERMINATE_CLUSTERS_CLIENT_SECRET_SECRET", "secret"),
];

#[test]
fn without_a_command_it_prints_help_and_exits_2() {
    let output = run(Path::new("/"), &[], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("Usage: terminate-clusters"));
}

#[test]
fn the_version_is_the_package_version() {
    let output = run(Path::new("/"), &["--version"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let version = concat!("terminate-clusters ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), version);
}

#[test]
fn serve_without_a_port_exits_2_and_names_the_variable() {
    for port in [None, Some("0"), Some("x")] {
        let variables: Vec<_> = port
            .map(|port| ("FUNCTIONS_CUSTOMHANDLER_PORT", port))
            .into_iter()
            .collect();
        let output = run(Path::new("/"), &["serve"], &variables);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("FUNCTIONS_CUSTOMHANDLER_PORT"));
    }
}

#[test]
fn serve_on_a_taken_port_exits_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(
        Path::new("/"),
        &["serve"],
        &[("FUNCTIONS_CUSTOMHANDLER_PORT", &port)],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(" ERROR "), "{}", stderr(&output));
}

#[test]
fn sweep_with_wrong_settings_prints_every_mistake_and_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["sweep"],
        &[
            ("TERMINATE_CLUSTERS_MODE", "kill"),
            (POLICY, "[policy]\nidle_after = 1"),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let text = stderr(&output);
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(
        text.lines().all(|line| line.starts_with("error: ")),
        "{text}"
    );
}

#[test]
fn sweep_cannot_switch_termination_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut variables = REQUIRED.to_vec();
    variables.push((POLICY, "[policy]"));
    let output = run(folder.path(), &["sweep", "--mode", "terminate"], &variables);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("more than the settings allow"));
}

#[test]
fn local_settings_count_and_the_environment_beats_them() {
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local.settings.json");
    std::fs::write(
        &local,
        r#"{"Values":{"TERMINATE_CLUSTERS_MODE":"local","TERMINATE_CLUSTERS_CLOUD":"local"}}"#,
    )
    .unwrap();
    let variables = [("TERMINATE_CLUSTERS_MODE", "outer"), (POLICY, "[policy]")];
    let text = stderr(&run(folder.path(), &["sweep"], &variables));
    assert!(
        text.contains("`TERMINATE_CLUSTERS_MODE` is \"outer\""),
        "{text}"
    );
    assert!(
        text.contains("`TERMINATE_CLUSTERS_CLOUD` is \"local\""),
        "{text}"
    );

    std::fs::write(&local, r#"{"IsEncrypted":true}"#).unwrap();
    let output = run(folder.path(), &["sweep"], &variables);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr(&output),
        "error: local.settings.json is encrypted; run `func settings decrypt` and try again\n"
    );
}

#[test]
fn serve_binds_first_and_tells_wrong_settings_through_the_invocation() {
    let mut served = Served::start(&[("TERMINATE_CLUSTERS_MODE", "kill"), (POLICY, "[policy]")]);
    assert!(
        served
            .ask("GET / HTTP/1.1", "")
            .starts_with("HTTP/1.1 200 ")
    );
    let answer = served.ask("POST /TerminateClusters HTTP/1.1", r#"{"Data":{}}"#);
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains("TERMINATE_CLUSTERS_MODE"), "{answer}");
    let refused = served.ask("POST /Other HTTP/1.1", "{}");
    assert!(refused.starts_with("HTTP/1.1 404 "), "{refused}");
    let (stdout, stderr) = served.stop();
    // The host files stdout as Information and stderr as errors.
    assert_eq!(stdout.len(), 1, "{stdout:?}");
    assert!(stdout[0].contains(" INFO "), "{stdout:?}");
    assert!(
        stderr.iter().all(|line| line.contains(" ERROR ")),
        "{stderr:?}"
    );
    let mistakes = stderr
        .iter()
        .filter(|line| line.contains("`TERMINATE_CLUSTERS_"));
    assert_eq!(mistakes.count(), 5, "{stderr:?}");
    let of_the_invocation = |line: &&String| line.ends_with(" invocation=the-id");
    assert_eq!(
        stderr.iter().filter(of_the_invocation).count(),
        6,
        "{stderr:?}"
    );
    assert!(
        stdout
            .iter()
            .chain(&stderr)
            .all(|line| !line.contains('\u{1b}'))
    );
}

#[test]
fn an_empty_policy_is_swept_with_a_warning() {
    let mut variables = REQUIRED.to_vec();
    variables.push((POLICY, "[policy]"));
    // The quietest filter that still shows it must not lose the invocation's id.
    variables.push(("TERMINATE_CLUSTERS_LOG", "warn"));
    let mut served = Served::start(&variables);
    let answer = served.ask("POST /TerminateClusters HTTP/1.1", r#"{"Data":{}}"#);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (stdout, stderr) = served.stop();
    assert!(stdout.is_empty(), "{stdout:?}");
    assert_eq!(stderr.len(), 1, "{stderr:?}");
    assert!(stderr[0].contains(" WARN ") && stderr[0].contains("[[workspaces]]"));
    assert!(stderr[0].ends_with(" invocation=the-id"), "{stderr:?}");
}

fn binary(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_terminate-clusters"));
    command
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    binary(folder, arguments, variables).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `serve` as a child; killed without a signal it could handle, as by the host.
struct Served {
    child: Child,
    port: u16,
    /// Keeps everyone else from the port until the child listens on it: whoever
    /// else did would answer in the child's place, or hang up.
    _reservation: PortReservation,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start(variables: &[(&str, &str)]) -> Self {
        let reservation = PortReservation::new().unwrap();
        let port = reservation.port().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let text = port.to_string();
        let mut all = variables.to_vec();
        all.push(("FUNCTIONS_CUSTOMHANDLER_PORT", &text));
        let child = binary(folder.path(), &["serve"], &all).spawn().unwrap();
        Self {
            child,
            port,
            _reservation: reservation,
            _folder: folder,
        }
    }

    /// Connects as soon as the process listens.
    fn connect(&mut self) -> TcpStream {
        for _ in 0..3000 {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                return stream;
            }
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "the process ended"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the process does not listen");
    }

    fn ask(&mut self, start: &str, body: &str) -> String {
        let request = format!(
            "{start}\r\nHost: x\r\nX-Azure-Functions-InvocationId: the-id\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The lines on stdout and on stderr.
    fn stop(mut self) -> (Vec<String>, Vec<String>) {
        self.child.kill().unwrap();
        let stdout = lines(self.child.stdout.take().unwrap());
        let stderr = lines(self.child.stderr.take().unwrap());
        (stdout, stderr)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(stream: impl Read) -> Vec<String> {
    BufReader::new(stream).lines().map(Result::unwrap).collect()
}
