"""How the lake is seen from outside: control charts, incidents, alerts, metrics, lineage."""
