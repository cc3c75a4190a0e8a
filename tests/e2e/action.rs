//! The sources of the binary that `action.yml` runs: a path, a release, or a command.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    thread,
};

use aws_lc_rs::digest::{SHA256, digest};
use tempfile::TempDir;

use crate::harness::{SHIPPED, stderr, todo};

/// The path of the archive on GitHub.
const ARCHIVE: &str = "/owner/greeter/releases/download/v1.2.3/greeter.tar.gz";

/// A folder with the shipped policy, in which the action runs.
fn workspace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), SHIPPED).unwrap();
    folder
}

/// Runs `action/policy.sh` with these inputs. All other inputs are empty, as on GitHub.
fn action(folder: &Path, inputs: &[(&str, &str)]) -> Output {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../action/policy.sh");
    let mut bash = Command::new("bash");
    bash.arg(script).current_dir(folder).env("GITHUB_ACTIONS", "true");
    bash.env_remove("GITHUB_STEP_SUMMARY").env_remove("GITHUB_SERVER_URL");
    for input in ["COMMAND", "BINARY", "DOWNLOAD", "REPOSITORY", "ASSET", "SHA256", "BASE"] {
        bash.env(input, "");
    }
    bash.envs(inputs.iter().copied()).output().unwrap()
}

/// Writes a program to `path` that appends its arguments to the file `ran` and then runs the todo
/// server.
fn recorder(path: &Path) {
    let text = format!("#!/bin/sh\necho \"$@\" >> ran\nexec '{}' \"$@\"\n", todo().display());
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The archive of a release: the recorder, and a file that is not executable.
fn archive() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("greeter-v1.2.3");
    fs::create_dir(&release).unwrap();
    recorder(&release.join("greeter"));
    fs::write(release.join("README.md"), "# Greeter\n").unwrap();
    let tar = Command::new("tar")
        .args(["-c", "-z", "-C"])
        .arg(folder.path())
        .arg("greeter-v1.2.3")
        .output()
        .unwrap();
    assert!(tar.status.success(), "{tar:?}");
    tar.stdout
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Serves `body` at `path` on a loopback port while the tests run. Other paths get 404.
fn release(path: &'static str, body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head = BufReader::new(&stream).lines().map(Result::unwrap);
            let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
            let (status, body): (_, &[u8]) = match head[0].split(' ').nth(1) {
                Some(asked) if asked == path => ("200 OK", &body),
                _ => ("404 Not Found", b"no such asset"),
            };
            let length = body.len();
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n").unwrap();
            stream.write_all(b"connection: close\r\n\r\n").unwrap();
            stream.write_all(body).unwrap();
        }
    });
    origin
}

/// Runs the action with the archive that `server` serves.
fn download(folder: &Path, server: &str, changed: &[(&str, &str)]) -> Output {
    let mut inputs = vec![
        ("GITHUB_SERVER_URL", server),
        ("DOWNLOAD", "v1.2.3"),
        ("REPOSITORY", "owner/greeter"),
        ("ASSET", "greeter.tar.gz"),
    ];
    inputs.extend(changed);
    action(folder, &inputs)
}

/// Asserts that the action ended before it ran a binary, with this message as an annotation.
fn refused(folder: &Path, output: &Output, message: &str) {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let annotated = |line: &str| line.starts_with("::error title=") && line.contains(message);
    assert!(stderr(output).lines().any(annotated), "no `{message}` in {output:?}");
    assert!(!folder.join("ran").exists(), "{output:?}");
}

