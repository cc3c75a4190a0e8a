//! The embedded issuer, used by a person's browser and by clients that misbehave.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::Url;

use crate::harness::{Reply, Server, get, post_form, send};

pub(crate) const REDIRECT: &str = "http://127.0.0.1:7777/callback";
pub(crate) const VERIFIER: &str = "0123456789-0123456789-0123456789-0123456789";

pub(crate) fn challenge(verifier: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

pub(crate) fn register(server: &Server, registration: &Value) -> Reply {
    let request = ureq::http::Request::post(format!("{}/oauth/register", server.origin()))
        .header("content-type", "application/json");
    send(request.body(registration.to_string()).unwrap())
}

pub(crate) fn client(server: &Server) -> String {
    let reply = register(
        server,
        &json!({ "client_name": "Test", "redirect_uris": [REDIRECT],
            "grant_types": ["authorization_code", "refresh_token"] }),
    );
    assert_eq!(reply.status, 201, "{reply:#?}");
    reply.json["client_id"].as_str().unwrap().to_owned()
}

/// The URL of the consent page, with these parameters changed. An empty parameter is left out.
pub(crate) fn authorize_url(server: &Server, client: &str, changes: &[(&str, &str)]) -> String {
    let (resource, code_challenge) = (server.url(), challenge(VERIFIER));
    let mut parameters = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", REDIRECT),
        ("state", "s&t=1"),
        ("scope", "todo:read todo:write"),
        ("code_challenge", &code_challenge),
        ("code_challenge_method", "S256"),
        ("resource", &resource),
    ];
    for (name, value) in changes {
        parameters.retain(|(known, _)| known != name);
        parameters.push((name, value));
    }
    parameters.retain(|(_, value)| !value.is_empty());
    Url::parse_with_params(&format!("{}/oauth/authorize", server.origin()), parameters)
        .unwrap()
        .into()
}

/// An open consent page.
pub(crate) struct Page {
    pub(crate) reply: Reply,
    pub(crate) request: String,
    pub(crate) cookie: String,
}

pub(crate) fn get_page(url: &str) -> Reply {
    get(url, &[])
}

pub(crate) fn open(url: &str) -> Page {
    let reply = get(url, &[]);
    assert_eq!(reply.status, 200, "{reply:#?}");
    let request = reply.text.split_once("name=\"request\" value=\"").unwrap().1;
    let request = request.split_once('"').unwrap().0.to_owned();
    let cookie = reply.header("set-cookie").split_once(';').unwrap().0.to_owned();
    Page { reply, request, cookie }
}

/// Sends the consent form, and returns the response, which redirects the browser.
pub(crate) fn consent(server: &Server, page: &Page, scopes: &[&str]) -> Reply {
    let mut form = vec![("request", page.request.as_str()), ("name", "Ada"), ("action", "allow")];
    form.extend(scopes.iter().map(|scope| ("scope", *scope)));
    answer(server, &[("cookie", &page.cookie), ("origin", &server.origin())], &form)
}

pub(crate) fn answer(server: &Server, headers: &[(&str, &str)], form: &[(&str, &str)]) -> Reply {
    post_form(&format!("{}/oauth/authorize", server.origin()), headers, form)
}

/// The parameters of a redirect to the client.
pub(crate) fn redirected(reply: &Reply) -> Vec<(String, String)> {
    assert_eq!(reply.status, 303, "{reply:#?}");
    let url = Url::parse(reply.header("location")).unwrap();
    assert!(url.as_str().starts_with(REDIRECT), "{url}");
    url.query_pairs().into_owned().collect()
}

pub(crate) fn parameter(parameters: &[(String, String)], name: &str) -> Option<String> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

pub(crate) fn code(server: &Server, client: &str, scopes: &[&str]) -> String {
    let page = open(&authorize_url(server, client, &[]));
    parameter(&redirected(&consent(server, &page, scopes)), "code").unwrap()
}

pub(crate) fn token(server: &Server, form: &[(&str, &str)]) -> Reply {
    post_form(&format!("{}/oauth/token", server.origin()), &[], form)
}

