"""Whether a stage can, and the caller may, carry out what a deploy plans: nothing is uploaded that would be refused
afterwards.
"""

from __future__ import annotations

from dagy.client import models as m
from dagy.core.errors import Forbidden
from dagy.core.offer import Offer
from dagy.core.platforms import Platform
from dagy.core.sizes import Executor, Isolation, Size
from dagy.deploy.candidate import Candidate
from dagy.deploy.plan import Plan, Upload


def offer_of(answer: m.StageResponse) -> Offer:
    """Words that this Dagy does not know are left out: it cannot ask for them either."""
    return Offer(
        answer.stage,
        sizes=tuple(size for size in Size if size.value in answer.sizes),
        isolations=tuple(isolation for isolation in Isolation if isolation.value in answer.isolations),
        executors=tuple(executor for executor in Executor if executor.value in answer.executors),
        has_packages=answer.has_packages,
        platform=_platform(answer.platform),
        max_artifact_bytes=answer.max_artifact_bytes,
        has_run_limits=answer.has_run_limits,
    )


def _platform(given: m.PlatformModel | None) -> Platform | None:
    return Platform(given.system, given.architecture, given.python_version) if given else None


def check_role(caller: m.WhoamiResponse) -> None:
    """Raises: Forbidden. Roles that this Dagy does not know are left to the API."""
    if caller.role in ("viewer", "none"):
        raise Forbidden(
            f"'{caller.name}' has the role {caller.role} on stage {caller.stage}; deploying takes developer",
            f"Ask an admin for it: dagy users set-role {caller.name} developer"
            if caller.kind == "user"
            else "Ask an admin for a key: dagy keys create --name NAME --role developer",
        )


def check_offer(offer: Offer, candidate: Candidate, plan: Plan) -> None:
    """Raises: InvalidInput or InvalidFlow for the first thing that the stage does not have."""
    settings = plan.settings
    # What stands there may hold words of a newer Dagy; the API knows them.
    if (size := settings["execution_mode"]) in Size._value2member_map_:
        offer.check_size(Size(size))
    if (isolation := settings["isolation"]) in Isolation._value2member_map_:
        executor = settings["default_executor"]
        known = Executor(executor) if executor in Executor._value2member_map_ else None
        offer.check_settings(Isolation(isolation), known, packages=settings["packages"])
        offer.check_tasks(candidate.spec, Isolation(isolation))
    offer.check_run_limit(settings["max_concurrent_runs"])
    offer.check_spec(candidate.spec)
    if any(isinstance(step, Upload) for step in plan.steps):
        offer.check_artifact(candidate.size_bytes)
