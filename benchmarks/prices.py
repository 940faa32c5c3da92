"""What AWS charges in us-east-1, in dollars, on demand and beyond the free tier, as known in November 2026.

Published at aws.amazon.com/dynamodb/pricing/on-demand, /lambda/pricing, /s3/pricing, /step-functions/pricing.
"""

from __future__ import annotations

from typing import Final

WRITE_UNIT: Final = 0.625e-6  # DynamoDB, standard table class, since 1 November 2024
READ_UNIT: Final = 0.125e-6
INVOCATION: Final = 0.20e-6  # Lambda, x86
GIB_SECOND: Final = 0.0000166667
S3_PUT: Final = 5.0e-6  # also LIST
S3_GET: Final = 0.4e-6
STATE_TRANSITION: Final = 25.0e-6  # Step Functions, standard workflows
SQS_REQUEST: Final = 0.40e-6
