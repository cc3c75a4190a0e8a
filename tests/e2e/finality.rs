//! What is taken away stays away: sign-outs, ended sign-ins, bound tokens, and files that are no files.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    harness::{POLICY, Reply, Server, stderr},
    issuer::{client, code, exchange, refresh, text},
    standin::{Mode, Provider, SECRET, now},
};

pub(crate) fn lists(server: &Server, token: &str) -> Reply {
    server.call(token, "list_todos", &json!({}))
}

fn revoke(server: &Server, arguments: &[&str]) -> String {
    let output = server.command().args(["revocation", "add"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stderr(&output)
}

fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn within(seconds: u64, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {seconds} s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Each kind of revocation ends the sign-in: neither the access token, nor the refresh token, nor a
/// code that was not exchanged yet is good for anything.
#[test]
fn a_revocation_ends_the_refresh_token_as_well() {
    let server = Server::start();
    for kind in ["sign-out", "subject", "client", "token"] {
        let client = client(&server);
        let first = exchange(&server, &client, &code(&server, &client, &["todo:read"]), &[]);
        let access = text(&first, "access_token").to_owned();
        let pending = code(&server, &client, &["todo:read"]);
        let refreshed = refresh(&server, &client, text(&first, "refresh_token"), "");
        let newer = text(&refreshed, "access_token").to_owned();
        assert_eq!(claims(&access)["auth_time"], claims(&newer)["auth_time"], "of the sign-in");
        assert_eq!((lists(&server, &access).status, lists(&server, &newer).status), (200, 200));
        let subject = claims(&access)["sub"].as_str().unwrap().to_owned();
        let id = claims(&access)["jti"].as_str().unwrap().to_owned();
        match kind {
            "sign-out" => revoke(&server, &["--subject", &subject, "--sign-out"]),
            "subject" => revoke(&server, &["--subject", &subject]),
            "client" => revoke(&server, &["--client", &client]),
            _ => revoke(&server, &["--token", &id]),
        };
        assert_eq!(lists(&server, &access).status, 401, "{kind}");
        let refused = refresh(&server, &client, text(&refreshed, "refresh_token"), "");
        assert_eq!(refused.json["error"], "invalid_grant", "{kind}: {refused:#?}");
        if kind != "token" {
            assert_eq!(lists(&server, &newer).status, 401, "{kind}");
            let refused = exchange(&server, &client, &pending, &[]);
            assert_eq!(refused.json["error"], "invalid_grant", "{kind}: {refused:#?}");
        }
        let remove = ["revocation", "remove"];
        let target = match kind {
            "client" => ["--client", &client],
            "token" => ["--token", &id],
            _ => ["--subject", &subject],
        };
        let removed = server.command().args(remove).args(target).output().unwrap();
        assert!(removed.status.success(), "{removed:?}");
    }
}

/// A sign-out keeps out what was there, also after a restart, and lets a new sign-in through.
#[test]
fn a_sign_out_outlives_a_restart_and_a_new_sign_in_is_let_in() {
    let mut server = Server::start();
    let client = client(&server);
    let first = exchange(&server, &client, &code(&server, &client, &["todo:read"]), &[]);
    let subject = claims(text(&first, "access_token"))["sub"].as_str().unwrap().to_owned();
    revoke(&server, &["--subject", &subject, "--sign-out"]);
    server.kill();
    server.launch();
    let refused = refresh(&server, &client, text(&first, "refresh_token"), "");
    assert_eq!(refused.json["error"], "invalid_grant", "{refused:#?}");
    assert_eq!(lists(&server, text(&first, "access_token")).status, 401);
    thread::sleep(Duration::from_millis(1100));
    let again = exchange(&server, &client, &code(&server, &client, &["todo:read"]), &[]);
    assert_eq!(lists(&server, text(&again, "access_token")).status, 200);
}

/// RFC 6749, section 4.1.2, and RFC 9700, section 4.14.2: whoever replays a code or a refresh token
/// ends the access tokens too, also after a restart.
#[test]
fn a_replay_ends_the_access_token() {
    let mut server = Server::start();
    let client = client(&server);
    let replayed = code(&server, &client, &["todo:read"]);
    let by_code = exchange(&server, &client, &replayed, &[]);
    let other = exchange(&server, &client, &code(&server, &client, &["todo:read"]), &[]);
    let next = refresh(&server, &client, text(&other, "refresh_token"), "");
    let next = refresh(&server, &client, text(&next, "refresh_token"), "");
    let tokens = [&by_code, &other, &next].map(|reply| text(reply, "access_token").to_owned());
    assert!(tokens.iter().all(|token| lists(&server, token).status == 200));
    assert_eq!(exchange(&server, &client, &replayed, &[]).json["error"], "invalid_grant");
    assert_eq!(lists(&server, &tokens[0]).status, 401);
    assert_eq!(lists(&server, &tokens[1]).status, 200, "another sign-in of the same person");
    let reused = refresh(&server, &client, text(&other, "refresh_token"), "");
    assert_eq!(reused.json["error"], "invalid_grant");
    server.kill();
    server.launch();
    assert!(tokens.iter().all(|token| lists(&server, token).status == 401));
}

/// What could not be saved did not happen: the refresh token is still the newest one.
#[test]
fn a_refresh_that_could_not_be_saved_did_not_happen() {
    let server = Server::start();
    let client = client(&server);
    let first = exchange(&server, &client, &code(&server, &client, &["todo:read"]), &[]);
    let path = server.folder.path().join("data/issuer.json");
    let saved = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::create_dir_all(path.join("full")).unwrap();
    let failed = refresh(&server, &client, text(&first, "refresh_token"), "");
    assert_eq!(failed.json["error"], "server_error", "{failed:#?}");
    let registered =
        crate::issuer::register(&server, &json!({ "redirect_uris": ["https://x.example/"] }));
    assert_eq!(registered.status, 500, "{registered:#?}");
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, saved).unwrap();
    assert_eq!(refresh(&server, &client, text(&first, "refresh_token"), "").status, 200);
}

fn scalekit(provider: &Provider, more: &[(&str, &str)]) -> Server {
    let policy = POLICY.replace("provider = \"embedded\"", "provider = \"scalekit\"");
    let settings: Vec<_> = provider.settings().into_iter().chain(more.iter().copied()).collect();
    Server::with_settings(&policy, &settings)
}

#[test]
fn tokens_from_the_future_and_bound_tokens_are_refused() {
    let provider = Provider::start();
    let server = scalekit(&provider, &[]);
    let mut good = json!({ "scope": "todo:read" });
    assert_eq!(lists(&server, &provider.token(&good)).status, 200);
    for (name, value, says) in [
        ("iat", json!(now() + 3_600), "iat is in the future"),
        ("iat", json!("yesterday"), "iat claim is missing or malformed"),
        ("auth_time", json!(now() + 3_600), "auth_time is in the future"),
        ("auth_time", json!(-1), "auth_time claim is missing or malformed"),
        ("cnf", json!({ "jkt": "x" }), "bound to a key"),
        ("cnf", json!({ "x5t#S256": "x" }), "bound to a key"),
        ("cnf", json!({}), "bound to a key"),
        ("cnf", json!("x"), "bound to a key"),
        ("token_type", json!("DPoP"), "bound to a key"),
    ] {
        let before = std::mem::replace(&mut good[name], value.clone());
        let reply = lists(&server, &provider.token(&good));
        assert_eq!(reply.status, 401, "{name} {value} {reply:#?}");
        let description = reply.challenge("error_description").unwrap_or_default();
        assert!(description.contains(says), "{name} {value}: {description}");
        good[name] = before;
    }
    // Within the leeway of the clocks.
    good["iat"] = json!(now() + 30);
    assert_eq!(lists(&server, &provider.token(&good)).status, 200);
}

/// The age of another issuer's token is that of the sign-in too, if the token says it.
#[test]
fn a_sign_out_counts_from_the_sign_in_at_another_issuer() {
    let provider = Provider::start();
    let server = scalekit(&provider, &[]);
    let of = |signed_in: u64, issued: u64| json!({ "sub": "ada", "scope": "todo:read", "auth_time": signed_in, "iat": issued });
    let refreshed = provider.token(&of(now() - 100, now() + 20));
    assert_eq!(lists(&server, &refreshed).status, 200);
    revoke(&server, &["--subject", "ada", "--sign-out"]);
    assert_eq!(lists(&server, &refreshed).status, 401);
    let signed_in = provider.token(&of(now() + 20, now() + 20));
    assert_eq!(lists(&server, &signed_in).status, 200);
}

/// RFC 7662: a token is shown to nobody but its issuer.
#[test]
fn a_token_of_another_issuer_is_not_introspected() {
    let provider = Provider::start();
    let policy = POLICY.replace(
        "provider = \"embedded\"",
        &format!(
            "provider = \"oauth\"\nissuer = \"{}\"\nopaque = true\naudience = \"api\"",
            provider.url
        ),
    );
    let settings = [("INTROSPECTION_CLIENT_ID", "rs"), ("INTROSPECTION_CLIENT_SECRET", SECRET)];
    let server = Server::with_settings(&policy, &settings);
    assert_eq!(lists(&server, "opaque").status, 401);
    let asked = provider.introspected();
    assert!(asked > 0);
    let foreign = provider.token(&json!({ "iss": "https://another.example" }));
    let reply = lists(&server, &foreign);
    assert_eq!(reply.status, 401, "{reply:#?}");
    assert!(reply.challenge("error_description").unwrap().contains("another issuer"), "{reply:#?}");
    assert_eq!(provider.introspected(), asked, "it was shown to this provider");
    // What an issuer says of a bound token is no good either.
    for (token, more) in
        [("bound", json!({ "cnf": { "jkt": "x" } })), ("dpop", json!({ "token_type": "DPoP" }))]
    {
        let mut answer = json!({ "active": true, "aud": "api", "sub": "ada", "exp": now() + 600,
            "scope": "todo:read", "iat": now() });
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        provider.opaque.lock().unwrap().insert(token.to_owned(), answer);
        let reply = lists(&server, token);
        assert!(
            reply.challenge("error_description").unwrap().contains("bound to a key"),
            "{reply:#?}"
        );
    }
}

#[test]
fn keys_that_cannot_be_fetched_any_more_are_not_used_for_ever() {
    let provider = Provider::start();
    let server = scalekit(&provider, &[("MAX_KEY_AGE", "3")]);
    let token = provider.token(&json!({ "scope": "todo:read" }));
    assert_eq!(lists(&server, &token).status, 200);
    provider.set(Mode::Status(500));
    // An unknown key makes the server fetch the keys again, which fails.
    thread::sleep(Duration::from_secs(11));
    let unknown = provider.sign(
        &json!({ "scope": "todo:read" }),
        jsonwebtoken::Algorithm::ES256,
        "unknown",
        &crate::keys::keys().ec,
    );
    lists(&server, &unknown);
    within(30, "503", || lists(&server, &token).status == 503);
    let ready = server.monitor("/health/ready");
    assert_eq!(ready.status, 503);
    assert!(ready.text.contains("are too old"), "{ready:#?}");
    provider.set(Mode::Good);
    within(90, "200", || lists(&server, &token).status == 200);
}

#[test]
fn a_revocation_of_nobody_says_who_comes_near() {
    let server = Server::start();
    assert_eq!(lists(&server, &server.token_for("bob", "todo:read")).status, 200);
    within(5, "the record", || {
        fs::read_to_string(server.folder.path().join("data/audit.jsonl"))
            .is_ok_and(|text| text.contains("\"bob\""))
    });
    for near in ["Bob", "bbo", "bob "] {
        let said = revoke(&server, &["--subject", near]);
        assert!(said.contains(&format!("no subject {near:?} is in the audit file")), "{said}");
        assert!(said.contains("did you mean \"bob\"?"), "{said}");
    }
    assert_eq!(revoke(&server, &["--subject", "bob"]), "");
}

#[cfg(unix)]
fn make_pipe(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A policy, a list, a key or a setting that is a pipe, a device or a folder is refused at the start,
/// by every command, and at once.
#[cfg(unix)]
#[test]
fn what_is_no_file_stops_the_start() {
    // Built before the clock is looked at.
    crate::harness::todo();
    for name in
        ["policy.toml", "data/revoked.toml", "data/issuer-key.p8", "data/issuer.json", ".env"]
    {
        for kind in ["pipe", "folder", "circle", "device"] {
            if (name, kind) == (".env", "folder") {
                continue;
            }
            let server = Server::prepare(&POLICY, &[]);
            let path = server.folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match kind {
                "pipe" => make_pipe(&path),
                "folder" => {
                    let _ = fs::remove_file(&path);
                    fs::create_dir(&path).unwrap();
                }
                target => {
                    let _ = fs::remove_file(&path);
                    let target = if target == "circle" { &path } else { Path::new("/dev/zero") };
                    std::os::unix::fs::symlink(target, &path).unwrap();
                }
            }
            if (name, kind) == (".env", "circle") {
                continue;
            }
            let begin = Instant::now();
            let output = server.command().output().unwrap();
            assert!(!output.status.success(), "{name} as a {kind}: {output:?}");
            assert!(begin.elapsed() < Duration::from_secs(20), "{name} as a {kind}");
            let said = stderr(&output);
            let file = Path::new(name).file_name().unwrap().to_str().unwrap();
            assert!(said.contains(file), "{name} as a {kind}: {said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

/// While the server runs, such a file is refused and said, the watcher goes on, and the process ends
/// when it is told to.
#[cfg(unix)]
#[test]
fn what_is_no_file_does_not_end_a_watcher() {
    let mut server = Server::start();
    let ada = server.token("todo:read");
    let grace = server.token_for("grace", "todo:read");
    revoke(&server, &["--subject", "grace"]);
    let (policy, revoked) =
        (server.folder.path().join("policy.toml"), server.folder.path().join("data/revoked.toml"));
    let (good_policy, good_list) =
        (fs::read_to_string(&policy).unwrap(), fs::read_to_string(&revoked).unwrap());
    make_pipe(&policy);
    make_pipe(&revoked);
    within(10, "the refusals", || {
        let health = server.monitor("/health").json;
        health["policy"]["is_refused"] == true && health["revocations"]["refused"] != 0
    });
    assert!(server.log().contains("a pipe or a device"), "{}", server.log());
    assert_eq!(lists(&server, &ada).status, 200);
    assert_eq!(lists(&server, &grace).status, 401);
    let watchers = server.monitor("/health").json["watchers"].clone();
    assert_eq!(watchers["policy"]["is_late"], false, "{watchers}");
    assert_eq!(watchers["revocations"]["is_late"], false, "{watchers}");
    assert!(
        server
            .monitor("/metrics")
            .text
            .contains("scopeward_watcher_silent_seconds{watcher=\"policy\"}")
    );
    for (path, good) in [(&policy, &good_policy), (&revoked, &good_list)] {
        fs::remove_file(path).unwrap();
        fs::write(path, good).unwrap();
    }
    within(10, "the recovery", || server.monitor("/health").json["policy"]["is_refused"] == false);
    make_pipe(&policy);
    assert!(server.stop("-TERM").success());
}

/// A machine has a subject of its own, and no person can take it, nor a name that cannot be seen.
#[test]
fn machines_and_people_share_no_subject() {
    let clients = "\n[[client]]\nid = \"reporter\"\nscopes = [\"todo:read\"]\nsecret_env = \"S\"\n";
    let server = Server::with_settings(&format!("{}{clients}", *POLICY), &[("S", "secret")]);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "reporter"),
        ("client_secret", "secret"),
    ];
    let machine = crate::issuer::token(&server, &form);
    assert_eq!(claims(text(&machine, "access_token"))["sub"], "machine:reporter");
    let client = client(&server);
    for name in [
        "machine:reporter",
        "MACHINE:x",
        "ad\u{200b}a",
        "ada\u{202e}",
        "\u{2066}ada",
        "a\u{ad}da",
        "ada\u{e0041}",
    ] {
        let page = crate::issuer::open(&crate::issuer::authorize_url(&server, &client, &[]));
        let form = [
            ("request", page.request.as_str()),
            ("name", name),
            ("action", "allow"),
            ("scope", "todo:read"),
        ];
        let reply = crate::issuer::answer(&server, &[("cookie", &page.cookie)], &form);
        assert_eq!(reply.status, 422, "{name:?} was let in: {reply:#?}");
        assert!(reply.text.contains("Type a name"), "{name:?}");
    }
}
