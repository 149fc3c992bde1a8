"""llama.cpp's server, until it is ended: python llama_cpp.py MODEL.gguf PORT"""

import argparse
import signal

import xllamacpp

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("port", type=int)
parser.add_argument("--slots", type=int, default=8)
parser.add_argument("--context", type=int, default=512, help="tokens of each slot")
parser.add_argument("--special", action="store_true", help="show special tokens in text")
arguments = parser.parse_args()

settings = xllamacpp.CommonParams()
settings.model.path = arguments.model
settings.hostnames = ["127.0.0.1"]
settings.port = arguments.port
settings.n_parallel = arguments.slots
settings.n_ctx = arguments.slots * arguments.context
settings.n_gpu_layers = 0
settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
settings.special = arguments.special
settings.cache_type_k = settings.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
settings.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
settings.warmup = False
server = xllamacpp.Server(settings)
signal.pause()
