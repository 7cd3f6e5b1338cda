//! One seed for every identifier.
