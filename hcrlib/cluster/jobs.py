"""The messages between client and workers: jobs, and the outcomes of attempts at them."""

import dataclasses

from hcrlib.records import RunConfig

DONE, FAILED, FAULT, LACKING, OTHER_CODE = "done", "failed", "fault", "lacking", "other code"
"""Kinds of Outcome: a record; a record of a failure; no result through no fault of the job; two kinds of refusal."""
OUT, LOG = "notebook.ipynb", "log.txt"  # in a run's folder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """The fields that all jobs share.

    Attributes:
        code: code_sha256() of the client.
        inputs: the Inputs it reads.
        limit_s, limit_bytes: limits on time and memory; None for no limit.
        topic: of the Dask events that report progress.
        at_once: how many jobs the cluster runs at once, for the record.
    """

    code: str
    inputs: tuple = ()
    limit_s: float | None = None
    limit_bytes: int | None = None
    topic: str = ""
    at_once: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunJob(Job):
    """A run. config: RunConfig.to_dict(); notebook: the name of the notebook that makes it; source: its text."""

    config: dict
    notebook: str
    source: str

    @property
    def id(self):
        """The id of the run, which names the folder of its attempts."""
        return RunConfig.from_dict(self.config).id


@dataclasses.dataclass(frozen=True, kw_only=True)
class CallJob(Job):
    """A call of `module:function`; arguments and result are JSON values.

    id: names its folder, and so the checkpoints it resumes from. prepare: name of the classifier whose libraries it needs.
    """

    id: str
    function: str
    given: dict
    prepare: str


@dataclasses.dataclass
class Outcome:
    """The end of an attempt.

    Attributes:
        kind: DONE, FAILED, FAULT, LACKING or OTHER_CODE.
        reason: one line, "" if all went well.
        seconds: duration.
        packed: a tar of the run's folder, record last; of a CallJob, the returned value as JSON.
        lacking: the Inputs that this worker lacks.
        worker: its address.
    """

    kind: str
    reason: str = ""
    seconds: float = 0.0
    packed: bytes = b""
    lacking: tuple = ()
    worker: str = ""
