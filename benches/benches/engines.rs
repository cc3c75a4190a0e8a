//! Compares our decisions with those of policy engines: `cargo bench --package bench --features
//! rivals --bench engines`.
//!
//! Each engine answers the same question: may a caller who holds these scopes call this tool? Each
//! engine gets the form of the policy that is fastest for it. The time to build a rival's request
//! is not measured.

#![allow(clippy::expect_used, reason = "a benchmark that cannot be set up should stop")]

use bench::policies;
use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
};
use divan::{Bencher, black_box};
use scopeward::policy::Operation;

fn main() {
    divan::main();
}

const SIZES: [usize; 2] = [10, 10_000];

#[divan::bench(args = SIZES, sample_count = 1_000, sample_size = 1_000)]
fn scopeward(bencher: Bencher<'_, '_>, tools: usize) {
    let policy = policies::compile(&policies::text(tools, false)).expect("a good policy");
    let held = policy.hold(["s0:read", "s4:read", "s8:read"]);
    let decide =
        || policy.decide(black_box(Operation::tool("tool_0")), black_box(&held)).is_allow();
    assert!(decide());
    bencher.bench(decide);
}

/// The scope that a tool of [`policies::text`] needs.
fn scope(tool: usize, tools: usize) -> String {
    let scope = tool % policies::SCOPES.min(tools);
    format!("s{scope}:{}", ["read", "write"][scope % 2])
}

fn uid(kind: &str, name: &str) -> EntityUid {
    format!("{kind}::{name:?}").parse().expect("an entity's name")
}

/// Cedar: one policy, and one entity for each tool, with the scopes that the tool needs.
#[divan::bench(args = SIZES)]
fn cedar(bencher: Bencher<'_, '_>, tools: usize) {
    let policy = "permit(principal, action, resource) \
                  when { context.scopes.containsAll(resource.needs) };";
    let policies: PolicySet = policy.parse().expect("a good policy");
    let text = |text: String| RestrictedExpression::new_string(text);
    let entities = (0..tools).map(|tool| {
        let needs = RestrictedExpression::new_set([text(scope(tool, tools))]);
        let attributes = [("needs".to_owned(), needs)].into();
        Entity::new(uid("Tool", &format!("tool_{tool}")), attributes, [].into()).expect("an entity")
    });
    let entities = Entities::from_entities(entities, None).expect("entities");
    let held = ["s0:read", "s4:read", "s8:read"].map(|scope| text(scope.to_owned()));
    let held = ("scopes".to_owned(), RestrictedExpression::new_set(held));
    let context = Context::from_pairs([held]).expect("a context");
    let (ada, call, tool) = (uid("User", "ada"), uid("Action", "call"), uid("Tool", "tool_0"));
    let question = Request::new(ada, call, tool, context, None).expect("a request");
    let authorizer = Authorizer::new();
    let decide = || authorizer.is_authorized(black_box(&question), &policies, &entities).decision();
    assert_eq!(decide(), cedar_policy::Decision::Allow);
    bencher.bench(decide);
}

const MODEL: &str = "[request_definition]\nr = scope, tool\n[policy_definition]\np = scope, tool\n\
                     [policy_effect]\ne = some(where (p.eft == allow))\n\
                     [matchers]\nm = r.tool == p.tool && r.scope == p.scope\n";

/// casbin: one line for each tool and scope. The request holds one scope only.
#[divan::bench(args = SIZES, sample_count = 10)]
fn casbin(bencher: Bencher<'_, '_>, tools: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let enforcer = runtime.block_on(async {
        let model = DefaultModel::from_str(MODEL).await.expect("a model");
        let mut enforcer =
            Enforcer::new(model, MemoryAdapter::default()).await.expect("an enforcer");
        let lines = (0..tools).map(|tool| vec![scope(tool, tools), format!("tool_{tool}")]);
        enforcer.add_policies(lines.collect()).await.expect("a policy");
        enforcer
    });
    let decide = || enforcer.enforce((black_box("s0:read"), black_box("tool_0"))).ok();
    assert_eq!(decide(), Some(true));
    bencher.bench(decide);
}

const REGO: &str = "package scopes\ndefault allow := false\n\
                    allow if { every scope in data.needs[input.tool] { scope in input.scopes } }\n";

/// regorus: one compiled rule, and the scopes of each tool as data.
#[divan::bench(args = SIZES)]
fn regorus(bencher: Bencher<'_, '_>, tools: usize) {
    let mut engine = regorus::Engine::new();
    engine.add_policy("scopes.rego".to_owned(), REGO.to_owned()).expect("a good policy");
    let needs: serde_json::Map<String, serde_json::Value> =
        (0..tools).map(|tool| (format!("tool_{tool}"), vec![scope(tool, tools)].into())).collect();
    let data = serde_json::json!({ "needs": needs }).to_string();
    engine.add_data_json(&data).expect("data");
    let compiled = engine.compile_with_entrypoint(&"data.scopes.allow".into()).expect("a rule");
    let held = r#"{ "tool": "tool_0", "scopes": ["s0:read", "s4:read", "s8:read"] }"#;
    let question = regorus::Value::from_json_str(held).expect("a question");
    let decide = || compiled.eval_with_input(black_box(question.clone())).ok();
    assert_eq!(decide(), Some(regorus::Value::from(true)));
    bencher.bench(decide);
}
