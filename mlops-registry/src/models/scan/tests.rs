use mlops_core::ErrorKind;
use proptest::prelude::*;

use super::*;

/// `pickle.dumps` of an object whose loading calls `os.system("true")`, protocols 0 to 5.
const CALLS: [&[u8]; 6] = [
    b"cposix\nsystem\np0\n(Vtrue\np1\ntp2\nRp3\n.",
    b"cposix\nsystem\nq\x00(X\x04\x00\x00\x00trueq\x01tq\x02Rq\x03.",
    b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.",
    b"\x80\x03cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.",
    b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
    b"\x80\x05\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
];
/// `pickle.dumps({"a": [1, 2.5, None, "x"]})`, protocols 0 to 5.
const PLAIN: [&[u8]; 6] = [
    b"(dp0\nVa\np1\n(lp2\nI1\naF2.5\naNaVx\np3\nas.",
    b"}q\x00X\x01\x00\x00\x00aq\x01]q\x02(K\x01G@\x04\x00\x00\x00\x00\x00\x00NX\x01\x00\x00\x00xq\x03es.",
    b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01]q\x02(K\x01G@\x04\x00\x00\x00\x00\x00\x00NX\x01\x00\x00\x00xq\x03es.",
    b"\x80\x03}q\x00X\x01\x00\x00\x00aq\x01]q\x02(K\x01G@\x04\x00\x00\x00\x00\x00\x00NX\x01\x00\x00\x00xq\x03es.",
    b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94]\x94(K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x8c\x01x\x94es.",
    b"\x80\x05\x95\x1c\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94]\x94(K\x01G@\x04\x00\x00\x00\x00\x00\x00N\x8c\x01x\x94es.",
];
/// `pickle.dumps(collections.OrderedDict(a=1))`, as state dicts are, protocols 0 to 5.
const ORDERED: [&[u8]; 6] = [
    b"ccollections\nOrderedDict\np0\n(tRp1\nVa\np2\nI1\ns.",
    b"ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00aq\x02K\x01s.",
    b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00aq\x02K\x01s.",
    b"\x80\x03ccollections\nOrderedDict\nq\x00)Rq\x01X\x01\x00\x00\x00aq\x02K\x01s.",
    b"\x80\x04\x95)\x00\x00\x00\x00\x00\x00\x00\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94\x8c\x01a\x94K\x01s.",
    b"\x80\x05\x95)\x00\x00\x00\x00\x00\x00\x00\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94\x8c\x01a\x94K\x01s.",
];
/// Written by Python's `zipfile`: `archive/data.pkl` and `archive/version`, stored.
const TORCH: &[u8] = b"PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!\x00(\xff\xf5>$\x00\x00\x00$\x00\x00\x00\x10\x00\x00\x00archive/data.pkl\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!\x00\xd1\x9egU\x02\x00\x00\x00\x02\x00\x00\x00\x0f\x00\x00\x00archive/version3\nPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!\x00(\xff\xf5>$\x00\x00\x00$\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00archive/data.pklPK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!\x00\xd1\x9egU\x02\x00\x00\x00\x02\x00\x00\x00\x0f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01R\x00\x00\x00archive/versionPK\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00{\x00\x00\x00\x81\x00\x00\x00\x00\x00";
/// The same, deflated.
const DEFLATED: &[u8] = b"PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00!\x00(\xff\xf5>&\x00\x00\x00$\x00\x00\x00\x10\x00\x00\x00archive/data.pklk`J.\xc8/\xce\xac\xe0*\xae,.I\xcd\xe5*d\x88`a``()*M-dl-d\n*d\xd6\x03\x00PK\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00!\x00\xd1\x9egU\x04\x00\x00\x00\x02\x00\x00\x00\x0f\x00\x00\x00archive/version3\xe6\x02\x00PK\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00\x00\x00!\x00(\xff\xf5>&\x00\x00\x00$\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00archive/data.pklPK\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00\x00\x00!\x00\xd1\x9egU\x04\x00\x00\x00\x02\x00\x00\x00\x0f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01T\x00\x00\x00archive/versionPK\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00{\x00\x00\x00\x85\x00\x00\x00\x00\x00";

