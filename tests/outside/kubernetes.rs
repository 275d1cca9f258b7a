//! `deploy/kubernetes`: what kustomize makes of it, before the schemas of Kubernetes and of the Prometheus
//! operator, and its pod at work without a cluster.

mod manifest;
mod pod;
mod readme;
mod replicas;

use std::process::Command;

use serde_json::{Value, json};

use crate::container::sandbox::printed;
use manifest::{build, documents, findings, here, one};

fn kinds(resources: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<_> =
        resources.iter().map(|resource| resource["kind"].as_str().expect("a text")).collect();
    kinds.sort_unstable();
    kinds
}

/// What the base consists of.
const BASE: [&str; 5] = ["ConfigMap", "NetworkPolicy", "Service", "ServiceAccount", "StatefulSet"];

#[test]
fn kubernetes_and_the_operator_take_the_base_and_each_overlay() {
    let without_volume = BASE.iter().copied().filter(|kind| *kind != "StatefulSet");
    let of_replicas: Vec<_> = without_volume.chain(["Deployment", "PodDisruptionBudget"]).collect();
    let of_operator = [&BASE[..], &["PrometheusRule", "ServiceMonitor"]].concat();
    for (folder, expected) in [
        ("base", &BASE[..]),
        ("overlays/annotations", &BASE[..]),
        ("overlays/prometheus-operator", &of_operator[..]),
        ("overlays/postgres", &of_replicas[..]),
        ("overlays/postgres/move", &["Job"][..]),
    ] {
        let resources = build(&here("deploy/kubernetes").join(folder));
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(kinds(&resources), expected, "{folder}");
        assert_eq!(findings(&resources), [""; 0], "{folder}");
    }
}

/// Gives a key another name.
fn rename(resource: &mut Value, pointer: &str, from: &str, to: &str) {
    let object = resource.pointer_mut(pointer).and_then(Value::as_object_mut);
    let object = object.unwrap_or_else(|| panic!("nothing at {pointer}"));
    let value = object.remove(from).unwrap_or_else(|| panic!("no {from} at {pointer}"));
    object.insert(to.to_owned(), value);
}

#[test]
fn a_key_that_is_misspelt_is_found_at_each_level() {
    let resources = build(&here("deploy/kubernetes/overlays/prometheus-operator"));
    let context = "/spec/template/spec/containers/0/securityContext";
    // At most one in each resource at a time: a judge may stop at the first.
    let rounds = [
        &[
            ("StatefulSet", "/spec", "podManagementPolicy", "podManagmentPolicy"),
            ("NetworkPolicy", "/spec/ingress/0", "from", "form"),
            ("ServiceAccount", "", "automountServiceAccountToken", "automountToken"),
            ("ServiceMonitor", "/spec", "jobLabel", "jobLable"),
            ("PrometheusRule", "/spec/groups/0", "name", "naem"),
        ][..],
        &[
            ("StatefulSet", context, "readOnlyRootFilesystem", "readonlyRootFilesystem"),
            ("ServiceMonitor", "/spec/endpoints/0", "interval", "intervall"),
            ("PrometheusRule", "/spec/groups/0/rules/0", "record", "recrod"),
        ],
        &[("ServiceMonitor", "/spec/endpoints/0/relabelings/0", "sourceLabels", "source_labels")],
    ];
    for slips in rounds {
        let mut slipped = resources.clone();
        for (kind, pointer, from, to) in slips {
            let resource = slipped.iter_mut().find(|resource| resource["kind"] == *kind).expect("one");
            rename(resource, pointer, from, to);
        }
        let found = findings(&slipped);
        for (.., to) in slips {
            assert!(found.iter().any(|finding| finding.contains(to)), "{to}: {found:?}");
        }
    }
    // And values that the operator's definitions forbid.
    let mut monitor = one(&resources, "ServiceMonitor").clone();
    monitor["spec"]["endpoints"][0]["interval"] = "30".into();
    let found = findings(&[monitor]);
    assert!(found.iter().any(|finding| finding.contains("interval must match")), "{found:?}");
}

