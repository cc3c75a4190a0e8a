//! Rules that depend on arguments and claims, `[[tools.….when]]`, tested over HTTP.

use serde_json::{Value, json};

use crate::harness::{POLICY, Reply, Server, run, stderr, stdout};

/// A policy in which `admin:access` is also needed to complete a todo, and to set a long title for
/// everybody except Ada.
fn policy() -> String {
    let conditional = r#"
[tools.update_todo]
write = "todo"

[[tools.update_todo.when]]
if = "has(args.completed) && args.completed"
all_of = ["admin:access"]

[[tools.update_todo.when]]
if = "has(args.title) && size(args.title) > 10 && claims.sub != 'ada'"
all_of = ["todo:read", "admin:access"]
"#;
    let plain = "update_todo = { write = \"todo\" }\n";
    assert!(POLICY.contains(plain));
    format!("{}{conditional}", POLICY.replace(plain, ""))
}

fn update(server: &Server, token: &str, arguments: &Value) -> Reply {
    server.call(token, "update_todo", arguments)
}

#[test]
fn a_call_needs_what_its_arguments_ask_for() {
    let server = Server::with_policy(&policy());
    let (writer, admin) = (server.token("todo:write"), server.token("todo:write admin:access"));
    let eve = server.token_for("eve", "todo:write");
    let todo = server.call(&writer, "create_todo", &json!({ "title": "x" })).result()["id"].clone();
    let change = |more: Value| {
        let mut arguments = json!({ "id": todo });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    // No condition is true, so the rule's own scopes are enough.
    for plain in [
        json!({}),
        json!({ "title": "short" }),
        json!({ "completed": false }),
        json!({ "title": "quite a long title" }),
    ] {
        assert_eq!(
            update(&server, &writer, &change(plain.clone())).result()["id"],
            todo,
            "{plain}"
        );
    }
    // A condition is true, so the call is refused before it runs, with all scopes that it needs.
    let refused = update(&server, &writer, &change(json!({ "completed": true })));
    assert_eq!(
        (refused.status, refused.challenge("scope")),
        (403, Some("todo:write admin:access")),
        "{refused:#?}"
    );
    assert_eq!(refused.json["error"]["data"]["missing"], json!(["admin:access"]));
    assert!(!refused.text.contains("has(args"), "the policy is not the caller's to read");
    let long = update(&server, &eve, &change(json!({ "title": "quite a long title" })));
    assert_eq!(
        (long.status, long.challenge("scope")),
        (403, Some("todo:write todo:read admin:access"))
    );
    let both =
        update(&server, &eve, &change(json!({ "title": "quite a long title", "completed": true })));
    assert_eq!(both.challenge("scope"), Some("todo:write admin:access todo:read"));
    assert_eq!(
        update(&server, &admin, &change(json!({ "completed": true }))).result()["completed"],
        true
    );
    // A condition that cannot be evaluated, or an unusual spelling of an argument, allows nothing.
    for odd in [
        json!({ "completed": null }),
        json!({ "completed": "true" }),
        json!({ "completed": 1 }),
        json!({ "completed": [true] }),
        json!({ "title": 5 }),
    ] {
        let reply = update(&server, &eve, &change(odd.clone()));
        assert_eq!(reply.status, 403, "{odd} {reply:#?}");
    }
    let bearer = format!("Bearer {writer}");
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"update_todo","arguments":{"id":"x","completed":true,"completed":false}}}"#;
    for body in [
        twice.to_owned(),
        twice.replace(
            "\"completed\":true,\"completed\":false",
            "\"completed\":false,\"c\\u006fmpleted\":true",
        ),
    ] {
        let reply = server.post_with(&[("authorization", &bearer)], &body);
        assert!(
            reply.json["result"]["structuredContent"]["completed"] != json!(true),
            "{reply:#?}"
        );
    }
    // An unknown argument is refused, because a tool could read it as another name of `completed`.
    let strange = update(&server, &writer, &change(json!({ "done": true })));
    assert_eq!(strange.json["error"]["message"], "update_todo takes no argument `done`");
    // The tool is listed, because it can be called with other arguments.
    assert!(server.tools(&writer).contains(&"update_todo".to_owned()));
}

#[test]
fn a_condition_that_cannot_work_stops_the_start() {
    for (from, to, says) in [
        (
            "args.completed\"",
            "args.complete\"",
            "`args` has no field `complete`: did you mean `completed`?",
        ),
        ("size(args.title) > 10", "args.title > 10", "`>` compares two numbers or two strings"),
        ("claims.sub != 'ada'", "claims.sub != 5", "a string is never equal to a number"),
        ("claims.sub != 'ada'", "arg.x", "there is no `arg` here"),
        (
            "claims.sub != 'ada'",
            "args.title.matches('(a+)+$')",
            "`matches` is not allowed in a condition",
        ),
        ("claims.sub != 'ada'", "1 +", "something is missing after `+`"),
    ] {
        let broken = policy().replace(from, to);
        assert_ne!(broken, policy(), "{from}");
        let output = run(&broken, &["policy", "check"]);
        assert_eq!(output.status.code(), Some(2), "{to}");
        assert!(stderr(&output).contains(says), "no `{says}` in:\n{}", stderr(&output));
        assert!(stderr(&output).contains("policy.toml:"), "it says where");
    }
    let absent = policy().replace("has(args.completed) && args.completed", "args.completed");
    let output = run(&absent, &["policy", "lint"]);
    let text = stdout(&output);
    assert!(
        text.contains("warning[SW009 absent-argument]")
            && text.contains("begin with `has(args.completed) &&`"),
        "{text}"
    );
}

#[test]
fn the_commands_show_conditions() {
    let show = stdout(&run(&policy(), &["policy", "show"]));
    let condition = "    * when has(args.completed) && args.completed: also admin:access\n";
    assert!(show.contains(condition), "{show}");
    assert!(show.contains("update_todo  todo:write *  "), "{show}");
    assert!(show.contains("  * a condition asks for more"), "the signs are explained: {show}");
    assert!(show.lines().all(|line| line.chars().count() <= 80), "{show}");

    let explain = |arguments: &str, claims: &str| {
        let output = run(
            &policy(),
            &[
                "policy",
                "explain",
                "--tool",
                "update_todo",
                "--scopes",
                "todo:write",
                "--arguments",
                arguments,
                "--claims",
                claims,
            ],
        );
        (output.status.code(), stdout(&output))
    };
    assert_eq!(explain("{}", "{}").0, Some(0));
    let (code, text) = explain(r#"{"completed": true}"#, "{}");
    assert_eq!(code, Some(1));
    assert!(text.contains("missing  admin:access"), "{text}");
    assert_eq!(explain(r#"{"title": "quite a long title"}"#, r#"{"sub": "ada"}"#).0, Some(0));
    assert_eq!(explain(r#"{"title": "quite a long title"}"#, r#"{"sub": "eve"}"#).0, Some(1));

    // `policy diff` lists a condition separately, because it changes access only when it is true.
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = write("old.toml", &policy());
    let new = write(
        "new.toml",
        &policy().replacen("all_of = [\"admin:access\"]", "all_of = [\"todo:write\"]", 1),
    );
    let output = run(&policy(), &["policy", "diff", &old, &new, "--deny", "widening"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("update_todo when has(args.completed) && args.completed widens"),
        "{text}"
    );
    assert!(text.contains("1 widened, 0 narrowed"), "{text}");
}