/// A zip archive of stored files.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let (at, size) = (bytes.len() as u32, content.len() as u32);
        let mut rest = vec![0; 14];
        rest.extend(size.to_le_bytes());
        rest.extend(size.to_le_bytes());
        rest.extend((name.len() as u16).to_le_bytes());
        rest.extend([0, 0]);
        bytes.extend(b"PK\x03\x04\x14\0\0\0");
        bytes.extend(&rest[4..]);
        bytes.extend(name.as_bytes());
        bytes.extend(*content);
        directory.extend(b"PK\x01\x02\x14\0\x14\0\0\0");
        directory.extend(&rest[4..]);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (at, size) = (bytes.len() as u32, directory.len() as u32);
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([files.len() as u8, 0, files.len() as u8, 0]);
    bytes.extend(size.to_le_bytes());
    bytes.extend(at.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// A tar archive, as `tar` writes them.
fn tarred(files: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, kind, content) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = *kind;
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend(header);
        bytes.extend(*content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn npy(descr: &str) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (2,), }}\n");
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend([0; 16]);
    bytes
}

fn safetensors(header: &str) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 8]);
    bytes
}

const LAYER: &str = r#"{"module": "keras", "class_name": "Functional", "config": {"layers": [
    {"class_name": "Dense"}, {"class_name": "Lambda", "config": {"function": ["4wEAAAA="]}}]}}"#;

#[test]
fn a_pickle_is_one_whatever_it_is_called_and_whatever_its_protocol() {
    for (protocol, bytes) in CALLS.into_iter().chain(ORDERED).enumerate() {
        for name in
            ["model.pkl", "model.bin", "data.json", "README", "a/weights.safetensors", "x.csv"]
        {
            assert_eq!(scan_bytes(name, bytes), FileFormat::Pickle, "{name} {protocol}");
        }
        // What follows the call does not matter, nor does it matter whether the rest is there.
        let mut broken = bytes[..bytes.len() - 1].to_vec();
        assert_eq!(scan_bytes("model.bin", &broken), FileFormat::Pickle, "{protocol}");
        broken.extend([0xff; 100]);
        assert_eq!(scan_bytes("model.bin", &broken), FileFormat::Pickle, "{protocol}");
    }
}

