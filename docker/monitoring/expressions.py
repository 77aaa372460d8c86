# SPDX-License-Identifier: Apache-2.0
"""Every PromQL expression of the rules and of the dashboard, as Prometheus can evaluate it."""

import json
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent

# What Grafana puts in for its variables when everything is selected.
GRAFANA_VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$model": ".*", "$version": ".*"}

SELECTOR = re.compile(
    r"(?<![\w:.\"])(?:lipserve_\w+|process_\w+|up|[a-z_]+:lipserve_\w+:\w+)(?![\w:(])"
    r"(?:\{[^}]*\})?(?:\[\w+\])?(?:\s+offset\s+\w+)?")


def of_dashboard():
    """Yields (where, expression) of each panel's queries."""
    dashboard = json.loads((HERE / "grafana/dashboards/lipserve.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in GRAFANA_VARIABLES.items():
                expression = expression.replace(variable, value)
            if "$" in expression:
                raise ValueError(f"panel '{panel['title']}': unknown variable in {expression}")
            yield f"panel '{panel['title']}'", expression


def of_rules(groups):
    """Yields (kind, name, expression) of each rule; groups are what /api/v1/rules answers."""
    for group in groups:
        for rule in group["rules"]:
            yield rule["type"], rule["name"], rule["query"]


def selectors(expression):
    """The series that an expression reads. An alert is silent when all is well, so that its
    expression has no value; what it reads must be there all the same."""
    for match in SELECTOR.finditer(expression):
        yield re.sub(r"\[\w+\]", "", match.group(0))