pub(crate) fn exchange(
    server: &Server,
    client: &str,
    code: &str,
    changes: &[(&str, &str)],
) -> Reply {
    let resource = server.url();
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("resource", &resource),
    ];
    for (name, value) in changes {
        form.retain(|(known, _)| known != name);
        form.push((name, value));
    }
    form.retain(|(_, value)| !value.is_empty());
    token(server, &form)
}

pub(crate) fn refresh(server: &Server, client: &str, refresh_token: &str, scope: &str) -> Reply {
    let mut form = vec![
        ("grant_type", "refresh_token"),
        ("client_id", client),
        ("refresh_token", refresh_token),
    ];
    if !scope.is_empty() {
        form.push(("scope", scope));
    }
    token(server, &form)
}

pub(crate) fn text<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.json[name].as_str().unwrap_or_else(|| panic!("no {name} in {reply:#?}"))
}

#[test]
fn the_whole_flow_grants_exactly_what_was_ticked() {
    let server = Server::start();
    let client = client(&server);
    let page = open(&authorize_url(&server, &client, &[]));
    for words in [
        "<span class=\"client\">Test</span>",
        "127.0.0.1:7777",
        "See your todos",
        "Create and change your todos",
        "Includes: See your todos",
    ] {
        assert!(page.reply.text.contains(words), "{words}\n{}", page.reply.text);
    }
    assert!(!page.reply.text.contains("admin:access"), "what was not asked for is not offered");
    let answer = redirected(&consent(&server, &page, &["todo:read", "admin:access"]));
    assert_eq!(parameter(&answer, "state").as_deref(), Some("s&t=1"));
    assert_eq!(parameter(&answer, "iss"), Some(server.origin()), "RFC 9207");

    let reply = exchange(&server, &client, &parameter(&answer, "code").unwrap(), &[]);
    assert_eq!(reply.status, 200, "{reply:#?}");
    assert_eq!(reply.json["scope"], "todo:read", "ticked, and asked for");
    assert_eq!(reply.header("cache-control"), "no-store");
    let access = text(&reply, "access_token");
    assert_eq!(server.call(access, "list_todos", &json!({})).status, 200);
    assert_eq!(server.call(access, "create_todo", &json!({ "title": "x" })).status, 403);
}

#[test]
fn the_page_is_locked_down() {
    let server = Server::start();
    let page = open(&authorize_url(&server, &client(&server), &[])).reply;
    let policy = page.header("content-security-policy");
    for words in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self' http://127.0.0.1:7777",
        "style-src 'sha256-",
    ] {
        assert!(policy.contains(words), "{words}: {policy}");
    }
    assert!(!page.text.contains("<script"));
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.header("set-cookie").contains("HttpOnly; SameSite=Lax"));
}

#[test]
fn names_are_shown_as_text() {
    let server = Server::start();
    let registration =
        json!({ "client_name": "<script>alert(1)</script>\"'", "redirect_uris": [REDIRECT] });
    let client = register(&server, &registration).json["client_id"].as_str().unwrap().to_owned();
    let page = open(&authorize_url(&server, &client, &[]));
    assert!(!page.reply.text.contains("<script"), "{}", page.reply.text);
    let form =
        [("request", page.request.as_str()), ("name", "\"><img src=x>"), ("action", "allow")];
    let again = answer(&server, &[("cookie", &page.cookie)], &form);
    assert_eq!(again.status, 422, "nothing was ticked");
    assert!(
        again.text.contains("Tick at least one") && !again.text.contains("<img"),
        "{}",
        again.text
    );
}

#[test]
fn a_page_of_another_site_cannot_answer() {
    let server = Server::start();
    let client = client(&server);
    let forms = |page: &Page| {
        [
            ("request", page.request.clone()),
            ("name", "Ada".into()),
            ("action", "allow".into()),
            ("scope", "todo:write".into()),
        ]
    };
    let page = open(&authorize_url(&server, &client, &[]));
    let form = forms(&page);
    let form: Vec<(&str, &str)> =
        form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let origin = server.origin();
    let other = open(&authorize_url(&server, &client, &[])).cookie;
    for headers in [
        &[("origin", origin.as_str())][..],
        &[("cookie", &other), ("origin", &origin)],
        &[("cookie", &page.cookie), ("origin", "http://localhost:1")],
        &[("cookie", &page.cookie), ("origin", "null")],
        &[("cookie", &page.cookie), ("sec-fetch-site", "cross-site")],
        &[("cookie", &page.cookie), ("sec-fetch-site", "same-site")],
    ] {
        let reply = answer(&server, headers, &form);
        assert_eq!(reply.status, 403, "{headers:?}");
        assert_eq!(reply.header("location"), "");
    }
    assert_eq!(
        answer(&server, &[("cookie", &page.cookie), ("origin", &origin)], &form).status,
        303
    );
    // The form works only once.
    assert_eq!(
        answer(&server, &[("cookie", &page.cookie), ("origin", &origin)], &form).status,
        400
    );
}

