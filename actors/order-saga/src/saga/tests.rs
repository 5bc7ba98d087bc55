//! Ring 1: the table over every (step, event) pair, and random histories.

mod history;
mod samples;
mod storage;
mod table;
mod world;
