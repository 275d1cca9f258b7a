//! regwatch and its simulated AWS before judges that others wrote. Run by `tests/run`, which installs
//! them.
