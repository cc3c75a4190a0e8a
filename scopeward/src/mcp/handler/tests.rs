//! Compares the lists with a naive twin, for every setting of `list`.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
};

use proptest::prelude::*;
use serde_json::{Map, json};

use super::lists::{Visibility, visibility};
use crate::{
    identity::{Caller, Principal, token::Validator},
    policy::{
        CompiledPolicy, Feature, Operation,
        diagnostic::Source,
        model::{Model, model},
    },
    testing::issuer::TestIssuer,
};

/// One issuer and its validator for all cases, because a key costs more than a case.
static ISSUER: LazyLock<(TestIssuer, Validator)> = LazyLock::new(|| {
    let issuer = TestIssuer::new("http://localhost:3002/mcp".to_owned()).expect("a key");
    let validator = issuer.validator();
    (issuer, validator)
});

/// A caller whose token carries these scopes.
fn caller(scopes: &[String], policy: CompiledPolicy) -> Principal {
    let claims = [("sub", "ada".to_owned()), ("scope", scopes.join(" "))];
    let claims: Map<_, _> =
        claims.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let (issuer, validator) = &*ISSUER;
    let token = issuer.sign(claims).expect("a signed token");
    Principal::new(validator.validate(&token).expect("a valid token"), Arc::new(policy))
}

/// A set of scopes or of tools, as bits.
#[derive(Debug, Clone, Copy)]
struct Bits(u32);

impl Bits {
    fn has(self, n: usize) -> bool {
        self.0 & (1 << n) != 0
    }

    fn up_to(self, n: usize) -> BTreeSet<usize> {
        (0..n).filter(|bit| self.has(*bit)).collect()
    }
}

fn policy(model: &Model, list: &str, step_up: Bits, hidden: Bits, registered: Bits) -> String {
    let names: Vec<String> =
        registered.up_to(model.implies.len()).iter().map(|n| format!("\"s:{n}\"")).collect();
    let settings = format!("list = \"{list}\"\nregistered = [{}]\n[scopes]", names.join(", "));
    let mut text = model.text_of_all_features().replace("[scopes]", &settings);
    for n in 0..model.implies.len() {
        let scope = format!("\"s:{n}\" = {{ ");
        text = text.replace(&scope, &format!("{scope}step_up = {}, ", step_up.has(n)));
    }
    for n in 0..model.tools.len() {
        for rule in [format!("\nt{n} = {{ "), format!("\n\"x:t{n}\" = {{ ")] {
            text = text.replace(&rule, &format!("{rule}hidden = {}, ", hidden.has(n)));
        }
    }
    text
}

proptest! {
    /// With "callable" an item is listed if and only if it is callable. "step_up" adds the items
    /// that lack only scopes marked `step_up`, and "reachable" adds the items that some set of
    /// registered scopes could call. A hidden item that is not callable is never listed.
    #[test]
    fn a_list_follows_the_decision(
        model in model(),
        granted in any::<u32>().prop_map(Bits),
        step_up in any::<u32>().prop_map(Bits),
        hidden in any::<u32>().prop_map(Bits),
        registered in any::<u32>().prop_map(Bits),
        list in prop::sample::select(vec!["callable", "step_up", "reachable"]),
    ) {
        let text = policy(&model, list, step_up, hidden, registered);
        let policy = CompiledPolicy::compile(Source::new("policy.toml", &*text))
            .map_err(|found| TestCaseError::fail(found.to_string()))?;
        let scopes = granted.up_to(model.implies.len());
        let names: Vec<String> = scopes.iter().map(|n| format!("s:{n}")).collect();
        let caller = caller(&names, policy);
        let (held, reachable) =
            (model.holds(&scopes), model.holds(&registered.up_to(model.implies.len())));
        for (n, alternatives) in model.tools.iter().enumerate() {
            let callable = model.allows(n, &held);
            let also = match list {
                "callable" => false,
                "step_up" => alternatives
                    .iter()
                    .any(|all| all.iter().all(|scope| held.contains(scope) || step_up.has(*scope))),
                _ => model.allows(n, &reachable),
            };
            let uri = format!("x:t{n}");
            for feature in Feature::ALL {
                let name = if feature == Feature::Resource { &uri } else { &uri[2..] };
                let seen = visibility(Operation::new(feature, name), Caller::Principal(&caller));
                let is_listed = !matches!(seen, Visibility::None);
                prop_assert_eq!(is_listed, callable || (also && !hidden.has(n)), "{} {} {}", feature, name, text);
                // A caller that may use the item is asked for no more scopes.
                let asks = matches!(seen, Visibility::Needing(_));
                prop_assert_eq!(asks, !callable && also && !hidden.has(n));
            }
        }
        for feature in Feature::ALL {
            let unknown = Operation::new(feature, "x:not_there");
            prop_assert!(matches!(visibility(unknown, Caller::Principal(&caller)), Visibility::None));
        }
    }
}
