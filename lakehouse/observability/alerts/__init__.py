"""Who hears of what is wrong: found, grouped, sent once, and said again when it is well."""

from lakehouse.observability.alerts.passing import Passed, pass_on
from lakehouse.observability.alerts.verbs import Alerts

__all__ = ["Alerts", "Passed", "pass_on"]
