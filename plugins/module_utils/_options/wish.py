# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of a module to the wished pair: every rule between options, before any login.

Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
Do not use it from outside.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cryptoki.hsm.plugins.module_utils._options import values as _values
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import FAMILY_NAME, Changes, Family, Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import Curve, curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import InputError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import (
    MECHANISMS,
    mechanism_code,
    mechanism_name,
)

Params = t.Mapping[str, t.Any]

_CHANGING = (
    *("new_label", "new_id", "new_id_hex", "extractable", "usage", "private_attributes", "public_attributes"),
    "share_with",
)


def wish_from(family: Family, params: Params) -> Wish:
    """The wished pair of a module's options; raises L{InputError} with option, value and rule."""
    _check_exclusions(params)
    users = _check_sharing(params)
    wish = Wish(
        family=family,
        label=_values.label("label", params["label"]) if params["label"] is not None else None,
        id=_values.identifier(params),
        fingerprint=_values.fingerprint(params["fingerprint"]),
        modulus_bits=_values.modulus_bits(params.get("modulus_bits")),
        public_exponent=_values.public_exponent(params.get("public_exponent")),
        curve=_curve(params.get("curve")),
        session=params["session"],
        extractable=params["extractable"],
        usage=None if params["usage"] is None else tuple(params["usage"]),
        private_attributes=_given(params["private_attributes"]),
        public_attributes=_given(params["public_attributes"]),
        allowed_mechanisms=_mechanisms(params["allowed_mechanisms"]),
        key_gen_mechanism=_mechanism("key_gen_mechanism", params["key_gen_mechanism"]),
        on_mismatch=params["on_mismatch"],
        verify=params["verify"],
        share_with=users,
        quorum=params["quorum"],
        min_servers=params["min_servers"],
        timeout=params["timeout"],
        attest=params["attest"],
    )
    if params["state"] == "present" and (wish.modulus_bits or 0) % 2:
        raise InputError("modulus_bits", "it must be even; tokens silently make another size of it", wish.modulus_bits)
    check_usage(wish)
    _check_mechanisms(wish)
    return wish


def changes_from(params: Params) -> Changes:
    """What hsm_key is to change, of a key whose type is not known yet; raises L{InputError}."""
    if params["state"] == "absent":
        given = [name for name in _CHANGING if params[name] is not None]
        if given:
            raise InputError(given[0], "state=absent changes nothing, it removes the key", params[given[0]])
    if params["extractable"]:
        raise InputError("extractable", "a key that may not leave the HSM cannot be made extractable again", "true")
    if params["share_mode"] != "exact" and params["share_with"] is None:
        raise InputError("share_mode", "it needs share_with", params["share_mode"])
    users = _check_sharing({**params, "quorum": None})
    new = {"id": params["new_id"], "id_hex": params["new_id_hex"]}
    try:
        new_id = _values.identifier(new)
    except InputError as error:
        raise error.renamed("new_") from None
    return Changes(
        family="ecc",
        label=_values.label("new_label", params["new_label"]) if params["new_label"] is not None else None,
        id=new_id,
        extractable=params["extractable"],
        usage=None if params["usage"] is None else tuple(params["usage"]),
        private_attributes=_given(params["private_attributes"]),
        public_attributes=_given(params["public_attributes"]),
        share_with=users,
        share_mode=params["share_mode"],
    )


def _given(options: Params | None) -> dict[str, bool]:
    return {name: value for name, value in (options or {}).items() if value is not None}


def _curve(value: t.Any) -> Curve | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise InputError("curve", "give its name, its number or its OID; quote what YAML would change", value)
    try:
        return curve_by_name(value)
    except ValueError as error:
        raise InputError("curve", str(error), value) from None


