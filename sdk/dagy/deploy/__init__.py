"""Deploying: bring a flow to a stage, and a deployment that runs it."""

from dagy.deploy.candidate import Candidate, from_artifact, from_flow, from_zip, load
from dagy.deploy.carry_out import Report, StepDone
from dagy.deploy.deploying import DeployResult, deploy_candidate
from dagy.deploy.destination import S3Store, Store
from dagy.deploy.from_python import deploy_artifact, deploy_flow, run_flow
from dagy.deploy.options import DeployOptions, ScheduleChange, check, schedule_change

__all__ = [
    "deploy_artifact",
    "deploy_candidate",
    "deploy_flow",
    "run_flow",
    "Candidate",
    "DeployOptions",
    "DeployResult",
    "Report",
    "S3Store",
    "ScheduleChange",
    "StepDone",
    "Store",
    "check",
    "from_artifact",
    "from_flow",
    "from_zip",
    "load",
    "schedule_change",
]
