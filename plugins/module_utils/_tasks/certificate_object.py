# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_certificate_object does: have a certificate on the token beside its key, or have none there."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import certificate_object, groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair import diff, keypair, plan
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate, describe_certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.outcome import (
    WORDS,
    ChangedValue,
    changed_fields,
    main_action,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import (
    certificate_plan,
    certificate_store,
    signing_key,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection, selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.work import listed
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import attributes, errors, uri
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, file_module, providers
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.chain import der, read_all, strangers

_GENERATE = "hsm_rsa_keypair, hsm_ecc_keypair and hsm_keypairs generate keys."


class _NotYet(Exception):
    """In check mode, something that an earlier task of the play may make."""


@dataclasses.dataclass(frozen=True)
class Given:
    """The certificates that the task gives: that of the key, by which option, and those of its issuers."""

    option: str
    certificate: t.Any
    chain: tuple[t.Any, ...] = ()


@dataclasses.dataclass(frozen=True)
class Decided:
    """What is to come of the certificates that are `there`."""

    there: t.Sequence[Certificate]
    places: t.Sequence[certificate_plan.Place]
    warnings: t.Sequence[str] = ()

    @property
    def changed(self) -> list[certificate_plan.Place]:
        """Those of the places where there is something to do."""
        return [place for place in self.places if place.action is not plan.Action.NOTHING]

    @property
    def main_action(self) -> plan.Action:
        """What is told in one word: what becomes of the key's own certificate, else of those of its issuers."""
        of_key = [place for place in self.changed if place.kind == "key"]
        return main_action({place.action for place in of_key or self.changed})


def run() -> t.NoReturn:
    """Runs the module."""
    file_module.FileModule(groups.LOGIN + certificate_object.CERTIFICATE_OBJECT, providers.kind_of).run(
        t.cast("t.Any", work)
    )


def work(module: file_module.FileModule) -> edge.Result:
    """From the options to the result."""
    selection = _selection(module)
    provider, login = providers.provider_from(module.params, needs="certificates")
    module.know(login)
    module.require_libraries(provider)
    given: Given | None = None
    missing = ""
    try:
        given = _given(module)
    except _NotYet as error:
        missing = str(error)
    with provider.session(writable=False) as session:
        if missing:
            return _unknown(module, missing, session, selection)
        decided = _decided(module, session, selection, given)
        if decided is None:
            return _unknown(module, f"There is not yet {signing_key.named(t.cast('Selection', selection))}")
        if not decided.changed or module.check_mode:
            return _result(module, session, decided)
    with provider.session(writable=True) as session:  # another task may have been here in between: it is decided anew
        decided = t.cast("Decided", _decided(module, session, selection, given))
        if decided.changed:
            certificate_store.CertificateStore(session, decided.there).bring(decided.places)
        return _result(module, session, decided)


def _selection(module: file_module.FileModule) -> Selection | None:
    """What chooses the key, by its private half; None where no option does."""
    if all(module.params[name] is None for name in certificate_object.CHOOSING):
        return None
    selection = selection_from(module.params)
    if selection.key_class == attributes.SECRET:
        raise errors.InputError("uri", "a secret key has no certificate", "type=secret-key")
    return dataclasses.replace(selection, key_class=attributes.PRIVATE)


def _given(module: file_module.FileModule) -> Given | None:
    """The certificates of the task; None where it gives none."""
    first = _read(module, "path", "content")
    if first is None:
        return None
    option, (certificate, *rest) = first
    if module.params["state"] == "absent":
        return Given(option, certificate)  # other keys may need its issuers
    chain = _read(module, "chain_path", "chain_content")
    every = {der(one): one for one in (*rest, *(chain[1] if chain else ()))}
    every.pop(der(certificate), None)
    foreign = strangers(certificate, [*every.values()])
    if foreign:
        told = f"'{foreign[0].subject.rfc4514_string()}' is no issuer of the first certificate"
        raise errors.InputError(chain[0] if chain and foreign[0] in chain[1] else option, told)
    return Given(option, certificate, tuple(every.values()))


def _read(module: file_module.FileModule, path_option: str, content_option: str) -> tuple[str, list[t.Any]] | None:
    """The option by which certificates are given, and these; None where neither is."""
    path, content = module.params[path_option], module.params[content_option]
    empty = _without_value(module, path_option, content_option)
    if module.check_mode and empty:  # what an earlier task returns in check mode
        raise _NotYet(f"There is not yet what {empty} is to hold")
    if path is None and content is None:
        if empty:  # not taken for one that is not given, or all of a key would go where one was meant
            raise errors.InputError(empty, "it is given and null; leave it out, or give it a value")
        return None
    if module.check_mode and path is not None and not os.path.exists(path):
        raise _NotYet(f"There is not yet {path} ({path_option})")
    option = content_option if path is None else path_option
    try:
        return option, read_all(content.encode() if path is None else module.read(path_option, path))
    except ValueError as error:
        raise errors.InputError(option, str(error), path) from None


def _without_value(module: file_module.FileModule, path_option: str, content_option: str) -> str | None:
    """Which of both options is given without a value."""
    path, content = module.params[path_option], module.params[content_option]
    if content is None and path is None:
        return next((one for one in (content_option, path_option) if module.is_null(one)), None)
    return content_option if content == "" else None


def _decided(
    module: file_module.FileModule, session: TokenSession, selection: Selection | None, given: Given | None
) -> Decided | None:
    """What is to be done; None in check mode where the pair is not there yet. Raises `HsmError`."""
    pair = signing_key.signing_pair(session, selection, "touch the certificate of") if selection else None
    if module.params["state"] == "absent":
        return _decided_absent(session, selection, pair, given)
    if pair is None:
        if module.check_mode:
            return None
        where = f"on the token '{session.token_name}'"
        raise errors.HsmError.failed(
            f"find {signing_key.named(t.cast('Selection', selection))} {where}", "there is none", _GENERATE
        )
    return _decided_present(module, session, pair, t.cast("Given", given))


def _decided_present(
    module: file_module.FileModule, session: TokenSession, pair: keypair.KeyPair, given: Given
) -> Decided:
    store = f"store the certificate of {pair.private} on the token '{session.token_name}'"
    if not session.facts.certificates:
        remedy = "Leave it in its file, or say vendor_facts certificates=true if the token does."
        raise errors.HsmError.refused(store, f"it has no certificates ({session.facts.name})", remedy)
    there = certificate_plan.every_certificate(session)
    beside = certificate_plan.PairCertificates(session, pair, there)
    if not beside.is_of_key(given.certificate):
        raise errors.InputError(given.option, f"its first certificate is of another key than {pair.private}")
    places = [
        beside.place(given.certificate, module.params["force"]),
        *certificate_plan.chain_places(there, given.chain),
    ]
    decided = Decided(there, places, beside.warnings())
    _check_writable(session, decided, store)
    if any(place.found is None for place in places):
        session.check_absence()
        session.check_making(store)
    return decided


def _decided_absent(
    session: TokenSession, selection: Selection | None, pair: keypair.KeyPair | None, given: Given | None
) -> Decided:
    there = certificate_plan.every_certificate(session)
    warnings: list[str] = []
    if pair:
        beside = certificate_plan.PairCertificates(session, pair, there)
        if given and not beside.is_of_key(given.certificate):
            raise errors.InputError(given.option, f"its first certificate is of another key than {pair.private}")
    if given:
        going = [one for one in there if one.value == der(given.certificate)]
    elif pair:
        beside.check_beside()
        going, warnings = beside.own(), beside.warnings()
    else:
        going, warnings = [], _of_no_key(there, t.cast("Selection", selection))
    if not going:
        session.check_absence()
    decided = Decided(there, [certificate_plan.Place("key", None, None, (one,)) for one in going], warnings)
    _check_writable(session, decided, f"remove certificates from the token '{session.token_name}'")
    return decided


def _of_no_key(there: t.Sequence[Certificate], selection: Selection) -> list[str]:
    """What to warn of where the key is not there, and certificates have the name by which it was chosen."""
    by_id = [one for one in there if selection.id and one.id == selection.id]
    by_label = [one for one in there if selection.label and one.label == selection.label]
    left = list(dict.fromkeys([*by_id, *by_label]))
    told = f"There is not {signing_key.named(selection)}, so that these certificates of its name stay: {listed(left)}."
    return [f"{told} To remove one, name it by path or content."] if left else []


def _check_writable(session: TokenSession, decided: Decided, what: str) -> None:
    if session.write_protected and decided.changed:
        raise errors.HsmError.refused(what, "the token is write-protected")


def _result(module: file_module.FileModule, session: TokenSession, decided: Decided) -> edge.Result:
    for warning in decided.warnings:
        module.warn(warning)
    rows = [_rows(place) for place in decided.changed]
    return {
        "changed": bool(decided.changed),
        "outcome": WORDS[decided.main_action],
        "changes": [row.data() for of_place in rows for row in of_place],
        "certificates": [_described(place, session.uri_attributes) for place in decided.places if place.wished],
        "diff": [diff.side_by_side(_title(place, session), _rows(place)) for place in decided.changed],
    }


def _described(place: certificate_plan.Place, token: t.Mapping[str, str]) -> edge.Result:
    one = t.cast("Certificate", place.wished)
    values: dict[str, t.Any] = {**token, "object": one.label or None, "id": one.id or None, "type": "cert"}
    return {
        **describe_certificate(one),
        "uri": uri.build_uri(uri.PKCS11Uri(**values)),
        "kind": place.kind,
        "outcome": WORDS[place.action],
        "changes": [row.data() for row in _rows(place)],
    }


def _title(place: certificate_plan.Place, session: TokenSession) -> str:
    one = t.cast("Certificate", place.wished or next(iter(place.going), None))
    return errors.one_line(f"certificate {one.label or one.id.hex(':')} on {session.token_name}")


def _rows(place: certificate_plan.Place) -> list[ChangedValue]:
    """What changes of a certificate, each value before and after."""
    if place.action is plan.Action.NOTHING:
        return []
    before = describe_certificate(place.before) if place.before else {}
    if place.wished is None:
        gone = place.going[0]
        return [ChangedValue(None, name, value, None) for name, value in describe_certificate(gone).items() if value]
    rows = changed_fields(before, describe_certificate(place.wished))
    copies = len(place.going) - len(place.outdated)
    return [*rows, ChangedValue(None, "copies", copies + 1, 1)] if copies else rows


def _unknown(
    module: file_module.FileModule, why: str, session: TokenSession | None = None, selection: Selection | None = None
) -> edge.Result:
    """The result in check mode where something is not there yet; the choice of the key is checked all the same."""
    if session and selection:
        signing_key.signing_pair(session, selection, "touch the certificate of")
    module.warn(f"{why}; the certificate on the token is known when it is there.")
    present = module.params["state"] == "present"
    outcome = plan.Action.GENERATE if present else plan.Action.REMOVE
    return {"changed": True, "outcome": WORDS[outcome], "changes": [], "certificates": [], "diff": []}
