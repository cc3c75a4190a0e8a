//! The time of large policies whose shapes once took minutes: `cargo bench --package bench --bench
//! shapes`. Each stays under a second.
//!
//! Each shape has 10,000 tools or 1,000 scopes, in the way that is the worst for one of the steps.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

use std::{fmt::Write, time::SystemTime};

use divan::{Bencher, black_box};
use scopeward::{
    Declaration, Location, Registry,
    policy::{
        CompiledPolicy, Feature, Operation,
        diagnostic::{Source, render},
        diff,
        explain::Explanation,
        lint::{self, LintInputs, Stage},
        matrix::Matrix,
    },
};

fn main() {
    divan::main();
}

const SCOPES: usize = 1_000;
const TOOLS: usize = 10_000;

/// The name of a shape. `Display` names it in the output.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Each scope implies all later ones.
    ImpliesAllLater,
    /// Seven tools, each with an alternative for each scope.
    ManyAlternatives,
    /// Each tool has six conditions with eight alternatives each, and three invariants are about all.
    ConditionsAndInvariants,
    /// No tool of the policy is declared, and no declared one is in the policy.
    UnknownNames,
    /// Each rule names a scope that is not defined.
    UndefinedScopes,
    /// Each tool has a test, and each test fails.
    FailingTests,
    /// A hundred invariants are about all tools, and hold for none.
    BrokenInvariants,
    /// All rules stand in one line.
    OneLine,
}

const SHAPES: [Shape; 8] = [
    Shape::ImpliesAllLater,
    Shape::ManyAlternatives,
    Shape::ConditionsAndInvariants,
    Shape::UnknownNames,
    Shape::UndefinedScopes,
    Shape::FailingTests,
    Shape::BrokenInvariants,
    Shape::OneLine,
];

fn list(scopes: impl Iterator<Item = usize>) -> String {
    scopes.map(|n| format!("\"s{n}:read\"")).collect::<Vec<_>>().join(", ")
}

fn plain_scopes() -> String {
    (0..SCOPES).map(|n| format!("\"s{n}:read\" = \"Scope {n}\"\n")).collect()
}

impl Shape {
    fn text(self) -> String {
        let head = "version = 1\n[server]\nurl = \"http://localhost/mcp\"\n[scopes]\n";
        let mut text = head.to_owned();
        match self {
            Self::ImpliesAllLater => {
                for n in 0..SCOPES {
                    let implied = list(n + 1..SCOPES);
                    let _ = writeln!(
                        text,
                        "\"s{n}:read\" = {{ title = \"S\", implies = [{implied}] }}"
                    );
                }
                return text + "[tools]\ntool_0 = { read = \"s0\" }\n";
            }
            Self::OneLine => {
                let rules = (0..TOOLS).map(|n| format!("tool_{n} = {{ read = \"z{n}\" }}"));
                let rules: Vec<String> = rules.collect();
                return format!(
                    "version = 1\nserver = {{ url = \"http://localhost/mcp\" }}\ntools = {{ {} }}\n",
                    rules.join(", ")
                );
            }
            _ => text += &plain_scopes(),
        }
        text += "[tools]\n";
        for n in 0..self.tools() {
            let scope = n % SCOPES;
            let rule = match self {
                Self::ManyAlternatives => format!("any_of = [{}]", list(0..SCOPES)),
                Self::ConditionsAndInvariants => {
                    let one = |w: usize| {
                        format!("{{ if = \"args.a{w}\", any_of = [{}] }}", list(w * 8..w * 8 + 8))
                    };
                    let when: Vec<String> = (0..6).map(one).collect();
                    format!("read = \"s0\", when = [{}]", when.join(", "))
                }
                Self::UndefinedScopes => format!("read = \"z{n}\""),
                _ => format!("read = \"s{scope}\""),
            };
            let _ = writeln!(text, "tool_{n} = {{ {rule} }}");
        }
        match self {
            Self::ConditionsAndInvariants => {
                text += "[[invariant]]\ntools = \"all\"\nneeds = { read = \"s0\" }\n";
                text += "[[invariant]]\ntools = \"all\"\nenough = { read = \"s0\" }\n";
                text += "[[invariant]]\ntools = \"all\"\nneeds = { all_of = [\"s1:read\", \"s2:read\"] }\n";
                text += "arguments = { a0 = 1, a1 = 1, a2 = 1, a3 = 1, a4 = 1, a5 = 1 }\n";
            }
            Self::FailingTests => {
                for n in 0..TOOLS {
                    let _ = writeln!(text, "[[test]]\nscopes = []\ncan = [\"tool_{n}\"]");
                }
            }
            Self::BrokenInvariants => {
                for _ in 0..100 {
                    text += "[[invariant]]\ntools = \"all\"\nneeds = { all_of = [\"s0:read\", \"s1:read\"] }\n";
                }
            }
            _ => {}
        }
        text
    }

