from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from irsa_creds.diagnosis._manifest.manifest_checks import manifest_checks
from irsa_creds.diagnosis._manifest.parse import Resource, parse_manifest

if TYPE_CHECKING:
    from irsa_creds.diagnosis._checks import Check

ROLE = "arn:aws:iam::123456789012:role/app"
KEY = "eks.amazonaws.com/role-arn"
ACCOUNT = f"""\
kind: ServiceAccount
metadata:
  name: app
  namespace: prod
  annotations:
    {KEY}: {ROLE}
"""
DEPLOYMENT = """\
kind: Deployment
metadata: {name: web, namespace: prod}
spec:
  template:
    spec:
      serviceAccountName: app
      containers: [{name: web}]
"""


Object = dict[str, object]


def checks(*documents: str, role_arn: str | None = None, aws: bool = True) -> dict[str, Check]:
    resources = parse_manifest("---\n".join(documents))
    return {each.id: each for each in manifest_checks(resources, role_arn=role_arn, aws=aws)}


def test_a_sound_manifest_is_five_times_ok() -> None:
    assert [each.status for each in checks(ACCOUNT, DEPLOYMENT).values()] == ["ok"] * 5


def test_the_annotation_on_a_deployment_comes_with_the_command_for_the_account() -> None:
    bare = ACCOUNT.replace(f"    {KEY}: {ROLE}\n", "    team: a\n")
    annotated = DEPLOYMENT.replace(
        "namespace: prod}", f"namespace: prod, annotations: {{{KEY}: {ROLE}}}}}"
    )
    check = checks(bare, annotated)["M01"]
    assert "Deployment web (namespace prod)" in check.message
    assert check.fix == f"kubectl annotate serviceaccount app -n prod --overwrite {KEY}={ROLE}"
    assert check.data == {"kind": "Deployment", "name": "web", "namespace": "prod"}


def test_a_missing_name_comes_with_its_path() -> None:
    check = checks(ACCOUNT, DEPLOYMENT.replace("      serviceAccountName: app\n", ""))["M02"]
    assert "names no spec.template.spec.serviceAccountName" in check.message
    assert check.fix == "spec.template.spec.serviceAccountName: app"


def test_the_account_of_the_likeliest_name_is_meant() -> None:
    other = ACCOUNT.replace("name: app", "name: metrics").replace("role/app", "role/metrics")
    check = checks(ACCOUNT, other, DEPLOYMENT.replace("Name: app", "Name: apps"))["M02"]
    assert check.status == "fail"
    assert check.fix.endswith(": app")


def test_namespaces_that_differ_come_with_the_subject_to_trust() -> None:
    check = checks(ACCOUNT.replace("prod", "dev"), DEPLOYMENT)["M03"]
    assert "system:serviceaccount:prod:app" in check.fix


@pytest.mark.parametrize(("first", "second"), [("default", None), (None, "default")])
def test_no_namespace_is_the_same_as_default(first: str | None, second: str | None) -> None:
    def of(namespace: str | None) -> str:
        return "namespace: default" if namespace else "labels: {}"

    found = checks(
        ACCOUNT.replace("namespace: prod", of(first)),
        DEPLOYMENT.replace("namespace: prod", of(second)),
    )
    assert [each.status for each in found.values()] == ["ok"] * 5


@pytest.mark.parametrize(
    ("value", "fixed"),
    [
        ("arn:aws:sts::123456789012:assumed-role/app/session", ROLE),
        (f"'\"{ROLE}\"'", f"{ROLE}"),
        ("arn:aws:iam::123456789012:user/app", "arn:aws:iam::ACCOUNT:role/ROLE"),
    ],
)
def test_an_arn_that_contains_the_role_is_corrected(value: str, fixed: str) -> None:
    check = checks(ACCOUNT.replace(ROLE, value), DEPLOYMENT)["M04"]
    assert check.status == "fail"
    assert check.fix.endswith(f"{KEY}={fixed}")


def test_a_wrong_key_comes_with_the_command_that_removes_it() -> None:
    check = checks(ACCOUNT.replace("role-arn", "role_arn"), DEPLOYMENT)["M04"]
    assert check.fix.splitlines() == [
        f"kubectl annotate serviceaccount app -n prod --overwrite {KEY}={ROLE}",
        "kubectl annotate serviceaccount app -n prod eks.amazonaws.com/role_arn-",
    ]


