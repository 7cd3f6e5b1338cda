//! Two messages, interleaved in the SHA extensions: each instruction waits for the one before of
//! its own message, and meanwhile one of the other message runs.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use crate::fips::{BLOCK_LEN, Digest, K, Parts, to_digest};

/// The number of messages.
const COUNT: usize = 2;

/// The words a, b, e, f and c, d, g, h of a state, the first in the highest bits.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

/// Returns the digests of messages with parts of the same lengths.
#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(super) fn digests(start: &[u32; 8], messages: &[Parts<'_>; COUNT]) -> [Digest; COUNT] {
    let [a, b, c, d, e, f, g, h] = start.map(u32::cast_signed);
    let state = State { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) };
    let mut states = [state; COUNT];
    for (first, second) in messages[0].iter().zip(&messages[1]) {
        let (first, second) = (first.as_chunks::<BLOCK_LEN>().0, second.as_chunks::<BLOCK_LEN>().0);
        for (first, second) in first.iter().zip(second) {
            compress(&mut states, [load(first), load(second)]);
        }
    }
    [to_digest(words(states[0])), to_digest(words(states[1]))]
}

/// The compression function, four rounds at a time.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn compress(states: &mut [State; COUNT], mut w: [[__m128i; 4]; COUNT]) {
    let [State { abef: mut abef0, cdgh: mut cdgh0 }, State { abef: mut abef1, cdgh: mut cdgh1 }] = *states;
    macro_rules! four_rounds {
        ($k:expr, $i:literal) => {
            let [k0, k1, k2, k3] = $k[$i];
            let k = _mm_set_epi32(k3.cast_signed(), k2.cast_signed(), k1.cast_signed(), k0.cast_signed());
            let sum0 = _mm_add_epi32(w[0][$i], k);
            let sum1 = _mm_add_epi32(w[1][$i], k);
            cdgh0 = _mm_sha256rnds2_epu32(cdgh0, abef0, sum0);
            cdgh1 = _mm_sha256rnds2_epu32(cdgh1, abef1, sum1);
            abef0 = _mm_sha256rnds2_epu32(abef0, cdgh0, _mm_shuffle_epi32::<0x0e>(sum0));
            abef1 = _mm_sha256rnds2_epu32(abef1, cdgh1, _mm_shuffle_epi32::<0x0e>(sum1));
        };
    }
    macro_rules! schedule {
        ($i:literal) => {
            w[0][$i] = schedule(w[0][$i], w[0][($i + 1) % 4], w[0][($i + 2) % 4], w[0][($i + 3) % 4]);
            w[1][$i] = schedule(w[1][$i], w[1][($i + 1) % 4], w[1][($i + 2) % 4], w[1][($i + 3) % 4]);
        };
    }
    let (fours, _) = K.as_chunks::<4>();
    let (sixteens, _) = fours.as_chunks::<4>();
    four_rounds!(sixteens[0], 0);
    four_rounds!(sixteens[0], 1);
    four_rounds!(sixteens[0], 2);
    four_rounds!(sixteens[0], 3);
    for k in &sixteens[1..] {
        schedule!(0);
        four_rounds!(k, 0);
        schedule!(1);
        four_rounds!(k, 1);
        schedule!(2);
        four_rounds!(k, 2);
        schedule!(3);
        four_rounds!(k, 3);
    }
    for (state, (abef, cdgh)) in states.iter_mut().zip([(abef0, cdgh0), (abef1, cdgh1)]) {
        state.abef = _mm_add_epi32(state.abef, abef);
        state.cdgh = _mm_add_epi32(state.cdgh, cdgh);
    }
}

/// The next four words of the message schedule after sixteen.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn schedule(w0: __m128i, w1: __m128i, w2: __m128i, w3: __m128i) -> __m128i {
    let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
    _mm_sha256msg2_epu32(sum, w3)
}

/// Returns the sixteen big-endian words of a block. The compiler makes one load of each two numbers.
#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn load(block: &[u8; BLOCK_LEN]) -> [__m128i; 4] {
    let (numbers, _) = block.as_chunks::<8>();
    let number = |index: usize| i64::from_le_bytes(numbers[index]);
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let four = |index| _mm_shuffle_epi8(_mm_set_epi64x(number(index + 1), number(index)), order);
    [four(0), four(2), four(4), four(6)]
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
#[inline]
fn words(State { abef, cdgh }: State) -> [u32; 8] {
    [
        _mm_extract_epi32::<3>(abef),
        _mm_extract_epi32::<2>(abef),
        _mm_extract_epi32::<3>(cdgh),
        _mm_extract_epi32::<2>(cdgh),
        _mm_extract_epi32::<1>(abef),
        _mm_extract_epi32::<0>(abef),
        _mm_extract_epi32::<1>(cdgh),
        _mm_extract_epi32::<0>(cdgh),
    ]
    .map(i32::cast_unsigned)
}
