"""A host for the module (proxy-wasm ABI 0.2.1, as in src/shell/fake_host.rs) that counts the instructions of each request."""

import os
import struct

import wasmtime

OK, NOT_FOUND, CAS_MISMATCH = 0, 1, 8
REQUEST, RESPONSE = 0, 2  # kinds of header maps
REQUEST_BODY, CONFIGURATION = 0, 7  # kinds of buffers
ROOT = 1
NOW = 1_800_000_000  # seconds: the tokens are of this time

# Parameters of each import after the module's own signature: `i` is a number, `b` a text (two parameters), `o` an
# address for a result, and `v` a pair of addresses for a text as result.
IMPORTS = {
    "proxy_get_current_time_nanoseconds": "o",
    "proxy_log": "ib",
    "proxy_get_buffer_bytes": "iiiv",
    "proxy_set_buffer_bytes": "iiib",
    "proxy_get_header_map_pairs": "iv",
    "proxy_remove_header_map_value": "ib",
    "proxy_replace_header_map_value": "ibb",
    "proxy_add_header_map_value": "ibb",
    "proxy_get_property": "bv",
    "proxy_set_property": "bb",
    "proxy_get_shared_data": "bvo",
    "proxy_set_shared_data": "bbi",
    "proxy_send_local_response": "ibbbi",
    "proxy_call_foreign_function": "bbv",
    "proxy_define_metric": "ibo",
    "proxy_increment_metric": "ii",
    "proxy_record_metric": "ii",
    "proxy_set_tick_period_milliseconds": "i",
    "proxy_set_effective_context": "i",
    "proxy_continue_stream": "i",
}


class Refused(Exception):
    """The module has refused its configuration."""


def serialised(pairs):
    """A header map as the ABI has it: the number of pairs, their sizes, their texts with a NUL after each."""
    sizes = b"".join(struct.pack("<II", len(name), len(value)) for name, value in pairs)
    return struct.pack("<I", len(pairs)) + sizes + b"".join(n + b"\0" + v + b"\0" for n, v in pairs)


def fields(message):
    """The fields of a protobuf message of texts alone."""
    found, at = {}, 0
    while at < len(message):
        number, at, length, shift = message[at] >> 3, at + 1, 0, 0
        while True:
            byte, at = message[at], at + 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found[number], at = message[at : at + length], at + length
    return found


