"""llama.cpp's own server with a language model of half a megabyte: `serve.py FOLDER PORT`.

The model is written here, with random weights: it answers nonsense, but as every model it reads and writes tokens, and
the server counts them. Its tokens are the 256 bytes.
"""

import pathlib
import sys
import threading

import gguf
import numpy
import xllamacpp

WIDTH, HEADS, LAYERS, INNER = 64, 4, 2, 128
NAMED = ["<unk>", "<s>", "</s>"]


def write(path):
    tokens = NAMED + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template("{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}")
    random = numpy.random.default_rng(1)

    def tensor(name, *shape):
        writer.add_tensor(f"{name}.weight", random.normal(0, 0.3, shape).astype(numpy.float32))

    def norm(name):
        writer.add_tensor(f"{name}.weight", numpy.ones(WIDTH, numpy.float32))

    tensor("token_embd", len(tokens), WIDTH)
    tensor("output", len(tokens), WIDTH)
    norm("output_norm")
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"{block}.{part}", WIDTH, WIDTH)
        tensor(f"{block}.ffn_gate", INNER, WIDTH)
        tensor(f"{block}.ffn_up", INNER, WIDTH)
        tensor(f"{block}.ffn_down", WIDTH, INNER)
        norm(f"{block}.attn_norm")
        norm(f"{block}.ffn_norm")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


path = str(pathlib.Path(sys.argv[1]) / "tiny.gguf")
write(path)
parameters = xllamacpp.CommonParams()
parameters.model.path = path
parameters.n_ctx = 4096
parameters.n_parallel = 2
parameters.cpuparams.n_threads = 1
parameters.warmup = False
parameters.port = int(sys.argv[2])
server = xllamacpp.Server(parameters)
threading.Event().wait()
