//! What somebody else does to the audit file: it is removed, replaced, truncated, made read-only, moved
//! by logrotate, or its disk is full. The server notices it, says it, and with `audit = "required"` no
//! call runs without its record.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{Disk, POLICY, Reply, Server, stderr, stdout};

/// A server whose policy requires records.
fn required() -> Server {
    Server::with_policy(&policy("required"))
}

fn policy(audit: &str) -> String {
    POLICY.replace("[scopes]", &format!("audit = \"{audit}\"\n\n[scopes]"))
}

fn file(server: &Server) -> PathBuf {
    server.folder.path().join("data/audit.jsonl")
}

/// All lines of a file as JSON.
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn list(server: &Server, token: &str) -> Reply {
    server.call(token, "list_todos", &json!({}))
}

fn create(server: &Server, token: &str, title: &str) -> Reply {
    server.call(token, "create_todo", &json!({ "title": title }))
}

/// Waits until the condition holds. What the server notices by itself it notices within a second; the
/// rest of the time is for a machine that is busy.
fn soon(what: &str, server: &Server, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        let health = server.monitor("/health").text;
        assert!(Instant::now() < deadline, "{what}\n{health}\n{}", server.log());
        thread::sleep(Duration::from_millis(50));
    }
}

fn audit_health(server: &Server) -> Value {
    server.monitor("/health").json["audit"].clone()
}

