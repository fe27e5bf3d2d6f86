# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hsm_crl does: compare a revocation list with what is wished, and have it signed anew where it differs."""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import (
    certificate_groups,
    groups,
    profile,
    revocation,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile import signing_key
from ansible_collections.cryptoki.hsm.plugins.module_utils._reconcile.selection import selection_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks import edge, file_module, providers, signing
from ansible_collections.cryptoki.hsm.plugins.module_utils._tasks.given import NotYet, certificate_in, given, read_as
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import crl, rules, signature, validity
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509 import crl as _crl
from ansible_collections.cryptoki.hsm.plugins.module_utils._x509.entry import MOST, Entry, by_key

Params = t.Mapping[str, t.Any]


class CrlModule(file_module.FileModule):
    """The module; a list of a busy CA is long."""

    longest = 1 << 25


class _There(t.NamedTuple):
    """What is there already; `distrusted` says why it does not count for the next list."""

    raw: bytes | None
    found: t.Any = None
    distrusted: str = ""

    @property
    def number(self) -> int | None:
        """The number that the next list goes on from, None where there is none."""
        return None if self.found is None or self.distrusted else _crl.number_of(self.found)

    @property
    def entries(self) -> list[Entry]:
        """The entries that the next list goes on from."""
        return [] if self.found is None or self.distrusted else _crl.entries_of(self.found)


def run() -> t.NoReturn:
    """Runs the module."""
    CrlModule(groups.LOGIN + certificate_groups.CRL, providers.kind_of).run(t.cast("t.Any", work))


def work(module: file_module.FileModule) -> edge.Result:
    """From the options to the result."""
    selection = signing_key.of_private_key(selection_from(module.params))
    provider, login = providers.provider_from(module.params)
    module.know(login)
    module.require_libraries(provider)
    profile.check_scheme(module.params, "revocation lists")
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    raw = module.existing()
    times = _times(module.params, now)
    try:
        ca = _ca(module, now)
        there = _there(module, raw, ca)
        wished = _wished(module, ca, there, times, now)
    except NotYet as error:
        _check_without_files(module.params, raw, now)
        module.warn(f"{error}; the revocation list is known when it is there.")
        settled = module.settle(b"", raw is not None, file_module.Change("", {}, {}))
        return {**settled, **_content(module, None), "reasons": [str(error)], "details": None, "diff": []}
    with provider.session(writable=False) as session:
        key = signing.SigningKey.found(session, selection, module.params, module.check_mode)
        if key:
            key.check_issues(ca, "ca_path" if module.params["ca_path"] else "ca_content")
        reasons = _reasons(module, there, wished, key, now)
        made = None
        if reasons or _crl.format_of(there.raw or b"") != module.params["format"]:
            module.check_alone(there.raw)
        if reasons and key:
            key.check()
            if not module.check_mode:
                made = key.signed("revocation list", lambda signer: wished.made(key.scheme, signer))
    if key is None:
        module.warn(f"There is not yet {signing_key.named(selection)}; the revocation list is known when it is there.")
    title = f"{module.params['path'] or 'revocation list'} by {signing_key.named(selection)} on {session.token_name}"
    return _settled(module, title, there, wished, made, reasons, key)


def _times(
    params: Params, now: datetime.datetime
) -> tuple[validity.Moment, validity.Moment, datetime.timedelta | None]:
    """From when to when the list holds, and how long before that it is renewed; refuses what makes no sense."""
    first, last = (
        read_as(params, name, lambda text: validity.moment(text, now)) for name in ("last_update", "next_update")
    )
    renew_before = read_as(params, "renew_before", validity.duration)
    if last.at <= max(first.at, now):
        rule = "it is over" if last.at > first.at else "it is not after last_update"
        raise errors.InputError("next_update", rule, params["next_update"])
    if renew_before is None:
        return first, last, None
    if last.absolute:
        rule = "next_update is absolute, so that a new list would end at the same time; give a relative one"
        raise errors.InputError("renew_before", rule, params["renew_before"])
    if renew_before >= last.at - max(first.at, now):  # a past start adds no time
        rule = "it must be shorter than the time until next_update, or every run would sign anew"
        raise errors.InputError("renew_before", rule, params["renew_before"])
    return first, last, renew_before


def _ca(module: file_module.FileModule, now: datetime.datetime) -> t.Any:
    """The certificate of the CA, which may sign lists now."""
    source = given(module, "ca_")
    if source is None:  # the options demand one of both
        raise errors.InputError("ca_path", "give it or ca_content")
    ca = certificate_in(*source)
    problem = rules.no_ca(ca, now, "crl_sign") or (
        None if list(ca.subject) else "it has no subject, which a list needs"
    )
    if problem:
        raise errors.InputError(source[0], problem)
    return ca


def _there(module: file_module.FileModule, raw: bytes | None, ca: t.Any) -> _There:
    if raw is None:
        return _There(None)
    if module.params["path"] is None:
        raw = _crl.der_in(raw)
    found = _crl.read(raw)
    if found is None:
        return _There(raw, None, "what is there is no revocation list")
    return _There(raw, found, _crl.distrusted(found, signature.key_in(ca)) or "")


