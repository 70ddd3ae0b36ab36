"""Events as openlineage-python makes them, and their way to a file or URL. The only place that knows it.

Imported when the first event is sent: the library takes a third of a second, and is an extra.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    dataset_version_dataset,
    datasource_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    ownership_dataset,
    schema_dataset,
    storage_dataset,
)
from openlineage.client.serde import Serde
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

from lakehouse.observability.lineage.story import THREAD, RunStory, TableStory

PRODUCER: Final = f"urn:lakehouse:{version('lakehouse')}"
_RUN_FACET: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"
_DATASET_FACET: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetFacet"
_NO_PATH: Final = "api/v1/lineage"


def _not_ours(record: logging.LogRecord) -> bool:
    return record.threadName != THREAD


def document_of(story: RunStory) -> str:
    """An event as JSON, on one line.

    Args:
        story: What it tells.
    """
    written: str = Serde.to_json(_event(story))
    return written


def post(document: str, *, url: str, api_key: str | None, timeout: float) -> None:
    """Sends an event once.

    Args:
        document: The event.
        url: Where to; one without a path gets OpenLineage's own.
        api_key: Sent as a bearer token.
        timeout: In seconds, for each answer of the network.

    Raises:
        Exception: Whatever the library raises; its text can have the address in it.
    """
    auth = ApiKeyTokenProvider({"api_key": api_key}) if api_key else TokenProvider({})
    _keep_addresses_out_of_logs()
    config = HttpConfig(
        url=url,
        endpoint="" if urlsplit(url).path.strip("/") else _NO_PATH,
        timeout=timeout,
        auth=auth,
        retry={"total": 0},
    )
    transport = HttpTransport(config)
    try:
        transport.emit(orjson.loads(document))
    finally:
        transport.close()


def _event(story: RunStory) -> RunEvent:
    inputs, outputs = [], []
    for table in story.tables:
        if table.version is None:
            inputs.append(InputDataset(table.namespace, table.path, facets=_facets(table)))
        else:
            outputs.append(
                OutputDataset(
                    table.namespace, table.path, facets=_facets(table), outputFacets=_output_facets(table)
                )
            )
    return RunEvent(
        eventType=RunState[story.event],
        eventTime=_iso(story.at),
        run=Run(story.run, facets=_run_facets(story)),
        job=Job(
            story.namespace,
            story.job,
            facets={
                "jobType": job_type_job.JobTypeJobFacet(
                    processingType="BATCH",
                    integration="LAKEHOUSE",
                    jobType=story.kind.upper(),
                    producer=PRODUCER,
                )
            },
        ),
        inputs=inputs,
        outputs=outputs,
        producer=PRODUCER,
    )


def _run_facets(story: RunStory) -> dict[str, Any]:
    facets: dict[str, Any] = {
        "nominalTime": nominal_time_run.NominalTimeRunFacet(_iso(story.nominal), producer=PRODUCER),
        "lakehouse": _own(_RUN_FACET, **story.own),
    }
    if story.error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=story.error, programmingLanguage="python", producer=PRODUCER
        )
    if story.retention:
        facets["lakehouse_retention"] = _own(_RUN_FACET, counts=dict(story.retention))
    if story.erasure:
        facets["lakehouse_erasure"] = _own(_RUN_FACET, **story.erasure)
    return facets


def _facets(table: TableStory) -> dict[str, Any]:
    facets: dict[str, Any] = {
        "dataSource": datasource_dataset.DatasourceDatasetFacet(
            name=table.namespace, uri=table.uri, producer=PRODUCER
        ),
        "storage": storage_dataset.StorageDatasetFacet("delta", "parquet", producer=PRODUCER),
    }
    if table.columns:
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in table.columns],
            producer=PRODUCER,
        )
    if table.owner:
        owner = ownership_dataset.Owner(table.owner, "OWNER")
        facets["ownership"] = ownership_dataset.OwnershipDatasetFacet([owner], producer=PRODUCER)
    if table.version is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(
            str(table.version), producer=PRODUCER
        )
    if table.rules:
        facets["lakehouse_retention"] = _own(_DATASET_FACET, rules=[dict(each) for each in table.rules])
    return facets


def _output_facets(table: TableStory) -> dict[str, Any]:
    if table.files is None:
        return {}
    return {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=table.rows, size=table.bytes, fileCount=table.files, producer=PRODUCER
        )
    }


def _own(schema: str, **fields: Any) -> dict[str, Any]:
    """A facet of our own; it has no more of a schema than that it is one."""
    return {"_producer": PRODUCER, "_schemaURL": schema, **fields}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _keep_addresses_out_of_logs() -> None:
    """What these libraries say of addresses can hold keys and tokens. Done again it changes nothing."""
    logging.getLogger("openlineage").setLevel(logging.CRITICAL)
    logging.getLogger("urllib3.connectionpool").addFilter(_not_ours)
