"""What a container of the stage begins with: it fetches the runtime that the stage's functions run, and runs one task.

This text is the command of the task definitions, so a plain Python image will do, and no image is built. The image is
Lambda's own, which has boto3 where Lambda has it. It imports nothing of Dagy until that is here.
"""

import os
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.append(os.environ.get("LAMBDA_RUNTIME_DIR", "/var/runtime"))

import boto3

with tempfile.TemporaryDirectory(prefix="dagy-container-") as home:
    os.environ["TMPDIR"] = tempfile.tempdir = home
    code, archive = Path(home, "runtime"), Path(home, "runtime.zip")
    boto3.client("s3").download_file(os.environ["DAGY_CODE_BUCKET"], os.environ["DAGY_CODE_KEY"], str(archive))
    zipfile.ZipFile(archive).extractall(code)
    archive.unlink()
    sys.path.insert(0, str(code))
    from dagy_runtime.entrypoints.container import main

    sys.exit(main())
