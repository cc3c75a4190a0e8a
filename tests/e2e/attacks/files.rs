//! Files that change while the server reads them, and links and devices in place of files.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    thread,
    time::Duration,
};

use serde_json::json;

use crate::harness::{POLICY, Server, run, stderr};

/// CWE-367: a policy file is replaced repeatedly while the server reads the file. The server always
/// reads one of two policies, and neither lets a reader write.
#[test]
fn a_policy_that_is_replaced_while_it_is_read() {
    let server = Server::start();
    let token = server.token("todo:read");
    let folder = server.folder.path();
    let other = POLICY.replace("delete_todo = { write", "delete_todo = { admin");
    fs::write(folder.join("a.toml"), *POLICY).unwrap();
    fs::write(folder.join("b.toml"), other).unwrap();
    for round in 0..200 {
        let target = if round % 2 == 0 { "a.toml" } else { "b.toml" };
        let link = folder.join("link");
        symlink(target, &link).unwrap();
        fs::rename(&link, folder.join("policy.toml")).unwrap();
        let reply = server.call(&token, "create_todo", &json!({ "title": "x" }));
        assert_eq!(reply.status, 403, "{reply:#?}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// CWE-367: a policy is written slowly. A part of a policy is never served, because its missing
/// rules and scopes would change access.
#[test]
fn a_policy_that_is_written_slowly() {
    let server = Server::start();
    let token = server.token("todo:read");
    let path = server.folder.path().join("policy.toml");
    let bytes = POLICY.as_bytes();
    for end in (0..=bytes.len()).step_by(bytes.len() / 40) {
        fs::write(&path, &bytes[..end]).unwrap();
        thread::sleep(Duration::from_millis(30));
        let reply = server.call(&token, "create_todo", &json!({ "title": "x" }));
        assert_eq!(reply.status, 403, "{end}: {reply:#?}");
        let reply = server.call(&token, "list_todos", &json!({}));
        assert_eq!(reply.status, 200, "{end}: {reply:#?}");
    }
}

/// CWE-59: a link to a file that is not a policy is refused, and the last good policy is served.
#[test]
fn a_policy_that_is_a_link_to_something_else() {
    let server = Server::start();
    let token = server.token("todo:read");
    let folder = server.folder.path();
    fs::write(folder.join("secret"), "the-secret-of-somebody = 1\nmore").unwrap();
    symlink("secret", folder.join("link")).unwrap();
    fs::rename(folder.join("link"), folder.join("policy.toml")).unwrap();
    for _ in 0..100 {
        if server.log().contains("is REFUSED") {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert!(server.log().contains("is REFUSED"), "{}", server.log());
    assert_eq!(server.call(&token, "list_todos", &json!({})).status, 200);
    assert_eq!(server.call(&token, "create_todo", &json!({ "title": "x" })).status, 403);
}

/// CWE-732: a signing key that others can read is not used.
#[test]
fn a_signing_key_that_others_can_read() {
    let mut server = Server::start();
    server.kill();
    let key = server.folder.path().join("data/issuer-key.p8");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let output = server.command().output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("chmod 600"), "{output:?}");
}

/// CWE-732: only the server's user can read the audit file, the signing key and the issuer's state.
#[test]
fn files_of_the_server_are_private() {
    let server = Server::start();
    let token = server.token("todo:read");
    assert_eq!(server.call(&token, "list_todos", &json!({})).status, 200);
    for name in ["audit.jsonl", "issuer-key.p8", "issuer.json"] {
        let path = server.folder.path().join("data").join(name);
        if path.exists() {
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
        }
    }
}

/// CWE-770: a device that never ends is not read endlessly as a policy.
#[test]
fn an_endless_policy() {
    let output = run("", &["policy", "lint", "--policy", "/dev/full"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("it is a pipe or a device, and no file"), "{output:?}");
}
