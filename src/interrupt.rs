//! Signals that ask the program to stop.