#[test]
fn the_rules_are_those_of_deploy_prometheus() {
    let folder = here("deploy/kubernetes/components/prometheus-operator");
    let committed = std::fs::read_to_string(folder.join("prometheusrule.yaml")).expect("it is there");
    assert!(printed(&mut Command::new(folder.join("make-rule"))) == committed, "make it anew: see make-rule");
    let rules = std::fs::read_to_string(here("deploy/prometheus/regwatch.rules.yml")).expect("it is there");
    assert_eq!(documents(&committed)[0]["spec"], documents(&rules)[0]);
}

/// Whether each pair of a selector is among labels.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().expect("pairs");
    !selector.is_empty() && selector.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn the_parts_find_each_other() {
    let resources = build(&here("deploy/kubernetes/overlays/prometheus-operator"));
    let [set, service, policy, monitor] =
        ["StatefulSet", "Service", "NetworkPolicy", "ServiceMonitor"].map(|kind| one(&resources, kind));
    let template = &set["spec"]["template"];
    let labels = &template["metadata"]["labels"];
    assert!(selects(&set["spec"]["selector"]["matchLabels"], labels));
    assert!(selects(&service["spec"]["selector"], labels));
    assert!(selects(&policy["spec"]["podSelector"]["matchLabels"], labels));
    assert!(selects(&monitor["spec"]["selector"]["matchLabels"], &service["metadata"]["labels"]));
    let job = monitor["spec"]["jobLabel"].as_str().expect("a label");
    assert_eq!(service["metadata"]["labels"][job], "regwatch");
    let prometheus = &policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"];
    assert_eq!(*prometheus, json!({"app.kubernetes.io/name": "prometheus"}));

    let container = &template["spec"]["containers"][0];
    assert_eq!(container["ports"], json!([{"name": "http", "containerPort": 9847}]));
    assert_eq!(service["spec"]["ports"], json!([{"name": "http", "port": 9847, "targetPort": "http"}]));
    assert_eq!(policy["spec"]["ingress"][0]["ports"], json!([{"protocol": "TCP", "port": "http"}]));
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], "http");
    assert_eq!(container["image"], concat!("regwatch:", env!("CARGO_PKG_VERSION")));
    assert_eq!(set["spec"]["serviceName"], service["metadata"]["name"]);
    assert_eq!(template["spec"]["serviceAccountName"], one(&resources, "ServiceAccount")["metadata"]["name"]);

    let annotated = build(&here("deploy/kubernetes/overlays/annotations"));
    let annotations = &one(&annotated, "StatefulSet")["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["prometheus.io/port"], "9847");
    assert_eq!(annotations["prometheus.io/path"], "/metrics");
}

#[test]
fn the_pod_keeps_to_the_restricted_standard() {
    let resources = build(&here("deploy/kubernetes/base"));
    let pod = &one(&resources, "StatefulSet")["spec"]["template"]["spec"];
    let context = &pod["securityContext"];
    assert_eq!(
        (&context["runAsNonRoot"], &context["seccompProfile"]),
        (&json!(true), &json!({"type": "RuntimeDefault"}))
    );
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        assert_eq!(pod[key], Value::Null, "{key}");
    }
    assert_eq!(pod["automountServiceAccountToken"], false);
    let [container] = &pod["containers"].as_array().expect("a list")[..] else { panic!("not one container") };
    let context = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(container["securityContext"], context);
    // The kinds of volumes that the standard allows, and no more than are needed.
    let volumes = pod["volumes"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|volume| volume.as_object().expect("one").keys());
    let mut kinds: Vec<_> = volumes.filter(|key| *key != "name").collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["configMap", "secret"]);

    let args =
        container["args"].as_array().expect("a list").iter().map(|word| word.as_str().expect("a text"));
    let grace =
        args.filter_map(|word| word.strip_prefix("--shutdown.grace-period=")).next().expect("it is said");
    let grace: u64 = grace.strip_suffix('s').and_then(|seconds| seconds.parse().ok()).expect("seconds");
    // Beyond it the store is closed, and HTTP ends.
    assert!(pod["terminationGracePeriodSeconds"].as_u64() >= Some(grace + 10));
}
