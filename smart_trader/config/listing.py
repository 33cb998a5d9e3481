"""Every setting with its value and where that comes from; the value of a secret is in no list."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource

from smart_trader.config.documented import ENVIRONMENT_ONLY, SECTIONS, allowed, documented_vars, variable_names
from smart_trader.config.paths import PROJECT_FILE, project_root
from smart_trader.config.variables import ProjectVariables, read_variables
from smart_trader.errors import SettingsError, closest

PIPELINE = "The pipeline"
ENVIRONMENT = "The environment alone"
DEFAULT, FROM_ENVIRONMENT, FROM_FILE, FROM_VAR = "default", "environment", ".env", "--var"
SET, NOT_SET = "set", "not set"
_USER_INFO = re.compile(r"(?<=//)[^/@\s]*@")
_NAMED_PASSWORD = re.compile(r"((?:password|secret|token|key)=)[^&;\s]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        section: What it belongs to.
        name: What sets it: a var's name, or an environment variable's.
        value: Its value; of a secret only whether it is set.
        origin: Where that comes from: default, dbt_project.yml, .env, environment or --var.
        unit: What it is counted in; empty where it has no unit.
        allowed: What it may be, where that is known.
        meaning: What it decides.
    """

    section: str
    name: str
    value: Any
    origin: str
    unit: str
    allowed: str
    meaning: str

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def all_settings(overrides: Mapping[str, Any] | None = None) -> list[Setting]:
    """Return every setting, in the order of docs/settings.md.

    Args:
        overrides: Values of this command alone, by the vars' names.

    Raises:
        SettingsError: A var is unknown, missing or out of range; names each.
    """
    return [*_of_pipeline(overrides or {}), *_of_machine(), *_of_environment()]


def find_setting(name: str, known: list[Setting]) -> Setting:
    """Return one setting by its name, in capitals or not.

    Raises:
        SettingsError: There is none of that name.
    """
    by_name = {setting.name.casefold(): setting for setting in known}
    if name.casefold() in by_name:
        return by_name[name.casefold()]
    near = closest(name, [setting.name for setting in known])
    hint = f"did you mean {near}? " if near else ""
    raise SettingsError(f"no setting {name[:100]!r}", f"{hint}all of them: smart-trader config")


def _of_pipeline(overrides: Mapping[str, Any]) -> Iterator[Setting]:
    values = read_variables(ProjectVariables, overrides).model_dump()
    schema = ProjectVariables.model_json_schema()["properties"]
    for group in documented_vars((project_root() / PROJECT_FILE).read_text()):
        for name in group.defaults:
            origin = FROM_VAR if name in overrides else PROJECT_FILE
            unit, words = _unit(schema[name]), allowed(schema[name]).replace("`", "")
            yield Setting(PIPELINE, name, values[name], origin, unit, words, group.comment)


def _unit(schema: Mapping[str, Any]) -> str:
    """Return the unit of a setting by its JSON schema, which has one for each form that the value may take."""
    forms = [schema, *schema.get("anyOf", ()), schema.get("additionalProperties") or {}]
    return next((str(form["unit"]) for form in forms if "unit" in form), "")


def _of_machine() -> Iterator[Setting]:
    for section, settings in SECTIONS:
        for name, info in settings.model_fields.items():
            variables = variable_names(settings, name, info)
            value, origin = _read_variable(settings, variables)
            if _is_secret(info):
                value = SET if value is not None else NOT_SET
            elif value is None and not info.is_required():
                value = info.default
            extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            yield Setting(section, variables[0], value, origin, str(extra.get("unit", "")), "", info.description or "")


def _of_environment() -> Iterator[Setting]:
    for name, default, meaning in ENVIRONMENT_ONLY:
        value = _without_passwords(os.environ.get(name, "")) or None
        origin = DEFAULT if value is None else FROM_ENVIRONMENT
        shown = value or default.replace("`", "") or None
        yield Setting(ENVIRONMENT, name, shown, origin, "", "", meaning.replace("`", ""))


def _read_variable(settings: type[BaseSettings], names: Sequence[str]) -> tuple[str | None, str]:
    """Return the value of the first variable that is set, read as the settings read it, and where it is set."""
    sources = (
        (FROM_ENVIRONMENT, EnvSettingsSource(settings)),
        (FROM_FILE, DotEnvSettingsSource(settings, env_file=project_root() / ".env")),
    )
    for origin, source in sources:
        for name in names:
            if value := source.env_vars.get(name.lower()):
                return _without_passwords(value), origin
    return None, DEFAULT


def _is_secret(info: FieldInfo) -> bool:
    # it stands inside Optional and Annotated, however deep
    return SecretStr.__name__ in str(info.annotation)


def _without_passwords(text: str) -> str:
    """Return an address without the password that somebody may have written into it."""
    return _NAMED_PASSWORD.sub(r"\1***", _USER_INFO.sub("***@", text))
