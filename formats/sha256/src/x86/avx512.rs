//! Sixteen messages in the lanes of AVX-512, which rotates and takes three operands at once.

use std::arch::x86_64::{
    __m512i, _mm_extract_epi32, _mm512_add_epi32, _mm512_extracti32x4_epi32, _mm512_ror_epi32,
    _mm512_set_epi64, _mm512_set1_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4,
    _mm512_srli_epi32, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::lanes::lanes;
use crate::fips::{BLOCK_LEN, Digest, K, Parts, to_digest};

lanes!(__m512i, 16, "avx512f,avx512bw");

#[target_feature(enable = "avx512f")]
#[inline]
fn splat(word: i32) -> __m512i {
    _mm512_set1_epi32(word)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn add(one: __m512i, other: __m512i) -> __m512i {
    _mm512_add_epi32(one, other)
}

/// Rotates words to the right; the bits that it takes to the left are not needed here.
#[target_feature(enable = "avx512f")]
#[inline]
fn ror<const BITS: i32, const LEFT: i32>(words: __m512i) -> __m512i {
    _mm512_ror_epi32::<BITS>(words)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn shr<const BITS: u32>(words: __m512i) -> __m512i {
    _mm512_srli_epi32::<BITS>(words)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor3(one: __m512i, two: __m512i, three: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(one, two, three)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn choose(which: __m512i, one: __m512i, other: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xca>(which, one, other)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn majority(one: __m512i, two: __m512i, three: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xe8>(one, two, three)
}

/// The word of each lane.
#[target_feature(enable = "avx512f")]
#[inline]
fn words(vector: __m512i) -> [u32; 16] {
    let mut words = [0; 16];
    let quarters = [
        _mm512_extracti32x4_epi32::<0>(vector),
        _mm512_extracti32x4_epi32::<1>(vector),
        _mm512_extracti32x4_epi32::<2>(vector),
        _mm512_extracti32x4_epi32::<3>(vector),
    ];
    for (words, quarter) in words.as_chunks_mut::<4>().0.iter_mut().zip(quarters) {
        *words = [
            _mm_extract_epi32::<0>(quarter).cast_unsigned(),
            _mm_extract_epi32::<1>(quarter).cast_unsigned(),
            _mm_extract_epi32::<2>(quarter).cast_unsigned(),
            _mm_extract_epi32::<3>(quarter).cast_unsigned(),
        ];
    }
    words
}

/// Returns the 16 words of the block at a position of each lane: word by word, a vector of lanes.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load(lanes: &[&[u8]; 16], position: usize) -> [__m512i; 16] {
    let zero = _mm512_setzero_si512();
    // Four lanes at a time: vector m has the words m, 4 + m, 8 + m and 12 + m of four lanes.
    let mut fours = [[zero; 4]; 4];
    for (four, lanes) in fours.iter_mut().zip(lanes.as_chunks::<4>().0) {
        let rows = [
            row(lanes[0], position),
            row(lanes[1], position),
            row(lanes[2], position),
            row(lanes[3], position),
        ];
        let (low01, high01) =
            (_mm512_unpacklo_epi32(rows[0], rows[1]), _mm512_unpackhi_epi32(rows[0], rows[1]));
        let (low23, high23) =
            (_mm512_unpacklo_epi32(rows[2], rows[3]), _mm512_unpackhi_epi32(rows[2], rows[3]));
        *four = [
            _mm512_unpacklo_epi64(low01, low23),
            _mm512_unpackhi_epi64(low01, low23),
            _mm512_unpacklo_epi64(high01, high23),
            _mm512_unpackhi_epi64(high01, high23),
        ];
    }
    let mut words = [zero; 16];
    for m in 0..4 {
        let low01 = _mm512_shuffle_i32x4::<0x44>(fours[0][m], fours[1][m]);
        let high01 = _mm512_shuffle_i32x4::<0xee>(fours[0][m], fours[1][m]);
        let low23 = _mm512_shuffle_i32x4::<0x44>(fours[2][m], fours[3][m]);
        let high23 = _mm512_shuffle_i32x4::<0xee>(fours[2][m], fours[3][m]);
        words[m] = _mm512_shuffle_i32x4::<0x88>(low01, low23);
        words[4 + m] = _mm512_shuffle_i32x4::<0xdd>(low01, low23);
        words[8 + m] = _mm512_shuffle_i32x4::<0x88>(high01, high23);
        words[12 + m] = _mm512_shuffle_i32x4::<0xdd>(high01, high23);
    }
    words
}

/// Returns the 16 big-endian words at a position of a lane. The compiler makes one load of the
/// eight numbers.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn row(lane: &[u8], position: usize) -> __m512i {
    let (numbers, _) = lane[position..][..BLOCK_LEN].as_chunks::<8>();
    let number = |index: usize| i64::from_le_bytes(numbers[index]);
    let bytes = _mm512_set_epi64(
        number(7),
        number(6),
        number(5),
        number(4),
        number(3),
        number(2),
        number(1),
        number(0),
    );
    let (high, low) = (0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm512_shuffle_epi8(bytes, _mm512_set_epi64(high, low, high, low, high, low, high, low))
}
