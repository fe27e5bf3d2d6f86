# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of a module to the wished pair: every rule between options, before any login."""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values as _values
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import FAMILY_NAME, Family, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import errors, mechanisms

if t.TYPE_CHECKING:
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves

Params = t.Mapping[str, t.Any]

# Options that need no check of their own.
_AS_GIVEN = ("session", "on_mismatch", "verify", "min_servers", "timeout", "attest", "certificates")


def wish_from(family: Family, params: Params) -> Wish:
    """The wished pair of a module's options; raises `InputError` with option, value and rule."""
    for option, broken, rule in _rules(params):
        if broken:
            raise errors.InputError(option, rule, params[option])
    described, refusal = _described(params)
    wish = Wish(
        family=family,
        id=_values.identifier(params),
        fingerprint=_values.fingerprint(params["fingerprint"]),
        refusal=refusal,
        **described,
        allowed_mechanisms=_mechanisms(params["allowed_mechanisms"]),
        key_gen_mechanism=_mechanism("key_gen_mechanism", params["key_gen_mechanism"]),
        share_with=sharing(params),
        complete=bool(params.get("complete")),
        quorum=params["quorum"] or None,
        management_quorum=params["management_quorum"] or None,
        **attributes(params),
        **{name: params[name] for name in _AS_GIVEN},
    )
    check_usage(wish)
    _check_mechanisms(wish)
    return wish


def _described(params: Params) -> tuple[dict[str, t.Any], str]:
    """What describes the key itself; and why no such pair is made, where one that is there may be kept or removed."""
    values, refusals, there = {}, [], params["state"] == "absent" or params["on_mismatch"] == "keep"
    for option, check in _DESCRIBING.items():
        value = params.get(option)
        try:
            values[option] = None if value is None else check(value)
        except errors.InputError as error:
            if not there:
                raise
            from ansible_collections.cryptoki.hsm.plugins.module_utils._options import legacy

            values[option] = legacy.legacy_value(option, value, error)
            refusals.append(error.msg)
    return values, " ".join(refusals)


def attributes(params: Params) -> dict[str, t.Any]:
    """What a new pair and one that is there are told in the same way."""
    halves = {
        option: {name: value for name, value in (params[option] or {}).items() if value is not None}
        for option in ("private_attributes", "public_attributes")
    }
    usage = None if params["usage"] is None else tuple(params["usage"])
    nex = params.get("nex")
    return {"extractable": params["extractable"] if nex is None else not nex, "usage": usage, **halves}


def _curve(value: t.Any) -> curves.Curve:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise errors.InputError("curve", "give its name, its number or its OID; quote what YAML would change", value)
    # RSA pairs need no table of curves.
    from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import curves

    try:
        return curves.curve_by_name(value)
    except ValueError as error:
        raise errors.InputError("curve", str(error), value) from None


def _modulus_bits(value: int) -> int | None:
    if value % 2 and value > 2048:
        raise errors.InputError("modulus_bits", "it must be even; tokens silently make another size of it", value)
    return _values.modulus_bits(value)


# What describes a key, each option with what checks it for a new pair.
_DESCRIBING: dict[str, t.Callable[[t.Any], t.Any]] = {
    "label": functools.partial(_values.label, "label"),
    "modulus_bits": _modulus_bits,
    "public_exponent": _values.public_exponent,
    "curve": _curve,
}


