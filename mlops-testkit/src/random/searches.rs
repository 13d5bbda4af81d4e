//! x
/// x
pub fn search_differential(){}
