# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is recorded of a task, and that nothing else is."""

from __future__ import annotations

import json
import types
import typing as t

import pytest

from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.evidence import der_sum, evidence_of, token_in
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.options import MASK, told_options
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.record import Step, moment, task_record
from ansible_collections.cryptoki.hsm.plugins.plugin_utils._ceremony.written import module_of, rescued, written_name

PIN = "7415 secret"
KEY = "cryptoki.hsm.hsm_ecc_keypair"
PAIR = {
    "label": "root",
    "fingerprint": "ab:cd",
    "uri": "pkcs11:token=the%20root;serial=17;object=root",
    "verified": "CKM_ECDSA",
    "unknown": PIN,
    "private_key": {"handle": 3, "attributes": {"sign": True, "extractable": False, "label": "root"}},
}


def record(result: t.Mapping[str, t.Any], item: int | None = None, **step: t.Any) -> dict[str, t.Any]:
    given = {"name": "Have it", "module": KEY, "host": "here", "status": "changed", "seconds": 0.5, **step}
    return task_record(Step(**given), result, item)


def test_a_pair_is_told_by_fields_that_are_known() -> None:
    result = {
        "invocation": {"module_args": {"label": "root", "pin": MASK, "curve": None}},
        "outcome": "generated",
        "key_pair": PAIR,
        "warnings": [PIN],
        "item": PIN,
        "anything": PIN,
    }
    told = record(result)
    assert told["options"] == {"label": "root"} and told["outcome"] == "generated" and told["warnings"] == 1
    assert told["key_pairs"] == [
        {
            **{name: PAIR[name] for name in ("label", "fingerprint", "uri", "verified")},
            "private_key": {"sign": True, "extractable": False},
        }
    ]
    assert PIN not in json.dumps(told)


def test_what_became_of_each_of_many_pairs_is_told() -> None:
    gone = {"label": "gone", "outcome": "removed", "changes": [{"name": "pair"}], "failed": False, "msg": ""}
    bad = {"label": "bad", "outcome": "none", "changes": [], "failed": True, "msg": "Refused", "ckr": "CKR_X"}
    told = record({"key_pairs": [gone, bad], "invocation": {}}, status="failed", module="cryptoki.hsm.hsm_keypairs")
    assert told["key_pairs"] == [
        {"label": "gone", "outcome": "removed", "changes": [{"name": "pair"}]},
        {"label": "bad", "outcome": "none", "failed": True, "msg": "Refused", "ckr": "CKR_X"},
    ]


def test_of_a_foreign_task_only_the_frame_is_told() -> None:
    told = record(
        {"stdout": PIN, "msg": PIN, "invocation": {"module_args": {"cmd": PIN}}}, module="ansible.builtin.shell"
    )
    frame = {"name": "Have it", "module": "ansible.builtin.shell", "host": "here", "status": "changed", "seconds": 0.5}
    assert told == {"record": "task", **frame}


@pytest.mark.parametrize("mark", [{"censored": "the output has been hidden"}, {"_ansible_no_log": True}])
def test_what_no_log_hides_is_told_as_hidden(mark: dict[str, t.Any]) -> None:
    told = record(
        {**mark, "key_pair": PAIR, "invocation": {"module_args": {"label": PIN}}, "msg": PIN}, status="failed"
    )
    assert told["hidden"] and not {"options", "key_pairs", "message"} & told.keys() and PIN not in json.dumps(told)


def test_a_failed_task_has_the_message_of_its_module_and_no_options() -> None:
    told = record({"msg": "Refused", "invocation": {"module_args": {"pni": PIN}}, "ckr": "CKR_X"}, status="failed")
    assert told["message"] == "Refused" and told["ckr"] == "CKR_X" and "options" not in told
    assert PIN not in json.dumps(told)


def test_a_failure_that_the_playbook_takes_as_done_is_told_with_its_message() -> None:
    result = {"msg": "Refused", "failed": False, "invocation": {"module_args": {"pni": PIN}}}
    told = record({**result, "failed_when_result": False}, status="ok")
    assert told["judged"] and told["message"] == "Refused" and "options" not in told
    told = record({"failed_when_result": False, "invocation": {"module_args": {"label": "root"}}}, status="ok")
    assert "judged" not in told and told["options"] == {"label": "root"}


def test_what_ansible_says_of_a_task_that_did_not_begin_is_not_told() -> None:
    assert "message" not in record({"msg": f"The offending line is: pin: {PIN}"}, status="failed")


