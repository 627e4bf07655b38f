"""Where in the repository a verdict has its cause: the line of the budget that was exceeded."""

from collections.abc import Sequence

import yaml

from ecoaudit.judge.verdict import BudgetCheck, Outcome, Verdict
from ecoaudit.publish.effects import Annotation


def budget_annotations(verdict: Verdict, config_path: str, config_text: bytes) -> tuple[Annotation, ...]:
    """Return an annotation at the line of each budget in the file that warns or fails."""
    lines = _budget_lines(config_text)
    annotations = []
    for check in verdict.checks:
        if check.outcome not in {Outcome.WARN, Outcome.FAIL}:
            continue
        line = _line_of(check, lines)
        if line is not None:
            annotations.append(
                Annotation(
                    path=config_path,
                    start_line=line,
                    end_line=line,
                    level="failure" if check.outcome == Outcome.FAIL else "warning",
                    title=f"Budget: {check.metric}",
                    message=check.message,
                )
            )
    return tuple(annotations)


def _line_of(check: BudgetCheck, lines: Sequence[tuple[dict[str, str], int]]) -> int | None:
    key = "max" if check.kind == "absolute" else "max_increase_percent"
    for budget, line in lines:
        try:
            if budget.get("metric") == check.metric and float(budget.get(key, "nan")) == check.limit:
                return line
        except ValueError:
            continue
    return None


def _budget_lines(text: bytes) -> list[tuple[dict[str, str], int]]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError):
        return []
    if not isinstance(root, yaml.MappingNode):
        return []
    found = []
    for key, value in root.value:
        if key.value != "budgets" or not isinstance(value, yaml.SequenceNode):
            continue
        for item in value.value:
            if isinstance(item, yaml.MappingNode):
                pairs = {k.value: v.value for k, v in item.value if isinstance(v, yaml.ScalarNode)}
                found.append((pairs, item.start_mark.line + 1))
    return found
