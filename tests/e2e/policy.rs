//! The commands on a policy: their output and their exit codes.

use std::{fs, path::Path};

use serde_json::Value;

use crate::harness::{POLICY, SHIPPED, Server, command, run, stderr, stdout};

/// The exit code of a command on this policy.
fn code(policy: &str, arguments: &[&str]) -> Option<i32> {
    run(policy, arguments).status.code()
}

/// A folder with this policy, for commands that write.
fn folder(policy: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    folder
}

fn with_warning() -> String {
    POLICY.replace("\n[tools]", "\n\"todo:share\" = \"Share your todos\"\n\n[tools]")
}

fn with_error() -> String {
    POLICY.replace("delete_todo =", "delete_tood =")
}

#[test]
fn the_exit_code_of_lint_follows_its_findings() {
    assert_eq!(code(&POLICY, &["policy", "lint", "--deny", "warning"]), Some(0));
    assert_eq!(code(&with_warning(), &["policy", "lint"]), Some(0));
    assert_eq!(code(&with_warning(), &["policy", "lint", "--deny", "warning"]), Some(1));
    assert_eq!(code(&with_error(), &["policy", "lint"]), Some(1));
    assert_eq!(code("version = ", &["policy", "lint"]), Some(1), "a finding like others");
    let empty = tempfile::tempdir().unwrap();
    let output = command(empty.path()).args(["policy", "lint"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "it could not run");
    assert_eq!(code(&POLICY, &["policy", "lint", "--format", "xml"]), Some(2));
    assert_eq!(code(&POLICY, &["policy", "lint", "--explain", "SW003"]), Some(0));
    let output = run(&POLICY, &["policy", "lint", "--explain", "weakend"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `weakened`?"));
}

#[test]
fn lint_has_output_for_people_and_for_programs() {
    let lint = |format: &str| stdout(&run(&with_error(), &["policy", "lint", "--format", format]));
    let text = lint("terminal");
    assert!(text.contains("error[SW002 unknown-tool]: there is no tool named `delete_tood`"));
    assert!(text.contains("policy.toml: 1 error, 0 warnings"), "{text}");
    assert!(!text.contains('\u{1b}'), "colour only on a terminal");
    let json: Value = serde_json::from_str(&lint("json")).unwrap();
    assert_eq!(json["errors"], 1, "the rule that `delete_todo` lacks is the misspelt one");
    let finding = &json["findings"][0];
    assert_eq!(finding["id"], "SW002");
    let row = POLICY[..POLICY.find("delete_todo =").unwrap()].matches('\n').count() + 1;
    assert_eq!((&finding["line"], &finding["column"]), (&row.into(), &1.into()));
    let annotation = format!("::error file=policy.toml,line={row},endLine={row},col=1,");
    assert!(lint("github").contains(&annotation));
}

/// The official SARIF schema of OASIS, from the package `serde-sarif`.
fn sarif_schema() -> Value {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
    let schema = fs::read_to_string(folder.join("src/schema.json")).unwrap();
    // This pattern is not a valid regular expression. OASIS corrected it in errata 01.
    let wrong = "^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$";
    let schema = schema.replace(wrong, "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["title"].as_str().unwrap().contains("SARIF) Version 2.1.0"));
    schema
}

#[test]
fn sarif_is_valid_by_the_official_schema() {
    let schema = jsonschema::validator_for(&sarif_schema()).unwrap();
    let policies = [POLICY.to_owned(), with_error(), with_warning(), "version = ".to_owned()];
    for policy in policies {
        let output = run(&policy, &["policy", "lint", "--format", "sarif"]);
        let log: Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors: Vec<String> = schema.iter_errors(&log).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{log:#}");
        assert_eq!(log["runs"][0]["tool"]["driver"]["name"], "todo");
    }
    assert!(!schema.is_valid(&serde_json::json!({ "version": "2.1.0" })), "it judges");
}

#[test]
fn fix_writes_only_certain_fixes_and_names_them() {
    let relaxed = POLICY.replace(
        "create_todo = { write = \"todo\" }",
        "create_todo = { write = \"todo\", relax = \"old\" }  # kept",
    );
    let folder = folder(&relaxed);
    let file = folder.path().join("policy.toml");
    let before = fs::metadata(&file).unwrap().permissions();
    let output = command(folder.path()).args(["policy", "lint", "--fix"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stderr(&output).contains("so there is nothing to relax: remove `relax`"));
    let fixed = fs::read_to_string(&file).unwrap();
    assert_eq!(fixed, relaxed.replace(", relax = \"old\" }", " }"));
    assert_eq!(fs::metadata(&file).unwrap().permissions(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}

#[test]
fn the_former_name_of_the_server_table_is_read_and_fixed() {
    let former = SHIPPED.replace("[server]", "[resource]");
    assert_ne!(former, SHIPPED);
    assert_eq!(code(&former, &["policy", "check"]), Some(0), "it is still read");
    assert_eq!(code(&former, &["policy", "lint", "--deny", "warning"]), Some(1));
    let folder = folder(&former);
    let output = command(folder.path()).args(["policy", "lint", "--fix"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(stderr(&output).contains("`[resource]` is called `[server]` now: write `[server]`"));
    assert_eq!(fs::read_to_string(folder.path().join("policy.toml")).unwrap(), SHIPPED);
}

fn git(folder: &Path, arguments: &[&str]) {
    let status = std::process::Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(arguments)
        .status()
        .unwrap();
    assert!(status.success(), "{arguments:?}");
}

#[test]
fn diff_compares_with_a_revision_and_denies_widening() {
    let folder = folder(&POLICY);
    let diff = |arguments: &[&str]| {
        command(folder.path()).args(["policy", "diff"]).args(arguments).output().unwrap()
    };
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["commit", "--quiet", "--allow-empty", "-m", "before there was one"]);
    let output = diff(&["--git", "HEAD"]);
    assert!(stderr(&output).contains("does not exist at HEAD: it allowed nothing"));
    assert!(stdout(&output).contains("7 rules compared: 7 widened, 0 narrowed"), "{output:?}");

    git(folder.path(), &["add", "policy.toml"]);
    git(folder.path(), &["commit", "--quiet", "-m", "policy"]);
    assert!(stdout(&diff(&["--git", "HEAD"])).contains("Nobody gains or loses access"));
    let wider = POLICY.replace("all_of = [\"todo:write\", \"admin:access\"]", "write = \"todo\"");
    fs::write(folder.path().join("policy.toml"), &wider).unwrap();
    let output = diff(&["--git", "HEAD", "--deny", "widening"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("purge_todos widens"), "{output:?}");
    assert_eq!(diff(&["--git", "HEAD", "--deny", "narrowing"]).status.code(), Some(0));
    let markdown = stdout(&diff(&["--git", "HEAD", "--format", "markdown"]));
    assert!(markdown.contains("| `purge_todos` | **widens** |"), "{markdown}");

    let output = diff(&["--git", "no-such-branch"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("no revision `no-such-branch`"));
    let output = diff(&["--git", "--output=/tmp/x"]);
    assert_eq!(output.status.code(), Some(2), "an option is no revision");
    fs::write(folder.path().join("old.toml"), *POLICY).unwrap();
    let json = stdout(&diff(&["old.toml", "policy.toml", "--format", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rules"][0]["newly_enough"]["grants"], serde_json::json!([["todo:write"]]));
}

/// The rules of the shipped policy, where two of them ask for less.
fn two_widened() -> String {
    POLICY
        .replace("all_of = [\"todo:write\", \"admin:access\"]", "write = \"todo\"")
        .replace("delete_todo = { write", "delete_todo = { read")
}

#[test]
fn a_commit_accepts_one_widening_with_a_reason() {
    let folder = folder(&POLICY);
    let diff = |arguments: &[&str]| {
        command(folder.path()).args(["policy", "diff"]).args(arguments).output().unwrap()
    };
    let commit = |message: &str| {
        git(folder.path(), &["commit", "--quiet", "--allow-empty", "-a", "-m", message]);
    };
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["add", "policy.toml"]);
    commit("policy");
    git(folder.path(), &["tag", "base"]);
    let deny = ["--git", "base", "--deny", "widening"];

    fs::write(folder.path().join("policy.toml"), two_widened()).unwrap();
    commit("widen both");
    let output = diff(&deny);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    for said in [
        "`--deny widening` refuses the widening of\n  tools.delete_todo\n  tools.purge_todos\n",
        "in the message of a commit since base",
        "\n  Widens: tools.purge_todos: <why>\n",
    ] {
        assert!(text.contains(said), "no `{said}` in {text}");
    }

    commit("Accept one\n\nWidens: tools.purge_todos: admins left");
    let output = diff(&deny);
    assert_eq!(output.status.code(), Some(1), "a second widening is still refused");
    assert!(!stderr(&output).contains("purge_todos"), "{output:?}");
    assert!(stderr(&output).contains("Widens: tools.delete_todo: <why>"), "{output:?}");
    assert!(stdout(&output).contains(": tools.purge_todos: admins left"), "{output:?}");

    commit("Accept the other\n\nWidens: tools.delete_todo: readers clean up");
    let output = diff(&deny);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
    let json = stdout(&diff(&[&deny[..], &["--format", "json"]].concat()));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["accepted"][0]["reason"], "readers clean up");
    assert_eq!(json["refused"], serde_json::json!([]));
    let markdown = stdout(&diff(&[&deny[..], &["--format", "markdown"]].concat()));
    assert!(markdown.contains("- accepted: `tools.delete_todo` by commit "), "{markdown}");

    // A line about another policy of the same repository.
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::write(folder.path().join("other/policy.toml"), *POLICY).unwrap();
    git(folder.path(), &["add", "other/policy.toml"]);
    commit("Another\n\nWidens: tools.create_todo: of the other policy");
    let output = diff(&deny);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));

    fs::write(folder.path().join("policy.toml"), *POLICY).unwrap();
    let output = diff(&deny);
    assert_eq!(output.status.code(), Some(1), "the lines outlived what they accepted");
    assert!(stderr(&output).contains("and this change does not widen it"), "{output:?}");
    let head = ["--git", "HEAD", "--deny", "widening"];
    assert_eq!(diff(&head).status.code(), Some(0), "commits before the revision accept nothing");
    assert_eq!(diff(&["--git", "base"]).status.code(), Some(0), "nothing is denied");

    fs::write(folder.path().join("old.toml"), *POLICY).unwrap();
    fs::write(folder.path().join("policy.toml"), two_widened()).unwrap();
    let output = diff(&["old.toml", "--deny", "widening"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("if the comparison is made with `--git`"), "{output:?}");
    let output = diff(&["policy.toml", "old.toml", "--deny", "narrowing"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("`--deny narrowing` refuses"), "{output:?}");
}

#[test]
fn explain_decides_as_the_server_does() {
    let server = Server::start();
    let explain = |arguments: &[&str]| {
        server.command().args(["policy", "explain"]).args(arguments).output().unwrap()
    };
    for scopes in ["todo:read", "todo:write", "admin:access", "todo:write admin:access"] {
        let token = server.token(scopes);
        let file = server.folder.path().join("token");
        fs::write(&file, format!("{token}\n")).unwrap();
        for tool in ["list_todos", "delete_todo", "purge_todos"] {
            let allowed =
                server.call(&token, tool, &serde_json::json!({ "id": "x" })).status == 200;
            let by_scopes = explain(&["--tool", tool, "--scopes", scopes]);
            let by_token = explain(&["--tool", tool, "--token", file.to_str().unwrap()]);
            assert_eq!(by_scopes.status.code(), Some(i32::from(!allowed)), "{by_scopes:?}");
            assert_eq!(by_scopes.stdout, by_token.stdout);
        }
    }
    let text = stdout(&explain(&["--tool", "purge_todos", "--scopes", "todo:read"]));
    assert!(text.contains("missing  todo:write, admin:access"), "{text}");
    let json = explain(&["--tool", "get_todo", "--scopes", "x", "--format", "json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["additions"], serde_json::json!([["todo:read"]]));
    let joined = explain(&["--tool", "get_todo", "--scopes", "todo:read,todo:write"]);
    assert_eq!(joined.status.code(), Some(2), "an answer about a scope that nobody meant");
    let said =
        "write a space between two scopes, and no other sign: --scopes \"todo:read todo:write\"";
    assert!(stderr(&joined).contains(said), "{joined:?}");
    let unknown = explain(&["--tool", "get_todo", "--scopes", "a,b"]);
    assert!(stdout(&unknown).contains("unknown  a,b"), "a scope may have a comma: {unknown:?}");
    let unknown = explain(&["--tool", "get_tood", "--scopes", "todo:read"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("did you mean `get_todo`?"));

    let file = server.folder.path().join("token");
    fs::write(&file, "not.a.token").unwrap();
    let output = explain(&["--tool", "get_todo", "--token", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("would not accept this token"));
    assert!(!stderr(&output).contains("not.a.token"), "a token is never shown");
}

#[test]
fn matrix_shows_every_tool_and_scope() {
    let matrix = |format: &str| stdout(&run(&POLICY, &["policy", "matrix", "--format", format]));
    assert!(matrix("text").contains("purge_todos  ·          ◐           ◐"), "{}", matrix("text"));
    let json: Value = serde_json::from_str(&matrix("json")).unwrap();
    assert_eq!(json["rules"][0]["scopes"]["todo:write"], "enough");
    let html = matrix("html");
    assert!(html.contains("<code>purge_todos</code>") && html.contains("See and clear everyone"));
    for outside in ["http-equiv", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(outside), "the page stands by itself: {outside}");
    }
}

#[test]
fn test_runs_the_tests_and_proves_the_invariants() {
    let folder = folder(&POLICY);
    let tests = include_str!("../../policy.test.toml");
    fs::write(folder.path().join("policy.test.toml"), tests).unwrap();
    let test = || command(folder.path()).args(["policy", "test"]).output().unwrap();
    assert_eq!(test().status.code(), Some(0));
    assert!(stdout(&test()).contains("2 tests, 2 invariants (for all sets of 3 scopes): all hold"));

    let wrong = tests.replace("can = [\"list_todos\",", "can = [\"delete_todo\", \"list_todos\",");
    fs::write(folder.path().join("policy.test.toml"), wrong).unwrap();
    assert_eq!(test().status.code(), Some(1));
    assert!(stdout(&test()).contains("a caller with just `todo:read` cannot call `delete_todo`"));
    fs::write(
        folder.path().join("policy.test.toml"),
        "[[test]]\nscopes = [\"todo:raed\"]\ncan = []",
    )
    .unwrap();
    assert_eq!(test().status.code(), Some(2), "a misspelt scope would make `cannot` true");

    let one = "[[test]]\nscopes = [\"todo:read\"]\ncan = [\"list_todos\"]";
    fs::write(folder.path().join("policy.test.toml"), one).unwrap();
    assert!(stdout(&test()).contains("1 test, 1 invariant (for all sets of 3 scopes): all hold"));

    fs::remove_file(folder.path().join("policy.test.toml")).unwrap();
    let open = POLICY.replace(
        "delete_todo = { write = \"todo\" }",
        "delete_todo = { any_of = [\"todo:write\", \"admin:access\"], relax = \"admins may\" }",
    );
    fs::write(folder.path().join("policy.toml"), open).unwrap();
    let output = test();
    assert_eq!(output.status.code(), Some(1));
    let said = "counterexample: a caller with just `admin:access` can call it";
    assert!(stdout(&output).contains(said), "{output:?}");
}

#[test]
fn test_gives_a_condition_its_arguments_and_claims() {
    let conditional = POLICY.replace(
        "update_todo = { write = \"todo\" }",
        "update_todo = { write = \"todo\", when = [{ if = \"has(args.completed) && args.completed\", all_of = [\"admin:access\"] }] }",
    );
    let folder = folder(&conditional);
    let test = |lines: &str| {
        let text = format!("[[test]]\nscopes = [\"todo:write\"]\n{lines}");
        fs::write(folder.path().join("policy.test.toml"), text).unwrap();
        command(folder.path()).args(["policy", "test"]).output().unwrap()
    };
    let entry = |completed: &str| {
        format!("{{ tool = \"update_todo\", arguments = {{ completed = {completed} }} }}")
    };
    let both = format!("can = [{}]\ncannot = [{}]", entry("false"), entry("true"));
    let output = test(&both);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = test(&format!("can = [{}]", entry("true")));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("`update_todo` with these arguments: `admin:access` is missing")
    );
    let output = test("cannot = [\"update_todo\"]");
    assert!(stdout(&output).contains("can call `update_todo` with some arguments"), "{output:?}");
    let output = test("arguments = { complete = true }\ncannot = [\"update_todo\"]");
    assert!(stdout(&output).contains("takes no argument `complete`: did you mean `completed`?"));
    let output = test("claims = { sub = 5 }\ncannot = [\"update_todo\"]");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("the claim `sub` is a string, and this is a number"));
}

#[test]
fn fmt_writes_the_canonical_layout() {
    assert_eq!(code(SHIPPED, &["policy", "fmt", "--check"]), Some(0), "ours is in it");
    let untidy = SHIPPED.replace("list_todos  = {", "list_todos = {");
    let folder = folder(&untidy);
    let fmt = |arguments: &[&str]| {
        command(folder.path()).args(["policy", "fmt"]).args(arguments).output().unwrap()
    };
    let output = fmt(&["--check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("+list_todos  = {"), "{output:?}");
    let file = folder.path().join("policy.toml");
    assert_eq!(fs::read_to_string(&file).unwrap(), untidy, "--check writes nothing");
    assert_eq!(fmt(&[]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&file).unwrap(), SHIPPED);
    fs::write(&file, "[scopes").unwrap();
    assert_eq!(fmt(&[]).status.code(), Some(2));
}

#[test]
fn schema_is_the_committed_one() {
    let committed = include_str!("../../policy.schema.json");
    assert_eq!(stdout(&run(&POLICY, &["policy", "schema"])), committed);
    let schema: Value = serde_json::from_str(committed).unwrap();
    let purge = &schema["properties"]["tools"]["properties"]["purge_todos"];
    assert_eq!(purge["description"], "Its author declared the scopes todo:write, admin:access.");
}

#[test]
fn lint_compares_the_policy_with_pulled_scopes() {
    let server = Server::start();
    let run = |arguments: &[&str]| server.command().args(arguments).output().unwrap();
    let output = run(&["resource", "pull"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let file = server.folder.path().join("registered-scopes.toml");
    let snapshot = fs::read_to_string(&file).unwrap();
    assert!(snapshot.contains("\"admin:access\",\n"), "{snapshot}");
    assert_eq!(run(&["policy", "lint", "--deny", "warning"]).status.code(), Some(0));

    fs::write(&file, snapshot.replace("    \"admin:access\",\n", "    \"todo:share\",\n")).unwrap();
    let text = stdout(&run(&["policy", "lint"]));
    assert!(text.contains("nobody could ever call `purge_todos`: admin:access is not registered"));
    assert!(text.contains("`todo:share` is registered, and the policy does not know it"), "{text}");
    assert!(text.contains("registered-scopes.toml says what http://localhost:"), "{text}");

    let (head, _) = snapshot.split_once("pulled_at").unwrap();
    let (_, tail) = snapshot.split_once("scopes =").unwrap();
    let old = format!("{head}pulled_at = \"2020-01-01T00:00:00Z\"\nscopes ={tail}");
    fs::write(&file, old).unwrap();
    assert!(stdout(&run(&["policy", "lint"])).contains("warning[SW025 old-snapshot]"));
    fs::write(&file, "scopes = 1").unwrap();
    assert_eq!(run(&["policy", "lint"]).status.code(), Some(2));

    let output = run(&["resource", "pull", "--issuer", "http://127.0.0.1:9"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot ask http://127.0.0.1:9/.well-known/"), "{output:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "scopes = 1", "a failed pull writes nothing");
}

/// Runs the script of `action.yml` as GitHub does.
#[test]
fn the_action_annotates_and_summarizes() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../action/policy.sh");
    let folder = folder(SHIPPED);
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["add", "policy.toml"]);
    git(folder.path(), &["commit", "--quiet", "-m", "policy"]);
    let run = |widening: &str| {
        let _ = fs::remove_file(folder.path().join("summary"));
        let todo = command(folder.path()).get_program().to_owned();
        let output = std::process::Command::new("bash")
            .arg(script)
            .current_dir(folder.path())
            .env("COMMAND", todo)
            .env("BASE", "HEAD")
            .env("WIDENING", widening)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_STEP_SUMMARY", "summary")
            .output()
            .unwrap();
        (output, fs::read_to_string(folder.path().join("summary")).unwrap_or_default())
    };
    let (output, summary) = run("deny");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(summary.contains("Nobody gains or loses access"), "{summary}");

    let wider = SHIPPED.replace("all_of = [\"todo:write\", \"admin:access\"]", "write = \"todo\"");
    fs::write(folder.path().join("policy.toml"), &wider).unwrap();
    let (output, summary) = run("deny");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(summary.contains("| `purge_todos` | **widens** |"), "{summary}");
    assert!(stdout(&output).contains("::error file=policy.toml,line="), "{output:?}");
    assert!(stderr(&output).contains("Widens: tools.purge_todos: <why>"), "{output:?}");
    assert!(stderr(&output).contains("::error title=Scopeward policy::The change"), "{output:?}");
    assert!(summary.contains("- **refused**: `tools.purge_todos` widens"), "{summary}");
    let (output, _) = run("show");
    assert!(!stderr(&output).contains("Widens:"), "{output:?}");
    assert_eq!(output.status.code(), Some(1), "weakened, whoever may widen");
}

/// Everything below a folder, with the text of each file.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut found = vec![];
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn init_writes_a_policy_that_passes_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run =
        |arguments: &[&str]| command(folder.path()).arg("policy").args(arguments).output().unwrap();
    let serve = command(folder.path()).output().unwrap();
    assert_eq!(serve.status.code(), Some(2));
    assert!(stderr(&serve).contains("`policy init` writes one"), "{serve:?}");

    let output = run(&["init", "--workflow"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let names = ["policy.toml", "policy.test.toml", ".github/workflows/policy.yml"];
    for name in names {
        assert!(stdout(&output).contains(&format!("wrote {name}")), "{output:?}");
    }
    let text = fs::read_to_string(folder.path().join("policy.toml")).unwrap();
    assert!(text.contains("url = \"http://localhost:3002/mcp\""), "{text}");
    let lint = run(&["lint", "--deny", "warning"]);
    assert_eq!(lint.status.code(), Some(0), "{lint:?}");
    assert!(stdout(&lint).contains("no findings"), "{lint:?}");
    assert_eq!(run(&["fmt", "--check"]).status.code(), Some(0));
    let tried = run(&["test"]);
    assert_eq!(tried.status.code(), Some(0), "{tried:?}");
    assert!(stdout(&tried).contains("all hold"), "{tried:?}");
    let workflow = folder.path().join(".github/workflows/policy.yml");
    assert!(fs::read_to_string(workflow).unwrap().contains("-- policy lint --format github\n"));

    // Whichever of its files is there: nothing is written, and nothing is changed.
    let before = files(folder.path());
    for arguments in [&["init"][..], &["init", "--workflow"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains("exists, and `policy init` overwrites nothing"));
    }
    assert_eq!(files(folder.path()), before);
    for name in names {
        let other = tempfile::tempdir().unwrap();
        let path = other.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "mine").unwrap();
        let arguments = ["policy", "init", "--workflow"];
        let output = command(other.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_eq!(files(other.path()), [(path.display().to_string(), "mine".to_owned())]);
    }
}

#[test]
fn init_takes_the_url_of_the_deployment() {
    for (arguments, url, has_provider) in [
        (&["--url", "https://mcp.example.com"][..], "https://mcp.example.com/mcp", false),
        (&["--url", "https://mcp.example.com/x"], "https://mcp.example.com/x", false),
        (&["--port", "4000"], "http://localhost:4000/mcp", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let init = ["policy", "init", "--policy", "rules/my policy.toml", "--workflow"];
        let output = command(folder.path()).args(init).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = fs::read_to_string(folder.path().join("rules/my policy.toml")).unwrap();
        assert!(text.contains(&format!("url = \"{url}\"\n")), "{text}");
        assert_eq!(text.contains("\nprovider = \"embedded\""), has_provider, "{text}");
        assert!(folder.path().join("rules/my policy.test.toml").exists());
        let workflow = folder.path().join(".github/workflows/policy.yml");
        assert!(fs::read_to_string(workflow).unwrap().contains("--policy 'rules/my policy.toml'"));
    }
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["policy", "init", "--url", "ftp://x"];
    let output = command(folder.path()).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(files(folder.path()).is_empty());
}

/// A policy without rules has one error for each table, and none after `lint --fix`.
#[test]
fn lint_fix_fills_a_policy_without_rules() {
    let bare = "version = 1\n\n[server]\nurl = \"http://localhost:3002/mcp\" # ours\n";
    let folder = folder(bare);
    let lint = |arguments: &[&str]| {
        command(folder.path()).args(["policy", "lint"]).args(arguments).output().unwrap()
    };
    let before = lint(&[]);
    assert_eq!(before.status.code(), Some(1));
    assert!(stdout(&before).contains("1 error,"), "{before:?}");
    let fixed = lint(&["--fix", "--deny", "warning"]);
    assert_eq!(fixed.status.code(), Some(0), "{fixed:?}");
    let text = fs::read_to_string(folder.path().join("policy.toml")).unwrap();
    assert!(text.starts_with(bare), "{text}");
    // A file that is not TOML stays as it is, and its findings are printed.
    fs::write(folder.path().join("policy.toml"), "version = 1\n[server\n").unwrap();
    let broken = lint(&["--fix"]);
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    assert!(stdout(&broken).contains("the header is not closed"), "{broken:?}");
}
