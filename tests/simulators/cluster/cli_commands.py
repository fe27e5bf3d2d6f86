# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of CloudHSM CLI. Each takes the session and its options, and returns the answer's data."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

from . import cli_answers, cli_attributes, keys, material, quorum
from .cli_session import Session
from .curves import BY_NAME
from .errors import Refused
from .state import Key, State, User

Options = dict[str, t.Any]
CU = ("crypto-user",)
ANYONE = ("crypto-user", "admin")
MAX_QUORUM = 8


def hsm_info(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-cluster-hsm-info; needs no login."""
    with session.state() as state:
        if not state.running():
            raise Refused("disconnected")
        return {"hsms": cli_answers.hsms(state)}


def user_list(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-user-list; needs no login."""
    with session.state() as state:
        if not state.running():
            raise Refused("disconnected")
        return {"users": cli_answers.users(state)}


def register_quorum_key(session: Session, options: Options) -> t.Any:
    """AWS key-quorum-auth-chsm-cli-first-time."""
    with session.state() as state:
        user = session.user(state, *ANYONE)
        pem = _read(options["public-key"]).decode()
        quorum.register(state, user, pem, Path(options["signed-token"]))
        return {"username": user.name, "role": session.login.role if session.login else ""}


def generate_rsa(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-key-generate-asymmetric-pair-rsa."""
    return _generate(session, options, bits=options["modulus-size-bits"], exponent=options["public-exponent"])


def generate_ec(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-key-generate-asymmetric-pair-ec. prime256v1 is another name of secp256r1."""
    name = str({"prime256v1": "secp256r1"}.get(options["curve"], options["curve"]))
    if name == "ed25519":  # since 5.17, with hsm2m.medium in non-FIPS mode only (AWS latest-releases)
        with session.state() as state:
            if cli_answers.version(state) < (5, 17) or state.settings["hsm_type"] != "hsm2m.medium":
                raise Refused("policy")
    return _generate(session, options, curve=BY_NAME[name])


def _generate(session: Session, options: Options, **numbers: t.Any) -> t.Any:
    with session.state() as state:
        owner = session.user(state, *CU)
        pair = _wish(state, owner, options, numbers)
        handles = [key.handle for key in keys.generate(state, owner, pair)]
    references = [f"key-reference={handle}" for handle in handles]
    try:
        for reference in references:
            session.available(CU, [reference])
    except Refused:
        _leave_or_drop(session, handles)
        raise
    with session.state() as state:
        halves = [session.one(state, CU, [reference]) for reference in references]
        public, private = (cli_answers.listed(state, key, True, session.fault) for key in halves)
        return {"public_key": public, "private_key": private}


def _leave_or_drop(session: Session, handles: list[int]) -> None:
    """Whether a key stays that could not be spread is told nowhere: a test chooses."""
    with session.state() as state:
        if not state.settings["availability_leaves_key"]:
            for key in [key for key in state.keys if key.handle in handles]:
                keys.drop(state, key)


def _wish(state: State, owner: User, options: Options, numbers: Options) -> keys.Pair:
    public, public_id = cli_attributes.at_creation("public-key", options["public-attributes"] or (), options["session"])
    private, private_id = cli_attributes.at_creation(
        "private-key", options["private-attributes"] or (), options["session"]
    )
    # 127 since 5.11, 126 before (AWS cloudhsm_cli-key-generate-asymmetric-pair-rsa); counted in bytes (assumed)
    longest = 127 if cli_answers.version(state) >= (5, 11) else 126
    for label in (options["public-label"], options["private-label"]):
        if len(label.encode()) > longest:
            raise Refused("label", str(longest))
    _check_ids(state, public_id, private_id)
    shared = _shared(state, owner, options["share-crypto-users"] or ())
    manage, use = _quorum_values(options, len(shared) + 1)
    return keys.Pair(
        public_label=options["public-label"],
        private_label=options["private-label"],
        public_id=public_id,
        private_id=private_id,
        public_attributes=public,
        private_attributes=private,
        session=not private["token"] or not public["token"],
        shared=shared,
        manage_quorum=manage,
        use_quorum=use,
        **numbers,
    )


def _check_ids(state: State, *ids: str) -> None:
    """Whether two pairs may have one id differs by report: a test chooses.

    They are issue 26 of awsdocs/aws-cloudhsm-user-guide, and 65 and 68 of aws-samples/aws-cloudhsm-pkcs11-examples.
    """
    if state.settings["unique_ids"]["cloudhsm_cli"] and any(key.id and key.id in ids for key in state.keys):
        raise Refused("id")


def _shared(state: State, owner: User, names: t.Sequence[str]) -> tuple[int, ...]:
    """Ids of the users to share with; names of crypto users, not the owner (refusing him is assumed)."""
    shared = []
    for name in names:
        user = state.user(name)
        if user is None or user.type != "CU":
            raise Refused("unknown_user", name)
        if user.id == owner.id:
            raise Refused("share", name)
        shared.append(user.id)
    return tuple(shared)


def _quorum_values(options: Options, users: int) -> tuple[int, int]:
    """Values for managing and using.

    At most the users of the key, and 8 (AWS cloudhsm_cli-key-generate-asymmetric-pair-rsa). The page lets 0 pass, but a
    third party measured that both or none have to be given, and both above 1.
    """
    given = [options.get(f"{name}-private-key-quorum-value") for name in ("manage", "use")]
    manage, use = (value or 0 for value in given)
    if given == [None, None]:
        return 0, 0
    if min(manage, use) < 2:
        raise Refused("quorum_low")
    if max(manage, use) > min(users, MAX_QUORUM):
        raise Refused("quorum_value")
    return manage, use


def key_list(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-key-list. next_token is the number of keys passed, and absent on the last page."""
    try:
        start = int(options["starting-token"] or 0)
    except ValueError:
        raise Refused("token") from None
    handles = session.select(ANYONE, options["filter"])
    page = handles[start : start + options["max-items"]]
    with session.state() as state:
        verbose = bool(options["verbose"]) and session.login is not None and session.login.role == "crypto-user"
        found = {key.handle: key for key in state.keys}
        matched = [
            cli_answers.listed(state, found[handle], verbose, session.fault) for handle in page if handle in found
        ]
    answer = {"matched_keys": matched, "total_key_count": len(handles), "returned_key_count": len(matched)}
    if start + len(page) < len(handles):
        answer["next_token"] = str(start + len(page))
    return answer


def key_delete(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-key-delete: one key, by its owner. destroyable=false forbids it (assumed)."""
    session.available(CU, options["filter"])
    with session.state() as state:
        key = session.owned(state, options["filter"])
        if state.settings["limited_write"]:
            raise Refused("limited_write")
        if not key.attributes["destroyable"]:
            raise Refused("not_owner")
        keys.drop(state, key)
    return {"message": "Key deleted successfully"}


def key_share(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-key-share."""
    with session.state() as state:
        key, user = _manage_share(session, state, options)
        missed = f"shared {user.id}" in keys.inconsistent(state, key)
        if user.id == key.owner or (user.id in key.shared and not missed):
            raise Refused("share", options["username"])
        key.shared = [*(number for number in key.shared if number != user.id), user.id]
        keys.changed(state, key, f"shared {user.id}")
    return {"message": "Key shared successfully"}


def key_unshare(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-key-unshare."""
    with session.state() as state:
        key, user = _manage_share(session, state, options)
        if user.id not in key.shared:
            raise Refused("share", options["username"])
        key.shared.remove(user.id)
        keys.changed(state, key, f"shared {user.id}")
    return {"message": "Key unshared successfully"}


def _manage_share(session: Session, state: State, options: Options) -> tuple[Key, User]:
    key = session.owned(state, options["filter"])
    user = state.user(options["username"])
    if user is None:
        raise Refused("unknown_user", options["username"])
    if user.type != "CU" or options["role"] != "crypto-user" or key.key_class == "public-key":
        raise Refused("share", options["username"])
    _approve(session, state, "key-management", key, options["approval"])
    if state.settings["limited_write"]:
        raise Refused("limited_write")
    return key, user


def _approve(session: Session, state: State, service: str, key: Key, approval: str | None) -> None:
    login = session.login
    assert login is not None
    try:
        quorum.approve(state, session.user(state, *CU), login.session, service, key, approval)
    except (OSError, ValueError, KeyError):
        raise Refused("file", str(approval)) from None


def set_attribute(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-key-set-attribute: by the owner; trusted by admins."""
    admin = session.login is not None and session.login.role == "admin"
    with session.state() as state:
        key = session.one(state, ANYONE, options["filter"]) if admin else session.owned(state, options["filter"])
        if not admin:
            _approve(session, state, "key-management", key, options["approval"])
        if state.settings["limited_write"]:
            raise Refused("limited_write")
        cli_attributes.change(state, key, options["name"], " ".join(options["value"]), admin)
    return {"message": "Attribute set successfully"}


def generate_file(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-key-generate-file: PEM of public keys, a reference to private ones."""
    with session.state() as state:
        key = session.one(state, CU, options["filter"])
        wanted = {"pem": "public-key", "reference-pem": "private-key"}[options["encoding"]]
        if key.key_class != wanted:
            raise Refused("usage")
        text = material.pem(key.public["der"])
        if wanted == "private-key":
            text = text.replace(
                "PUBLIC KEY", "PRIVATE KEY"
            )  # no private value, as in the fake PEM; its form is assumed
    try:
        Path(options["path"]).write_text(text, encoding="ascii")
    except OSError:
        raise Refused("file", options["path"]) from None
    return {"message": "Successfully generated key file"}


def sign(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-crypto-sign-rsa-pkcs and others: needs sign, and approvals where the key has a quorum."""
    data = _data(options, "data")
    session.available(CU, options["key-filter"])
    with session.state() as state:
        key = _usable(session, state, options, "private-key", "sign")
        _approve(session, state, "key-usage", key, options["approval"])
        mechanism = str({"ed25519": "eddsa"}.get(options["mechanism"], options["mechanism"]))
        salt = options.get("salt-length", -1)
        digest = options.get("data-type") == "digest"
        hash_name = str(options.get("hash-function", ""))
        signature = material.sign(state, key.material, mechanism, hash_name, data, digest, salt)
        return {"key-reference": cli_answers.reference_of(key), "signature": base64.b64encode(signature).decode()}


def verify(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-crypto-verify-rsa-pkcs and others."""
    data, signature = _data(options, "data"), _data(options, "signature")
    with session.state() as state:
        key = _usable(session, state, options, "public-key", "verify")
        digest = options["data-type"] == "digest"
        mechanism, hash_name = options["mechanism"], options["hash-function"]
        if not material.verifies(state, key.public["der"], mechanism, hash_name, data, signature, digest):
            raise Refused("signature")
    return {"message": "Signature verified successfully"}


def _usable(session: Session, state: State, options: Options, key_class: str, attribute: str) -> Key:
    key = session.one(state, CU, options["key-filter"])
    on_edwards = key.public.get("curve") == "ed25519"
    kind = "ed25519" if on_edwards else "ecdsa" if key.key_type == "ec" else "rsa"
    fits = options["mechanism"].startswith(kind)
    if key.key_class != key_class or not fits or not key.attributes[attribute]:
        raise Refused("usage")
    return key


def _data(options: Options, name: str) -> bytes:
    """Base64 from the command line, or the content of a file."""
    if options[name] is not None:
        try:
            return base64.b64decode(options[name], validate=True)
        except ValueError:
            raise Refused("file", name) from None
    return _read(options[f"{name}-path"] or "")


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        raise Refused("file", path) from None


def quorum_token(session: Session, options: Options) -> t.Any:
    """AWS cloudhsm_cli-qm-token-gen, key-quorum-auth-chsm-cli-crypto-user."""
    with session.state() as state:
        user = session.user(state, *ANYONE)
        if options["service"] == "registration":
            content = quorum.registration_token()
        else:
            key = session.one(state, CU, options["filter"])
            assert session.login is not None
            content = quorum.make_token(state, user, session.login.session, options["service"], key)
    Path(options["token"]).write_text(json.dumps(content, indent=2), encoding="ascii")
    return {"path": options["token"]}


def quorum_tokens(session: Session, options: Options) -> t.Any:
    """AWS key-quorum-auth-chsm-cli-crypto-user."""
    with session.state() as state:
        session.user(state, *ANYONE)
        names = {user.id: user.name for user in state.users}
        counts: dict[tuple[int, str, int], int] = {}
        for token in state.tokens:
            place = (token["user"], token["service"], token["handle"])
            counts[place] = counts.get(place, 0) + 1
        return {
            "tokens": [
                {
                    "username": names[user],
                    "service": service,
                    "key-reference": f"0x{handle:016x}",
                    "minimum-token-count": count,
                }
                for (user, service, handle), count in counts.items()
            ]
        }


NO_LOGIN = ("cluster hsm-info", "user list")
COMMANDS: dict[str, t.Callable[[Session, Options], t.Any]] = {
    "cluster hsm-info": hsm_info,
    "user list": user_list,
    "user change-quorum token-sign register": register_quorum_key,
    "key generate-asymmetric-pair rsa": generate_rsa,
    "key generate-asymmetric-pair ec": generate_ec,
    "key list": key_list,
    "key delete": key_delete,
    "key share": key_share,
    "key unshare": key_unshare,
    "key set-attribute": set_attribute,
    "key generate-file": generate_file,
    "crypto sign rsa-pkcs": sign,
    "crypto sign rsa-pkcs-pss": sign,
    "crypto sign ecdsa": sign,
    "crypto sign ed25519": sign,
    "crypto verify rsa-pkcs": verify,
    "crypto verify rsa-pkcs-pss": verify,
    "crypto verify ecdsa": verify,
    "quorum token-sign generate": quorum_token,
    "quorum token-sign list": quorum_tokens,
}
