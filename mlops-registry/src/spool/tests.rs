use proptest::prelude::*;

use super::*;

fn ids() -> (RunId, SpoolId) {
    (RunId::generate(1_000_000), SpoolId::generate(1_000_000))
}

fn point(step: i64) -> MetricPoint {
    MetricPoint { step, time_micros: step * 10, value: step as f64 / 3.0 }
}

fn abandoned(path: &Path) -> Abandoned {
    match inspect(path).unwrap() {
        Found::Abandoned(found) => found,
        other => panic!("expected an abandoned spool, found {other:?}"),
    }
}

fn steps(points: &Points) -> Vec<i64> {
    points.step.clone()
}

#[test]
fn what_was_accepted_is_found_after_the_writer_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (run, id) = ids();
    let mut spool = Spool::create(dir.path(), run, id, 100).unwrap();
    let loss = spool.intern(&Key::new("loss").unwrap());
    let long = spool.intern(&Key::new("k".repeat(250)).unwrap());
    for step in 0..10 {
        spool.push(if step % 2 == 0 { loss } else { long }, point(step)).unwrap();
    }
    let path = spool.path.clone();
    assert!(matches!(inspect(&path).unwrap(), Found::Alive));
    drop(spool);
    let found = abandoned(&path);
    assert_eq!((found.run, found.spool), (run, id));
    assert_eq!(found.parts.len(), 1);
    let (first, points) = &found.parts[0];
    assert_eq!((*first, steps(points)), (0, (0..10).collect()));
    assert_eq!(points.keys[points.key[1] as usize].as_str(), "k".repeat(250));
    assert_eq!(points.value[7], 7.0 / 3.0);
    found.remove().unwrap();
    assert!(matches!(inspect(&path).unwrap(), Found::Nothing));
}

#[test]
fn a_full_spool_refuses_until_a_half_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let (run, id) = ids();
    let mut spool = Spool::create(dir.path(), run, id, 10).unwrap();
    let key = spool.intern(&Key::new("loss").unwrap());
    let mut accepted = 0;
    while spool.push(key, point(accepted)).is_ok() {
        accepted += 1;
    }
    // Ten slots a half, of which two define the key.
    assert_eq!(accepted, 16);
    let closed = spool.take().unwrap().unwrap();
    assert_eq!((closed.first, steps(&closed.points)), (0, (0..8).collect()));
    assert_eq!(spool.take().unwrap().unwrap().points, closed.points, "until it is forgotten");
    spool.forget(&closed);
    spool.push(key, point(16)).unwrap();
    let closed = spool.take().unwrap().unwrap();
    assert_eq!((closed.first, steps(&closed.points)), (8, (8..16).collect()));
}

#[test]
fn a_group_is_found_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let (run, id) = ids();
    let mut spool = Spool::create(dir.path(), run, id, 100).unwrap();
    let keys = ["a", "b", "c"].map(|k| spool.intern(&Key::new(k).unwrap()));
    spool.push_all(&keys.map(|k| (k, point(1)))).unwrap();
    spool.push_all(&keys.map(|k| (k, point(2)))).unwrap();
    let path = spool.path.clone();
    // The last record of the second group is torn, as by a kill between two stores.
    let last = spool.slot_at(0, spool.halves[0].used - 1);
    spool.map[last + 20] ^= 1;
    drop(spool);
    assert_eq!(steps(&abandoned(&path).parts[0].1), [1, 1, 1]);
}

proptest! {
    /// Whatever is pushed, taken and forgotten, what is left at a kill is what was not forgotten.
    #[test]
    fn nothing_is_lost_and_nothing_is_doubled(
        operations in proptest::collection::vec(0..12u8, 1..300),
        slots in 8..40usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (run, id) = ids();
        let mut spool = Spool::create(dir.path(), run, id, slots).unwrap();
        let keys: Vec<u32> = ["a", "bb", "ccc"].iter()
            .map(|k| spool.intern(&Key::new(k).unwrap())).collect();
        let (mut accepted, mut stored) = (0i64, Vec::new());
        for operation in operations {
            match operation {
                0 => if let Some(closed) = spool.take().unwrap() {
                    prop_assert_eq!(closed.first as usize, stored.len());
                    stored.extend(steps(&closed.points));
                    spool.forget(&closed);
                },
                1 => { spool.take().unwrap(); }
                other => if spool.push(keys[other as usize % 3], point(accepted)).is_ok() {
                    accepted += 1;
                },
            }
        }
        prop_assert_eq!(spool.accepted(), accepted as u64);
        let path = spool.path.clone();
        drop(spool);
        for (first, points) in &abandoned(&path).parts {
            prop_assert_eq!(*first as usize, stored.len());
            stored.extend(steps(points));
        }
        prop_assert_eq!(stored, (0..accepted).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_spool_never_panics(at in 0..4_000usize, bit in 0..8u8, cut in 0..4_000usize) {
        let dir = tempfile::tempdir().unwrap();
        let (run, id) = ids();
        let mut spool = Spool::create(dir.path(), run, id, 50).unwrap();
        let key = spool.intern(&Key::new("loss").unwrap());
        for step in 0..60 {
            spool.push(key, point(step)).unwrap();
        }
        let path = spool.path.clone();
        drop(spool);
        let mut bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        bytes.truncate(bytes.len() - cut % 200);
        fs::write(&path, bytes).unwrap();
        let _ = inspect(&path);
    }
}