#[test]
fn only_the_two_buttons_answer() {
    let server = Server::start();
    let page = open(&authorize_url(&server, &client(&server), &[]));
    for action in [
        &[][..],
        &[("action", "")],
        &[("action", "ALLOW")],
        &[("action", "allow"), ("action", "deny")],
    ] {
        let mut form =
            vec![("request", page.request.as_str()), ("name", "Ada"), ("scope", "todo:read")];
        form.extend(action);
        let reply = answer(&server, &[("cookie", &page.cookie)], &form);
        assert_eq!((reply.status, reply.header("location")), (403, ""), "{action:?}");
    }
    assert_eq!(consent(&server, &page, &["todo:read"]).status, 303);
}

#[test]
fn a_person_can_say_no() {
    let server = Server::start();
    let page = open(&authorize_url(&server, &client(&server), &[]));
    let form = [("request", page.request.as_str()), ("action", "deny")];
    let answer = redirected(&answer(&server, &[("cookie", &page.cookie)], &form));
    assert_eq!(parameter(&answer, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&answer, "iss"), Some(server.origin()));
    assert_eq!(parameter(&answer, "code"), None);
}

#[test]
fn wrong_requests_redirect_only_when_the_client_is_known() {
    let server = Server::start();
    let client = client(&server);
    for changes in [
        [("client_id", "nobody")],
        [("redirect_uri", "https://evil.example/callback")],
        [("redirect_uri", "http://127.0.0.1:7777/callback/../evil")],
        [("redirect_uri", "http://127.0.0.1:7777/callback?x=1")],
        [("redirect_uri", "http://127.0.0.1:7777/callback#x")],
        [("redirect_uri", "http://127.0.0.1.evil.example:7777/callback")],
        [("redirect_uri", "")],
    ] {
        let reply = get(&authorize_url(&server, &client, &changes), &[]);
        assert_eq!((reply.status, reply.header("location")), (400, ""), "{changes:?}");
    }
    let twice = format!("{}&client_id={client}", authorize_url(&server, &client, &[]));
    assert_eq!(get(&twice, &[]).status, 400);

    for (changes, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("resource", "https://other.example/mcp"), "invalid_target"),
        (("scope", "openid profile"), "invalid_scope"),
    ] {
        let reply = get(&authorize_url(&server, &client, &[changes]), &[]);
        let answer = redirected(&reply);
        assert_eq!(parameter(&answer, "error").as_deref(), Some(error), "{changes:?}");
        assert_eq!(parameter(&answer, "iss"), Some(server.origin()), "{changes:?}");
        assert_eq!(parameter(&answer, "state").as_deref(), Some("s&t=1"), "{changes:?}");
    }
    // Unknown scopes beside known ones are left out. No scope means the scopes of the first
    // sign-in.
    let page =
        open(&authorize_url(&server, &client, &[("scope", "openid todo:read offline_access")]));
    assert!(
        page.reply.text.contains("todo:read") && !page.reply.text.contains("value=\"todo:write")
    );
    let page = open(&authorize_url(&server, &client, &[("scope", "")]));
    assert!(
        page.reply.text.contains("value=\"todo:write") && !page.reply.text.contains("admin:access")
    );
}

