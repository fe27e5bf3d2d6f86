# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The errors of this collection: one family, turned into `fail_json` in one place (`_tasks/edge.py`)."""

from __future__ import annotations

import typing as t

# What begins a line of its own in a message, where several pairs are listed.
ROW = "\n- "


def one_line(text: str) -> str:
    """`text` in one line, whatever a label on the token holds."""
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


class HsmError(Exception):
    """Something that the user must know without a secret, and what else the failure returns.

    It is one line, and one more for each `ROW`.

    `final`: the same must not be tried again in this run, because a login failed, or it would come to the same.
    `lost`: the session is gone, and what was attempted may be done.
    """

    final = lost = False

    def __init__(self, msg: str, **data: t.Any) -> None:
        self.msg = ROW.join(map(one_line, msg.split(ROW)))
        super().__init__(self.msg)
        self.data = data

    @staticmethod
    def refused(what: str, why: str, remedy: str = "", **data: t.Any) -> HsmError:
        """What was asked for is not attempted: `what` completes 'Refused to …', `remedy` is a sentence or several."""
        return HsmError(" ".join(filter(None, (f"Refused to {what}: {why}.", remedy))), **data)

    @staticmethod
    def failed(what: str, why: str, remedy: str = "", **data: t.Any) -> HsmError:
        """What was attempted did not come to be: `what` completes 'Could not …'."""
        return HsmError(" ".join(filter(None, (f"Could not {what}: {why}.", remedy))), **data)

    def __str__(self) -> str:
        return self.msg

    def __reduce__(self) -> tuple[t.Any, ...]:
        return _restored, (type(self), self.__dict__)


def _restored(kind: type[HsmError], values: dict[str, t.Any]) -> HsmError:
    """An error that came from another process, whatever its constructor takes."""
    error = kind.__new__(kind, values["msg"])
    error.__dict__.update(values)
    return error


class InputError(HsmError):
    """Refused before any login: names the option, the value (never a secret one) and the rule."""

    final = True

    def __init__(self, option: str, rule: str, value: t.Any = None) -> None:
        shown = "" if value is None else f" {value!r}"
        super().__init__(f"{option}{shown} is refused: {rule}.")
        self.option = option

    def within(self, option: str) -> InputError:
        """The same refusal of what is a part of `option`."""
        return self.renamed(f"{option}.")

    def renamed(self, prefix: str) -> InputError:
        """The same refusal of an option whose name begins with `prefix`."""
        told = InputError(f"{prefix}{self.option}", "")
        told.msg = f"{prefix}{self.msg}"
        return told


class TokenError(HsmError):
    """The HSM answered an attempt with an error.

    `attempt` completes the sentence 'Could not …', for instance `find the private keys labelled 'root' on token
    'demo'`; `ckr` is the name of the return value, or None where the library gave none (then `said` is its text).
    `remains` names what is left on the token.
    """

    def __init__(
        self, attempt: str, ckr: str | None = None, *, said: str = "", hint: str | None = None, remains: str = ""
    ) -> None:
        # Most tasks meet no error, and need no table of what each means.
        from ansible_collections.cryptoki.hsm.plugins.module_utils._standard import return_values

        advice = return_values.ckr_hint(ckr or "") if hint is None else hint
        told = f"the HSM answered {ckr or said or 'no reason'}{advice and f'; {advice}'}."
        answer = {"ckr": ckr} if ckr else {"provider_error": said.strip("'")} if said else {}
        super().__init__(" ".join(filter(None, (f"Could not {attempt}: {told}", remains))), **answer)
        self.attempt = attempt
        self.ckr = ckr
        self.said = said
        self.hint = advice
        self.remains = remains

    def at(self, attempt: str, remains: str = "") -> TokenError:
        """The same answer of the HSM, told as the end of a larger attempt; what remained then still does."""
        told = " ".join(filter(None, (self.remains, remains)))
        error = TokenError(attempt, self.ckr, said=self.said, hint=self.hint, remains=told)
        error.final, error.lost = self.final, self.lost
        return error