def _mechanism(option: str, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return mechanisms.mechanism_code(value)
    except ValueError as error:
        raise errors.InputError(option, str(error), value) from None


def _mechanisms(values: t.Sequence[str] | None) -> tuple[int, ...] | None:
    if values is None:
        return None
    codes = [code for code in (_mechanism("allowed_mechanisms", value) for value in values) if code is not None]
    if len(set(codes)) < len(codes):
        raise errors.InputError("allowed_mechanisms", "it names a mechanism twice", list(values))
    if not codes:
        raise errors.InputError("allowed_mechanisms", "it is empty, and a key that no mechanism may use is of no use")
    return tuple(codes)


def _rules(given: Params) -> t.Iterator[tuple[str, bool, str]]:
    """Options that exclude or need each other in a way that an argument spec cannot say, each whether it is broken."""
    if given["session"]:
        rule = "a session pair is gone when its module ends, state=absent has none to remove"
        yield "session", given["state"] == "absent", rule
        yield "session", bool(given["replicas"]), "a session pair lives in one session, replicas cannot have it"
        rule = "a session pair is always new, on_mismatch has nothing to compare"
        yield "session", given["on_mismatch"] != "fail", rule
        rule = "a session pair is always new, fingerprint names an existing one"
        yield "session", given["fingerprint"] is not None, rule
    if given.get("complete"):
        lasting = given["state"] == "present" and not given["session"] and not given["replicas"]
        yield "complete", not lasting, "it is for a key that is there, on one token"
    if not given["replicas"]:
        alone = given["timeout"] is not None and given["min_servers"] is None
        yield "timeout", alone, "it needs min_servers or replicas"
        yield "wrapping_key", given["wrapping_key"] is not None, "it needs replicas"
    if given["timeout"] is not None:
        yield "timeout", given["timeout"] <= 0, "it must be more than 0 seconds"
    if given["min_servers"] is not None:
        yield "min_servers", given["min_servers"] < 1, "it must be at least 1"
    if given["fingerprint"] is not None:
        rule = "a pair named by fingerprint cannot be replaced, a new one has another"
        yield "on_mismatch", given["on_mismatch"] == "replace", rule
    yield "lock_timeout", given["lock_timeout"] < 0, "it must not be below 0 seconds"


def sharing(params: Params) -> tuple[str, ...] | None:
    """The users that a pair is shared with, beside the caller."""
    users = params["share_with"]
    for option in ("quorum", "management_quorum"):
        _check_quorum(option, params.get(option) or 0, params)
    if users is None:
        return None
    names = {_values.user("share_with", user) for user in users}
    if len(names) < len(users):
        raise errors.InputError("share_with", "it names a user twice", users)
    if params["crypto_user"] is not None and _values.user("crypto_user", params["crypto_user"]) in names:
        raise errors.InputError("share_with", "the caller owns the key and is not shared with", params["crypto_user"])
    return tuple(sorted(names))


def _check_quorum(option: str, quorum: int, params: Params) -> None:
    if not 0 <= quorum <= 8:
        raise errors.InputError(option, "it must be from 0 to 8", quorum)
    if quorum > len(params["share_with"] or ()) + 1:
        raise errors.InputError(option, "it may be at most the number of users in share_with and the owner", quorum)
    if quorum and not params["quorum"]:
        raise errors.InputError(option, "it needs quorum: a key has both or none", quorum)


def _check_mechanisms(wish: Wish) -> None:
    """Known mechanisms must be of the key's type, and that which generates must be one that does."""
    if wish.family == "ecc" and wish.curve is None:
        return
    for code in wish.allowed_mechanisms or ():
        _check_mechanism("allowed_mechanisms", code, wish, {wish.key_type})
    if wish.key_gen_mechanism is not None:
        # AWS CloudHSM makes Ed25519 keys by CKM_EC_KEY_PAIR_GEN.
        families = {wish.key_type, "ec"} if wish.curve else {wish.key_type}
        _check_mechanism("key_gen_mechanism", wish.key_gen_mechanism, wish, families)


def _check_mechanism(option: str, code: int, wish: Wish, families: t.Collection[str]) -> None:
    row, generates = mechanisms.MECHANISMS.get(mechanisms.mechanism_name(code)), option == "key_gen_mechanism"
    if row and row.family not in families:
        raise errors.InputError(option, f"it is not for keys of the type {wish.key_type}", row.name)
    if row and (row.use == "generate") != generates:
        rule = "it does not generate pairs" if generates else "it only generates pairs"
        raise errors.InputError(option, rule, row.name)


def check_usage(wish: Wish) -> None:
    """Refuses what a key of this type cannot be used for."""
    private = wish.private_attributes
    if private.get("always_authenticate") is True and private.get("private") is False:
        raise errors.InputError("private_attributes.always_authenticate", "it needs private, which is false", "true")
    for word in wish.usage or ():
        if wish.family == "rsa" and word == "derive":
            raise errors.InputError(
                "usage", f"{FAMILY_NAME[wish.family]} keys derive nothing; choose sign, decrypt or wrap", word
            )
        if wish.family == "ecc" and word in ("decrypt", "wrap"):
            raise errors.InputError(
                "usage", f"{FAMILY_NAME[wish.family]} keys encrypt nothing; choose sign or derive", word
            )
        if wish.key_type == "ec_edwards" and word != "sign":
            raise errors.InputError("usage", "keys on Edwards curves only sign", word)
