"""The entry script of a model under azureml-inference-server-http."""

import json

import record
from azureml.contrib.services.aml_request import rawhttp
from azureml.contrib.services.aml_response import AMLResponse


def init():
    pass


@rawhttp
def run(request):
    case = request.environ.get("HTTP_X_CASE")
    record.call(case, request.method, request.path, record.variables(request.environ), "score")
    rows = record.body(case, request.get_data(False), request.headers.get("content-type", ""))
    return AMLResponse(json.dumps({"rows": rows}), 200)
