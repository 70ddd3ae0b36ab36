"""Incidents: points are taken of jobs and tables, judged by their charts, and what is out of control is kept.

`taking` measures, `watch` keeps points and judges them, `around` tells what changed, `status` is what an
incident is now (pure), `observer` does all of it after runs, `sampling` without any, `verbs` are for users,
`feed` and `happenings` for alerts. Nothing is imported here: metrics and alerts are told of incidents by a
daemon that has to stay small.
"""