#[test]
fn codes_are_bound_to_client_redirect_verifier_and_resource() {
    let server = Server::start();
    let (one, other) = (client(&server), client(&server));
    for (changes, error) in [
        (("client_id", other.as_str()), "invalid_grant"),
        (("client_id", "nobody"), "invalid_client"),
        (("redirect_uri", "http://127.0.0.1:7778/callback"), "invalid_grant"),
        (("code_verifier", "9123456789-0123456789-0123456789-0123456789"), "invalid_grant"),
        (("code_verifier", "short"), "invalid_grant"),
        (("code_verifier", ""), "invalid_request"),
        (("resource", "https://other.example"), "invalid_target"),
        (("grant_type", "password"), "unsupported_grant_type"),
        (("code", "nonsense"), "invalid_grant"),
    ] {
        let reply = exchange(&server, &one, &code(&server, &one, &["todo:read"]), &[changes]);
        assert_eq!(reply.json["error"], error, "{changes:?} {reply:#?}");
        assert!(reply.json["access_token"].is_null());
    }
}

#[test]
fn a_code_works_once_and_its_replay_revokes_its_tokens() {
    let server = Server::start();
    let client = client(&server);
    let code = code(&server, &client, &["todo:read"]);
    let first = exchange(&server, &client, &code, &[]);
    let refresh_token = text(&first, "refresh_token").to_owned();
    assert_eq!(exchange(&server, &client, &code, &[]).json["error"], "invalid_grant");
    let reply = refresh(&server, &client, &refresh_token, "");
    assert_eq!(reply.json["error"], "invalid_grant", "RFC 6749, section 4.1.2");
}

#[test]
fn refresh_tokens_rotate_and_reuse_ends_the_sign_in() {
    let mut server = Server::start();
    let (client, other) = (client(&server), client(&server));
    let code = code(&server, &client, &["todo:read", "todo:write"]);
    let first = text(&exchange(&server, &client, &code, &[]), "refresh_token").to_owned();

    // Refresh tokens survive a restart.
    server.kill();
    server.launch();
    let narrowed = refresh(&server, &client, &first, "todo:read");
    assert_eq!(narrowed.json["scope"], "todo:read");
    let second = text(&narrowed, "refresh_token").to_owned();
    // A request for more than was granted is refused, and the refresh token stays valid.
    let widened = refresh(&server, &client, &second, "todo:read admin:access");
    assert_eq!(widened.json["error"], "invalid_scope");
    let whole = refresh(&server, &client, &second, "");
    assert_eq!(whole.json["scope"], "todo:read todo:write", "the grant itself was not narrowed");
    let third = text(&whole, "refresh_token").to_owned();

    assert_eq!(refresh(&server, &client, &first, "").json["error"], "invalid_grant", "reused");
    assert_eq!(refresh(&server, &client, &third, "").json["error"], "invalid_grant", "line ended");

    // A token that another client shows was stolen, also within the grace of its own client.
    let code = self::code(&server, &client, &["todo:read"]);
    let kept = text(&exchange(&server, &client, &code, &[]), "refresh_token").to_owned();
    let next = text(&refresh(&server, &client, &kept, ""), "refresh_token").to_owned();
    assert_eq!(refresh(&server, &other, &kept, "").json["error"], "invalid_grant");
    assert_eq!(refresh(&server, &client, &next, "").json["error"], "invalid_grant");

    let code = self::code(&server, &client, &["todo:read"]);
    let stolen = text(&exchange(&server, &client, &code, &[]), "refresh_token").to_owned();
    assert_eq!(refresh(&server, &other, &stolen, "").json["error"], "invalid_grant");
}

/// Clients that refresh in several places at once (six requests with one token, as mcp-remote and
/// editors with several windows do) get one answer, and none of them ends the sign-in.
#[test]
fn parallel_refreshes_of_one_token_get_one_answer() {
    let server = Server::start();
    let client = client(&server);
    let code = code(&server, &client, &["todo:read", "todo:write"]);
    let first = text(&exchange(&server, &client, &code, &[]), "refresh_token").to_owned();
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let ask = || refresh(&server, &client, &first, "");
        let asked: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:#?}");
    assert!(replies.iter().all(|reply| reply.json == replies[0].json), "{replies:#?}");
    // For other scopes the access token is another one, and the refresh token stays the same.
    let narrowed = refresh(&server, &client, &first, "todo:read");
    assert_eq!(narrowed.json["scope"], "todo:read");
    assert_eq!(narrowed.json["refresh_token"], replies[0].json["refresh_token"]);
    let widened = refresh(&server, &client, &first, "admin:access");
    assert_eq!(widened.json["error"], "invalid_scope");

    let second = text(&replies[0], "refresh_token").to_owned();
    let third = text(&refresh(&server, &client, &second, ""), "refresh_token").to_owned();
    // The token before the last one is reuse at any time, and ends everything.
    assert_eq!(refresh(&server, &client, &first, "").json["error"], "invalid_grant");
    assert_eq!(refresh(&server, &client, &third, "").json["error"], "invalid_grant");
    let token = text(&replies[0], "access_token");
    assert_eq!(crate::finality::lists(&server, token).status, 401);
}