class Host:
    """A module with a configuration."""

    def __init__(self, engine, module, configuration):
        self.store = wasmtime.Store(engine)
        self.store.set_fuel(1 << 62)
        self.configuration, self.request, self.reply = configuration, [], None
        self.shared, self.log, self.metrics, self.good, self.streams, self.body = {}, [], 0, {}, ROOT, b""
        self.now = NOW * 10**9
        linker = wasmtime.Linker(engine)
        for wanted in module.imports:
            linker.define_func(wanted.module, wanted.name, wanted.type, self.function(wanted), access_caller=True)
        self.instance = linker.instantiate(self.store, module)
        self.memory = self.instance.exports(self.store)["memory"]
        self.call("_initialize")
        self.call("proxy_on_context_create", ROOT, 0)
        if not self.call("proxy_on_configure", ROOT, len(configuration)):
            raise Refused("\n".join(self.log))

    def call(self, name, *arguments):
        return self.instance.exports(self.store)[name](self.store, *arguments)

    def send(self, headers, body=b""):
        """Sends a request and an empty response through the callbacks, and returns the instructions they took."""
        self.streams += 1
        self.now += 10**6
        self.request, self.reply, self.body, stream = list(headers), None, body, self.streams
        before = self.store.get_fuel()
        self.call("proxy_on_context_create", stream, ROOT)
        self.call("proxy_on_request_headers", stream, len(headers), not body)
        if body:
            self.call("proxy_on_request_body", stream, len(body), 1)
        if self.reply is None:
            self.call("proxy_on_response_headers", stream, 2, 0)
            self.call("proxy_on_response_body", stream, 0, 1)
        self.call("proxy_on_delete", stream)
        return before - self.store.get_fuel()

    def function(self, wanted):
        """The import as Wasmtime calls it."""
        if wanted.module != "env":
            return getattr(self, wanted.name)
        if wanted.name not in IMPORTS:
            return lambda caller, *_: NOT_FOUND
        form, answer = IMPORTS[wanted.name], getattr(self, wanted.name)

        def call(caller, *given):
            given, arguments, results = iter(given), [], []
            for kind in form:
                first = next(given)
                if kind == "b":
                    arguments.append(self.read(caller, first, next(given)))
                elif kind == "v":
                    results.append((first, next(given)))
                elif kind == "o":
                    results.append(first)
                else:
                    arguments.append(first)
            status, *values = answer(*arguments)
            for place, value in zip(results, values):
                if isinstance(place, tuple):
                    data, size = place
                    at = self.instance.exports(caller)["proxy_on_memory_allocate"](caller, len(value))
                    self.memory.write(caller, value, at)
                    self.write(caller, data, "<I", at)
                    self.write(caller, size, "<I", len(value))
                else:
                    self.write(caller, place, *value)
            return status

        return call

    def read(self, caller, at, size):
        return bytes(self.memory.read(caller, at, at + size)) if size else b""

    def write(self, caller, at, form, value):
        self.memory.write(caller, struct.pack(form, value), at)

    def proxy_get_current_time_nanoseconds(self):
        return OK, ("<Q", self.now)

    def proxy_log(self, _, text):
        self.log.append(text.decode())
        return (OK,)

    def proxy_get_buffer_bytes(self, kind, start, length):
        whole = {CONFIGURATION: self.configuration, REQUEST_BODY: self.body}.get(kind)
        return (NOT_FOUND,) if whole is None else (OK, whole[start : start + length])

    def proxy_get_header_map_pairs(self, kind):
        return OK, serialised(self.request if kind == REQUEST else [(b":status", b"200")])

    def proxy_get_property(self, path):
        value = {b"plugin_name": b"tollgate", b"source\0address": b"192.0.2.1:1234"}.get(path)
        return (NOT_FOUND,) if value is None else (OK, value)

    def proxy_get_shared_data(self, key):
        if key not in self.shared:
            return (NOT_FOUND,)
        value, cas = self.shared[key]
        return OK, value, ("<I", cas)

    def proxy_set_shared_data(self, key, value, cas):
        _, current = self.shared.get(key, (None, 0))
        if current and cas not in (0, current):
            return (CAS_MISMATCH,)
        self.shared[key] = value, current + 1
        return (OK,)

    def proxy_send_local_response(self, status, details, body, headers, grpc):
        self.reply = status
        return (OK,)

    def proxy_define_metric(self, kind, name):
        self.metrics += 1
        return OK, ("<I", self.metrics)

    def proxy_call_foreign_function(self, name, message):
        """`verify_signature`. Every signature is good, but for those by which the module tests its host: of each key,
        the first one of a text is good there (src/verify/self_test.rs)."""
        given = fields(message)
        text, key = given[4], given[2]
        if text == b"another text":
            good = False
        elif text in (bytes(20), b"123400"):
            good = self.good.setdefault(key, given[3]) == given[3]
        else:
            good = True
        return OK, b"\x08\x01" if good else b"\x12\x03bad"

    def ignored(self, *_):
        return (OK,)

    proxy_set_buffer_bytes = proxy_remove_header_map_value = proxy_replace_header_map_value = ignored
    proxy_add_header_map_value = proxy_set_property = proxy_increment_metric = proxy_record_metric = ignored
    proxy_set_tick_period_milliseconds = proxy_set_effective_context = proxy_continue_stream = ignored

    def random_get(self, caller, at, size):
        self.memory.write(caller, bytes((i * 37 + 11) % 256 for i in range(size)), at)
        return 0

    def environ_sizes_get(self, caller, count, size):
        self.write(caller, count, "<I", 0)
        self.write(caller, size, "<I", 0)
        return 0

    def environ_get(self, *_):
        return 0

    def fd_write(self, caller, descriptor, vectors, count, written):
        """A panic of the module."""
        for at in range(vectors, vectors + 8 * count, 8):
            os.write(2, self.read(caller, *struct.unpack("<II", self.read(caller, at, 8))))
        return 0

    def proc_exit(self, caller, status):
        raise SystemExit(f"the module has ended with status {status}")