/// The number that a metric has.
fn metric(server: &Server, name: &str) -> u64 {
    let text = server.monitor("/metrics").text;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

fn verify(server: &Server) -> String {
    let output = server.command().args(["audit", "verify"]).output().unwrap();
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

/// Asserts that the server has noticed `reason`, and that the next call is recorded in the file that
/// is there now, after a record that names the last hash.
fn goes_on(server: &Server, token: &str, before: &str, reason: &str) {
    soon(reason, server, || audit_health(server)["interruptions"].as_u64() > Some(0));
    let health = server.monitor("/health").json;
    assert_eq!(health["status"], "degraded", "{health:#}");
    let said = health["audit"]["interrupted"]["reason"].as_str().unwrap();
    assert!(said.contains(reason), "{health:#}");
    assert!(metric(server, "scopeward_audit_interruptions_total") > 0);
    assert!(server.log().contains(reason), "{}", server.log());

    assert_eq!(create(server, token, "recorded").status, 200);
    let all = lines(&file(server));
    let place = all.iter().position(|one| one["decision"] == "continued").unwrap();
    assert!(all[place]["reason"].as_str().unwrap().contains(reason), "{:#}", all[place]);
    let (number, digest) = before.split_once(':').unwrap();
    assert_eq!(all[place]["previous"], digest);
    assert_eq!(all[place]["number"].as_u64().unwrap(), number.parse::<u64>().unwrap() + 1);
    let is_it = |one: &Value| one["decision"] == "allow" && one["tool"] == "create_todo";
    assert!(all[place..].iter().any(is_it), "{all:#?}");
    assert!(verify(server).contains(reason), "{}", verify(server));
}

/// The head once everything is written.
fn head(server: &Server) -> String {
    soon("all records are written", server, || audit_health(server)["pending_bytes"] == 0);
    audit_health(server)["head"].as_str().unwrap().to_owned()
}

#[test]
fn a_file_that_was_removed_is_made_again() {
    let server = required();
    let token = server.token("todo:write");
    assert_eq!(list(&server, &token).status, 200);
    let head = head(&server);
    fs::remove_file(file(&server)).unwrap();
    // Whatever the server has noticed yet, no call is answered without its record.
    assert_eq!(create(&server, &token, "at once").status, 200);
    let all = lines(&file(&server));
    assert!(all.iter().any(|one| one["decision"] == "allow"), "{all:#?}");
    goes_on(&server, &token, &head, "was removed or moved away");
    assert_eq!(
        fs::metadata(file(&server)).unwrap().permissions().mode() & 0o777,
        0o600,
        "the new file is its owner's alone"
    );
}

#[test]
fn a_file_that_logrotate_moved_is_read_as_well() {
    let server = required();
    let token = server.token("todo:write");
    assert_eq!(list(&server, &token).status, 200);
    let head = head(&server);
    fs::rename(file(&server), server.folder.path().join("data/audit.jsonl.1")).unwrap();
    goes_on(&server, &token, &head, "was removed or moved away");
    let said = verify(&server);
    assert!(said.contains("no record is missing"), "{said}");
    let output = server.command().args(["audit", "query", "--tool", "list_todos"]).output();
    assert!(stdout(&output.unwrap()).contains("list_todos"), "the moved file is read");
}

#[test]
fn a_file_that_logrotate_copied_and_truncated_goes_on() {
    let server = required();
    let token = server.token("todo:write");
    assert_eq!(list(&server, &token).status, 200);
    let head = head(&server);
    fs::copy(file(&server), server.folder.path().join("data/audit.jsonl.1")).unwrap();
    fs::OpenOptions::new().write(true).open(file(&server)).unwrap().set_len(0).unwrap();
    goes_on(&server, &token, &head, "was truncated");
    assert!(verify(&server).contains("no record is missing"), "{}", verify(&server));
}

#[test]
fn a_file_that_was_replaced_is_gone_on_with() {
    let server = required();
    let token = server.token("todo:write");
    assert_eq!(list(&server, &token).status, 200);
    let head = head(&server);
    let other = server.folder.path().join("other");
    fs::copy(file(&server), &other).unwrap();
    fs::rename(&other, file(&server)).unwrap();
    goes_on(&server, &token, &head, "was replaced by another file");
}

/// Asserts that no call runs, that the reason is said, and that nothing was written.
fn is_stopped(server: &Server, token: &str, reason: &str) {
    soon(reason, server, || audit_health(server)["is_failing"] == true);
    let health = server.monitor("/health").json;
    assert_eq!(health["status"], "degraded", "{health:#}");
    assert!(health["audit"]["reason"].as_str().unwrap().contains(reason), "{health:#}");
    assert_eq!(metric(server, "scopeward_audit_failing"), 1);
    let ready = server.monitor("/health/ready");
    assert!(ready.status == 503 && ready.text.contains(reason), "{ready:#?}");
    let log = server.log();
    assert!(log.contains("the audit file cannot be written") && log.contains(reason), "{log}");
    for _ in 0..3 {
        let reply = create(server, token, "unrecorded");
        assert_eq!((reply.status, reply.header("retry-after")), (503, "5"), "{reply:#?}");
        assert!(reply.text.contains("cannot be recorded"), "{reply:#?}");
    }
}

/// Asserts that calls run again, that a record says so, and that no call ran meanwhile.
fn is_mended(server: &Server, token: &str) {
    soon("mended", server, || audit_health(server)["is_failing"] == false);
    soon("ready", server, || server.monitor("/health/ready").status == 200);
    assert_eq!(create(server, token, "recorded").status, 200);
    let all = lines(&file(server));
    assert!(all.iter().any(|one| one["decision"] == "resumed"), "{all:#?}");
    assert!(!list(server, token).text.contains("unrecorded"), "a call ran without its record");
    assert_eq!(metric(server, "scopeward_audit_lost_total"), 0);
    verify(server);
}

#[test]
fn a_folder_that_was_removed_stops_calls_until_it_is_there_again() {
    let server = required();
    let token = server.token("todo:write");
    assert_eq!(list(&server, &token).status, 200);
    let data = server.folder.path().join("data");
    let aside = server.folder.path().join("aside");
    fs::rename(&data, &aside).unwrap();
    is_stopped(&server, &token, "was removed");
    fs::rename(&aside, &data).unwrap();
    is_mended(&server, &token);
    // Another folder of that name: a new file, whose first record names the last hash.
    let head = head(&server);
    fs::rename(&data, &aside).unwrap();
    is_stopped(&server, &token, "was removed");
    fs::create_dir(&data).unwrap();
    soon("mended", &server, || audit_health(&server)["is_failing"] == false);
    let first = lines(&file(&server)).into_iter().next().unwrap();
    let (_, digest) = head.split_once(':').unwrap();
    assert_eq!((&first["decision"], &first["previous"]), (&json!("continued"), &json!(digest)));
}

#[test]
fn a_file_or_folder_that_is_read_only_stops_calls_until_it_is_writable() {
    let server = required();
    let token = server.token("todo:write");
    let data = server.folder.path().join("data");
    for (path, mode) in [(file(&server), 0o400), (data, 0o500)] {
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        is_stopped(&server, &token, "read-only");
        fs::set_permissions(&path, before).unwrap();
        is_mended(&server, &token);
    }
}

#[test]
fn what_is_no_file_in_place_of_the_file_stops_calls() {
    let server = required();
    let token = server.token("todo:write");
    assert_eq!(list(&server, &token).status, 200);
    let (path, aside) = (file(&server), server.folder.path().join("aside"));
    let put: [(&str, &dyn Fn()); 3] = [
        ("not a file", &|| fs::create_dir(&path).unwrap()),
        ("not a file", &|| {
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        }),
        ("symbolic links", &|| symlink(&path, &path).unwrap()),
    ];
    for (reason, put) in put {
        fs::rename(&path, &aside).unwrap();
        // The server may have made the file again before this.
        let _ = fs::remove_file(&path);
        put();
        is_stopped(&server, &token, reason);
        let _ = fs::remove_dir(&path).or_else(|_| fs::remove_file(&path));
        fs::rename(&aside, &path).unwrap();
        is_mended(&server, &token);
    }
}

/// A server whose audit file is `/dev/full`, a device that is always full.
fn with_full_disk(audit: &str) -> Server {
    let mut server = Server::prepare(&policy(audit), &[]);
    fs::create_dir(server.folder.path().join("data")).unwrap();
    symlink("/dev/full", file(&server)).unwrap();
    server.launch();
    server
}

#[test]
fn with_a_full_disk_not_even_the_first_call_runs() {
    let server = with_full_disk("required");
    let token = server.token("todo:write");
    let first = create(&server, &token, "unrecorded");
    assert_eq!(first.status, 503, "{first:#?}");
    is_stopped(&server, &token, "No space left");
    fs::remove_file(file(&server)).unwrap();
    is_mended(&server, &token);
}

/// A disk that fills up while nobody calls: the first call is refused without a try.
#[test]
fn a_disk_that_is_full_is_seen_before_the_first_record() {
    let mut server = Server::prepare(&policy("required"), &[]);
    let Some(disk) = Disk::mount(server.folder.path().join("data"), "8m") else { return };
    server.launch();
    let token = server.token("todo:write");
    assert_eq!(list(&server, &token).status, 200);
    head(&server);
    disk.fill();
    soon("failing", &server, || audit_health(&server)["is_failing"] == true);
    assert_eq!(server.monitor("/health/ready").status, 503);
    is_stopped(&server, &token, "the disk is full");
    disk.make_room();
    is_mended(&server, &token);
}

#[test]
fn with_a_full_disk_the_default_keeps_records_until_there_is_room() {
    let server = with_full_disk("best_effort");
    let token = server.token("todo:write");
    for _ in 0..5 {
        assert_eq!(list(&server, &token).status, 200);
    }
    soon("failing", &server, || audit_health(&server)["is_failing"] == true);
    fs::remove_file(file(&server)).unwrap();
    soon("mended", &server, || audit_health(&server)["is_failing"] == false);
    head(&server);
    let all = lines(&file(&server));
    assert_eq!(all.iter().filter(|one| one["tool"] == "list_todos").count(), 5, "{all:#?}");
    verify(&server);
}

/// A file that may not grow (`ulimit -f`): a record that is written in part is cut off again, and no
/// call runs whose record did not fit.
#[test]
fn a_file_that_may_not_grow_stops_calls_and_ends_in_a_whole_record() {
    let server = required();
    let token = server.token("todo:write");
    let limit = |size: &str| {
        let id = server.process_id().to_string();
        Command::new("prlimit").args(["--pid", &id, &format!("--fsize={size}")]).status()
    };
    assert_eq!(create(&server, &token, "recorded").status, 200);
    head(&server);
    let size = fs::metadata(file(&server)).unwrap().len();
    // One record fits in part.
    if !limit(&format!("{}:", size + 100)).is_ok_and(|status| status.success()) {
        println!("SKIPPED: prlimit is not there");
        return;
    }
    let reply = create(&server, &token, "unrecorded");
    assert_eq!(reply.status, 503, "{reply:#?}");
    // Not by the log, which may not grow either.
    let reason = audit_health(&server)["reason"].clone();
    assert!(reason.as_str().unwrap().contains("too large"), "{reason}");
    let text = fs::read_to_string(file(&server)).unwrap();
    assert!(text.ends_with("}\n"), "{text}");
    assert_eq!(text.len() as u64, size, "what did not fit was cut off");
    assert!(limit("unlimited:").unwrap().success());
    is_mended(&server, &token);
}