def test_a_loop_a_retry_a_job_and_a_skipped_task_are_told_apart() -> None:
    assert record({"key_pair": PAIR}, item=2)["item"] == 2
    whole = record({"results": [{"key_pair": PAIR}, {"key_pair": PAIR}]})
    assert whole["items"] == 2 and "key_pairs" not in whole
    assert "attempt" not in record({"attempts": 2}, status="retried")
    assert record({"attempts": 3})["attempt"] == 3 and "attempt" not in record({"attempts": 1})
    assert record({"ansible_job_id": "1.2", "started": 1, "finished": 0})["status"] == "begun"
    assert record({"msg": PIN, "skip_reason": PIN}, status="skipped").keys() == record({}, status="skipped").keys()


def test_what_may_hold_a_secret_is_no_option_that_is_told() -> None:
    given = {
        "pin": PIN,
        "token_uri": PIN,
        "replicas": [{"name": "backup", "pin": PIN, "library_environment": {"X": PIN}, "pin_file": "/run/pin"}],
        "csr_content": "x" * 300,
        "subject": {"commonName": "www"},
        "label": None,
    }
    told = told_options({"module_args": given})
    assert told["replicas"] == [{"name": "backup", "pin_file": "/run/pin"}] and told["subject"] == {"commonName": "www"}
    assert told["csr_content"].startswith("300 characters, SHA-256 ") and "label" not in told
    assert PIN not in json.dumps(told) and told_options(None) == told_options({"module_args": PIN}) == {}


def test_tokens_and_documents() -> None:
    token = {"label": "root", "serial": "17", "memory": {}, "flags": []}
    found = evidence_of({"library": {"path": "/lib", "sha256": "aa"}, "slots": [{"token": token}, {"token": None}]})
    assert found == {"tokens": [{"label": "root", "serial": "17", "library_path": "/lib", "library_sha256": "aa"}]}
    pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"
    details = {"subject": "CN=a", "not_after": "2030-01-01T00:00:00Z", "other": PIN}
    (one,) = evidence_of({"certificate": pem, "details": details, "filename": "/a.pem"})["documents"]
    assert one["kind"] == "certificate" and one["pem"] == pem and "other" not in one
    # printf '\000\001\002' | sha256sum
    assert one["sha256"].startswith("ae:4b:32:80:e5:6e:2f:af")
    (one,) = evidence_of({"crl": "AAEC", "details": {"next_update": "soon", "number": 1}})["documents"]
    assert one["kind"] == "revocation list" and one["sha256"].startswith("ae:4b:32") and one["number"] == 1
    (one,) = evidence_of({"csr": None, "request": {"subject": "CN=a"}})["documents"]  # check mode
    assert one == {"kind": "request", "subject": "CN=a"}
    assert evidence_of({"key_pair": None, "slots": 3, "details": "no"}) == {}


def test_sums_and_uris_of_nonsense() -> None:
    assert der_sum(f"-----BEGIN X-----\n{MASK}********\n-----END X-----") is None and der_sum(None) is None
    assert token_in("pkcs11:token=the%20root;object=x") == {"label": "the root"} and token_in(None) == {}
    assert moment(0) == "1970-01-01T00:00:00.000+00:00"


def block(rescue: bool, above: t.Any = None, *tasks: t.Any) -> t.Any:
    made = types.SimpleNamespace(_uuid=object(), block=list(tasks), rescue=[1] if rescue else [], _parent=above)
    for task in tasks:
        task._parent = made
    return made


def test_whether_a_failure_is_provided_for() -> None:
    inside, outside, in_rescue = (types.SimpleNamespace(_uuid=number, _parent=None) for number in range(3))
    outer = block(True)
    inner = block(False, outer, inside)
    outer.block.append(inner)
    assert rescued(inside) and not rescued(outside)
    in_rescue._parent = outer  # but none of those in its block
    assert not rescued(in_rescue)


def test_names_as_they_are_written() -> None:
    task = types.SimpleNamespace(
        _ds={"name": "Have {{ pin }}"}, name=f"Have {PIN}", action="x", resolved_action="a.b.x"
    )
    assert written_name(task) == "Have {{ pin }}" and module_of(task) == "a.b.x"
    assert written_name(types.SimpleNamespace(_ds={}, name=PIN)) is None
    assert written_name(types.SimpleNamespace(name=PIN)) is None