def test_commands_quote_names_from_the_manifest() -> None:
    evil = ACCOUNT.replace("name: app", "name: '$(reboot)'").replace("role-arn", "role_arn")
    assert "serviceaccount '$(reboot)' -n prod" in checks(evil)["M04"].fix


def test_another_role_than_the_pods_fails() -> None:
    check = checks(ACCOUNT, DEPLOYMENT, role_arn=f"{ROLE}2")["M04"]
    assert (check.status, check.fix) == (
        "warn",
        "kubectl rollout restart deployment NAME -n prod",
    )
    assert checks(ACCOUNT, DEPLOYMENT, role_arn=ROLE)["M04"].status == "ok"


def test_ceph_takes_a_role_without_an_account() -> None:
    ceph = ACCOUNT.replace("::123456789012:", ":::")
    assert checks(ceph, DEPLOYMENT)["M04"].status == "fail"
    assert checks(ceph, DEPLOYMENT, aws=False)["M04"].status == "ok"


def test_disabled_automount_is_correct() -> None:
    off = DEPLOYMENT.replace(
        "    spec:\n", "    spec:\n      automountServiceAccountToken: false\n"
    )
    check = checks(ACCOUNT, off)["M05"]
    assert check.status == "ok"
    assert "automountServiceAccountToken: false" in check.message


def test_an_account_that_is_not_here_is_to_be_looked_up() -> None:
    check = checks(DEPLOYMENT)["M04"]
    assert check.status == "unknown"
    assert check.fix == "kubectl get serviceaccount app -n prod -o yaml"


def test_a_patch_alone_leaves_the_account_open() -> None:
    patch = DEPLOYMENT.replace("      serviceAccountName: app\n", "")
    check = checks(f"apiVersion: apps/v1\n{patch}")["M04"]
    assert check.status == "unknown"
    assert "Deployment web (namespace prod) has no selector" in check.message
    assert check.fix.startswith("kubectl kustomize . ")


SPARK = """\
apiVersion: sparkoperator.k8s.io/v1beta2
kind: SparkApplication
metadata: {name: pi, namespace: prod}
spec: {driver: {serviceAccount: app, annotations: {team: a}}}
"""
RELEASE = """\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: web, namespace: prod}
spec: {chart: {spec: {chart: web}}}
"""


