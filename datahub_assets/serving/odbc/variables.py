"""The settings of a connection, as SET, SHOW and the start-up message know them.

Most of PostgreSQL's settings mean nothing here: those that tools set are taken and told back, others do not exist. Some have
an effect (``statement_timeout``, ``TimeZone``, ``datahub.known_at``); some have one value only, and another is refused, because
answers would not be what was asked for.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from datahub_assets.serving.odbc.text import is_zone
from datahub_assets.serving.refusals import NotAllowed, NotSupported, NotThen, Refused

SERVER_VERSION = "15.0"
KNOWN_AT = "datahub.known_at"
REPORTED = (
    "server_version", "server_encoding", "client_encoding", "application_name", "is_superuser", "session_authorization",
    "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings",
    "default_transaction_read_only", "in_hot_standby",
)  # fmt: skip
"""What clients are told when it changes, as PostgreSQL spells it."""
_FIXED = {
    "server_version": SERVER_VERSION, "server_version_num": "150000", "server_encoding": "UTF8", "is_superuser": "off",
    "integer_datetimes": "on", "in_hot_standby": "off", "max_identifier_length": "63", "lc_collate": "C.UTF-8",
    "lc_ctype": "C.UTF-8", "block_size": "8192", "max_index_keys": "32", "transaction_read_only": "on", "ssl": "on",
    "wal_level": "replica", "max_connections": "200", "data_checksums": "off", "session_authorization": "",
}  # fmt: skip
_TAKEN = {
    "application_name": "", "search_path": '"$user", public', "transaction_isolation": "repeatable read",
    "default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on",
    "default_transaction_deferrable": "off", "transaction_deferrable": "off", "extra_float_digits": "1",
    "client_min_messages": "notice", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0", "synchronous_commit": "on", "row_security": "on", "default_tablespace": "",
    "default_table_access_method": "heap", "xmloption": "content", "backslash_quote": "safe_encoding",
    "check_function_bodies": "on", "work_mem": "4MB", "jit": "off", "geqo": "on", "array_nulls": "on",
    "lc_messages": "C.UTF-8", "lc_monetary": "C.UTF-8", "lc_numeric": "C.UTF-8", "lc_time": "C.UTF-8",
    "max_parallel_workers_per_gather": "0", "enable_seqscan": "on", "enable_mergejoin": "on", "enable_hashjoin": "on",
    "enable_nestloop": "on", "cursor_tuple_fraction": "0.1", "quote_all_identifiers": "off", "tcp_keepalives_idle": "0",
    "plan_cache_mode": "auto", "default_statistics_target": "100", "transform_null_equals": "off", "bytea_output": "hex",
    "intervalstyle": "postgres", "standard_conforming_strings": "on", "client_encoding": "UTF8", "datestyle": "ISO, MDY",
    "timezone": "UTC", "statement_timeout": "0", "escape_string_warning": "on", "maintenance_work_mem": "64MB",
    "ssl_renegotiation_limit": "0",
}  # fmt: skip
_SPELLED = {name.lower(): name for name in REPORTED}
_ENCODINGS = {"utf8", "unicode", "sqlascii", "auto"}
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "": 1e-3}


class NoSuchSetting(Refused):
    """No setting of that name."""

    sqlstate = "42704"


class WrongSetting(Refused):
    """A value that a setting cannot have."""

    sqlstate = "22023"


def _date_style(value: str) -> str:
    parts = {part.strip().lower() for part in value.split(",")}
    orders = {"mdy": "MDY", "dmy": "DMY", "ymd": "YMD", "us": "MDY", "european": "DMY", "noneuropean": "MDY"}
    if strange := parts - {"iso", *orders}:
        raise NotSupported("Form of dates", where="DateStyle", got=", ".join(sorted(strange)), expected="ISO")
    return "ISO, " + next((orders[part] for part in parts if part in orders), "MDY")


def _encoding(value: str) -> str:
    if re.sub(r"[^a-z0-9]", "", value.lower()) not in _ENCODINGS:
        raise NotSupported(
            "Encoding of texts", where="client_encoding", got=value, expected="UTF8",
            remedy="Use a driver that speaks Unicode, such as 'PostgreSQL Unicode'",
        )  # fmt: skip
    return "UTF8"


def _zone(value: str) -> str:
    if value.lower() in {"utc", "gmt", "z", "etc/utc", "0"}:
        return "UTC"
    if not is_zone(value):
        raise WrongSetting("Unknown time zone", got=value, expected="a name such as Europe/Paris")
    return value


def _only(*allowed: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value.lower() not in allowed:
            raise NotSupported("Value of a setting", got=value, expected=allowed[0])
        return allowed[0]

    return check


def seconds(value: str) -> float:
    """A time limit in seconds; 0: none.

    >>> seconds("1500"), seconds("2min"), seconds("0.5 s")
    (1.5, 120.0, 0.5)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|)\s*", value)
    if found is None:
        raise WrongSetting("Not a time", got=value, expected="milliseconds, or a number with us, ms, s, min, h or d")
    return float(found[1]) * _UNITS[found[2]]


