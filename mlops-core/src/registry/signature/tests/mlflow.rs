use super::*;

/// As `Schema.to_json` of MLflow 3.17.2 writes it, but that `at` leaves out `required`.
const COLUMNS: &str = r#"[
    {"type": "long", "name": "dep_hour", "required": true},
    {"type": "double", "name": "distance", "required": false},
    {"type": "array", "items": {"type": "array", "items": {"type": "float"}},
     "name": "embedding", "required": true},
    {"type": "object", "name": "weather", "required": true, "properties": {
        "wind": {"type": "integer", "required": false}, "at": {"type": "datetime"}}}]"#;

#[test]
fn columns_of_mlflow_are_read() {
    let signature = Signature::from_mlflow_json(COLUMNS, "null").unwrap();
    assert_eq!(
        signature,
        inputs(&[
            "dep_hour: int64",
            "distance: float64?",
            "embedding: list<list<float32>>",
            "weather: struct<at: timestamp[ns], wind: int32?>",
        ]),
    );
    let (written, none) = signature.to_mlflow_json().unwrap();
    assert_eq!(none, "[]");
    assert_eq!(Signature::from_mlflow_json(&written, &none).unwrap(), signature);
}

#[test]
fn older_optional_and_unnamed_columns_are_read() {
    let optional = r#"[{"type": "string", "name": "a", "optional": true}]"#;
    let unnamed = r#"[{"type": "double"}, {"type": "boolean"}]"#;
    let signature = Signature::from_mlflow_json(optional, unnamed).unwrap();
    assert_eq!(signature.inputs, columns(&["a: utf8?"]));
    assert_eq!(signature.outputs, columns(&["0: float64", "1: boolean"]));
}

#[test]
fn what_has_no_counterpart_is_unsupported_and_what_is_broken_is_invalid() {
    let tensor = r#"[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 28]}}]"#;
    let error = Signature::from_mlflow_json("[]", tensor).unwrap_err();
    assert_eq!(
        error.to_string(),
        "signature.mlflow: unsupported: this type has no counterpart (type: tensor, column: \"0\", \
         side: outputs); hint: a tensor has no columns: write the signature of the table that goes \
         in, with one column of type fixed_list[n]<float32>",
    );
    for (json, kind) in [
        (r#"[{"type": "map", "values": {"type": "long"}, "name": "m"}]"#, ErrorKind::Unsupported),
        (r#"[{"type": "any", "name": "m"}]"#, ErrorKind::Unsupported),
        (r#"[{"type": "sparkml_vector", "name": "m"}]"#, ErrorKind::Unsupported),
        (r#"[{"type": "quaternion", "name": "m"}]"#, ErrorKind::Invalid),
        (r#"[{"type": "array", "name": "m"}]"#, ErrorKind::Invalid),
        (r#"[{"type": "object", "name": "m"}]"#, ErrorKind::Invalid),
        (r#"[{"type": "long", "name": "m"}, {"type": "long"}]"#, ErrorKind::Invalid),
        (r#"[{"type": "long", "name": "m"}, {"type": "long", "name": "m"}]"#, ErrorKind::Invalid),
        (r#"[{"name": "m"}]"#, ErrorKind::Invalid),
        ("{}", ErrorKind::Invalid),
        ("", ErrorKind::Invalid),
    ] {
        assert_eq!(Signature::from_mlflow_json(json, "[]").unwrap_err().kind(), kind, "{json}");
    }
}

#[test]
fn a_type_that_mlflow_lacks_is_refused_by_column() {
    for text in [
        "int8",
        "int16",
        "uint32",
        "float16",
        "date32",
        "time64[us]",
        "timestamp[ns, UTC]",
        "duration[s]",
        "decimal128(3, 1)",
        "fixed_list[8]<float32>",
        "list<int8>",
        "struct<>",
    ] {
        let error = inputs(&[&format!("x: {text}")]).to_mlflow_json().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}");
        assert!(error.to_string().contains("column: \"x\""), "{error}");
    }
}