    fn tools(self) -> usize {
        match self {
            Self::ManyAlternatives => 7,
            Self::ConditionsAndInvariants => TOOLS / 10,
            _ => TOOLS,
        }
    }

    /// The declarations. Their memory is never freed, because those of a real server are constants.
    fn registry(self) -> Registry {
        let name = |n: usize| match self {
            Self::UnknownNames => format!("tull_{n}"),
            _ => format!("tool_{n}"),
        };
        let declared = (0..self.tools()).map(|n| {
            let scopes: &'static [&'static str] =
                vec![&*format!("s{}:read", n % SCOPES).leak()].leak();
            let name: &'static str = name(n).leak();
            Declaration::new(Feature::Tool, name, scopes, &[], Location::new("src/tools.rs", 1, 1))
        });
        Registry::new(declared.collect::<Vec<_>>().leak())
    }
}

fn compile(text: &str) -> Option<CompiledPolicy> {
    CompiledPolicy::compile(Source::new("policy.toml", text)).ok()
}

/// Compiles the policy and runs every lint.
#[divan::bench(args = SHAPES, sample_count = 5)]
fn lint_shape(bencher: Bencher<'_, '_>, shape: Shape) {
    let source = Source::new("policy.toml", shape.text());
    let registry = shape.registry();
    let inputs = LintInputs { registry: &registry, snapshot: None, now: SystemTime::UNIX_EPOCH };
    bencher.bench(|| lint::examine(black_box(&source), &inputs, Stage::Advice));
}

/// Shows the findings in a terminal.
#[divan::bench(args = SHAPES, sample_count = 5)]
fn show_findings(bencher: Bencher<'_, '_>, shape: Shape) {
    let source = Source::new("policy.toml", shape.text());
    let registry = shape.registry();
    let inputs = LintInputs { registry: &registry, snapshot: None, now: SystemTime::UNIX_EPOCH };
    let found = lint::examine(&source, &inputs, Stage::Advice).found;
    bencher.bench(|| render::terminal(black_box(&found), false));
}

/// Compares the policy with one in which all rules ask for another scope.
#[divan::bench(args = SHAPES, sample_count = 5)]
fn compare(bencher: Bencher<'_, '_>, shape: Shape) {
    let text = shape.text();
    let (Some(old), Some(new)) = (compile(&text), compile(&text.replace("\"s0\"", "\"s1\"")))
    else {
        // A policy with mistakes is not compared.
        return bencher.bench(|| ());
    };
    bencher.bench(|| diff::compare(black_box(&old), black_box(&new)));
}

/// Makes the table of all tools and all scopes, and explains one tool.
#[divan::bench(args = SHAPES, sample_count = 5)]
fn matrix_and_explain(bencher: Bencher<'_, '_>, shape: Shape) {
    let registry = shape.registry();
    let Some(policy) = compile(&shape.text()) else { return bencher.bench(|| ()) };
    bencher.bench(|| {
        let table = Matrix::new(black_box(&policy), &registry);
        let explained = Explanation::new(&policy, Operation::tool("tool_0"), vec![]).text();
        (table.rows().len(), explained)
    });
}
