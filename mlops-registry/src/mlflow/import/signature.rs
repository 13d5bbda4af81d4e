//! The signature that an `MLmodel` file holds.

use mlops_core::registry::Signature;

use super::yaml::Map;

/// The signature; `None` if there is none; what is wrong, or is left out, as a text beside it.
pub(super) fn read(mlmodel: &[u8]) -> (Option<Signature>, Option<String>) {
    let Ok(text) = std::str::from_utf8(mlmodel) else {
        return (None, Some("MLmodel is not UTF-8".to_owned()));
    };
    let map = match Map::parse(text) {
        Ok(map) => map,
        Err(bad) => return (None, Some(format!("MLmodel:{}: {}", bad.line, bad.message))),
    };
    let sides = map.texts("signature");
    let side = |name: &str| sides.iter().find(|(key, _)| *key == name).map(|(_, text)| *text);
    if side("inputs").is_none() && side("outputs").is_none() {
        return (None, None);
    }
    // What the predictor may be told beside its inputs is no part of a signature here.
    let told = side("params").filter(|params| !matches!(params.trim(), "" | "null" | "[]"));
    let left_out = told.map(|params| format!("params {params}"));
    let [inputs, outputs] = ["inputs", "outputs"].map(|name| side(name).unwrap_or("null"));
    match Signature::from_mlflow_json(inputs, outputs) {
        Ok(signature) => (Some(signature), left_out),
        Err(e) => (None, Some(e.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mlflow_writes_is_read() {
        let text = "artifact_path: model\nflavors:\n  python_function:\n    env: {conda: conda.yaml}\n\
                    signature:\n  inputs: '[{\"type\": \"double\", \"name\": \"x\", \"required\": true}]'\n  \
                    outputs: '[{\"type\": \"long\", \"required\": true}]'\n  params: null\n";
        let (signature, wrong) = read(text.as_bytes());
        assert_eq!(wrong, None);
        let signature = signature.unwrap();
        assert_eq!(&*signature.inputs[0].name, "x");
        assert_eq!(signature.outputs.len(), 1);
    }

    #[test]
    fn what_cannot_be_said_is_said_to_be_left_out() {
        assert_eq!(read(b"flavors: {}\n"), (None, None));
        let tensor = "signature:\n  inputs: '[{\"type\": \"tensor\", \"tensor-spec\": {}}]'\n";
        assert!(read(tensor.as_bytes()).1.is_some());
        assert!(read(b"a: [\n").1.unwrap().starts_with("MLmodel:"));
        assert!(read(&[0xff]).1.is_some());
    }
}
