mod realistic;

use super::*;

#[test]
#[ignore = "writes pages to look at into the directory for temporary files"]
fn pages_to_look_at() {
    let report = realistic::realistic();
    let at = |name: &str| std::env::temp_dir().join(name);
    std::fs::write(at("report.html"), html(&report)).unwrap();
    std::fs::write(at("report.md"), markdown(&report)).unwrap();
    std::fs::write(at("report.xml"), junit(&report)).unwrap();
    std::fs::write(at("report.txt"), text(&report, &TextStyle::default().with_colour(true)))
        .unwrap();
}