def _mechanism(option: str, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        return mechanism_code(value)
    except ValueError as error:
        raise InputError(option, str(error), value) from None


def _mechanisms(values: t.Sequence[str] | None) -> tuple[int, ...] | None:
    if values is None:
        return None
    codes = [code for code in (_mechanism("allowed_mechanisms", value) for value in values) if code is not None]
    if len(set(codes)) < len(codes):
        raise InputError("allowed_mechanisms", "it names a mechanism twice", list(values))
    if not codes:
        raise InputError("allowed_mechanisms", "it is empty, and a key that no mechanism may use is of no use")
    return tuple(codes)


class _Exclusion(t.NamedTuple):
    """Options that exclude or need each other in a way that an argument spec cannot say."""

    option: str
    broken: t.Callable[[Params], t.Any]
    rule: str


_EXCLUSIONS = (
    _Exclusion(
        "session",
        lambda given: given["session"] and given["state"] == "absent",
        "a session pair is gone when its module ends, state=absent has none to remove",
    ),
    _Exclusion(
        "session",
        lambda given: given["session"] and given["replicas"],
        "a session pair lives in one session, replicas cannot have it",
    ),
    _Exclusion(
        "session",
        lambda given: given["session"] and given["on_mismatch"] != "fail",
        "a session pair is always new, on_mismatch has nothing to compare",
    ),
    _Exclusion(
        "session",
        lambda given: given["session"] and given["fingerprint"] is not None,
        "a session pair is always new, fingerprint names an existing one",
    ),
    _Exclusion(
        "timeout",
        lambda given: given["timeout"] is not None and given["min_servers"] is None and not given["replicas"],
        "it needs min_servers or replicas",
    ),
    _Exclusion(
        "timeout",
        lambda given: given["timeout"] is not None and given["timeout"] <= 0,
        "it must be more than 0 seconds",
    ),
    _Exclusion(
        "min_servers",
        lambda given: given["min_servers"] is not None and given["min_servers"] < 1,
        "it must be at least 1",
    ),
    _Exclusion(
        "wrapping_key", lambda given: given["wrapping_key"] is not None and not given["replicas"], "it needs replicas"
    ),
    _Exclusion(
        "on_mismatch",
        lambda given: given["on_mismatch"] == "replace" and given["fingerprint"] is not None,
        "a pair named by fingerprint cannot be replaced, a new one has another",
    ),
    _Exclusion("lock_timeout", lambda given: given["lock_timeout"] < 0, "it must not be below 0 seconds"),
)


def _check_exclusions(params: Params) -> None:
    for row in _EXCLUSIONS:
        if row.broken(params):
            raise InputError(row.option, row.rule, params[row.option])


def _check_sharing(params: Params) -> tuple[str, ...] | None:
    users = params["share_with"]
    names = None if users is None else [_values.user("share_with", user) for user in users]
    if names is not None:
        if len(set(names)) < len(names):
            raise InputError("share_with", "it names a user twice", users)
        if params["crypto_user"] is not None and _values.user("crypto_user", params["crypto_user"]) in names:
            raise InputError("share_with", "the caller owns the key and is not shared with", params["crypto_user"])
    quorum = params["quorum"]
    if quorum is not None:
        if not 0 <= quorum <= 8:
            raise InputError("quorum", "it must be from 0 to 8", quorum)
        if quorum > len(users or ()) + 1:
            raise InputError("quorum", "it may be at most the number of users in share_with and the owner", quorum)
    return None if names is None else tuple(sorted(names))


def _check_mechanisms(wish: Wish) -> None:
    """Known mechanisms must be of the key's type, and that which generates must be one that does."""
    if wish.family == "ecc" and wish.curve is None:
        return
    given = [("allowed_mechanisms", code) for code in wish.allowed_mechanisms or ()]
    if wish.key_gen_mechanism is not None:
        given.append(("key_gen_mechanism", wish.key_gen_mechanism))
    for option, code in given:
        row = MECHANISMS.get(mechanism_name(code))
        # AWS CloudHSM makes Ed25519 keys by CKM_EC_KEY_PAIR_GEN.
        families = {wish.key_type, "ec"} if option == "key_gen_mechanism" and wish.curve else {wish.key_type}
        if row and row.family not in families:
            raise InputError(option, f"it is not for keys of the type {wish.key_type}", row.name)
        if row and (row.use == "generate") != (option == "key_gen_mechanism"):
            raise InputError(
                option,
                "it does not generate pairs" if option == "key_gen_mechanism" else "it only generates pairs",
                row.name,
            )


def check_usage(wish: Wish) -> None:
    """Refuses what a key of this type cannot be used for."""
    private = wish.private_attributes
    if private.get("always_authenticate") is True and private.get("private") is False:
        raise InputError("private_attributes.always_authenticate", "it needs private, which is false", "true")
    for word in wish.usage or ():
        if wish.family == "rsa" and word == "derive":
            raise InputError(
                "usage", f"{FAMILY_NAME[wish.family]} keys derive nothing; choose sign, decrypt or wrap", word
            )
        if wish.key_type == "ec_edwards" and word != "sign":
            raise InputError("usage", "keys on Edwards curves only sign", word)
