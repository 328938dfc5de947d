"""Many callers at once with OpenAI's SDK: reads an address, a token and their number as a line of JSON from standard
input, prints a line, waits for another one, and prints how many calls passed in the end."""

import json
import sys
import threading

from openai import OpenAI, OpenAIError

job = json.loads(sys.stdin.readline())
barrier, passed = threading.Barrier(job["callers"] + 1), []


def call():
    client = OpenAI(base_url=job["base"], api_key=job["token"])
    # Makes what the first call would load.
    client.chat.completions
    barrier.wait()
    try:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "a"}])
        passed.append(1)
    except OpenAIError:
        pass


threads = [threading.Thread(target=call) for _ in range(job["callers"])]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
barrier.wait()
for thread in threads:
    thread.join()
print(len(passed))
