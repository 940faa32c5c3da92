"""What is different, in words: one flow's plan against another, one deployment's settings against what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from dagy.core.spec import FlowSpec, TaskSpec

_SHOWN_AS = {
    "retry_delay_seconds": "retry delay",
    "timeout_seconds": "timeout",
    "concurrency_limit": "concurrency limit",
    "default_executor": "executor",
}
_UNSEEN = frozenset({"name", "description", "import_path"})  # they change nothing about how a task runs


def short(code_hash: str | None) -> str:
    return code_hash[:7] if code_hash else "unknown"


def flow_changes(old: FlowSpec, new: FlowSpec) -> list[str]:
    """How the plan changed: tasks that came, went or behave otherwise, calls, parameters."""
    found: list[str] = []
    found += [f"+1 task ({name})" for name in new.tasks if name not in old.tasks]
    found += [f"-1 task ({name})" for name in old.tasks if name not in new.tasks]
    for name, task in new.tasks.items():
        if name in old.tasks:
            found += _task_changes(old.tasks[name], task)
    if len(old.task_runs) != len(new.task_runs):
        found.append(f"task runs {len(old.task_runs)} → {len(new.task_runs)}")
    elif old.edges != new.edges:
        found.append("other edges")
    found += _parameter_changes(old.parameters, new.parameters)
    return found


def settings_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How the settings in `new` differ from those in `old`."""
    return [f"{key} {_shown(old.get(key))} → {_shown(value)}" for key, value in new.items() if old.get(key) != value]


def _task_changes(old: TaskSpec, new: TaskSpec) -> list[str]:
    return [
        f"{_SHOWN_AS.get(f.name, f.name)} {new.name} {_shown(before)} → {_shown(after)}"
        for f in fields(TaskSpec)
        if f.name not in _UNSEEN and (before := getattr(old, f.name)) != (after := getattr(new, f.name))
    ]


def _parameter_changes(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    before, after = ({p.get("name"): p for p in parameters} for parameters in (old, new))
    found = [f"+1 parameter ({name})" for name in after if name not in before]
    found += [f"-1 parameter ({name})" for name in before if name not in after]
    for name, parameter in after.items():
        if name not in before:
            continue
        for key in ("type", "default", "required"):
            if before[name].get(key) != parameter.get(key):
                found.append(f"{key} of {name} {_shown(before[name].get(key))} → {_shown(parameter.get(key))}")
    return found


def _shown(value: Any) -> str:
    if value is None or value == {}:
        return "none"
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in value.items())
    return str(value)
