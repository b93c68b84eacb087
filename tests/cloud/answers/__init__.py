"""Canned answers: AWS APIs answered from a generated account, paged and checked as AWS does.

`ANSWERS` maps (botocore's service name, operation name) to a function of a `Call` that returns
the response as boto3 would show it, or raises `AwsError`. Every file of this folder adds its own.
What has no answer here is moto's.
"""

import importlib
import pkgutil

from tests.cloud.answers.core import ANSWERS, Answer, AwsError, Call, page

__all__ = ["ANSWERS", "Answer", "AwsError", "Call", "page"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
