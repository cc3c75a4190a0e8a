//! Policies for tests: a good one, every mistake in it, and other ways to write it.
//!
//! The tests of the JSON Schema, in `tests/e2e/schema.rs`, include this file as well, because their
//! validator takes longer to build than this crate.

pub(crate) const GOOD: &str = r#"version = 1
[server]
url = "http://localhost:3002/mcp"
[scopes]
"todo:read" = "See your todos"
"todo:write" = { title = "Change your todos", implies = ["todo:read"] }
"admin:access" = { title = "See everyone's todos", step_up = true }
[tools]
list_todos = { read = "todo" }
create_todo = { any_of = ["todo:write", { all_of = ["todo:read", "admin:access"] }] }
purge_todos = { all_of = ["todo:write", "admin:access"], relax = "tested" }
whoami = { authenticated = true, hidden = true }
[claims]
email = "string"
"#;

/// The good policy with tests and invariants that use every key of theirs.
pub(crate) fn with_tests() -> String {
    format!(
        "{GOOD}{}",
        r#"[resources]
"todo://items/{id}" = { read = "todo" }
[prompts]
plan = { read = "todo" }
[[test]]
name = "a reader"
scopes = ["todo:read"]
claims = { sub = "ada", exp = 1e9, aud = ["a", "b"], groups = [{ id = 7 }] }
arguments = { full = true, limit = 0x10, part = -0.5, deep = { list = [[], {}] } }
can = ["list_todos", { tool = "whoami" }]
cannot = ["purge_todos", { tool = "create_todo", arguments = {} }]
can_read = ["todo://items/7"]
cannot_read = []
can_get = [{ prompt = "plan", arguments = { day = "monday" } }]
cannot_get = []
[[invariant]]
name = "readers"
tools = ["list_todos"]
resources = "all"
claims = { tenant = "acme" }
arguments = { full = false }
needs = { read = "todo" }
enough = { read = "todo" }
"#
    )
}

/// The good policy with `[server]` under its former name, in every form that TOML has.
pub(crate) fn under_the_former_name() -> [String; 3] {
    let server = "[server]\nurl = \"http://localhost:3002/mcp\"\n";
    let (url, also) = ("url = \"http://localhost:3002/mcp\"", "provider = \"google\"");
    [
        format!("[resource]\n{url}\n[[resource.also]]\n{also}\n"),
        format!("resource.{url}\nresource.also = [{{ {also} }}]\n"),
        format!("resource = {{ {url}, also = [{{ {also} }}] }}\n"),
    ]
    .map(|resource| GOOD.replace(server, &resource))
}

/// The good policy cut off at every byte, and with every line left out or doubled.
pub(crate) fn mutilated() -> Vec<String> {
    let mut texts: Vec<String> = (0..GOOD.len()).map(|end| GOOD[..end].to_owned()).collect();
    let lines: Vec<&str> = GOOD.lines().collect();
    for n in 0..lines.len() {
        let without = lines.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, line)| *line);
        texts.push(without.collect::<Vec<_>>().join("\n"));
        let mut doubled = lines.clone();
        doubled.insert(n, lines[n]);
        texts.push(doubled.join("\n"));
    }
    texts
}