#[test]
fn a_pickle_of_plain_data_counts_by_its_first_bytes_or_its_name() {
    for (protocol, bytes) in PLAIN.into_iter().enumerate() {
        assert_eq!(scan_bytes("model.pkl", bytes), FileFormat::Pickle, "{protocol}");
        let nameless = if protocol < 2 { FileFormat::Other } else { FileFormat::Pickle };
        assert_eq!(scan_bytes("model.bin", bytes), nameless, "{protocol}");
        // Behind plain data stands another pickle, for a loader that reads two.
        let two = [bytes, CALLS[0]].concat();
        assert_eq!(scan_bytes("model.bin", &two), FileFormat::Pickle, "{protocol}");
    }
    // The old way of PyTorch: a number, then the rest.
    let old = [b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".as_slice(), CALLS[2]]
        .concat();
    assert_eq!(scan_bytes("model.pt", &old), FileFormat::Pickle);
    // INST, OBJ and the registry of extensions.
    for bytes in
        [&b"(S'true'\nios\nsystem\n."[..], b"(cos\nsystem\nS'true'\no.", b"\x80\x02\x82\x01."]
    {
        assert_eq!(scan_bytes("x", bytes), FileFormat::Pickle);
    }
}

#[test]
fn text_and_data_are_no_pickles() {
    let harmless: [(&str, &[u8]); 24] = [
        ("a.txt", b"cat\ndog\nRabbit\n"),
        ("a.csv", b"class,value\nx,1\n"),
        ("a.csv", b"id,name\n1,x\n"),
        ("a.json", b"{\"learner\": {\"version\": [2, 0, 0]}}"),
        ("a.ubj", b"{L\0\0\0\0\0\0\0\x07learner{}"),
        ("model.txt", b"tree\nversion=v4\nnum_class=1\n"),
        ("a.md", b"I am a text.\n"),
        ("a.md", b"(in\xe2\x80\x99 brackets)\n"),
        ("a.md", b"x^2 + y^2\n"),
        ("a.md", b"MZ is no program here\n"),
        ("a.md", b"BZ, or not BZ\n"),
        ("N", b"N."),
        ("n", b"0123456789"),
        ("a.parquet", b"PAR1\x15\x04\x15\x00PAR1"),
        ("a.arrow", b"ARROW1\0\0\xff\xff\xff\xff"),
        ("a.gguf", b"GGUF\x03\0\0\0"),
        ("a.onnx", b"\x08\x08\x12\x07pytorch\x1a\x051.0.0"),
        ("a.yaml", b"a: 1\n"),
        ("a.toml", b"[package]\nname = \"x\"\n"),
        ("MLmodel", b"artifact_path: model\nflavors: {}\n"),
        ("empty", b""),
        ("empty.json", b""),
        ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
    ];
    for (name, bytes) in harmless {
        assert_eq!(scan_bytes(name, bytes), FileFormat::Other, "{name} {}", bytes.escape_ascii());
    }
}

#[test]
fn programs_and_scripts_are_known_by_content_or_name() {
    let cases: [(&str, &[u8], FileFormat); 15] = [
        ("model", b"\x7fELF\x02\x01\x01\0", FileFormat::Native),
        ("model.onnx", b"MZ\x90\0\x03\0\0\0", FileFormat::Native),
        ("model", b"\xcf\xfa\xed\xfe\x07\0\0\x01", FileFormat::Native),
        ("model", b"\0asm\x01\0\0\0", FileFormat::Native),
        ("A.class", b"\xca\xfe\xba\xbe\0\0\0\x34", FileFormat::Native),
        ("libx.so.1.2", b"/* GNU ld script */", FileFormat::Native),
        ("run", b"#!/bin/sh\necho\n", FileFormat::Script),
        ("run.txt", b"\xef\xbb\xbf#!/bin/sh\n", FileFormat::Script),
        ("code/model.py", b"import os\n", FileFormat::Script),
        ("TRAIN.PY", b"import os\n", FileFormat::Script),
        ("fit.R", b"x <- 1\n", FileFormat::Script),
        ("a.js", b"", FileFormat::Script),
        ("version.1", b"so what", FileFormat::Other),
        ("py", b"no extension", FileFormat::Other),
        (".py", b"", FileFormat::Script),
    ];
    for (name, bytes, format) in cases {
        assert_eq!(scan_bytes(name, bytes), format, "{name}");
    }
}

#[test]
fn zip_archives_are_looked_into() {
    assert_eq!(scan_bytes("model.pt", TORCH), FileFormat::Pickle);
    assert_eq!(scan_bytes("model.bin", TORCH), FileFormat::Pickle);
    assert_eq!(scan_bytes("model.pt", DEFLATED), FileFormat::Pickle);
    let scanned = |name: &str, files: &[(&str, &[u8])]| scan_bytes(name, &zipped(files));
    assert_eq!(scanned("a.zip", &[("data.bin", CALLS[4])]), FileFormat::Pickle);
    assert_eq!(scanned("a.zip", &[("a.csv", b"a,b\n"), ("b.txt", b"x")]), FileFormat::Other);
    assert_eq!(scanned("a.zip", &[]), FileFormat::Other);
    assert_eq!(scanned("m.ts", &[("code/__torch__.py", b"class")]), FileFormat::Script);
    let object = npy("'|O'");
    assert_eq!(scanned("a.npz", &[("x.npy", &npy("'<f8'"))]), FileFormat::Other);
    assert_eq!(
        scanned("a.npz", &[("x.npy", &npy("'<f8'")), ("y.npy", &object)]),
        FileFormat::Pickle
    );
    assert_eq!(scanned("m.keras", &[("config.json", LAYER.as_bytes())]), FileFormat::KerasLambda);
    let dense = LAYER.replace("Lambda", "Dense");
    assert_eq!(scanned("m.keras", &[("config.json", dense.as_bytes())]), FileFormat::Other);
    let hidden = LAYER.replace("Lambda", "\\u004cambda");
    assert_eq!(scanned("m.keras", &[("config.json", hidden.as_bytes())]), FileFormat::KerasLambda);

    let mut nested = zipped(&[("data.pkl", CALLS[2])]);
    for depth in 1..8 {
        let found = scan_bytes("a.zip", &nested);
        let expected = if depth <= 4 { FileFormat::Pickle } else { FileFormat::OpaqueArchive };
        assert_eq!(found, expected, "{depth}");
        nested = zipped(&[("inner.zip", &nested)]);
    }
    let harmless = zipped(&[("a.csv", b"a,b\n")]);
    let prefixed = [b"something".as_slice(), &harmless].concat();
    assert_eq!(scan_bytes("a.zip", &prefixed), FileFormat::OpaqueArchive, "readers disagree");
    assert_eq!(scan_bytes("a.zip", &harmless[..harmless.len() - 1]), FileFormat::OpaqueArchive);
}

#[test]
fn tar_archives_are_looked_into() {
    let scanned = |files: &[(&str, u8, &[u8])]| scan_bytes("a.tar", &tarred(files));
    assert_eq!(scanned(&[("a.csv", b'0', b"a,b\n"), ("d/", b'5', b"")]), FileFormat::Other);
    assert_eq!(
        scanned(&[("a.csv", b'0', b"a,b\n"), ("m.bin", b'0', CALLS[0])]),
        FileFormat::Pickle
    );
    assert_eq!(scanned(&[("model.py", 0, b"x")]), FileFormat::Script);
    let long = [("././@LongLink", b'L', &b"far/away/model.py\0"[..]), ("far", b'0', b"x")];
    assert_eq!(scanned(&long), FileFormat::Script);
    let pax = [("p", b'x', &b"26 path=far/away/model.py\n"[..]), ("far", b'0', b"x")];
    assert_eq!(scanned(&pax), FileFormat::Script);
    let resized = [("p", b'x', &b"11 size=99\n"[..]), ("far", b'0', b"x")];
    assert_eq!(scanned(&resized), FileFormat::OpaqueArchive);
    assert_eq!(scanned(&[("l", b'2', b"content of a link")]), FileFormat::OpaqueArchive);
    let inner = zipped(&[("data.pkl", CALLS[2])]);
    assert_eq!(scanned(&[("a.zip", b'0', &inner)]), FileFormat::Pickle);
}

#[test]
fn what_is_compressed_is_opaque_and_a_bad_name_too() {
    let cases: [(&str, &[u8]); 9] = [
        ("a.csv.gz", b"\x1f\x8b\x08\0"),
        ("model.joblib", b"x\x9c\x01\x02\x03\xff"),
        ("model.joblib", b"\x5d\0\0\x80\0"),
        ("a", b"\xfd7zXZ\0\0"),
        ("a", b"BZh91AY&SY"),
        ("a.zst", b"\x28\xb5\x2f\xfd\0"),
        ("model.pkl", b"who knows"),
        ("model.pth", b"who knows"),
        ("w.safetensors", b"\x10\0\0\0\0\0\0\0{broken"),
    ];
    for (name, bytes) in cases {
        assert_eq!(scan_bytes(name, bytes), FileFormat::OpaqueArchive, "{name}");
    }
}

#[test]
fn numpy_arrays_count_by_their_type() {
    for plain in ["'<f8'", "'|b1'", "'<U12'", "'<M8[ns]'", "[('O', '<f8'), ('b', '|S3', (2,))]"] {
        assert_eq!(scan_bytes("x.npy", &npy(plain)), FileFormat::Other, "{plain}");
    }
    for objects in
        ["'|O'", "'O'", "'object'", "[('a', '|O')]", "'\\x4f'", "'i4,O'", "'|' 'O'", "\"O\"", "8"]
    {
        assert_eq!(scan_bytes("x.npy", &npy(objects)), FileFormat::Pickle, "{objects}");
    }
    let mut long = b"\x93NUMPY\x02\0".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    assert_eq!(scan_bytes("x.npy", &long), FileFormat::OpaqueArchive);
    assert_eq!(scan_bytes("x.npy", b"\x93NUMPY"), FileFormat::Other);
}

#[test]
fn safetensors_are_harmless_if_they_are_that_and_nothing_else() {
    let good = safetensors(r#"{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}} "#);
    assert_eq!(scan_bytes("w.safetensors", &good), FileFormat::Other);
    assert_eq!(scan_bytes("w.safetensors", &good[..20]), FileFormat::OpaqueArchive);
    // Both at once: the header's length is a text of the pickle.
    let mut both = b"X\0\0\0\0\0\0\0".to_vec();
    both[1] = 0x20;
    both.extend(vec![b'{'; 29]);
    both.extend(b"0");
    both.extend(CALLS[1]);
    assert_eq!(scan_bytes("w.safetensors", &both), FileFormat::Pickle);
}

#[test]
fn hdf5_with_a_lambda_layer_is_found_wherever_it_lies() {
    let magic = b"\x89HDF\r\n\x1a\n";
    let layer = LAYER.as_bytes();
    for before in [0, 65_000, 65_520, 200_000] {
        let bytes = [magic.as_slice(), &vec![0; before], layer].concat();
        assert_eq!(scan_bytes("m.h5", &bytes), FileFormat::KerasLambda, "{before}");
        assert_eq!(scan_bytes("m", &bytes), FileFormat::KerasLambda, "{before}");
    }
    let behind = [&[0; 1024], magic.as_slice(), layer].concat();
    assert_eq!(scan_bytes("m.h5", &behind), FileFormat::KerasLambda);
    let dense = [magic.as_slice(), LAYER.replace("Lambda", "Dense").as_bytes()].concat();
    assert_eq!(scan_bytes("m.h5", &dense), FileFormat::Other);
    assert_eq!(scan_bytes("model.json", layer), FileFormat::KerasLambda);
    assert_eq!(scan_bytes("model.json", &layer[..layer.len() - 3]), FileFormat::KerasLambda);
}

#[test]
fn a_keras_configuration_that_imports_other_code_is_found_in_any_encoding() {
    let keras = |config: &[u8]| scan_bytes("m.keras", &zipped(&[("config.json", config)]));
    let lambda = LAYER.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    assert_eq!(keras(&lambda), FileFormat::OpaqueArchive);
    assert_eq!(scan_bytes("config.json", &lambda), FileFormat::OpaqueArchive);
    for (config, format) in [
        (r#"{"module": "os", "class_name": "system"}"#, FileFormat::KerasLambda),
        (r#"{"class_name": "eval", "module": "builtins"}"#, FileFormat::KerasLambda),
        (r#"{"module": "keras_evil.x", "class_name": "Dense"}"#, FileFormat::KerasLambda),
        (r#"{"a": [{"class_name": "TorchModuleWrapper"}]}"#, FileFormat::KerasLambda),
        (r#"{"module": "keras.layers", "class_name": "Dense"}"#, FileFormat::Other),
        (r#"{"module": null, "class_name": "Dense"}"#, FileFormat::Other),
        (r#"{"module": "sentence_transformers"}"#, FileFormat::Other),
    ] {
        assert_eq!(keras(config.as_bytes()), format, "{config}");
    }
    let cut = format!("{{\"text\": \"{}", "ä".repeat(100_000));
    assert_eq!(scan_bytes("notes.json", cut.as_bytes()), FileFormat::Other);
}

#[test]
fn a_file_is_scanned_as_its_bytes_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("blob");
    for (name, bytes) in [("m.pt", TORCH), ("m.bin", CALLS[3]), ("a.txt", b"text"), ("e", b"")] {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(scan_file(&path, name).unwrap(), scan_bytes(name, bytes));
    }
    assert_eq!(scan_file(directory.path(), "x").unwrap_err().kind(), ErrorKind::Invalid);
    let gone = scan_file(&directory.path().join("gone"), "x").unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[test]
fn a_zip_whose_entries_overlap_costs_no_more_than_the_budget() {
    // 20,000 entries that are all the same mebibyte of a pickle without an end.
    let mut big = b"(".to_vec();
    big.extend(vec![b'N'; 1 << 20]);
    let mut bytes = zipped(&[("x", &big)]);
    let mut end = bytes.split_off(bytes.len() - 22);
    let entry = bytes[bytes.len() - 47..].to_vec();
    for _ in 1..20_000 {
        bytes.extend(&entry);
    }
    end[12..16].copy_from_slice(&(47 * 20_000_u32).to_le_bytes());
    bytes.extend(end);
    assert_eq!(scan_bytes("a.zip", &bytes), FileFormat::OpaqueArchive);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(
        start in prop::sample::select(vec![
            &b""[..], b"PK\x03\x04", b"\x93NUMPY\x01\0", b"\x93NUMPY\x02\0\x20\0\0\0{'descr':",
            b"\x80\x04", b"\x89HDF\r\n\x1a\n", b"{", b"(c", b"\x10\0\0\0\0\0\0\0{",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..700),
        name in prop::sample::select(vec!["x", "m.pkl", "m.npz", "m.keras", "a.tar", "a.json", "w.safetensors", "m.h5"]),
    ) {
        scan_bytes(name, &[start, &rest].concat());
    }

    #[test]
    fn no_damage_to_an_archive_makes_it_panic(
        at in 0_usize..4000,
        byte in any::<u8>(),
        cut in 0_usize..4000,
        which in 0_usize..4,
    ) {
        let mut bytes = match which {
            0 => TORCH.to_vec(),
            1 => zipped(&[("a.npy", &npy("'<f8'")), ("b.zip", &zipped(&[("c", CALLS[0])]))]),
            2 => tarred(&[("a", b'0', b"x"), ("p", b'x', b"26 path=far/away/model.py\n"), ("b", b'0', b"y")]),
            _ => CALLS[4].to_vec(),
        };
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len() / 2);
        scan_bytes("a.zip", &bytes);
        scan_bytes("a.bin", &bytes);
    }

    #[test]
    fn a_call_is_found_behind_any_plain_data(number in any::<i32>(), text in "[a-z]{0,50}", which in 0_usize..2) {
        let mut bytes = format!("(I{number}\nV{text}\n").into_bytes();
        bytes.extend([b'T', text.len() as u8, 0, 0, 0]);
        bytes.extend(text.as_bytes());
        bytes.extend(b"l0");
        bytes.extend(CALLS[which]);
        prop_assert_eq!(scan_bytes("x", &bytes), FileFormat::Pickle);
    }
}
