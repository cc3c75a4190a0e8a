#![no_main]

#[path = "../targets/policy_lint.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
