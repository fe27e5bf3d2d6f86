# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_certificate does: compare a certificate with what is wished, and have it issued anew where it differs."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import certificate_groups, groups
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.profile import profile_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import TokenSession
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import signing_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import Selection, selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, file_module, providers, signing
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.given import NotYet, certificate_in, given, read_as
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import certificate, rules, signature, validity
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import certificate as _certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import request as _request
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.profile import Wished, by_name, copied

SOURCES = ("csr", "public_key", "certificate")


class _Subject(t.NamedTuple):
    """For whom: what a request, a certificate or a bare public key says of it, and the option that gave it."""

    option: str = ""
    key: t.Any = None
    name: t.Any = None
    copied: t.Sequence[Wished] = ()


def run() -> t.NoReturn:
    """Runs the module."""
    file_module.FileModule(groups.LOGIN + certificate_groups.CERTIFICATE, providers.kind_of).run(t.cast("t.Any", work))


def work(module: file_module.FileModule) -> edge.Result:
    """From the options to the result."""
    selection = signing_key.of_private_key(selection_from(module.params))
    provider, login = providers.provider_from(module.params)
    module.know(login)
    module.require_libraries(provider)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    raw = module.existing()
    try:
        subject = _subject(module)
        issue = _issue(module, subject, now)
        if raw is None:
            _refuse_now(issue, None, b"")  # there is nothing that could be kept
    except NotYet as error:
        profile_from(module.params)  # what is wrong in the options is seen without it
        _times(module.params, now)
        module.warn(f"{error}; the certificate is known when it is there.")
        with provider.session(writable=False) as session:
            signing.SigningKey.found(session, selection, module.params, module.check_mode)
        return _unknown(module, raw is not None, str(error), _title(module, selection, session), now)
    with provider.session(writable=False) as session:
        key = signing.SigningKey.found(session, selection, module.params, module.check_mode)
        found = None if raw is None else _certificate.read(raw)
        made = None
        if key:
            issue = _with_key(issue, subject, key, module.params)
        reasons = _reasons(module, raw, found, issue, key, now)
        beside = _certificate.beside(raw or b"") if module.params["path"] else b""
        if reasons and key:
            _refuse_now(issue, found, beside)
            key.check()
            if not module.check_mode:
                made = key.signed("certificate", lambda signer: issue.made(key.scheme, signer))
    if key is None:
        module.warn(f"There is not yet {signing_key.named(selection)}; the certificate is known when it is there.")
    title = _title(module, selection, session)
    return {
        **_settled(module, title, raw is not None, key, issue, found, made, bool(reasons), beside),
        "reasons": reasons,
    }


def _title(module: file_module.FileModule, selection: Selection, session: TokenSession) -> str:
    return f"{module.params['path'] or 'certificate'} by {signing_key.named(selection)} on {session.token_name}"


def _subject(module: file_module.FileModule) -> _Subject:
    for what in SOURCES:
        source = given(module, f"{what}_")
        if source:
            subject = _READERS[what](*source, module.params["copy_extensions"])
            problem = rules.weak(subject.key)
            if problem:
                raise errors.InputError(subject.option, problem)
            return subject
    return _Subject()


def _from_request(option: str, raw: bytes, names: t.Collection[str]) -> _Subject:
    request = _request.read(raw)
    if request is None:
        raise errors.InputError(option, "it is no certificate request")
    key = signature.key_in(request)
    if not signature.verifies(request, key):
        raise errors.InputError(
            option, "its own signature does not hold, or is by SHA-1 or another scheme that is not taken"
        )
    return _Subject(option, key, request.subject, copied(request.extensions, names))


def _from_key(option: str, raw: bytes, dummy: t.Collection[str]) -> _Subject:
    try:
        return _Subject(option, signature.public_key_in(raw))
    except ValueError as error:
        raise errors.InputError(option, str(error)) from None


def _from_certificate(option: str, raw: bytes, names: t.Collection[str]) -> _Subject:
    """For another CA, whose name and key identifier stay."""
    found = certificate_in(option, raw)
    kept = copied(found.extensions, {*names, "subject_key_identifier"})
    return _Subject(option, signature.key_in(found), found.subject, kept)


_READERS: dict[str, t.Callable[[str, bytes, t.Collection[str]], _Subject]] = {
    "csr": _from_request,
    "public_key": _from_key,
    "certificate": _from_certificate,
}


def _issue(module: file_module.FileModule, subject: _Subject, now: datetime.datetime) -> certificate.Issue:
    """What is to be issued; refuses, before any login, what must not be."""
    params = module.params
    profile = profile_from(params, subject.name, subject.copied)
    not_before, not_after, renew_before = _times(params, now)
    by_ca = given(module, "ca_")
    ca = certificate_in(*by_ca) if by_ca else None
    issue = certificate.Issue(profile, subject.key, ca, not_before, not_after, params["serial_number"], renew_before)
    _refuse(issue, subject, params, now, by_ca[0] if by_ca else "")
    return issue


def _times(params: t.Mapping[str, t.Any], now: datetime.datetime) -> tuple[t.Any, ...]:
    ends = (read_as(params, name, lambda text: validity.moment(text, now)) for name in ("not_before", "not_after"))
    return (*ends, read_as(params, "renew_before", validity.duration))


