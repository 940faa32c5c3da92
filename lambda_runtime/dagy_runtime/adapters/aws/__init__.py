"""Every port on AWS. Importing this loads no AWS library; the first call does.

What each adapter asks of IAM, all of it on the stage's own resources, none of it with a wildcard action:

| adapter        | actions                                                      | on                              |
|----------------|--------------------------------------------------------------|---------------------------------|
| registry, runs | dynamodb:GetItem BatchGetItem PutItem UpdateItem DeleteItem  | the table                       |
|                | BatchWriteItem                                               |                                 |
|                | dynamodb:Query                                               | the table, its indexes          |
|                | s3:GetObject PutObject                                       | the bucket's `state/*`          |
| keys           | dynamodb:GetItem PutItem UpdateItem                          | the table                       |
|                | dynamodb:Query                                               | its indexes                     |
| packages       | as registry                                                  | as registry                     |
| blobs          | s3:GetObject GetObjectVersion PutObject                      | the bucket's objects            |
|                | s3:DeleteObject                                              | the bucket's `packages/*`       |
|                | s3:ListBucket                                                | the bucket                      |
| dispatcher     | lambda:InvokeFunction                                        | runtime and control functions   |
| executions,    | states:StartExecution                                        | the task and the container      |
| containers     |                                                              | state machine                   |
| timers         | states:StartExecution                                        | the timer state machine         |
| schedules      | scheduler:CreateSchedule UpdateSchedule GetSchedule          | the schedules of the group      |
|                | DeleteSchedule                                               |                                 |
|                | iam:PassRole                                                 | the schedule role               |
| directory      | cognito-idp: see `cognito`                                   | the user pool                   |
| sessions       | dynamodb:BatchGetItem PutItem UpdateItem                     | the table                       |
| audit          | dynamodb:PutItem Query                                       | the table                       |
| clock, ids,    | none                                                         |                                 |
| public keys,   |                                                              |                                 |
| exchange       |                                                              |                                 |
"""

from __future__ import annotations

from collections.abc import Mapping

from dagy_runtime.adapters.aws.answers import DynamoAnswers
from dagy_runtime.adapters.aws.blobs import S3Blobs
from dagy_runtime.adapters.aws.clients import Clients
from dagy_runtime.adapters.aws.cognito import CognitoDirectory, CognitoExchange, CognitoPublicKeys, NoDirectory
from dagy_runtime.adapters.aws.delivery import LambdaDispatcher, StepFunctionsExecutions, StepFunctionsTimers
from dagy_runtime.adapters.aws.drafts import DynamoDrafts
from dagy_runtime.adapters.aws.keys import DynamoKeys
from dagy_runtime.adapters.aws.packages import DynamoPackages
from dagy_runtime.adapters.aws.packing import Packing
from dagy_runtime.adapters.aws.people import DynamoAuditLog, DynamoSessions
from dagy_runtime.adapters.aws.pool_settings import read_pool
from dagy_runtime.adapters.aws.registry import DynamoRegistry
from dagy_runtime.adapters.aws.runs import DynamoRunStore
from dagy_runtime.adapters.aws.schedules import EventBridgeSchedules, NoSchedules
from dagy_runtime.adapters.aws.settings import read_settings
from dagy_runtime.adapters.aws.system import RandomIds, SystemClock
from dagy_runtime.adapters.aws.table import Table
from dagy_runtime.ports import Ports

__all__ = ["world"]


def world(environ: Mapping[str, str]) -> Ports:
    """The world of a stage's function. Calls nothing. Raises: InvalidInput naming every variable that is missing."""
    settings = read_settings(environ)
    pool = read_pool(environ)
    clients = Clients(environ)
    table = Table(clients, settings.table)
    clock = SystemClock()
    blobs = S3Blobs(clients, settings.bucket)
    packing = Packing(blobs)
    return Ports(
        registry=DynamoRegistry(table, packing),
        runs=DynamoRunStore(table, packing),
        keys=DynamoKeys(table),
        drafts=DynamoDrafts(table),
        answers=DynamoAnswers(table),
        packages=DynamoPackages(table, packing),
        blobs=blobs,
        dispatcher=LambdaDispatcher(clients, settings.functions),
        executions=StepFunctionsExecutions(clients, settings.functions, state_machine=settings.task_state_machine),
        containers=(
            StepFunctionsExecutions(clients, settings.functions, state_machine=settings.container_state_machine)
            if settings.container_state_machine
            else None
        ),
        timers=StepFunctionsTimers(clients, settings.functions, state_machine=settings.timer_state_machine),
        schedules=EventBridgeSchedules(clients, settings.scheduler, clock) if settings.scheduler else NoSchedules(),
        clock=clock,
        ids=RandomIds(),
        public_keys=CognitoPublicKeys(pool.jwks_url if pool else ""),
        directory=CognitoDirectory(clients, pool.id) if pool else NoDirectory(),
        exchange=CognitoExchange(pool.token_url if pool else "", pool.client_id if pool else ""),
        sessions=DynamoSessions(table),
        audit=DynamoAuditLog(table, clock),
    )
