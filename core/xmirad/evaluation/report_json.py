"""The report as JSON, for programs.

The document is the dataclasses of `xmirad.evaluation.report`, field by field, plus `schema`; that of a comparison those
of `xmirad.evaluation.comparison.findings`. An estimate is an object
of `value`, `low` and `high` (95 % percentile bootstrap over queries). Figures are keyed by the names of
`xmirad.evaluation.figures`, all shares from 0 to 1, and those of maps by the names of
`xmirad.evaluation.saliency_report`. What is not known is null. A change that breaks readers gets a new schema number;
new fields do not.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from xmirad.errors import InvalidRequestError
from xmirad.evaluation.comparison.findings import Comparison
from xmirad.evaluation.report import EvaluationReport

SCHEMA = "xmirad.evaluation/1"
COMPARISON_SCHEMA = "xmirad.comparison/1"


def to_json(report: EvaluationReport) -> str:
    """Return the report as a JSON document, indented, with a line end."""
    return _document(SCHEMA, report)


def comparison_to_json(comparison: Comparison) -> str:
    """Return a comparison as a JSON document, indented, with a line end."""
    return _document(COMPARISON_SCHEMA, comparison)


def from_json(text: str) -> EvaluationReport:
    """Read a report back. Fields that this version does not know are left out; later fields may be missing.

    Raises:
        InvalidRequestError: If the text is no report of this schema.
    """
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise InvalidRequestError(f"the document is no report of the schema {SCHEMA}", field="schema")
        report: EvaluationReport = _read(EvaluationReport, document)
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidRequestError(f"the document is no complete report: {error!r}", field="report") from error
    return report


def _document(schema: str, value: EvaluationReport | Comparison) -> str:
    document = {"schema": schema, **dataclasses.asdict(value)}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _read(kind: Any, value: Any) -> Any:  # noqa: ANN401 - any of the report's types
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = dataclasses.fields(kind)
        names = [each.name for each in fields if each.name in value or each.default is dataclasses.MISSING]
        return typing.cast("Any", kind)(**{name: _read(hints[name], value[name]) for name in names})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else _read(arguments[0], value)
    if origin is tuple:
        return tuple(_read(arguments[0], each) for each in value)
    if origin is Mapping:
        return {key: _read(arguments[1], each) for key, each in value.items()}
    if issubclass(kind, StrEnum | float):
        return kind(value)
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value
