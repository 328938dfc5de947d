"""Calls a refusing server with one real SDK: `clients.py NAME`, with the cases as JSON on standard input.

Each case has a port, a path prefix, an authority and a token. One line of JSON is printed for each: what the user of
the SDK sees, and how long the call took.
"""

import asyncio
import http.client
import importlib.metadata
import json
import sys
import time


def base(case):
    return f"http://127.0.0.1:{case['port']}{case['path']}"


def spend(case):
    """Takes what the caller's bucket holds, outside the SDK."""
    connection = http.client.HTTPConnection("127.0.0.1", case["port"])
    headers = {"authorization": f"Bearer {case['token']}", "host": case["authority"]}
    connection.request("GET", f"{case['path']}/spent", headers=headers)
    connection.getresponse().read()
    connection.close()


def openai(case):
    from openai import OpenAI

    # Without a key it sends nothing at all.
    none = {"default_headers": {"Authorization": "none"}} if not case["token"] else {}
    client = OpenAI(base_url=base(case), api_key=case["token"] or "none", **none)
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "a"}])


def anthropic(case):
    from anthropic import Anthropic, Omit

    none = {"default_headers": {"authorization": Omit()}} if not case["token"] else {}
    client = Anthropic(base_url=base(case), api_key=case["token"] or None, **none)
    client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "a"}])


def google_genai(case):
    from google import genai

    # It takes no empty key.
    client = genai.Client(api_key=case["token"] or " ", http_options={"base_url": base(case)})
    client.models.generate_content(model="m", contents="a")


def azure_ai_inference(case):
    from azure.ai.inference import ChatCompletionsClient
    from azure.core.credentials import AzureKeyCredential
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class Without(SansIOHTTPPolicy):
        def on_request(self, request):
            del request.http_request.headers["api-key"]

    none = {"authentication_policy": Without()} if not case["token"] else {}
    client = ChatCompletionsClient(base(case), AzureKeyCredential(case["token"] or "none"), **none)
    client.complete(messages=[{"role": "user", "content": "a"}])


def azure_core(case):
    from azure.core import PipelineClient
    from azure.core.credentials import AccessToken
    from azure.core.exceptions import HttpResponseError
    from azure.core.pipeline import policies
    from azure.core.rest import HttpRequest

    class Credential:
        def get_token(self, *_scopes, **_options):
            return AccessToken(case["token"], int(time.time()) + 3600)

    request = HttpRequest("POST", f"{base(case)}/score", json={"data": [1]})
    token, options = [], {}
    if case["token"]:
        token = [policies.BearerTokenCredentialPolicy(Credential(), "api://scoring/.default")]
        # Otherwise it sends no token to http.
        options = {"enforce_https": False}
    client = PipelineClient(base(case), policies=[policies.RetryPolicy(), *token])
    response = client.send_request(request, **options)
    response.raise_for_status()


def litellm(case):
    import os

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    # Of `openai/m` the part before the slash names the shape.
    none = {"extra_headers": {"Authorization": "none"}} if not case["token"] else {}
    litellm.completion(
        "openai/m", [{"role": "user", "content": "a"}], base_url=base(case), api_key=case["token"] or "none", **none
    )


def mlflow(case):
    import os

    from mlflow import MlflowClient

    os.environ["MLFLOW_TRACKING_TOKEN"] = case["token"]
    # By default it retries 7 times, over more than 4 minutes.
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
    MlflowClient(base(case)).create_experiment("a")


def kserve_http(case):
    from kserve import InferenceRESTClient, RESTConfig

    async def run():
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        body = {"inputs": [{"name": "x", "shape": [1], "datatype": "INT32", "data": [1]}]}
        await client.infer(base(case), body, model_name="m", headers=bearer(case))

    asyncio.run(run())


def kserve_grpc(case):
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    async def run():
        options = [("grpc.default_authority", case["authority"])]
        client = InferenceGRPCClient(f"127.0.0.1:{case['port']}", channel_args=options)
        request = InferRequest(model_name="m", infer_inputs=[InferInput("x", [1], "INT32", [1])])
        await client.infer(request, headers=list(bearer(case).items()))

    asyncio.run(run())


def tritonclient_http(case):
    import numpy
    import tritonclient.http as triton

    client = triton.InferenceServerClient(f"127.0.0.1:{case['port']}{case['path']}")
    value = triton.InferInput("x", [1], "INT32")
    value.set_data_from_numpy(numpy.array([1], dtype=numpy.int32), binary_data=False)
    client.infer("m", [value], headers=bearer(case))


def tritonclient_grpc(case):
    import tritonclient.grpc as triton

    options = [("grpc.default_authority", case["authority"])]
    client = triton.InferenceServerClient(f"127.0.0.1:{case['port']}", channel_args=options)
    client.infer("m", [triton.InferInput("x", [1], "INT32")], headers=bearer(case))


def grpcio(case):
    import grpc

    # A policy for retries as grpc.io documents it: without one, gRPC does not retry what a server refuses.
    policy = {"maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
              "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}
    service = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})
    options = [("grpc.default_authority", case["authority"]), ("grpc.service_config", service)]
    with grpc.insecure_channel(f"127.0.0.1:{case['port']}", options=options) as channel:
        call = channel.unary_unary("/test.Scoring/Score")
        call(b"", metadata=tuple(bearer(case).items()))


def mcp(case):
    from mcp import Client
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

    async def run():
        async with create_mcp_http_client(headers=bearer(case)) as http_client:
            async with Client(streamable_http_client(f"{base(case)}/mcp", http_client=http_client)) as client:
                await client.list_tools()

    asyncio.run(run())


def bearer(case):
    return {"authorization": f"Bearer {case['token']}"} if case["token"] else {}


def leaves(error):
    """The errors of a group, which Python prints one below the other."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


PACKAGES = {
    "kserve_grpc": "kserve",
    "kserve_http": "kserve",
    "mlflow": "mlflow-skinny",
    "tritonclient_grpc": "tritonclient",
    "tritonclient_http": "tritonclient",
}


def main():
    name = sys.argv[1]
    call = globals()[name]
    version = importlib.metadata.version(PACKAGES.get(name, name.replace("_", "-")))
    for case in json.load(sys.stdin):
        if case["spends"]:
            spend(case)
        began = time.monotonic()
        shown, text = "", ""
        try:
            call(case)
        except Exception as error:
            last = leaves(error)[-1]
            shown, text = type(last).__name__, str(last)
        seconds = round(time.monotonic() - began, 2)
        line = {"version": version, "case": case["case"], "class": shown, "text": text, "seconds": seconds}
        print(json.dumps(line), flush=True)


main()