/// RFC 7009: a client can revoke any refresh token of its own sign-in, which ends the sign-in for
/// good.
#[test]
fn a_client_revokes_its_own_sign_in() {
    let mut server = Server::start();
    let (client, other) = (client(&server), client(&server));
    let metadata = server.get("/.well-known/oauth-authorization-server").json;
    let url = metadata["revocation_endpoint"].as_str().unwrap().to_owned();
    let revoke = |form: &[(&str, &str)]| post_form(&url, &[], form);
    let sign_in = |server: &Server| {
        let code = code(server, &client, &["todo:read"]);
        let reply = exchange(server, &client, &code, &[]);
        (text(&reply, "refresh_token").to_owned(), text(&reply, "access_token").to_owned())
    };
    let ((kept, _), (first, access)) = (sign_in(&server), sign_in(&server));
    let second = text(&refresh(&server, &client, &first, ""), "refresh_token").to_owned();

    let stolen = revoke(&[("client_id", &other), ("token", &second)]);
    assert_eq!((stolen.status, &stolen.json["error"]), (400, &json!("invalid_grant")));
    for (form, status, error) in [
        (&[("client_id", "nobody"), ("token", &*second)][..], 401, "invalid_client"),
        (&[("token", &second)], 401, "invalid_client"),
        (&[("client_id", &client)], 400, "invalid_request"),
        (&[("client_id", &client), ("token", &access)], 400, "unsupported_token_type"),
        (&[("client_id", &client), ("token", &second), ("token", &kept)], 400, "invalid_request"),
    ] {
        let reply = revoke(form);
        assert_eq!((reply.status, &reply.json["error"]), (status, &json!(error)), "{form:?}");
    }
    let third = text(&refresh(&server, &client, &second, ""), "refresh_token").to_owned();

    // Revoking a refresh token that was already replaced also ends the sign-in, because the client
    // does not want it any more.
    let hint = ("token_type_hint", "refresh_token");
    let revoked = revoke(&[("client_id", &client), ("token", &second), hint]);
    assert_eq!((revoked.status, &*revoked.text), (200, ""));
    assert_eq!(revoke(&[("client_id", &client), ("token", "never.issued")]).status, 200);
    server.kill();
    server.launch();
    assert_eq!(refresh(&server, &client, &third, "").json["error"], "invalid_grant");
    assert_eq!(refresh(&server, &client, &kept, "").status, 200, "the other sign-in stays");
}

#[test]
fn registrations_that_are_refused() {
    let server = Server::start();
    for registration in [
        json!({}),
        json!([]),
        json!({ "redirect_uris": [] }),
        json!({ "redirect_uris": "http://localhost/cb" }),
        json!({ "redirect_uris": ["javascript:alert(1)"] }),
        json!({ "redirect_uris": ["http://evil.example/cb"] }),
        json!({ "redirect_uris": ["https://app.example/cb#x"] }),
        json!({ "redirect_uris": vec![REDIRECT; 11] }),
    ] {
        let reply = register(&server, &registration);
        assert_eq!(reply.status, 400, "{registration}");
        assert!(reply.json["error"].is_string());
    }
    let large = json!({ "redirect_uris": [REDIRECT], "client_name": "x".repeat(20_000) });
    assert_eq!(register(&server, &large).status, 413);
}

#[test]
fn the_state_file_holds_no_usable_secret() {
    let server = Server::start();
    let client = client(&server);
    let code = code(&server, &client, &["todo:read"]);
    let reply = exchange(&server, &client, &code, &[]);
    let kept = std::fs::read_to_string(server.folder.path().join("data/issuer.json")).unwrap();
    let secret = text(&reply, "refresh_token").split_once('.').unwrap().1;
    assert!(kept.contains(&client) && !kept.contains(secret));
    assert!(!server.log().contains(secret) && !server.log().contains(&code));
}
