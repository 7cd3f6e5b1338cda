//! Eight messages in the lanes of AVX2.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_extract_epi32, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set_epi64x, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srli_epi32, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::lanes::lanes;
use crate::fips::{BLOCK_LEN, Digest, K, Parts, to_digest};

lanes!(__m256i, 8, "avx2");

#[target_feature(enable = "avx2")]
#[inline]
fn splat(word: i32) -> __m256i {
    _mm256_set1_epi32(word)
}

#[target_feature(enable = "avx2")]
#[inline]
fn add(one: __m256i, other: __m256i) -> __m256i {
    _mm256_add_epi32(one, other)
}

/// Rotates words to the right; `LEFT` is what is left of 32 bits.
#[target_feature(enable = "avx2")]
#[inline]
fn ror<const BITS: i32, const LEFT: i32>(words: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_srli_epi32::<BITS>(words), _mm256_slli_epi32::<LEFT>(words))
}

#[target_feature(enable = "avx2")]
#[inline]
fn shr<const BITS: i32>(words: __m256i) -> __m256i {
    _mm256_srli_epi32::<BITS>(words)
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor3(one: __m256i, two: __m256i, three: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(one, two), three)
}

#[target_feature(enable = "avx2")]
#[inline]
fn choose(which: __m256i, one: __m256i, other: __m256i) -> __m256i {
    _mm256_xor_si256(other, _mm256_and_si256(which, _mm256_xor_si256(one, other)))
}

#[target_feature(enable = "avx2")]
#[inline]
fn majority(one: __m256i, two: __m256i, three: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_and_si256(one, two), _mm256_and_si256(three, _mm256_or_si256(one, two)))
}

/// The word of each lane.
#[target_feature(enable = "avx2")]
#[inline]
fn words(vector: __m256i) -> [u32; 8] {
    [
        _mm256_extract_epi32::<0>(vector).cast_unsigned(),
        _mm256_extract_epi32::<1>(vector).cast_unsigned(),
        _mm256_extract_epi32::<2>(vector).cast_unsigned(),
        _mm256_extract_epi32::<3>(vector).cast_unsigned(),
        _mm256_extract_epi32::<4>(vector).cast_unsigned(),
        _mm256_extract_epi32::<5>(vector).cast_unsigned(),
        _mm256_extract_epi32::<6>(vector).cast_unsigned(),
        _mm256_extract_epi32::<7>(vector).cast_unsigned(),
    ]
}

/// Returns the 16 words of the block at a position of each lane: word by word, a vector of lanes.
#[target_feature(enable = "avx2")]
#[inline]
fn load(lanes: &[&[u8]; 8], position: usize) -> [__m256i; 16] {
    let zero = _mm256_setzero_si256();
    let mut words = [zero; 16];
    for half in 0..2 {
        // Four lanes at a time: vector m has the words m and 4 + m of four lanes.
        let mut fours = [[zero; 4]; 2];
        for (four, lanes) in fours.iter_mut().zip(lanes.as_chunks::<4>().0) {
            let at = position + half * (BLOCK_LEN / 2);
            let rows = [row(lanes[0], at), row(lanes[1], at), row(lanes[2], at), row(lanes[3], at)];
            let (low01, high01) =
                (_mm256_unpacklo_epi32(rows[0], rows[1]), _mm256_unpackhi_epi32(rows[0], rows[1]));
            let (low23, high23) =
                (_mm256_unpacklo_epi32(rows[2], rows[3]), _mm256_unpackhi_epi32(rows[2], rows[3]));
            *four = [
                _mm256_unpacklo_epi64(low01, low23),
                _mm256_unpackhi_epi64(low01, low23),
                _mm256_unpacklo_epi64(high01, high23),
                _mm256_unpackhi_epi64(high01, high23),
            ];
        }
        for m in 0..4 {
            words[half * 8 + m] = _mm256_permute2x128_si256::<0x20>(fours[0][m], fours[1][m]);
            words[half * 8 + 4 + m] = _mm256_permute2x128_si256::<0x31>(fours[0][m], fours[1][m]);
        }
    }
    words
}

/// Returns the 8 big-endian words at a position of a lane. The compiler makes one load of the four
/// numbers.
#[target_feature(enable = "avx2")]
#[inline]
fn row(lane: &[u8], position: usize) -> __m256i {
    let (numbers, _) = lane[position..][..BLOCK_LEN / 2].as_chunks::<8>();
    let number = |index: usize| i64::from_le_bytes(numbers[index]);
    let bytes = _mm256_set_epi64x(number(3), number(2), number(1), number(0));
    let (high, low) = (0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm256_shuffle_epi8(bytes, _mm256_set_epi64x(high, low, high, low))
}