WORKFLOW = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: daily-}
spec: {templates: [{container: {image: web}}]}
"""
MONITOR = """\
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata: {name: web}
spec: {endpoints: [{port: http}]}
"""


def test_a_workflow_is_not_read_and_a_monitor_has_no_pods() -> None:
    found = checks(ACCOUNT, DEPLOYMENT, WORKFLOW)
    assert [found[each].status for each in ("M01", "M05")] == ["unknown"] * 2
    assert [each.status for each in checks(ACCOUNT, DEPLOYMENT, MONITOR).values()] == ["ok"] * 5


@pytest.mark.parametrize("documents", [(ACCOUNT, SPARK), (ACCOUNT, DEPLOYMENT, SPARK)])
def test_pods_of_a_kind_that_is_not_read_are_unknown(documents: tuple[str, ...]) -> None:
    found = checks(*documents)
    assert {each: check.status for each, check in found.items()} == {
        "M01": "unknown", "M02": "unknown", "M03": "unknown", "M04": "ok", "M05": "unknown",
    }  # fmt: skip
    assert "doctor does not read SparkApplication pi (namespace prod)" in found["M05"].message
    assert found["M05"].fix.startswith("kubectl get serviceaccounts,pods -n prod -o yaml > ")


@pytest.mark.parametrize("document", [SPARK, RELEASE, SPARK.replace("serviceAccount", "x")])
def test_a_manifest_of_unknown_kinds_alone_is_unknown(document: str) -> None:
    assert [each.status for each in checks(document).values()] == ["unknown"] * 5


@pytest.mark.parametrize(
    ("document", "command"),
    [
        (RELEASE, "helm template NAME CHART --values values.yaml > all.yaml"),
        (
            RELEASE.replace("helm.", "kustomize.").replace("HelmRelease", "Kustomization"),
            "kubectl kustomize DIRECTORY > all.yaml",
        ),
    ],
)
def test_what_installs_other_objects_is_to_be_rendered(document: str, command: str) -> None:
    found = checks(ACCOUNT, document)
    assert (found["M05"].status, found["M05"].fix.split(" &&")[0]) == ("unknown", command)
    assert (found["M02"].status, found["M02"].fix) == ("unknown", "")


def test_a_role_in_another_object_has_the_path_to_it() -> None:
    check = checks(SPARK.replace("team: a", f"{KEY}: {ROLE}"))["M01"]
    assert check.status == "unknown"
    assert "in spec.driver.annotations: it has an effect only if" in check.message
    assert check.fix == f"kubectl get serviceaccounts -o yaml -n prod | grep {KEY}"


def test_a_definition_that_describes_the_annotation_does_not_have_it() -> None:
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        f"metadata: {{name: configs.example.com}}\nspec: {{description: 'such as {KEY}'}}\n"
    )
    assert checks(ACCOUNT, DEPLOYMENT, definition)["M01"].status == "ok"


def test_accounts_without_pods_are_to_be_looked_up() -> None:
    check = checks("kind: ServiceAccount\nmetadata: {name: app}")["M04"]
    assert (check.status, check.fix) == ("unknown", "kubectl get serviceaccount app -o yaml")


def test_an_account_without_a_role_is_a_warning() -> None:
    bare = "kind: ServiceAccount\nmetadata: {name: app, namespace: prod}\n"
    check = checks(bare, DEPLOYMENT)["M04"]
    assert check.status == "warn"
    assert "; ServiceAccount app (namespace prod) needs it" in check.message


def test_an_account_of_an_operator_gets_its_role_from_there() -> None:
    owned = (
        "kind: ServiceAccount\nmetadata:\n  name: app\n  namespace: prod\n"
        "  ownerReferences: [{apiVersion: example.com/v1, kind: Database, name: main}]\n"
    )
    check = checks(owned, DEPLOYMENT)["M04"]
    assert check.status == "warn"
    assert "Database main owns it: its operator may remove an annotation" in check.message
    assert check.fix.startswith("# set it in Database main")


def test_every_finding_is_a_check_of_its_own() -> None:
    cron = DEPLOYMENT.replace("kind: Deployment", "kind: DaemonSet")
    found = manifest_checks(
        parse_manifest("---\n".join([ACCOUNT.replace("prod", "dev"), DEPLOYMENT, cron]))
    )
    assert [each.id for each in found] == ["M01", "M02", "M03", "M03", "M04", "M05"]


def test_skip_containers_that_the_webhook_cannot_read_skips_nothing() -> None:
    broken = DEPLOYMENT.replace(
        "    spec:\n",
        "    metadata: {annotations: {eks.amazonaws.com/skip-containers: '\"web'}}\n    spec:\n",
    )
    assert checks(ACCOUNT, broken)["M05"].status == "ok"


NAMES = st.sampled_from([
    "metadata", "annotations", "labels", "spec", "template", "containers", "initContainers", "env",
    "name", "value", "volumes", "volumeMounts", "mountPath", "subPath", "projected", "sources",
    "serviceAccountToken", "audience", "expirationSeconds", "defaultMode", "path", "namespace",
    "serviceAccountName", "securityContext", "runAsUser", "runAsNonRoot", "jobTemplate", KEY,
    "eks.amazonaws.com/skip-containers", "eks.amazonaws.com/audience", "serviceAccount",
])  # fmt: skip
LEAVES = st.sampled_from([
    None, True, 0, 256, 3.5, "", "app", ROLE, "aws-iam-token", "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN", "/token", "token", "sts.amazonaws.com", "\x1b",
])  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)
OBJECTS = st.dictionaries(NAMES, TREES, max_size=6)
KINDS = st.sampled_from(["ServiceAccount", "Pod", "Deployment", "CronJob", "SparkApplication"])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(KINDS, OBJECTS), max_size=4))
def test_any_object_is_checked_without_an_error(
    objects: list[tuple[str, dict[str, object]]],
) -> None:
    resources = [Resource(kind, "app", "prod", document) for kind, document in objects]
    found = manifest_checks(resources, role_arn=ROLE)
    assert {each.id for each in found} == {"M01", "M02", "M03", "M04", "M05"}
    assert all("\x1b" not in each.message for each in found)


# -- the intended account --------------------------------------------------------------------------


def account(name: str, namespace: str = "prod", role: str | None = ROLE) -> str:
    annotations = f", annotations: {{{KEY}: {role}}}" if role else ""
    return (
        f"kind: ServiceAccount\nmetadata: {{name: {name}, namespace: {namespace}{annotations}}}\n"
    )


def deployment(name: str, runs_as: str | None = None) -> str:
    named = f"serviceAccountName: {runs_as}, " if runs_as else ""
    return (
        f"kind: Deployment\nmetadata: {{name: {name}, namespace: prod}}\n"
        f"spec: {{template: {{spec: {{{named}containers: [{{name: main}}]}}}}}}\n"
    )


def found(check_id: str, *documents: str) -> list[Check]:
    resources = parse_manifest("---\n".join(documents))
    return [each for each in manifest_checks(resources) if each.id == check_id]


def test_with_several_pods_none_is_sure_to_need_the_role() -> None:
    # As JupyterHub's chart has it: the hub gives the account to the pods that it makes.
    hub = [
        account("singleuser"),
        account("hub", role=None),
        deployment("hub", "hub"),
        deployment("proxy"),
    ]
    checks = found("M02", *hub)
    assert [each.status for each in checks] == ["warn", "warn"]
    assert all("serviceAccountName: NAME  #" in each.fix for each in checks)


def test_a_similar_name_is_a_misspelling_even_beside_other_pods() -> None:
    documents = [account("payments"), deployment("web", "payment"), deployment("proxy")]
    slip, other = found("M02", *documents)
    assert (slip.status, other.status) == ("fail", "warn")
    assert slip.fix == "spec.template.spec.serviceAccountName: payments"


def test_a_pod_is_compared_with_so_many_accounts_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[int] = []
    real = difflib.get_close_matches

    def counted(word: str, among: list[str], **options: Any) -> list[str]:
        compared.append(len(among))
        return real(word, among, **options)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    many = [account(f"reader-{number}") for number in range(70)]
    elsewhere = [account(f"writer-{number}", "other") for number in range(70)]
    found("M02", *elsewhere, *many, deployment("web"))
    assert compared == [50]
    found("M02", *elsewhere, deployment("web"))
    assert compared == [50]


# -- other audiences than AWS's --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("audience", "status"),
    [
        ("amazonaws.com", "ok"),  # kops
        ("openshift", "ok"),  # ROSA
        ("sts.amazonaws.com.cn", "ok"),
        ("mine", "warn"),
        ("sts.amazon.com", "fail"),
        ("https://sts.amazonaws.com", "fail"),
        ("pods.eks.amazonaws.com", "fail"),
    ],
)
def test_an_audience_that_iam_s_providers_are_known_to_have_is_sound(
    audience: str, status: str
) -> None:
    pod = (
        "kind: Pod\nmetadata: {name: web, namespace: prod}\nspec:\n  serviceAccountName: app\n"
        "  containers: [{name: main}]\n  volumes:\n  - name: aws-iam-token\n    projected:\n"
        f"      sources: [{{serviceAccountToken: {{audience: '{audience}', path: token}}}}]\n"
    )
    assert checks(ACCOUNT, pod)["M05"].status == status


@pytest.mark.parametrize(
    ("audience", "status"), [("amazonaws.com", "ok"), ("sts.amazon.com", "fail")]
)
def test_the_annotation_of_the_audience_is_held_to_the_same(audience: str, status: str) -> None:
    annotated = ACCOUNT + f"    eks.amazonaws.com/audience: {audience}\n"
    assert checks(annotated, DEPLOYMENT)["M05"].status == status


def test_a_hostile_key_writes_no_line_of_its_own_into_a_fix() -> None:
    key = '"eks.amazonaws.com/role-arn\\nsudo rm -rf /"'
    evil = ACCOUNT.replace(KEY, key)
    annotated = DEPLOYMENT.replace(
        "namespace: prod}", f"namespace: prod, annotations: {{{key}: {ROLE}}}}}"
    )
    for check in found("M01", ACCOUNT, annotated) + found("M04", evil, DEPLOYMENT):
        assert check.status != "ok"
        assert not any(line.startswith("sudo") for line in check.fix.splitlines())