#[test]
fn a_binary_is_used_by_its_path() {
    let folder = workspace();
    let path = folder.path().join("a greeter");
    recorder(&path);
    let output = action(folder.path(), &[("BINARY", "a greeter")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let ran = fs::read_to_string(folder.path().join("ran")).unwrap();
    assert_eq!(
        ran,
        "policy fmt --check\npolicy lint --deny warning --format github\npolicy test\npolicy check\n"
    );
    fs::remove_file(folder.path().join("ran")).unwrap();
    let output = action(folder.path(), &[("BINARY", "a greeter"), ("CHECK", "off")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let ran = fs::read_to_string(folder.path().join("ran")).unwrap();
    assert!(ran.ends_with("policy test\n"), "{ran}");
    fs::remove_file(folder.path().join("ran")).unwrap();

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let output = action(folder.path(), &[("BINARY", "a greeter")]);
    refused(folder.path(), &output, "which is not executable");
    let output = action(folder.path(), &[("BINARY", "bash")]);
    refused(folder.path(), &output, "`binary` is ./bash, which is not a file");
}

#[test]
fn a_release_is_downloaded_checked_and_run() {
    let archive = archive();
    let sha256 = sha256(&archive).to_uppercase();
    let server = release(ARCHIVE, archive);
    let folder = workspace();
    let output = download(folder.path(), &server, &[("SHA256", &sha256)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(folder.path().join("ran").exists(), "{output:?}");

    let wider = SHIPPED.replace("all_of = [\"todo:write\", \"admin:access\"]", "write = \"todo\"");
    fs::write(folder.path().join("policy.toml"), wider).unwrap();
    let output = download(folder.path(), &server, &[("SHA256", &sha256)]);
    assert_eq!(output.status.code(), Some(1), "a finding fails as with a command: {output:?}");
}

#[test]
fn a_release_that_was_replaced_is_not_run() {
    let folder = workspace();
    let server = release(ARCHIVE, archive());
    let reviewed = sha256(b"the archive that was reviewed");
    let output = download(folder.path(), &server, &[("SHA256", &reviewed)]);
    refused(folder.path(), &output, "The file was not run.");
    assert!(stderr(&output).contains(&format!("`sha256` is {reviewed}")), "{output:?}");

    // An asset that is the binary itself is checked as well, although nothing has to be unpacked.
    let program = folder.path().join("greeter");
    recorder(&program);
    let server =
        release("/owner/greeter/releases/download/v1.2.3/greeter", fs::read(&program).unwrap());
    let output = download(folder.path(), &server, &[("ASSET", "greeter"), ("SHA256", &reviewed)]);
    refused(folder.path(), &output, "The file was not run.");
    let right = sha256(&fs::read(&program).unwrap());
    let output = download(folder.path(), &server, &[("ASSET", "greeter"), ("SHA256", &right)]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn an_archive_holds_one_executable() {
    let folder = workspace();
    let empty = Command::new("tar").args(["-c", "-z", "-T", "/dev/null"]).output().unwrap().stdout;
    let right = sha256(&empty);
    let server = release(ARCHIVE, empty);
    let output = download(folder.path(), &server, &[("SHA256", &right)]);
    refused(folder.path(), &output, "greeter.tar.gz holds 0 executable files");
}

#[test]
fn one_source_says_which_server_to_ask() {
    let folder = workspace();
    recorder(&folder.path().join("greeter"));
    for (inputs, message) in [
        (["COMMAND", "BINARY"], "`command` and `binary` both say which server to ask"),
        (["COMMAND", "DOWNLOAD"], "`command` and `download` both say"),
        (["BINARY", "DOWNLOAD"], "`binary` and `download` both say"),
        (["BINARY", "SHA256"], "`asset` and `sha256` belong to `download`, which is empty"),
    ] {
        let output = action(folder.path(), &inputs.map(|input| (input, "./greeter")));
        refused(folder.path(), &output, message);
    }
}

#[test]
fn a_download_that_is_not_clear_is_refused() {
    let folder = workspace();
    let sha256 = sha256(b"");
    let server = release(ARCHIVE, Vec::new());
    for (input, value, message) in [
        ("SHA256", "", "`download` needs `sha256`"),
        ("SHA256", "e3b0c442", "64 hexadecimal digits"),
        ("ASSET", "", "`download` needs `asset`"),
        ("ASSET", "../greeter.tar.gz", "`download` needs `asset`"),
        ("REPOSITORY", "greeter", "OWNER/NAME"),
        ("DOWNLOAD", "v1/../../v2", "must be the tag of a release"),
        ("DOWNLOAD", "v1?x=", "must be the tag of a release"),
        ("GITHUB_SERVER_URL", "http://example.com", "must start with https://"),
        ("GITHUB_SERVER_URL", "http://127.0.0.1:80@example.com", "must start with https://"),
        ("GITHUB_SERVER_URL", "http://localhost.example.com", "must start with https://"),
        ("DOWNLOAD", "v9.9.9", "v9.9.9/greeter.tar.gz was not downloaded"),
    ] {
        let output = download(folder.path(), &server, &[("SHA256", &sha256), (input, value)]);
        refused(folder.path(), &output, message);
    }
}

/// `command` is the path of a program, or words as in a shell.
#[test]
fn a_command_may_have_spaces() {
    let folder = workspace();
    let path = folder.path().join("the program");
    recorder(&path);
    for command in [
        "the program",
        "./the program",
        "'./the program'",
        "env A='b c' \"./the program\"",
        "./the\\ program",
    ] {
        let output = action(folder.path(), &[("COMMAND", command)]);
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        fs::remove_file(folder.path().join("ran")).unwrap();
    }
    let output = action(folder.path(), &[("COMMAND", "'./the program")]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("not closed"), "{output:?}");
}
