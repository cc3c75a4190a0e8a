//! Each mistake in a condition is a sentence at its place in the file, with a fix where it is certain.

use proptest::prelude::*;
use serde_json::json;

use crate::{
    Declaration, Feature, Location, Registry,
    diagnostic::{Diagnostics, Source},
    lint::{self, LintInputs, Stage},
};

const TOOL: Declaration =
    Declaration::new(Feature::Tool, "x", &["a:read"], &[], Location::new("src/t.rs", 9, 5))
        .with_hints(Some(true), None)
        .with_arguments(|| {
            let schema = json!({
                "type": "object",
                "properties": {
                    "target": { "type": "string" },
                    "count": { "type": "integer" },
                    "done": { "type": "boolean" },
                    "tags": { "type": "array", "items": { "type": "string" } },
                    "with": { "anyOf": [{ "enum": ["Team", "Public"] }, { "type": "null" }] },
                },
                "required": ["target", "count", "done", "tags", "with"],
            });
            std::sync::Arc::new(schema.as_object().cloned().unwrap_or_default())
        });

fn policy(literal: &str) -> Source {
    let text = format!(
        "version = 1\n[server]\nurl = \"http://localhost:3002/mcp\"\n[scopes]\n\"a:read\" = \"R\"\n\
         \"a:more\" = \"M\"\n[claims]\nemail = \"string\"\ngroups = \"list\"\nlevel = \"number\"\n\
         [tools.x]\nread = \"a\"\n[[tools.x.when]]\nif = {literal}\nall_of = [\"a:more\"]\n"
    );
    Source::new("policy.toml", text)
}

fn inputs(registry: &Registry) -> LintInputs<'_> {
    let now = std::time::UNIX_EPOCH;
    LintInputs { registry, snapshot: None, now }
}

fn lint(source: &Source) -> Diagnostics {
    lint::examine(source, &inputs(&Registry::new(&[TOOL])), Stage::Advice).found
}

/// The text that a condition's only finding underlines, and the condition after `--fix`.
fn found(condition: &str) -> (String, String) {
    let source = policy(&toml_edit::Value::from(condition).to_string());
    let found = lint(&source);
    assert_eq!(found.iter().count(), 1, "{condition}\n{}", found.render(false));
    let finding = found.iter().next().unwrap();
    assert!(!finding.message().contains("expecting"), "raw words of the parser: {condition}");
    let span = finding.span();
    let fixed = lint::fix::fix(&source, &inputs(&Registry::new(&[TOOL]))).unwrap();
    let document: toml_edit::DocumentMut = fixed.source.text().parse().unwrap();
    let after = document["tools"]["x"]["when"][0]["if"].as_str().unwrap().to_owned();
    (source.text()[span].to_owned(), after)
}

