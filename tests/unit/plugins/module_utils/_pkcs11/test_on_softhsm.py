# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What PKCS#11 is used for, on a token of SoftHSM in a child of the test: no module, no Ansible."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import shutil
import threading
import types
import typing as t
from pathlib import Path

import pytest

from ansible_collections.cryptoki.hsm.plugins.module_utils._host.lock import held_descriptors
from ansible_collections.cryptoki.hsm.plugins.module_utils._options.login import Secret, login_from
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.certificate import Certificate
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.keypair import KeyPair
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.session import NOT_THERE, Query
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.transfer import Way, choose_way, copied, kek
from ansible_collections.cryptoki.hsm.plugins.module_utils._pair.wish import Wish
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11 import (
    functions,
    mechanism_list,
    new_token,
    removal,
    softhsm,
    token_description,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.calls import Session, template
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.mechanism import with_parameter
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.new_token import (
    TokenOutcome,
    TokenWish,
    make_token,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._pkcs11.provider import Pkcs11Provider
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.attributes import (
    HALVES,
    PRIVATE,
    PUBLIC,
    SECRET,
    pack,
)
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.curves import curve_by_name
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.errors import HsmError, TokenError
from ansible_collections.cryptoki.hsm.plugins.module_utils._standard.mechanisms import MECHANISMS
from ansible_collections.cryptoki.hsm.tests.support.in_child import in_child
from ansible_collections.cryptoki.hsm.tests.support.refusal import refusal
from ansible_collections.cryptoki.hsm.tests.support.scenarios import WISH
from ansible_collections.cryptoki.hsm.tests.support.soft_token import PIN, SO_PIN, library
from ansible_collections.cryptoki.hsm.tests.support.task_options import params

pytestmark = pytest.mark.skipif(not Path(library()).exists(), reason="there is no SoftHSM")


def there(test: t.Callable[..., None]) -> t.Callable[..., None]:
    """Runs the test in a child."""

    @functools.wraps(test)
    def run(**fixtures: t.Any) -> None:
        in_child(lambda: test(**fixtures))

    return run


class Store:
    """A folder of SoftHSM's."""

    def __init__(self, folder: Path) -> None:
        self.tokens = folder / "tokens"
        self.tokens.mkdir(exist_ok=True)
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\n")

    def provider(self, **given: t.Any) -> Pkcs11Provider:
        environment = {"SOFTHSM2_CONF": str(self.configuration)}
        usual = {"module_path": library(), "library_environment": environment, "token_label": "alpha", "pin": PIN}
        return Pkcs11Provider(login_from(params("ecc", **{**usual, **given})), 20)

    def session(self, writable: bool = True, threads: bool = False, **given: t.Any) -> t.Any:
        return self.provider(**given).session(writable=writable, threads=threads)

    def make(self, label: str, check_mode: bool = False, **given: t.Any) -> TokenOutcome:
        wish = TokenWish(**{"label": label, "so_pin": Secret(SO_PIN), "pin": Secret(PIN), "slot_id": None, **given})
        provider = self.provider(token_label=label)
        with provider.library() as opened:
            return make_token(provider, opened, wish, check_mode)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one token; its tests have copies."""
    folder = tmp_path_factory.mktemp("store")

    def make() -> None:
        Store(folder).make("alpha")

    in_child(make)
    return folder / "tokens"


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Store:
    shutil.copytree(made, tmp_path / "tokens")
    return Store(tmp_path)


@there
def test_a_token_that_goes_by_little(store: Store) -> None:
    with store.session(vendor_facts={"not_searched": ["key_type", "label", "id"]}) as session:
        pair = session.generate(WISH)
        assert session.find(Query(PRIVATE, label="root", key_type=pair.private.key_type)) == [pair.private]
        assert session.find(Query(PUBLIC, id=pair.public.id, token=True)) == [pair.public]
        for nothing in ({"label": "other"}, {"key_type": "generic_secret"}, {"id": b"x"}, {"token": False}):
            assert session.find(Query(PUBLIC, **nothing)) == []
        assert session.survey(Query(PUBLIC, label="root"), 0) is None


@there
def test_a_login_that_holds_for_all_sessions_is_not_made_for_each(store: Store) -> None:
    with store.session(vendor_facts={"login_each_session": True}) as session:
        opened: list[t.Any] = []
        call = session._library._opened

        def noted(*given: t.Any) -> t.Any:
            opened.append(given[-1])
            return call(*given)

        session._library._opened = noted
        for dummy in range(3):
            with session.further() as other:
                assert other.find(Query(PRIVATE)) == []
        assert [bool(login) for login in opened] == [True, False, False, False]


@there
def test_a_pair_and_its_halves(store: Store) -> None:
    with store.session() as session:
        assert session.token_name == "alpha" and not session.write_protected and not session.threads
        session.check_generation(WISH)
        pair = session.generate(WISH)
        assert pair.whole and pair.private.label == "root" and len(pair.private.id) == 16
        assert session.find(Query(PRIVATE, label="root")) == [pair.private]
        assert session.find(Query(PUBLIC, id=pair.public.id)) == [pair.public]
        assert session.find(Query(PUBLIC, label="other")) == []
        assert session.survey(Query(PUBLIC, label="root"), 0) is None
        assert session.survey(Query(PUBLIC, label="root"), 1) == session.survey(Query(PUBLIC)) == [pair.public]
        (short,) = session.find(Query(PUBLIC, label="root", read=frozenset({"label", "id"})))
        assert set(short.attributes) == {"label", "id"}
        with session.further() as another:
            assert another.find(Query(PRIVATE)) == [pair.private]
        renamed = session.set_attributes(pair.public, {"label": "new", "verify": False})
        assert (renamed.label, renamed.attributes["verify"], renamed.handle) == ("new", False, pair.public.handle)
        frozen = session.freeze(renamed, {"modifiable": False})
        assert frozen.attributes["modifiable"] is False and frozen.attributes["label"] == "new"
        assert session.find(Query(PUBLIC)) == [renamed, frozen] and session.freezes_by_copy
        session.destroy(renamed)
        assert session.find(Query(PUBLIC)) == [frozen]
        assert session.describe() == {
            "state": "rw_user",
            "objects": {"public_key": 1, "private_key": 1, "secret_key": 0},
        }
        session.destroy(pair.private)
        assert session.find(Query(PRIVATE)) == []
        with pytest.raises(TokenError, match="CKR_OBJECT_HANDLE_INVALID"):
            session.destroy(pair.private)
    with store.session(writable=False) as session:
        assert [found.label for found in session.find(Query(PUBLIC))] == ["new"]


def certificate(session: Session, label: str, identifier: bytes) -> int:
    """Stores what SoftHSM takes for a certificate: it parses none."""
    values = {0x00: pack("modulus_bits", 1), 0x01: b"\x01", 0x02: b"\x00", 0x80: pack("modulus_bits", 0)}
    names = {0x03: label.encode(), 0x102: identifier, 0x101: b"subject", 0x11: b"certificate"}
    return session.make("store a certificate", "C_CreateObject", functions.Template({**values, **names}))


@there
def test_certificates_are_found_by_name(store: Store) -> None:
    with store.session() as session:
        session.generate(dataclasses.replace(WISH, id=b"1"))
        assert session.certificates(identifier=b"1") == []
        handle = certificate(session._session, "root", b"1")
        certificate(session._session, "other", b"2")
        expected = Certificate(handle, "root", b"1", b"certificate")
        for names in ({"label": "root"}, {"identifier": b"1"}, {"label": "root", "identifier": b"1"}):
            assert session.certificates(**names) == [expected]
        assert session.certificates("root", b"2") == []
        assert len(session.certificates()) == 2
        assert str(expected) == "(certificate, label 'root', id 31)"
    for there_are in (True, False):
        said = {"certificates": there_are, "threads": there_are}
        with store.session(writable=False, threads=True, vendor_facts=said) as session:
            assert bool(session.certificates()) is session.threads is there_are


@contextlib.contextmanager
def first_removal_answers_an_error(
    session: t.Any, store: Store, stays: bool, meanwhile: t.Callable[[], object]
) -> t.Iterator[None]:
    """The object is forgotten; its file `stays` or not. `meanwhile` is what another thread begins to do just then."""
    calls = session._session._calls
    call = calls.call
    thread = threading.Thread(target=meanwhile, daemon=True)

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in store.tokens.glob("*/*.object")}

    def answer(function: str, *arguments: t.Any) -> int:
        if function != "C_DestroyObject":
            return t.cast(int, call(function, *arguments))
        calls.call = call
        before = files()
        assert call(function, *arguments) == 0
        (file,) = before.keys() - files().keys()
        if stays:
            file.write_bytes(before[file])
        thread.start()
        thread.join(0.5)
        return 0x06  # CKR_FUNCTION_FAILED

    calls.call = answer
    yield
    thread.join(60)


REMOVALS: dict[str, t.Callable[[t.Any, KeyPair], object]] = {
    "key": lambda session, pair: session.destroy(pair.private),
    "certificate": lambda session, _pair: session.certificate_objects().destroy_certificate(*session.certificates()),
}


@pytest.mark.parametrize(("kind", "remains"), [("key", ""), ("certificate", "Its file is still there.")])
@there
def test_a_file_that_stays_while_another_thread_removes_one(store: Store, kind: str, remains: str) -> None:
    """A key was looked for since, so that nothing is in doubt."""
    with store.session(threads=True) as session, session.further() as other:
        pair, second = session.generate(WISH), session.generate(dataclasses.replace(WISH, label="second"))
        certificate(session._session, "root", b"1")
        begun = first_removal_answers_an_error(session, store, True, lambda: other.destroy(second.private))
        with begun, pytest.raises(TokenError) as caught:
            REMOVALS[kind](session, pair)
        assert caught.value.remains == remains


@there
def test_a_folder_that_cannot_be_read_proves_nothing(store: Store) -> None:
    def refused(_path: str) -> t.NoReturn:
        raise PermissionError

    def lost() -> None:
        removal.os = types.SimpleNamespace(lstat=refused)  # type: ignore[assignment]

    with store.session() as session:
        pair = session.generate(WISH)
        with first_removal_answers_an_error(session, store, True, lost), pytest.raises(TokenError) as caught:
            session.destroy(pair.private)
        assert caught.value.remains == "Its file may still be there."


@there
def test_a_file_that_goes_while_another_thread_makes_some(store: Store) -> None:
    with store.session(threads=True) as session, session.further() as other:
        pair = session.generate(WISH)
        with first_removal_answers_an_error(session, store, False, lambda: other.generate(WISH)):
            session.destroy(pair.private)


@there
def test_an_object_without_a_file(store: Store) -> None:
    with store.session() as session:
        pair = session.generate(dataclasses.replace(WISH, session=True))
        assert pair.private.attributes["token"] is False
        call = session._session._calls.call
        session._session._calls.call = lambda *arguments: call(*arguments) or 6 * (arguments[0] == "C_DestroyObject")
        session.destroy(pair.private)


@pytest.mark.parametrize("stays", [True, False])
@there
def test_what_is_taken_back_and_has_a_file_still(store: Store, stays: bool) -> None:
    with store.session() as session:
        private = session.generate(WISH).private
        with first_removal_answers_an_error(session, store, stays, lambda: None):
            told = removal.take_back(session._session, [(PRIVATE, private.handle)])
        remains = f"What remains on the token: the new private half (handle {private.handle}; CKR_FUNCTION_FAILED)."
        assert told == (remains if stays else "Nothing of it is left on the token.")


@there
def test_what_another_one_removed_leaves_no_file(store: Store) -> None:
    with store.session() as session:
        private = session.generate(WISH).private
        session.destroy(private)
        with pytest.raises(TokenError) as caught:
            session.destroy(private)
        assert caught.value.ckr == NOT_THERE and not caught.value.remains


@there
def test_a_removal_that_was_refused(store: Store) -> None:
    """It is looked at: the object is there, and so nothing is said of files."""
    with store.session() as session:
        private = session.generate(WISH).private
        call = session._session._calls.call
        session._session._calls.call = lambda *arguments: 6 if arguments[0] == "C_DestroyObject" else call(*arguments)
        with pytest.raises(TokenError) as caught:
            session.destroy(private)
        assert "CKR_FUNCTION_FAILED" in caught.value.msg and not caught.value.remains


RSA = Wish("rsa", label="root", modulus_bits=1024)


@pytest.mark.parametrize(
    ("wish", "method"),
    [
        (WISH, "CKM_ECDSA"),
        (dataclasses.replace(WISH, usage=("derive",)), "CKM_ECDH1_DERIVE"),
        (dataclasses.replace(WISH, curve=curve_by_name("Ed25519")), "CKM_EDDSA"),
        (RSA, "CKM_SHA256_RSA_PKCS"),
        (dataclasses.replace(RSA, usage=("decrypt",)), "CKM_RSA_PKCS_OAEP"),
    ],
)
@there
def test_a_private_half_at_work(store: Store, wish: Wish, method: str) -> None:
    with store.session() as session:
        pair = session.generate(dataclasses.replace(wish, id=b"\x0a"))
        assert pair.private.id == pair.public.id == b"\x0a"
        assert session.prove(wish, pair).method == method
        assert session.describe()["objects"]["secret_key"] == 0  # what was derived is gone


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (dataclasses.replace(RSA, modulus_bits=256), "the token makes keys of 512 to 16384 bits, not of 256"),
        (
            dataclasses.replace(RSA, key_gen_mechanism=MECHANISMS["CKM_RSA_X9_31_KEY_PAIR_GEN"].code),
            "the token has no CKM_RSA_X9_31_KEY_PAIR_GEN; set key_gen_mechanism to one that it has:"
            " CKM_RSA_PKCS_KEY_PAIR_GEN",
        ),
    ],
)
@there
def test_what_the_token_cannot_make_is_refused_before(store: Store, wish: Wish, why: str) -> None:
    with store.session() as session:
        told = refusal(lambda: session.check_generation(wish))
        assert told.startswith(f"Refused to generate {wish} on the token 'alpha'") and told.endswith(f": {why}.")
        session.check_generation(RSA)


@pytest.mark.parametrize(
    ("wish", "mechanisms", "why"),
    [
        (WISH, {0x0}, "the token has no CKM_EC_KEY_PAIR_GEN; it makes no such keys at all"),
        (dataclasses.replace(WISH, curve=curve_by_name("Ed25519")), {0x1040}, "it makes no such keys at all"),
        (RSA, {0xA, 0x80000142}, "set key_gen_mechanism to one that it has: CKM_RSA_X9_31_KEY_PAIR_GEN"),
        (RSA, {0x80000142}, "if it makes such keys by a mechanism of the vendor's own, give that in key_gen_mechanism"),
    ],
)
@there
def test_what_is_advised_where_a_mechanism_is_missing(store: Store, wish: Wish, mechanisms: set[int], why: str) -> None:
    with store.session() as session:
        mechanism_list.codes = lambda *_slot: frozenset(mechanisms)  # type: ignore[assignment]
        told = refusal(lambda: session.check_generation(wish))
        assert told.endswith(f"{why}.") and told.startswith(f"Refused to generate {wish} on the token 'alpha'")


@pytest.mark.parametrize("wish", [WISH, dataclasses.replace(WISH, id=b"\x0a")])
@there
def test_a_pair_that_cannot_be_read_is_taken_back(store: Store, wish: Wish) -> None:
    def unreadable(*_arguments: t.Any) -> t.NoReturn:
        raise TokenError("read", "CKR_DEVICE_ERROR")

    with store.session() as session:
        read = Session.read
        Session.read = unreadable  # type: ignore[method-assign,assignment]
        try:
            told = refusal(lambda: session.generate(wish))
        finally:
            Session.read = read  # type: ignore[method-assign]
        assert told.startswith("Could not generate the ECC key pair 'root', id ") and "CKR_DEVICE_ERROR" in told
        assert told.endswith("Nothing of it is left on the token.")
        assert session.find(Query(PUBLIC)) == session.find(Query(PRIVATE)) == []


@pytest.mark.parametrize("wish", [WISH, dataclasses.replace(WISH, id=b"\x0a")])
@there
def test_another_pair_that_cannot_be_read_stays(store: Store, wish: Wish) -> None:
    """The token answers with its handles; only what carries the id is taken back."""

    def unreadable(*_arguments: t.Any) -> t.NoReturn:
        raise TokenError("read", "CKR_DEVICE_ERROR")

    with store.session() as session:
        other = session.generate(dataclasses.replace(WISH, label="other"))
        read, generate = Session.read, Session.generate

        def elsewhere(self: Session, *arguments: t.Any) -> tuple[int, int]:
            generate(self, *arguments)
            return other.public.handle, other.private.handle

        Session.read = unreadable  # type: ignore[method-assign,assignment]
        Session.generate = elsewhere  # type: ignore[method-assign,assignment]
        try:
            assert "CKR_DEVICE_ERROR" in refusal(lambda: session.generate(wish))
        finally:
            Session.read, Session.generate = read, generate  # type: ignore[method-assign]
        assert session.find(Query(PRIVATE, label="other")) == [other.private]
        assert session.find(Query(PUBLIC, label="other")) == [other.public]
        assert len(session.find(Query(PRIVATE, label="root"))) == (1 if wish.id else 0)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("wish", [WISH, dataclasses.replace(WISH, id=b"\x0a")])
@there
def test_a_pair_without_handles_is_looked_for(store: Store, wish: Wish, fails: bool) -> None:
    """The library made it and answers an error (trap T14)."""

    def made_and_lost(self: Session, *arguments: t.Any) -> t.NoReturn:
        generate(self, *arguments)
        raise TokenError("generate", "CKR_DEVICE_ERROR")

    def lost(*_arguments: t.Any) -> t.NoReturn:
        raise TokenError("find", "CKR_DEVICE_REMOVED")

    with store.session() as session:
        generate, handles = Session.generate, Session.handles
        Session.generate = made_and_lost  # type: ignore[method-assign,assignment]
        if fails:
            Session.handles = lost  # type: ignore[method-assign,assignment]
        told = refusal(lambda: session.generate(wish))
        Session.handles = handles  # type: ignore[method-assign]
        left = session.find(Query(PUBLIC)) + session.find(Query(PRIVATE))
        if fails:
            assert "What it left on the token is not known, because a search failed (CKR_DEVICE_REMOVED)." in told
        elif wish.id:
            assert "What is there now under this name: " in told and "verify=true proves it" in told
        else:
            assert told.endswith("Nothing of it is left on the token.")
        assert len(left) == (2 if fails or wish.id else 0)


@there
def test_who_gets_in(store: Store) -> None:
    with pytest.raises(TokenError, match="CKR_PIN_INCORRECT") as caught, store.session(pin="wrong pin"):
        pass
    assert caught.value.final
    with pytest.raises(HsmError, match="needs a login; give pin or pin_file"), store.session(pin=None):
        pass
    with pytest.raises(HsmError, match="Could not find a token labelled 'other'"), store.session(token_label="other"):
        pass


@there
def test_a_file_of_the_token_that_this_user_cannot_read(store: Store) -> None:
    """Only the token's own folder counts: that of another token is another's."""
    softhsm.unreadable = lambda folder: [f"{folder}/hidden.object"]  # type: ignore[assignment]
    (own,) = store.tokens.iterdir()
    with pytest.raises(HsmError, match=re.escape(f"this user cannot read {own}/hidden.object,")), store.session():
        pass


@pytest.mark.parametrize(
    ("expected", "told"),
    [({"serial": "0"}, "its serial is "), ({"library_sha256": "0" * 64}, "its library_sha256 is ")],
)
@there
def test_another_token_or_library_than_expected(store: Store, expected: dict[str, str], told: str) -> None:
    with pytest.raises(HsmError, match=told), store.session(expect_token=expected):
        pass


@there
def test_what_may_be_expected(store: Store) -> None:
    provider = store.provider()
    with provider.library() as opened:
        token, sha256 = provider.choose(opened), token_description.library_sha256(opened.info.path)
        told = token_description.options_of(token, sha256, provider.row(opened, token), {})
    identity = told["expect_token"]
    assert set(identity) == {
        "library_sha256",
        "manufacturer",
        "model",
        "serial",
        "hardware_version",
        "firmware_version",
    }
    with store.session(expect_token=identity):
        pass


@there
def test_the_lock_of_the_host_is_held_but_where_the_parent_holds_it(store: Store) -> None:
    unlocked = store.provider().unlocked_session(writable=False)
    for session, locks in ((store.provider().session(writable=False), 1), (unlocked, 0)):
        with session as opened:
            assert len(held_descriptors()) == locks and not opened.threads
    with store.provider().library() as library_alone:
        assert len(held_descriptors()) == 1 and not library_alone.threads
    assert not held_descriptors()


@there
def test_several_threads(store: Store) -> None:
    with store.session(threads=True) as session:
        assert session.threads


def test_a_library_that_is_none(tmp_path: Path) -> None:
    for path in (tmp_path / "none.so", Path(__file__)):
        told = refusal(lambda path=path: Store(tmp_path).session(module_path=str(path)).__enter__())  # type: ignore[misc]
        assert told.startswith(f"Could not load the PKCS#11 library {path}: ") and told.endswith("Check module_path.")


@there
def test_a_token_is_made_once(store: Store) -> None:
    foretold = store.make("beta", check_mode=True)
    assert foretold.changed and foretold.before is None and foretold.after.label == "beta"
    assert len(list(store.tokens.iterdir())) == 1
    done = store.make("beta")
    assert done.changed and done.before is None and done.after.label == "beta" and done.after.serial
    again = store.make("beta")
    assert not again.changed and again.before == again.after
    assert dataclasses.replace(again.after, slot_id=0) == dataclasses.replace(done.after, slot_id=0)
    with store.session(token_label="beta") as session:
        assert session.find(Query(PRIVATE)) == []
    slot = store.make("gamma", check_mode=True).after.slot_id
    assert store.make("gamma", check_mode=True, slot_id=slot).changed
    taken = again.after.slot_id
    told = refusal(lambda: store.make("gamma", slot_id=taken))
    assert f"in slot {taken} of " in told and "a token is never initialised again" in told
    for option in ("so_pin", "pin"):
        for pin in ("123", "x" * 256):
            given: dict[str, t.Any] = {option: Secret(pin)}
            told = refusal(functools.partial(store.make, "gamma", **given))
            assert told == f"{option} is refused: the token takes 4 to 255 bytes."
    assert len(list(store.tokens.iterdir())) == 2


@there
def test_a_token_without_a_user_pin_is_finished(store: Store) -> None:
    provider = store.provider()
    with provider.library() as opened:
        (free,) = (slot for slot in opened.slots() if not slot.in_use)  # type: ignore[union-attr]
        new_token.initialise(opened, free.slot_id, "beta", SO_PIN)
    told = refusal(lambda: store.make("beta", so_pin=Secret("wrong pin")))
    assert told.startswith("Could not set the user PIN of the token 'beta'") and "CKR_PIN_INCORRECT" in told
    assert told.endswith("The token is initialised and has no user PIN; the same task finishes it.")
    done = store.make("beta")
    assert done.changed and done.before and done.before.serial == done.after.serial
    assert not store.make("beta").changed


@there
def test_a_pair_is_copied(store: Store) -> None:
    """By a key that is derived; to make RSA transport keys takes seconds, and is for the fault tests."""
    store.make("beta")
    provider = store.provider()
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(provider.library())
        tokens = {slot.label: slot for slot in opened.slots() if slot.label}  # type: ignore[union-attr]
        source, replica = (
            stack.enter_context(provider.logged_in(opened, tokens[name], True))  # type: ignore[arg-type]
            for name in ("alpha", "beta")
        )
        wish = dataclasses.replace(WISH, curve=curve_by_name("P-384"))
        pair = source.generate(wish)
        way: Way = choose_way(pair, source.transfer.able(), replica.transfer.able(), None)
        assert way.kind == "ecdh"
        offer, transport = replica.transfer.offer(way)
        answer, wraps_it = source.transfer.answer(way, offer)
        unwraps_it = replica.transfer.settle(way, transport, answer)
        wrapped = source.transfer.wrap(way, wraps_it, pair.private)
        templates = {half: copied(wish, pair, half) for half in HALVES}
        there = replica.transfer.receive(way, unwraps_it, wrapped, templates, KeyPair())
        assert (
            there.whole
            and there.spki == pair.spki
            and there.pairing == pair.pairing
            and replica.prove(wish, there).method
        )
        with pytest.raises(TokenError) as caught:
            replica.transfer.receive(way, unwraps_it, wrapped[:-8], templates, KeyPair())
        assert caught.value.msg.endswith("Nothing of it is left on the token.")
        # What has no id cannot be told from what was there before, and stays.
        nameless = {half: {**values, "id": b""} for half, values in templates.items()}
        with pytest.raises(TokenError) as caught:
            replica.transfer.receive(way, unwraps_it, wrapped[:-8], nameless, KeyPair())
        assert re.search(r"The HSM answered with the public key \d+, which may be another's\.$", caught.value.msg)
        replica.transfer.end()
        assert replica.describe()["objects"] == {"public_key": 2, "private_key": 1, "secret_key": 0}
        source.transfer.end()
        assert source.describe()["objects"] == {"public_key": 1, "private_key": 1, "secret_key": 0}
        trusted = Way("trusted", way.wraps, way.unwraps, wrapping_key="kek")
        assert replica.transfer.offer(trusted) == (b"", 0)
        told = refusal(lambda: source.transfer.answer(trusted, b""))
        assert told.endswith("none of its secret keys labelled 'kek' may wrap. Put one such AES key on each token.")
        for wraps in (True, False, False):
            values = template({**kek(wraps=wraps), "label": "kek", "value_len": 32}, SECRET)
            made_by = with_parameter(MECHANISMS["CKM_AES_KEY_GEN"])
            source._session.make("make a key", "C_GenerateKey", made_by, values)
        answer, wraps_it = source.transfer.answer(trusted, b"")
        assert not answer and source._session.read(SECRET, wraps_it).attributes["wrap"], "the one that may wrap"


@pytest.mark.parametrize(("writable", "state"), [(False, "ro_user"), (True, "rw_user")])
@there
def test_who_only_looks_opens_a_session_to_read(store: Store, writable: bool, state: str) -> None:
    with store.session(writable) as session:
        assert session.describe()["state"] == state