def _refuse(
    issue: certificate.Issue, subject: _Subject, params: t.Mapping[str, t.Any], now: datetime.datetime, ca_option: str
) -> None:
    if issue.ca is None and subject.option and not subject.option.startswith("csr"):
        raise errors.InputError(subject.option, "another's key needs a CA to certify it; give ca_path or ca_content")
    if issue.ca is not None and not subject.option:
        rule = "say for whom it issues; give csr_path, public_key_path or certificate_path, or their content"
        raise errors.InputError(ca_option, rule)
    problem = rules.no_ca(issue.ca, now) if issue.ca is not None else None
    if problem:
        raise errors.InputError(ca_option, problem)
    if issue.profile.ca and not params["basic_constraints"]:
        raise errors.InputError("copy_extensions", "CA:TRUE is not taken over; ask for it in basic_constraints")
    broken = rules.broken(issue)
    if broken:
        raise errors.InputError(*broken)
    _refuse_times(issue, params, now)


def _refuse_now(issue: certificate.Issue, found: t.Any, beside: bytes) -> None:
    broken = rules.not_now(issue, found, beside)
    if broken:
        raise errors.InputError(*broken)


def _refuse_times(issue: certificate.Issue, params: t.Mapping[str, t.Any], now: datetime.datetime) -> None:
    serial = params["serial_number"]
    if serial is not None and not 0 < serial < 1 << 159:
        raise errors.InputError("serial_number", "it must be from 1 to 2^159 - 1 (RFC 5280, section 4.1.2.2)", serial)
    if issue.renew_before is None:
        return
    if serial is not None:
        raise errors.InputError(
            "serial_number", "a renewal would give it a second time; leave it or renew_before out", serial
        )
    if issue.not_after.absolute:
        rule = "not_after is absolute, so that a new certificate would end at the same time; give a relative one"
        raise errors.InputError("renew_before", rule, params["renew_before"])
    if issue.renew_before >= issue.not_after.at - max(issue.not_before.at, now):  # a past start adds no time
        rule = "it must be shorter than the lifetime, or every run would issue anew"
        raise errors.InputError("renew_before", rule, params["renew_before"])


def _with_key(
    issue: certificate.Issue, subject: _Subject, key: signing.SigningKey, params: t.Mapping[str, t.Any]
) -> certificate.Issue:
    """The same now that the issuer's key is known; refuses what does not fit it."""
    key.check_issues(issue.ca, "ca_path" if params["ca_path"] else "ca_content")
    if issue.ca is not None:
        return issue
    if subject.key is not None and signature.spki_of(subject.key) != signature.spki_of(key.public):
        rule = f"it is of another key than {key.pair.private}; give ca_path or ca_content to issue for others"
        raise errors.InputError(subject.option, rule)
    issue = dataclasses.replace(issue, key=key.public)
    problem = rules.ruled_out(issue, key.pair.private.forbids)
    if problem:
        raise errors.InputError("key_usage", problem)
    return issue


def _reasons(
    module: file_module.FileModule,
    raw: bytes | None,
    found: t.Any,
    issue: certificate.Issue,
    key: signing.SigningKey | None,
    now: datetime.datetime,
) -> list[str]:
    """Why a certificate is to be issued."""
    if raw is None:
        return [module.none_there]
    if found is None:
        return ["what is there is no certificate"]
    if key is None:
        return ["the pair is not there yet"]
    reasons = issue.why_anew(found, key.public, key.scheme, module.params["digest"] is not None, now)
    return reasons or (["force is true"] if module.params["force"] else [])


def _settled(
    module: file_module.FileModule,
    title: str,
    there: bool,
    key: signing.SigningKey | None,
    issue: certificate.Issue,
    found: t.Any,
    made: t.Any,
    anew: bool,
    beside: bytes,
) -> edge.Result:
    """What is returned of the certificate, once it is written where it is a new one."""
    now = made or (None if anew else found)
    before = _certificate.told(found) if found else {}
    after = _certificate.told(now) if now else issue.foretold(key.scheme if key else None)
    pem = _certificate.pem(now) if now else None
    drifting = {} if now else issue.drifting()
    foretold = {} if now else {**_moments(issue, after), **issue.identifiers()}
    change = file_module.Change(title, by_name(before), {**by_name(after), **drifting}, foretold)
    content = pem + beside if pem else b""
    settled = module.settle(content if anew else None, there, change)
    return {**settled, "certificate": pem.decode() if pem else None, "details": after}


def _moments(issue: certificate.Issue, told: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The relative times as they would be now, for a diff."""
    return {name: f"{told[name]} if it is signed now" for name in issue.drifting()}


def _unknown(
    module: file_module.FileModule, there: bool, reason: str, title: str, now: datetime.datetime
) -> edge.Result:
    """The result in check mode where what it depends on is not there; a diff shows what the options say."""
    not_before, not_after, dummy = _times(module.params, now)
    issue = certificate.Issue(
        profile_from(module.params), None, None, not_before, not_after, module.params["serial_number"]
    )
    told = issue.foretold(None)
    foretold = {
        **{name: file_module.LATER if value is None else str(value) for name, value in by_name(told).items()},
        **issue.identifiers(),
        **_moments(issue, told),
        "subject": told["subject"] or file_module.LATER,
        "issuer": file_module.LATER,
        "authority_key_identifier": file_module.LATER,
    }
    settled = module.settle(b"", there, file_module.Change(title, {}, {}, foretold))
    return {**settled, "certificate": None, "reasons": [reason], "details": None}
