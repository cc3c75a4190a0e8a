//! Messages that misled somebody, as they are now.

use std::{fs, thread, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{POLICY, Server, doctor};
use crate::{
    harness::{stderr, stdout},
    standin::{Mode, Provider},
};

fn oidc(provider: &Provider) -> String {
    let settings = format!("provider = \"oidc\"\nissuer = \"{}\"", provider.url);
    POLICY.replace("provider = \"embedded\"", &settings)
}

/// The lines of `doctor` about one thing.
fn lines(server: &Server, token: Option<&str>, about: &str) -> String {
    let output = stdout(&doctor(server, token));
    let of = |line: &&str| line.split_whitespace().nth(1) == Some(about);
    output.lines().filter(of).collect::<Vec<_>>().join("\n")
}

#[test]
fn of_a_token_that_nobody_here_can_read() {
    let provider = Provider::start();
    let server = Server::with_settings(&oidc(&provider), &[]);
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    let encrypted = format!("{head}..aXY.dGV4dA.dGFn");
    let opaque = "v2.local.8f14e45f".replace('.', "-");
    let said = [
        ("encrypted", encrypted),
        ("opaque", opaque),
        ("cut off", "eyJhbGciOiJSUzI1NiJ9.eyJpc3Mi".to_owned()),
    ]
    .map(|(name, token)| format!("# {name}\n{}", lines(&server, Some(&token), "token")));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn of_a_setting_that_cannot_change_while_the_server_runs() {
    let (provider, other) = (Provider::start(), Provider::start());
    let server = Server::with_settings(&oidc(&provider), &[]);
    let also =
        format!("[[server.also]]\nprovider = \"okta\"\nissuer = \"{}\"\n\n[scopes]", other.url);
    let path = server.folder.path().join("policy.toml");
    fs::write(&path, oidc(&provider).replacen("[scopes]", &also, 1)).unwrap();
    let log = loop {
        let log = server.log();
        if log.contains("cannot change") {
            break log;
        }
        thread::sleep(Duration::from_millis(50));
    };
    let line = log.lines().find(|line| line.contains("cannot change")).unwrap();
    let (_, said) =
        line.split_once("WARN").or_else(|| line.split_once("ERROR")).unwrap_or(("", line));
    let said = said.replace(&provider.url, "ISSUER").replace(&other.url, "OTHER");
    // The revision is that of the address.
    let (before, rest) = said.split_once("revision ").unwrap();
    let (_, after) = rest.split_once(' ').unwrap();
    insta::assert_snapshot!(format!("{}revision REVISION {after}", before.trim_start()).trim());
}

#[test]
fn of_a_secret_that_is_not_set() {
    let client = "\n[[client]]\nid = \"nightly\"\nscopes = [\"todo:read\"]\nsecret_env = \"NIGHTLY_SECRET\"\n";
    let policy = format!("{}{client}", POLICY.replace("\"scalekit\"", "\"embedded\""));
    let mut server = Server::prepare(&policy, &[]);
    let run = |server: &Server, arguments: &[&str]| {
        let output = server.command().args(arguments).output().unwrap();
        let port = server.port.to_string();
        (stdout(&output) + &stderr(&output)).replace(&port, "PORT")
    };
    let check = run(&server, &["policy", "check"]);
    assert!(check.contains("agree"), "the server starts: {check}");
    let warnings: Vec<&str> = check.lines().filter(|line| line.contains("NIGHTLY")).collect();
    let doctor = lines(&server, None, "client");
    let in_ci = run(&server, &["policy", "lint"]);
    assert!(!in_ci.contains("NIGHTLY"), "not known to be the deployment: {in_ci}");
    fs::write(server.folder.path().join(".env"), "RUST_LOG=info\n").unwrap();
    let lint = run(&server, &["policy", "lint"]);
    assert!(lint.contains("warning[SW036"), "{lint}");
    insta::assert_snapshot!(format!(
        "# at start\n{}\n# doctor\n{doctor}\n# lint beside .env\n{lint}",
        warnings.join("\n")
    ));

    // It is in the log of the server as well, and no more once it is set.
    server.launch();
    assert!(server.log().contains("NIGHTLY_SECRET is not set"), "{}", server.log());
    server.kill();
    for (name, value) in [("NIGHTLY_SECRET", "s3cret"), ("NIGHTLY_SECRET_FILE", "secret")] {
        server.set("NIGHTLY_SECRET", "");
        server.set(name, value);
        for command in [&["policy", "check"][..], &["policy", "lint"], &["doctor"]] {
            let said = run(&server, command);
            assert!(
                !said.contains("NIGHTLY_SECRET is not set") && !said.contains("s3cret"),
                "{said}"
            );
        }
    }
}

#[test]
fn of_a_secret_in_place_of_its_name() {
    let client =
        "\n[[client]]\nid = \"nightly\"\nscopes = [\"todo:read\"]\nsecret_env = \"pa$$-word\"\n";
    let policy = format!("{}{client}", POLICY.replace("\"scalekit\"", "\"embedded\""));
    let server = Server::prepare(&policy, &[]);
    let output = server.command().args(["policy", "lint"]).output().unwrap();
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("`secret_env` is not the name of an environment variable"), "{said}");
}

#[test]
fn of_an_answer_that_is_no_providers() {
    let provider = Provider::start();
    let server = Server::prepare(&oidc(&provider), &[]);
    let said =
        [Mode::Html, Mode::Broken, Mode::NoKeys, Mode::Status(404), Mode::Redirect].map(|mode| {
            provider.set(mode);
            let lines = ["discovery", "keys"].map(|about| lines(&server, None, about)).join("\n");
            format!("# {mode:?}\n{lines}").replace(&provider.url, "ISSUER")
        });
    insta::assert_snapshot!(said.join("\n"));
}
