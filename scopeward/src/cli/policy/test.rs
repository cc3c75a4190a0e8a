//! The command `policy test`, which runs the policy's tests and proves its invariants.

use std::{path::PathBuf, time::SystemTime};

use crate::{
    cli::{Deployment, Failure, Verdict},
    policy::{
        Assertions, CompiledPolicy, Registry,
        diagnostic::{Diagnostic, Diagnostics, Source, counted},
        lint::{
            self, Examined, LintInputs, Stage,
            verify::{self, Verified},
        },
    },
    serve::{StartError, deployment},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TestArguments {
    /// A file with more tests, in place of policy.test.toml beside the policy
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn test(
    deployment: &Deployment,
    registry: &Registry,
    arguments: &TestArguments,
) -> Result<Verdict, Failure> {
    let source = deployment.source()?;
    let inputs = LintInputs { registry, snapshot: None, now: SystemTime::now() };
    let Examined { policy, assertions, found } = lint::examine(&source, &inputs, Stage::Agreement);
    let Some(policy) = policy else {
        return Err(StartError::found(found, "it cannot be tested").into());
    };
    let mut files = vec![(source, assertions)];
    let beside = deployment.policy_path().with_extension("test.toml");
    let path = arguments.file.clone().or_else(|| beside.exists().then_some(beside));
    if let Some(path) = path {
        let source = deployment::read(&path)?;
        let assertions = Assertions::read(&source, &policy)
            .map_err(|found| StartError::found(found, "it cannot be run"))?;
        files.push((source, assertions));
    }
    let mut tally = Tally::default();
    for (source, assertions) in &files {
        tally.run(source, assertions, &policy, registry);
    }
    outln!("{}", tally.summary(&policy));
    Ok(Verdict::of(tally.failed == 0))
}

#[derive(Default)]
struct Tally {
    tests: usize,
    invariants: usize,
    failed: usize,
}

impl Tally {
    fn run(
        &mut self,
        source: &Source,
        assertions: &Assertions,
        policy: &CompiledPolicy,
        registry: &Registry,
    ) {
        for Verified { is_invariant, name, failures } in
            verify::verify(source, assertions, policy, registry)
        {
            let count = if is_invariant { &mut self.invariants } else { &mut self.tests };
            *count += 1;
            self.report(source, &name, failures);
        }
    }

    fn report(&mut self, source: &Source, name: &str, failures: Vec<Diagnostic>) {
        if failures.is_empty() {
            outln!("ok      {name}");
            return;
        }
        self.failed += 1;
        outln!("FAILED  {name}\n");
        let found = Diagnostics::new(source.clone(), failures);
        out!("{}", found.render(true));
    }

    fn summary(&self, policy: &CompiledPolicy) -> String {
        let Self { tests, invariants, failed } = self;
        if tests + invariants == 0 {
            return "nothing to test: add `[[test]]` or `[[invariant]]` to the policy".to_owned();
        }
        format!(
            "\n{}, {} (for all sets of {}): {}",
            counted(*tests, "test"),
            counted(*invariants, "invariant"),
            counted(policy.scopes().len(), "scope"),
            if *failed == 0 { "all hold".to_owned() } else { format!("{failed} FAILED") }
        )
    }
}