def _wished(
    module: file_module.FileModule,
    ca: t.Any,
    there: _There,
    times: tuple[validity.Moment, validity.Moment, datetime.timedelta | None],
    now: datetime.datetime,
) -> crl.Revocation:
    """What is to be published; refuses, before any login, what must not be."""
    params = module.params
    keep_all = params["crl_mode"] == "update"
    if keep_all and there.distrusted:
        rule = f"{there.distrusted}, so that its entries cannot be taken over; say all of them by generate"
        raise errors.InputError("crl_mode", rule, "update")
    entries = tuple(_entry(module, number, ca, now) for number in range(len(params["revoked_certificates"])))
    if len(by_key(entries)) < len(entries):
        twice = next(entry for number, entry in enumerate(entries) if entry.key in by_key(entries[:number]))
        raise errors.InputError("revoked_certificates", f"{twice.name.removeprefix('revoked ')} is in it twice")
    first, last, renew_before = times
    number = _next_number(params["number"], there)
    wished = crl.Revocation(ca, entries, first, last, number, params["number"], renew_before)
    return wished.onto(there.entries, keep_all)


def _next_number(least: int | None, there: _There) -> int:
    """The number of the next list: one more than that of the one that is there, or where there is none, as said."""
    if least is not None and not 0 <= least < MOST:
        raise errors.InputError("number", "it must be from 0 to 2^159 - 1 (RFC 5280, section 5.2.3)", least)
    before = there.number
    if before is None and least is None:
        lacking = "there is no list" if there.raw is None else there.distrusted or "the list that is there has none"
        rule = f"{lacking}, so that it cannot be one more than the last; give 1 where the CA never had one, else"
        raise errors.InputError("number", f"{rule} more than the number of its last")
    number = max(-1 if before is None else before + 1, -1 if least is None else least)
    if number >= MOST:
        raise errors.InputError(
            "number", "the list that is there has the highest that there is (RFC 5280, section 5.2.3)"
        )
    return number


def _entry(module: file_module.FileModule, number: int, ca: t.Any, now: datetime.datetime) -> Entry:
    """One revoked certificate; raises `InputError`."""
    row = module.params["revoked_certificates"][number]
    try:
        source = given(module, "", row)
        if source is None and row["serial_number"] is None:  # one of them is given, as null
            if module.check_mode:  # what an earlier task returns there
                raise NotYet(f"There is not yet what revoked_certificates[{number}] is to hold")
            raise errors.InputError("serial_number", "neither it nor path nor content has a value")
        certificate = certificate_in(*source) if source else None
        if source and certificate and not row["issuer"] and certificate.issuer != ca.subject:
            rule = "it was not issued by this CA; say whose it is by issuer, if this list is to revoke it"
            raise errors.InputError(source[0], rule)
        serial = certificate.serial_number if certificate else None
        return revocation.entry_from(row, serial, module.params["serial_numbers"], ca.subject, now)
    except errors.InputError as error:
        raise error.within(f"revoked_certificates[{number}]") from None


def _check_without_files(params: Params, raw: bytes | None, now: datetime.datetime) -> None:
    """Refuses what is wrong whatever is in a file that is not there yet."""
    if raw is None:
        _next_number(params["number"], _There(None))
    for number, row in enumerate(params["revoked_certificates"]):
        try:
            revocation.entry_from(
                row, None if row["serial_number"] is not None else 1, params["serial_numbers"], None, now
            )
        except errors.InputError as error:
            raise error.within(f"revoked_certificates[{number}]") from None


def _reasons(
    module: file_module.FileModule,
    there: _There,
    wished: crl.Revocation,
    key: signing.SigningKey | None,
    now: datetime.datetime,
) -> list[str]:
    """Why a list is to be signed."""
    if there.raw is None:
        return [module.none_there]
    if there.distrusted:
        return [there.distrusted]
    digest_given = module.params["digest"] is not None
    reasons = wished.why_anew(there.found, key.scheme if key else None, digest_given, now)
    return reasons or (["force is true"] if module.params["force"] else [])


def _settled(
    module: file_module.FileModule,
    title: str,
    there: _There,
    wished: crl.Revocation,
    made: t.Any,
    reasons: list[str],
    key: signing.SigningKey | None,
) -> edge.Result:
    """What is returned of the list, once it is written where it is a new one or in another form."""
    form = module.params["format"]
    now = made if reasons else there.found  # an empty list is false, so that None is asked for
    content = None if now is None else _crl.written(now, form)
    after = wished.foretold(key.scheme if key else None) if now is None else _crl.told(now)
    told_after = wished.in_changes(after) if now is None else _crl.in_changes(now)
    old_form = _crl.format_of(there.raw or b"")
    told_before = {} if there.found is None else {**_crl.in_changes(there.found), "format": old_form}
    anew = reasons or ([] if old_form == form else ["its format differs"])
    change = file_module.Change(title, told_before, {**told_after, "format": form})
    settled = module.settle((content or b"") if anew else None, there.raw is not None, change)
    return {**settled, **_content(module, content), "reasons": anew, "details": after}


def _content(module: file_module.FileModule, content: bytes | None) -> edge.Result:
    """The list itself, where it is asked for, or goes nowhere else."""
    told: edge.Result = {"format": module.params["format"]}
    if module.params["return_content"] or module.params["path"] is None:
        told["crl"] = None if content is None else _crl.shown_content(content)
    return told
