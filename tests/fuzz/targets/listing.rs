#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| regwatch_fuzz::check("listing", input));
