"""Calls a model through real SDKs: `clients.py`, with the calls as JSON on standard input.

For each call one line of JSON is printed: the tokens that the user of the SDK sees in `usage`, or null.
"""

import importlib.metadata
import json
import sys

PROMPT = [{"role": "user", "content": "a question"}]


def openai(call):
    from openai import OpenAI

    headers = {"x-case": call["case"]}
    return OpenAI(base_url=f"{call['base']}/v1", api_key=call["token"], default_headers=headers, max_retries=0, timeout=240)


def stream_options(call):
    if not call["stream"]:
        return {}
    usage = {"stream_options": {"include_usage": True}} if call["asks"] else {}
    return {"stream": True, **usage}


def last_usage(parts):
    """The tokens of the only part that has them."""
    found = [part.usage.total_tokens for part in parts if part.usage]
    return found[-1] if found else None


def chat(call):
    answer = openai(call).chat.completions.create(model="tiny", messages=PROMPT, max_tokens=8, **stream_options(call))
    return last_usage(answer) if call["stream"] else answer.usage.total_tokens


def completions(call):
    answer = openai(call).completions.create(model="tiny", prompt="a question", max_tokens=8, **stream_options(call))
    return last_usage(answer) if call["stream"] else answer.usage.total_tokens


def responses(call):
    client = openai(call)
    if not call["stream"]:
        return client.responses.create(model="tiny", input="a question", max_output_tokens=8).usage.total_tokens
    with client.responses.create(model="tiny", input="a question", max_output_tokens=8, stream=True) as events:
        found = [event.response.usage.total_tokens for event in events if event.type == "response.completed"]
    return found[-1]


def messages(call):
    from anthropic import Anthropic

    headers = {"x-case": call["case"]}
    client = Anthropic(
        base_url=call["base"], auth_token=call["token"], default_headers=headers, max_retries=0, timeout=240
    )
    request = {"model": "tiny", "messages": PROMPT, "max_tokens": 8}
    if call["stream"]:
        with client.messages.stream(**request) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(**request)
    seen = answer.usage
    # `input_tokens` lacks what was written to the cache or read from it.
    cached = (seen.cache_creation_input_tokens or 0) + (seen.cache_read_input_tokens or 0)
    return seen.input_tokens + cached + seen.output_tokens


def gemini(call):
    from google import genai

    options = {"base_url": call["base"], "headers": {"x-case": call["case"]}}
    client = genai.Client(api_key=call["token"], http_options=options)
    if not call["stream"]:
        return client.models.generate_content(model="tiny", contents="a question").usage_metadata.total_token_count
    parts = client.models.generate_content_stream(model="tiny", contents="a question")
    return [part.usage_metadata.total_token_count for part in parts][-1]


PACKAGES = {"messages": "anthropic", "gemini": "google-genai"}
for call in json.load(sys.stdin):
    version = importlib.metadata.version(PACKAGES.get(call["api"], "openai"))
    line = {"case": call["case"], "version": version, "seen": None, "error": None}
    try:
        line["seen"] = globals()[call["api"]](call)
    except Exception as error:
        line["error"] = f"{type(error).__name__}: {error}"
    print(json.dumps(line), flush=True)