/// Each wrong condition: the underlined text, and the condition after the fix; `""` for no fix.
const WRONG: &[(&str, &str, &str)] = &[
    // Names.
    ("args.taget == 'x'", "taget", ""),
    ("args.done && has(args.taget)", "taget", ""),
    ("has(args.taget) && args.taget == 'x'", "taget", ""),
    ("args['taget'] == 'x'", "'taget'", ""),
    ("!(args.count > 1 && args.counts < 2)", "counts", ""),
    ("arg.target == 'x'", "arg", "args.target == 'x'"),
    ("claim.email == 'x'", "claim", "claims.email == 'x'"),
    ("target == 'x'", "target", ""),
    ("args.target == open", "open", ""),
    ("args.done == True", "True", "args.done == true"),
    ("args.target != None", "None", "args.target != null"),
    // Operators of other languages.
    ("args.target = 'x'", "=", "args.target == 'x'"),
    ("args.target === 'x'", "===", "args.target == 'x'"),
    ("args.target !== 'x'", "!==", "args.target != 'x'"),
    ("args.count <> 1", "<>", "args.count != 1"),
    ("args.count => 1", "=>", "args.count >= 1"),
    ("args.done or args.count > 1", "or", "args.done || args.count > 1"),
    ("args.done and args.count > 1", "and", "args.done && args.count > 1"),
    ("args.done AND args.count > 1", "AND", "args.done && args.count > 1"),
    ("not args.done", "not", "!args.done"),
    ("args.count > 1 && not args.done", "not", "args.count > 1 && !args.done"),
    ("not (args.done || args.count > 1)", "not", "!(args.done || args.count > 1)"),
    ("not has(args.target)", "not", "!has(args.target)"),
    ("not args.target == 'x'", "not", ""),
    ("args.target not in ['a']", "not", ""),
    ("args.done & args.count > 1", "&", "args.done && args.count > 1"),
    ("args.done | args.count > 1", "|", "args.done || args.count > 1"),
    ("args.done is true", "is", "args.done == true"),
    ("args.target is not null", "is not", "args.target != null"),
    ("args.target in ('a', 'b')", "('a', 'b')", "args.target in ['a', 'b']"),
    ("args.target in {'a', 'b'}", "{'a', 'b'}", "args.target in ['a', 'b']"),
    ("args.target in 'abc'", "args.target in 'abc'", ""),
    ("'x' in args.target", "'x' in args.target", ""),
    ("'x' in args.count", "'x' in args.count", ""),
    ("'x' in claims.email", "'x' in claims.email", ""),
    ("args.target in", "in", ""),
    ("args.target like 'x%'", "like", ""),
    ("args.target.matches('x')", "args.target.matches('x')", ""),
    ("args.count + 1 > 2", "args.count + 1", ""),
    // Quotes and brackets.
    ("args.target == 'x", "'x", ""),
    ("args.target == \"x", "\"x", ""),
    ("args.target == 'it's'", "'", ""),
    ("(args.done && args.count > 1", "(", ""),
    ("args.done && (args.count > 1", "(", ""),
    ("has(args.target", "(", ""),
    ("args.done)", ")", ""),
    ("args.target in ['a'", "[", ""),
    ("args.target in ['a')", "[", ""),
    ("args.done &&", "&&", ""),
    ("== args.done", "==", ""),
    ("args.done args.count", "args", ""),
    ("args.done;", ";", ""),
    ("args.ö == 'x'", "ö", ""),
    // Types.
    ("args.target == 5", "args.target == 5", ""),
    ("args.done && args.target", "args.done && args.target", ""),
    ("args.count > '5' || args.done", "args.count > '5'", ""),
    ("args.target", "args.target", ""),
    ("size(args.count) > 1", "size(args.count)", ""),
    ("args.count.startsWith('x')", "args.count.startsWith('x')", ""),
    ("args.tags.exists(t, t == 1)", "t == 1", ""),
    ("args.target.exists(t, t == 1)", "args.target", ""),
    // Values.
    ("args.with == \"public\"", "\"public\"", ""),
    ("args.with in [\"Team\", \"Publik\"]", "\"Publik\"", ""),
    ("args.done && args.count == 1.5", "1.5", ""),
    ("args.count in [1, '2']", "'2'", ""),
    ("claims.level in [1, '2']", "'2'", ""),
    // Claims.
    ("claims.emial == 'x'", "emial", ""),
    ("has(claims.emial)", "emial", ""),
    ("claims['emial'] == 'x'", "'emial'", ""),
    ("claims.email == 5", "claims.email == 5", ""),
    ("claims.groups == 'admins'", "claims.groups == 'admins'", ""),
    ("claims.level > '3'", "claims.level > '3'", ""),
    ("claims.tenant == 'x'", "tenant", ""),
    ("claims.sub == 5", "claims.sub == 5", ""),
];

