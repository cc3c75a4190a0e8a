#![no_main]

#[path = "../targets/issuer_world.rs"]
mod issuer_world;
#[path = "../targets/consent_form.rs"]
mod target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| target::run(data));
