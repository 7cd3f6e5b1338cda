//! SHA-256 with one message in each lane of vectors of 32-bit words.
//!
//! A macro, as functions for different instructions cannot be generic: each module that uses it has
//! the functions `add`, `ror`, `shr`, `xor3`, `choose`, `majority`, `splat`, `load` and `words` for
//! its vectors.

/// Defines `digests` for a vector type, its number of lanes and its instructions.
macro_rules! lanes {
    ($vector:ty, $count:literal, $features:literal) => {
        /// Returns the digests of messages with parts of the same lengths.
        #[target_feature(enable = $features)]
        pub(super) fn digests(start: &[u32; 8], messages: &[Parts<'_>; $count]) -> [Digest; $count] {
            let mut state = [splat(0); 8];
            for (vector, word) in state.iter_mut().zip(start) {
                *vector = splat(word.cast_signed());
            }
            for part in 0..3 {
                let len = messages[0][part].len();
                let mut lanes: [&[u8]; $count] = [&[]; $count];
                for (lane, message) in lanes.iter_mut().zip(messages) {
                    *lane = &message[part][..len];
                }
                let mut position = 0;
                while position + BLOCK_LEN <= len {
                    compress(&mut state, load(&lanes, position));
                    position += BLOCK_LEN;
                }
            }
            let mut lanes = [[0; 8]; $count];
            for (index, vector) in state.into_iter().enumerate() {
                for (lane, word) in lanes.iter_mut().zip(words(vector)) {
                    lane[index] = word;
                }
            }
            lanes.map(to_digest)
        }

        /// The compression function, FIPS 180-4 section 6.2.2, with the message schedule in 16
        /// vectors.
        #[target_feature(enable = $features)]
        #[inline]
        fn compress(state: &mut [$vector; 8], mut w: [$vector; 16]) {
            let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
            macro_rules! round {
                ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $i:expr, $k:expr) => {
                    let sum1 = xor3(ror::<6, 26>($e), ror::<11, 21>($e), ror::<25, 7>($e));
                    let first = add(add($h, add($k, w[$i])), add(sum1, choose($e, $f, $g)));
                    let sum0 = xor3(ror::<2, 30>($a), ror::<13, 19>($a), ror::<22, 10>($a));
                    $d = add($d, first);
                    $h = add(first, add(sum0, majority($a, $b, $c)));
                };
            }
            macro_rules! eight_rounds {
                ($k:expr, $i:expr) => {
                    round!(a b c d e f g h, $i, splat($k[$i].cast_signed()));
                    round!(h a b c d e f g, $i + 1, splat($k[$i + 1].cast_signed()));
                    round!(g h a b c d e f, $i + 2, splat($k[$i + 2].cast_signed()));
                    round!(f g h a b c d e, $i + 3, splat($k[$i + 3].cast_signed()));
                    round!(e f g h a b c d, $i + 4, splat($k[$i + 4].cast_signed()));
                    round!(d e f g h a b c, $i + 5, splat($k[$i + 5].cast_signed()));
                    round!(c d e f g h a b, $i + 6, splat($k[$i + 6].cast_signed()));
                    round!(b c d e f g h a, $i + 7, splat($k[$i + 7].cast_signed()));
                };
            }
            macro_rules! schedule {
                ($i:literal) => {
                    let (before15, before2) = (w[($i + 1) % 16], w[($i + 14) % 16]);
                    let sigma0 = xor3(ror::<7, 25>(before15), ror::<18, 14>(before15), shr::<3>(before15));
                    let sigma1 = xor3(ror::<17, 15>(before2), ror::<19, 13>(before2), shr::<10>(before2));
                    w[$i] = add(add(w[$i], w[($i + 9) % 16]), add(sigma0, sigma1));
                };
            }
            let (rounds, _) = K.as_chunks::<16>();
            eight_rounds!(rounds[0], 0);
            eight_rounds!(rounds[0], 8);
            for k in &rounds[1..] {
                schedule!(0);
                schedule!(1);
                schedule!(2);
                schedule!(3);
                schedule!(4);
                schedule!(5);
                schedule!(6);
                schedule!(7);
                eight_rounds!(k, 0);
                schedule!(8);
                schedule!(9);
                schedule!(10);
                schedule!(11);
                schedule!(12);
                schedule!(13);
                schedule!(14);
                schedule!(15);
                eight_rounds!(k, 8);
            }
            for (old, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
                *old = add(*old, new);
            }
        }
    };
}

pub(super) use lanes;