def _timeout(value: str) -> str:
    seconds(value)
    return value.strip()


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "datestyle": _date_style, "client_encoding": _encoding, "timezone": _zone, "statement_timeout": _timeout,
    "bytea_output": _only("hex"), "intervalstyle": _only("postgres"),
    "standard_conforming_strings": _only("on", "true", "1", "yes"),
}  # fmt: skip


def spelled(name: str) -> str:
    """A setting's name as PostgreSQL writes it."""
    return _SPELLED.get(name.lower(), name)


@dataclass
class Variables:
    """The values, by name in lower case. ``defaults``: those of the start-up message, which RESET gives back."""

    defaults: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    """Names whose value may have changed since ``take_changed``."""

    def begin(self, name: str, value: str) -> None:
        """A value that comes with the connection, and is the default from now on."""
        self.defaults[name.lower()] = self._checked(name.lower(), value)

    def get(self, name: str) -> str:
        """The value of a setting.

        Raises:
            NoSuchSetting: there is none of that name.
        """
        name = name.lower()
        for values in (self.values, self.defaults, _FIXED, _TAKEN):
            if name in values:
                return values[name]
        raise NoSuchSetting("No such setting", got=name)

    def set(self, name: str, value: str | None) -> None:
        """The setting has the value; None: its default.

        Raises:
            NoSuchSetting, WrongSetting, NotAllowed, NotSupported: it cannot.
        """
        name = name.lower()
        if value is None:
            self.get(name) if "." not in name else None
            self.values.pop(name, None)
        else:
            self.values[name] = self._checked(name, value)
        self.changed.add(name)

    def reset(self) -> None:
        """All settings have their defaults."""
        self.changed |= self.values.keys()
        self.values.clear()

    def restore(self, values: Mapping[str, str]) -> None:
        """All settings are as they were."""
        self.changed |= {name for name in {*self.values, *values} if self.values.get(name) != values.get(name)}
        self.values = dict(values)

    def take_changed(self) -> AbstractSet[str]:
        """Names that may have changed, told once."""
        found, self.changed = self.changed, set()
        return found

    def reported(self, names: AbstractSet[str] | None = None) -> Iterator[tuple[str, str]]:
        """The settings that clients are told of: all, or those named."""
        for name in REPORTED:
            if names is None or name.lower() in names:
                yield name, self.get(name)

    def all(self) -> Iterator[tuple[str, str]]:
        """All settings, by name."""
        known = {**_TAKEN, **_FIXED, **self.defaults, **self.values}
        yield from sorted((spelled(name), value) for name, value in known.items())

    def _checked(self, name: str, value: str) -> str:
        if name in _FIXED:
            if name == "transaction_read_only" and value.lower() in {"on", "true", "1", "yes"}:
                return "on"
            raise NotAllowed("Setting cannot be changed", got=name)
        if name not in _TAKEN and "." not in name:
            raise NoSuchSetting("No such setting", got=name)
        if name.startswith("datahub.") and name != KNOWN_AT:
            raise NotAllowed("Setting cannot be changed", got=name)
        return _CHECKS.get(name, str)(value)


def options(text: str) -> Iterator[tuple[str, str]]:
    r"""The settings in the start-up message's ``options``: ``-c name=value``, ``--name=value``; ``\`` takes a space.

    >>> list(options(r"-c datahub.known_at=2024-01-31\ 12:00 --work-mem=4MB -cjit=off"))
    [('datahub.known_at', '2024-01-31 12:00'), ('work_mem', '4MB'), ('jit', 'off')]
    """
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", text)]
    waiting = iter(words)
    for word in waiting:
        setting = next(waiting, "") if word == "-c" else word.removeprefix("-c").removeprefix("--")
        name, equals, value = setting.partition("=")
        if not word.startswith("-") or not equals:
            raise WrongSetting("Not an option", got=word, expected="-c name=value")
        yield name.replace("-", "_"), value


def known_at(value: str) -> str | None:
    """What ``datahub.known_at`` means: a known time, or None for the newest."""
    if "\0" in value:
        raise NotThen("Not a known time", got=repr(value))
    return value.strip() or None
