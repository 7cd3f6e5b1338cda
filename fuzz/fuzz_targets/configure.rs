#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    rootcast_fuzz::transforms::configure::check(bytes);
});