/// Each mistake, made by one replacement in the good policy: its name and its place.
pub(crate) const MISTAKES: &[(&str, &str, &str, &str)] = &[
    ("version = 1", "", "missing-version", "1:1"),
    ("version = 1", "version = 2", "unknown-version", "1:11"),
    ("version = 1", "version = \"1\"", "wrong-type", "1:11"),
    ("version = 1", "version = 1\nowner = 1", "unknown-key", "2:1"),
    ("url = \"http://localhost:3002/mcp\"", "", "missing-url", "2:2"),
    ("http://localhost:3002/mcp", "http://example.com/mcp", "invalid-url", "3:7"),
    ("url =", "ulr =", "unknown-key", "3:1"),
    ("[server]", "[sever]", "unknown-key", "2:2"),
    ("[server]", "[resouce]", "unknown-key", "2:2"),
    ("[server]", "[resource]\nurl = \"http://localhost/other\"\n[server]", "two-servers", "2:2"),
    ("[scopes]", "provider = \"octa\"\n[scopes]", "unknown-value", "4:12"),
    ("[scopes]", "list = true\n[scopes]", "wrong-type", "4:8"),
    ("[scopes]", "issuer = \"https://as.example\"\n[scopes]", "no-effect", "4:1"),
    ("[scopes]", "registered = [\"todo:raed\"]\n[scopes]", "undefined-scope", "4:15"),
    ("\"See your todos\"", "\" \"", "missing-title", "5:15"),
    ("\"See your todos\"", "{ step_up = true }", "missing-title", "5:1"),
    ("\"See your todos\"", "7", "wrong-type", "5:15"),
    ("\"todo:read\" =", "\"todo read\" =", "invalid-scope", "5:1"),
    ("implies = [\"todo:read\"]", "implies = [\"todo:raed\"]", "undefined-scope", "6:58"),
    ("implies = [\"todo:read\"]", "implies = [\"todo:write\"]", "implies-cycle", "6:58"),
    (
        "implies = [\"todo:read\"]",
        "implies = [\"todo:read\", \"todo:read\"]",
        "duplicate-scope",
        "6:71",
    ),
    ("step_up = true", "stepup = true", "unknown-key", "7:52"),
    ("{ read = \"todo\" }", "{}", "missing-rule", "9:1"),
    ("{ read = \"todo\" }", "\"todo:read\"", "wrong-type", "9:14"),
    ("{ read = \"todo\" }", "{ raed = \"todo\" }", "unknown-key", "9:16"),
    ("{ read = \"todo\" }", "{ read = \"todo\", write = \"todo\" }", "two-rules", "9:31"),
    ("{ read = \"todo\" }", "{ read = \"toto\" }", "undefined-scope", "9:23"),
    ("{ read = \"todo\" }", "{ read = \"to do\" }", "invalid-scope", "9:23"),
    ("{ read = \"todo\" }", "{ read = 1 }", "wrong-type", "9:23"),
    ("{ read = \"todo\" }", "{ all_of = [] }", "empty-rule", "9:25"),
    ("{ read = \"todo\" }", "{ any_of = [] }", "empty-rule", "9:25"),
    ("{ read = \"todo\" }", "{ any_of = [{}] }", "missing-rule", "9:26"),
    ("{ read = \"todo\" }", "{ any_of = [{ all_of = [] }] }", "empty-rule", "9:37"),
    (
        "{ read = \"todo\" }",
        "{ all_of = [\"todo:read\", \"todo:read\"] }",
        "duplicate-scope",
        "9:39",
    ),
    ("authenticated = true", "authenticated = false", "wrong-type", "12:28"),
    ("relax = \"tested\"", "relax = \"\"", "empty-text", "11:66"),
    ("hidden = true", "hidden = 1", "wrong-type", "12:43"),
    ("whoami =", "whoami = =", "invalid-toml", "12:10"),
    ("whoami =", "list_todos =", "invalid-toml", "12:1"),
    ("[scopes]", "snapshot_days = 0\n[scopes]", "wrong-type", "4:17"),
    ("[scopes]", "origins = [\"https://claude.ai/\"]\n[scopes]", "invalid-origin", "4:12"),
    ("[scopes]", "startup_check = \"never\"\n[scopes]", "unknown-value", "4:17"),
    ("hidden = true }", "hidden = true }\n[[test]]\ncan = [\"whoami\"]", "missing-key", "13:1"),
    ("hidden = true }", "hidden = true }\n[[test]]\nscopes = []", "missing-key", "13:1"),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = [\"x\"]\ncan = []",
        "undefined-scope",
        "14:11",
    ),
    ("hidden = true }", "hidden = true }\n[test]\nscopes = []", "wrong-type", "13:1"),
    ("hidden = true }", "hidden = true }\n[[invariant]]\ntools = \"al\"", "unknown-value", "14:9"),
    ("hidden = true }", "hidden = true }\n[[invariant]]\ntools = \"all\"", "missing-key", "13:1"),
    (
        "hidden = true }",
        "hidden = true }\n[[invariant]]\ntools = \"all\"\nneeds = { read = \"x\", write = \"x\" }",
        "two-rules",
        "15:23",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[invariant]]\ntools = 1\nenough = {}",
        "missing-rule",
        "15:1",
    ),
    ("email = \"string\"", "email = \"text\"", "unknown-value", "14:9"),
    ("email = \"string\"", "email = 1", "wrong-type", "14:9"),
    ("hidden = true", "allow = { idle-scope = \"\" }", "empty-text", "12:57"),
    ("hidden = true", "allow = \"idle-scope\"", "wrong-type", "12:42"),
    ("hidden = true", "when = [{ if = \"args.\", read = \"todo\" }]", "invalid-condition", "12:54"),
    (
        "hidden = true",
        "when = [{ if = \"1 == 1\", read = \"todo\" }]",
        "invalid-condition",
        "12:50",
    ),
    ("hidden = true", "when = [{ read = \"todo\" }]", "missing-key", "12:42"),
    ("hidden = true", "when = [{ if = \"args.x\" }]", "missing-rule", "12:42"),
    ("hidden = true", "when = [{ if = \"args.x\", read = \"toto\" }]", "undefined-scope", "12:66"),
    ("hidden = true", "when = { if = \"args.x\", read = \"todo\" }", "wrong-type", "12:41"),
    (
        "hidden = true }",
        "hidden = true }\n[resources]\n\"todos\" = { read = \"todo\" }",
        "invalid-uri",
        "14:1",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[resources]\n\"t://{a}\" = { read = \"todo\" }\n\"t://{b}\" = { read = \"todo\" }",
        "overlapping-resources",
        "15:1",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[client]]\nid = \"a\"\nredirect_uris = []\n[[client]]\nid = \"a\"\nredirect_uris = []",
        "duplicate-client",
        "17:6",
    ),
    ("hidden = true }", "hidden = true }\n[[client]]\nid = \"a\"", "missing-key", "13:1"),
    (
        "hidden = true }",
        "hidden = true }\n[[client]]\nid = \"a\"\nredirect_uris = [\"http://a.example\"]",
        "invalid-url",
        "15:18",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[client]]\nid = \"a\"\nscopes = [\"todo:raed\"]\nsecret_env = \"S\"",
        "undefined-scope",
        "15:11",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[client]]\nid = \"a\"\nredirect_uris = []\nsecret_env = \"pa$$\"",
        "invalid-variable",
        "16:14",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[prompts]\nplan = { raed = \"todo\" }",
        "unknown-key",
        "14:10",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[invariant]]\nprompts = \"destructive\"\nneeds = { read = \"todo\" }",
        "unknown-value",
        "14:11",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\ncan = [{ tool = \"whoami\", arguments = { at = 2026-01-02 } }]",
        "invalid-call",
        "15:46",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\narguments = { n = [inf] }\ncan = [\"whoami\"]",
        "invalid-call",
        "15:20",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\narguments = {}\ncan_read = []",
        "invalid-call",
        "15:1",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\nclaims = { sub = 5 }\ncan = [\"whoami\"]",
        "invalid-call",
        "15:12",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[invariant]]\ntools = \"all\"\nclaims = { aud = true }\nneeds = { read = \"todo\" }",
        "invalid-call",
        "15:12",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\nclaims = [\"sub\"]\ncan = [\"whoami\"]",
        "wrong-type",
        "15:10",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\ncan = [{ tol = \"whoami\" }]",
        "unknown-key",
        "15:10",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\ncan_get = [{ arguments = {} }]",
        "missing-key",
        "15:12",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\ncan_read = [{ resource = \"t://x\" }]",
        "wrong-type",
        "15:13",
    ),
    ("hidden = true }", "hidden = true }\n[[test]]\nscopes = []\ncan = [7]", "wrong-type", "15:8"),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\ncan = \"x\"",
        "wrong-type",
        "15:7",
    ),
    (
        "hidden = true }",
        "hidden = true }\n[[test]]\nscopes = []\ncan = [\" \"]",
        "empty-text",
        "15:8",
    ),
];
