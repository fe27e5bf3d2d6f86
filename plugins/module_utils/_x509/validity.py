# Copyright (c) 2026, The cryptoki.hsm authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments and durations as they are written: absolute, or relative to now; what is wrong raises `ValueError`."""

from __future__ import annotations

import datetime
import re
import typing as t

_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:\d+[wdhms])+")
# With the length of each: `strptime` takes single digits, too, and 59 would be a minute of 5 and a second of 9.
_FORMS = (
    ("%Y%m%d%H%M%SZ", 15),
    ("%Y%m%d%H%MZ", 13),
    ("%Y-%m-%d", 10),
    ("%Y-%m-%dT%H:%M:%SZ", 20),
    ("%Y-%m-%d %H:%M:%S", 19),
    ("%Y-%m-%dT%H:%M:%S", 19),  # the last two are what YAML makes of such times without quotes
    ("%Y-%m-%dT%H:%M:%S+00:00", 25),
)
FIRST_YEAR = 1950  # of a UTCTime (RFC 5280, section 4.1.2.5.1)


class Moment(t.NamedTuple):
    """A point in time, and whether it was said as one."""

    at: datetime.datetime
    absolute: bool

    def differs(self, found: datetime.datetime) -> bool:
        """Whether a date is another one than was said."""
        return self.absolute and self.at != found


def duration(text: str) -> datetime.timedelta:
    """Weeks, days, hours, minutes and seconds, as 30d or 1w12h."""
    if not _DURATION.fullmatch(text.removeprefix("+")):
        raise ValueError("give a duration as 30d, 12h or 1w2d3h4m5s")
    parts = re.findall(r"(\d+)([wdhms])", text)
    try:
        return datetime.timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))
    except OverflowError:
        raise ValueError("no calendar reaches that far") from None


def moment(text: str, now: datetime.datetime) -> Moment:
    """A time in UTC, or one relative to now as +90d or -1h."""
    found = _moment(text, now)
    if found.at.year < FIRST_YEAR:
        raise ValueError(f"certificates know no time before {FIRST_YEAR}")
    return found


def _moment(text: str, now: datetime.datetime) -> Moment:
    if text[:1] in ("+", "-"):
        shift = duration(text[1:])
        try:
            return Moment(now + shift if text[0] == "+" else now - shift, False)
        except OverflowError:
            raise ValueError("no calendar reaches that far") from None
    for form in (form for form, length in _FORMS if length == len(text)):
        try:
            return Moment(datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc), True)
        except ValueError:
            continue
    raise ValueError("give a time in UTC as 20301231235959Z or 2030-12-31, or one relative to now as +90d")


def shown(moment_: datetime.datetime) -> str:
    """A time as it is returned."""
    return moment_.strftime("%Y-%m-%dT%H:%M:%SZ")
