//! x
/// x
pub fn differential(){}
