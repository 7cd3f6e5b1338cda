//! The field of 256 elements with the polynomial x⁸ + x⁴ + x³ + x² + 1, in which α = 2 generates
//! all elements but 0.

/// The polynomial without x⁸.
const REDUCTION: u8 = 0x1d;

/// Returns `element` times α.
pub(super) const fn times_alpha(element: u8) -> u8 {
    (element << 1) ^ (if element & 0x80 == 0 { 0 } else { REDUCTION })
}

/// Adds `factor` times each of the elements to the sum at its place.
///
/// A product is the sum of the products of the bits. There is no table look-up and no branch, so
/// that compilers vectorize the loop.
pub(super) fn add_multiples(sums: &mut [u8], elements: &[u8], factor: u8) {
    let mut products_of_bits = [factor; 8];
    for bit in 1..8 {
        products_of_bits[bit] = times_alpha(products_of_bits[bit - 1]);
    }
    for (sum, element) in sums.iter_mut().zip(elements) {
        let mut bits = *element;
        for product in products_of_bits.iter().rev() {
            // All ones if the highest bit is set.
            let mask = (bits.cast_signed() >> 7).cast_unsigned();
            *sum ^= product & mask;
            bits <<= 1;
        }
    }
}

/// Returns the products of `factor` and each element.
pub(super) fn multiples(factor: u8) -> [u8; 256] {
    let mut products = [0; 256];
    let mut power = factor;
    for bit in 0..8 {
        // Multiplication distributes over addition, which is exclusive or: the products of elements
        // with this highest bit differ from those without it by the product of the bit.
        let (low, high) = products.split_at_mut(1 << bit);
        for (high, low) in high.iter_mut().zip(low) {
            *high = *low ^ power;
        }
        power = times_alpha(power);
    }
    products
}

/// Returns the coefficients below the highest one, which is 1, of the polynomial with the roots α⁰
/// to α^(roots−1), from the highest power down.
pub(super) fn generator(roots: usize) -> Vec<u8> {
    let mut coefficients = vec![1];
    let mut root = 1;
    for _ in 0..roots {
        let multiples = multiples(root);
        coefficients.push(0);
        for index in (1..coefficients.len()).rev() {
            coefficients[index] ^= multiples[usize::from(coefficients[index - 1])];
        }
        root = times_alpha(root);
    }
    coefficients.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::{add_multiples, generator, multiples, times_alpha};

    #[test]
    fn alpha_generates_every_element_but_zero() {
        let mut element = 1;
        let mut seen = [false; 256];
        for _ in 0..255 {
            assert!(!std::mem::replace(&mut seen[usize::from(element)], true));
            element = times_alpha(element);
        }
        assert_eq!((element, seen[0]), (1, false));
    }

    #[test]
    fn multiplication_is_that_of_the_field() {
        assert_eq!(multiples(2).map(usize::from)[0x80], 0x1d);
        for factor in [0, 1, 2, 3, 0x53, 0xff] {
            let products = multiples(factor);
            assert_eq!((products[0], products[1]), (0, factor));
            for element in 0..=255 {
                assert_eq!(products[usize::from(element)], multiples(element)[usize::from(factor)]);
            }
        }
    }

    #[test]
    fn sums_of_products_are_those_of_the_table() {
        let elements: Vec<u8> = (0..=255).collect();
        for factor in 0..=255 {
            let before: Vec<u8> = elements.iter().rev().copied().collect();
            let mut sums = before.clone();
            add_multiples(&mut sums, &elements, factor);
            let multiples = multiples(factor);
            for ((sum, before), element) in sums.iter().zip(before).zip(&elements) {
                assert_eq!(*sum, before ^ multiples[usize::from(*element)]);
            }
        }
    }

    #[test]
    fn the_generator_vanishes_at_its_roots() {
        for roots in [2, 3, 8, 24] {
            let coefficients = generator(roots);
            assert_eq!(coefficients.len(), roots);
            let mut root = 1;
            for _ in 0..=roots {
                let multiples = multiples(root);
                let value = coefficients.iter().fold(1u8, |value, c| multiples[usize::from(value)] ^ c);
                let is_root =
                    (0..roots).fold((1, false), |(r, found), _| (times_alpha(r), found || r == root)).1;
                assert_eq!(value == 0, is_root);
                root = times_alpha(root);
            }
        }
        // (x + 1)(x + 2) = x² + 3x + 2
        assert_eq!(generator(2), [3, 2]);
    }
}
