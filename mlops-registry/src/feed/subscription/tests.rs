use serde_json::json;

use super::*;

fn parsed(body: serde_json::Value) -> Result<Subscription> {
    let subscription: Subscription = serde_json::from_value(body)
        .map_err(|e| Error::invalid("test", "does not parse").with("cause", e))?;
    subscription.check().map(|()| subscription)
}

#[test]
fn what_is_wrong_is_refused_when_it_is_stored() {
    let hook = |url: &str| json!({"webhook": {"url": url, "secret": "S"}});
    let command =
        |program: &str, secs: u64| json!({"command": {"program": program, "timeout_secs": secs}});
    let wrong = [
        (json!({"events": [], "to": "callback"}), "no events"),
        (json!({"events": ["version.promoted"], "to": "callback"}), "no event matches"),
        (json!({"events": ["*"], "to": "carrier-pigeon"}), "unknown variant"),
        (json!({"events": ["*"], "to": "callback", "form": "now"}), "unknown field"),
        (json!({"events": ["*"], "models": ["a/b"], "to": "callback"}), "contains one of"),
        (json!({"events": ["*"], "to": hook("gopher://example.com")}), "http or https"),
        (json!({"events": ["*"], "to": hook("https://a:b@example.com")}), "credentials"),
        (json!({"events": ["*"], "to": hook("http://127.0.0.1:80/")}), "not a public one"),
        (
            json!({"events": ["*"], "to": {"webhook": {"url": "https://example.com"}}}),
            "missing field",
        ),
        (
            json!({"events": ["*"], "to": {"webhook": {"url": "https://example.com", "secret": ""}}}),
            "not the name of a secret",
        ),
        (
            json!({"events": ["*"], "to": "callback", "from": "beginning"}),
            "`from` is `now` or `start`",
        ),
        (json!({"events": ["*"], "to": "callback", "from": 7}), "`from` is `now` or `start`"),
        (json!({"events": ["*"], "to": command("notify", 5)}), "absolute path"),
        (json!({"events": ["*"], "to": command("./notify", 5)}), "absolute path"),
        (json!({"events": ["*"], "to": command("/bin/notify", 0)}), "between a second and a day"),
        (json!({"events": ["*"], "to": command("/bin/not\0ify", 5)}), "zero byte"),
    ];
    for (body, why) in wrong {
        let error = parsed(body.clone()).unwrap_err().to_string();
        assert!(error.contains(why), "{body}: {error}");
    }
}

#[test]
fn a_secret_that_was_pasted_for_its_name_is_refused_and_not_repeated() {
    for secret in ["s3cret-token", "1A", "whsec_MfKQ9r8GKYqrTwjU/PD8I", "a b", "ä", ""] {
        let hook = Target::Webhook(Webhook::new("https://example.com/", secret));
        let error = Subscription::new(["*"], hook).unwrap().check().unwrap_err();
        assert!(error.hint().unwrap().contains("HOOK_SECRET"));
        assert!(secret.is_empty() || !format!("{error} {error:?}").contains(secret), "{error}");
    }
    for name in ["HOOK_SECRET", "_x1", "a"] {
        let hook = Target::Webhook(Webhook::new("https://example.com/", name));
        Subscription::new(["*"], hook).unwrap().check().unwrap();
    }
}

#[test]
fn a_subscription_comes_back_from_json_as_it_was() {
    let hook = Target::Webhook(Webhook::new("http://10.0.0.1/", "S").permitting_private());
    let command = Target::Command(Command::new("/bin/true").arg("-v").with_timeout_secs(5));
    for to in [hook, command, Target::Callback] {
        let subscription = Subscription::new(["version.*"], to)
            .unwrap()
            .about(ModelName::new("churn").unwrap())
            .from_start();
        subscription.check().unwrap();
        let body = serde_json::to_value(&subscription).unwrap();
        assert_eq!(serde_json::from_value::<Subscription>(body).unwrap(), subscription);
    }
}

#[test]
fn a_model_s_events_are_those_of_its_versions_and_stages_too() {
    let subscription =
        Subscription::new(["*"], Target::Callback).unwrap().about(ModelName::new("churn").unwrap());
    let about = |node: &str| {
        let event = serde_json::from_value::<Event>(json!({
            "sequence": 1, "at": "2024-01-01T00:00:00Z", "actor": "a", "operation": "model.update",
            "node": node, "payload": {},
        }));
        subscription.wants(&event.unwrap())
    };
    assert!(
        about("model:churn") && about("model_version:churn/3") && about("stage:churn/Production")
    );
    assert!(!about("model:churn2") && !about("model_version:churn2/3") && !about("run:churn"));
}
