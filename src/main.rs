//! The `regwatch` program.

fn main() {}