#[test]
fn each_mistake_is_underlined_and_fixed_where_that_is_certain() {
    let mut said = String::new();
    let mut wrong = vec![];
    for (condition, underlined, right) in WRONG {
        let (place, after) = found(condition);
        let right = if right.is_empty() { condition } else { right };
        if (place.as_str(), after.as_str()) != (*underlined, *right) {
            wrong.push(format!("{condition}: underlined {place}, fixed {after}"));
        }
        let source = policy(&toml_edit::Value::from(*condition).to_string());
        said += &lint(&source).render(false);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!("wrong_conditions", said);
}

#[test]
fn conditions_that_are_right_have_no_finding() {
    for good in [
        "args.target == claims.email && claims.level >= 3",
        "'admins' in claims.groups || claims.groups.exists(g, g == 'x')",
        "has(claims.email) && claims.sub != 'x' && claims.exp > 5",
        "args.target in ['a', 'b'] && !(args.target in args.tags)",
        "args.target == 'not and or is =' // and not",
        "args.tags.exists(is, is.startsWith('x'))",
        "claims['email'] == \"it's\"",
    ] {
        let found = lint(&policy(&toml_edit::Value::from(good).to_string()));
        assert!(found.is_empty(), "{good}\n{}", found.render(false));
    }
}

/// The place and the fix are right however the string is written.
#[test]
fn the_place_is_right_in_every_form_of_string() {
    for (literal, place, fixed) in [
        ("'args.target = \"x\"'", "14:19", "'args.target == \"x\"'"),
        ("\"args.target = \\\"x\\\"\"", "14:19", "\"args.target == \\\"x\\\"\""),
        ("\"\\u0061rgs.target = 'x'\"", "14:24", "\"\\u0061rgs.target == 'x'\""),
        ("\"args.target != 'ö' and args.done\"", "14:26", "\"args.target != 'ö' && args.done\""),
        (
            "'''\nargs.done\n  and args.target = 'x'\n'''",
            "16:3",
            "'''\nargs.done\n  && args.target == 'x'\n'''",
        ),
        (
            "\"\"\"\\\n  args.done \\\n  | args.done\"\"\"",
            "16:3",
            "\"\"\"\\\n  args.done \\\n  || args.done\"\"\"",
        ),
        ("'''\r\nargs.done\r\n  or args.done'''", "16:3", "'''\r\nargs.done\r\n  || args.done'''"),
        ("'''args.target == 'ö\n'\n  && args.taget == 'x'''' ", "14:24", ""),
    ] {
        let source = policy(literal);
        let found = lint(&source);
        let first = found.iter().next().unwrap_or_else(|| panic!("{literal}"));
        let (line, column) = source.position(first.span().start);
        assert_eq!(format!("{line}:{column}"), place, "{literal}\n{}", found.render(false));
        if !fixed.is_empty() {
            let fixed_source =
                lint::fix::fix(&source, &inputs(&Registry::new(&[TOOL]))).unwrap().source;
            assert_eq!(fixed_source.text(), policy(fixed).text(), "{literal}");
        }
    }
}

#[test]
fn without_a_table_of_claims_any_claim_may_be_used() {
    let text = policy("\"claims.emial == 'x' && args.done\"").text().to_owned();
    let listed = "[claims]\nemail = \"string\"\ngroups = \"list\"\nlevel = \"number\"\n";
    let source = Source::new("policy.toml", text.replace(listed, ""));
    assert!(lint(&source).is_empty(), "{}", lint(&source).render(false));
    let source = Source::new("policy.toml", text.replace(listed, "[claims]\n"));
    assert!(lint(&source).to_string().contains("does not list the claim `emial`"));
    let source = Source::new("policy.toml", text.replace("\"string\"", "\"text\""));
    let found = lint(&source).to_string();
    assert!(found.contains("the type of the claim `email` cannot be \"text\""), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Any condition is answered, and each finding about it stands in its string.
    #[test]
    fn any_condition_is_answered(
        text in r#"(args\.|claims\.|[a-z]{1,5}|[ =&|!<>()\[\]{}'",?:+éö1\n]|and|not |is | in ){1,25}"#
    ) {
        prop_assume!(!text.trim().is_empty());
        let source = policy(&toml_edit::Value::from(text.as_str()).to_string());
        let start = source.text().find("\nif = ").unwrap() + 1;
        let found = lint(&source);
        for finding in &found {
            prop_assert!(!finding.message().contains("expecting"), "{}", finding.message());
            let is_about_it = ["SW008", "SW009", "SW121"].contains(&finding.kind().id);
            prop_assert!(!is_about_it || finding.span().start >= start);
        }
        found.render(false);
    }
}
