"""Vacuum: files that no kept version, tag or hold needs go. Planned purely, noted before, carried out."""

from lakehouse.maintenance.vacuum.carry_out import Step, silent, vacuum
from lakehouse.maintenance.vacuum.look import Memory, VacuumTarget
from lakehouse.maintenance.vacuum.plan import Amount, Going, VacuumPlan

__all__ = ["Amount", "Going", "Memory", "Step", "VacuumPlan", "VacuumTarget", "silent", "vacuum"]
