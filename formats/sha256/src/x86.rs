//! Engines of x86-64.
//!
//! The functions of the submodules are safe, and compiled for instructions that not every processor
//! has (`#[target_feature]`). To call such a function is unsafe because of that alone: on a
//! processor without the instructions it is undefined behaviour. The functions here are safe to
//! call, as each asks the processor first; the answer is cached, and asked once for 16, 8 or 2
//! messages. There is no other unsafe code: no pointers, no transmutation.
#![allow(unsafe_code)]

mod avx2;
mod avx512;
mod lanes;
mod sha;

use crate::fips::{Digest, Parts};

/// Returns true if the processor has what [`avx512`] needs.
pub(crate) fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

/// Returns true if the processor has what [`avx2`] needs.
pub(crate) fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
}

/// Returns true if the processor has what [`sha`] needs.
pub(crate) fn has_sha() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1")
}

/// Returns the digests of sixteen messages with parts of the same lengths.
pub(crate) fn avx512(start: &[u32; 8], messages: &[Parts<'_>; 16]) -> [Digest; 16] {
    assert!(has_avx512(), "the processor does not have the instructions");
    // SAFETY: the processor has all instructions that the function is compiled for.
    unsafe { avx512::digests(start, messages) }
}

/// Returns the digests of eight messages with parts of the same lengths.
pub(crate) fn avx2(start: &[u32; 8], messages: &[Parts<'_>; 8]) -> [Digest; 8] {
    assert!(has_avx2(), "the processor does not have the instructions");
    // SAFETY: the processor has all instructions that the function is compiled for.
    unsafe { avx2::digests(start, messages) }
}

/// Returns the digests of two messages with parts of the same lengths.
pub(crate) fn sha(start: &[u32; 8], messages: &[Parts<'_>; 2]) -> [Digest; 2] {
    assert!(has_sha(), "the processor does not have the instructions");
    // SAFETY: the processor has all instructions that the function is compiled for.
    unsafe { sha::digests(start, messages) }
}
