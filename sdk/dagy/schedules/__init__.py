"""When a deployment runs by itself: what may be written for a schedule, and which instants it means.

The rules are EventBridge Scheduler's, because on AWS it is the one that fires: local times that a change of the
clocks skips do not happen, those it repeats happen once, the first time. A laptop, the API and the stage
therefore agree about every single fire.
"""

from dagy.schedules.schedule import AtSchedule, CronSchedule, RateSchedule, Schedule, parse_schedule
from dagy.schedules.zones import DEFAULT_TIMEZONE, checked_timezone

__all__ = [
    "parse_schedule",
    "Schedule",
    "CronSchedule",
    "RateSchedule",
    "AtSchedule",
    "checked_timezone",
    "DEFAULT_TIMEZONE",
]
