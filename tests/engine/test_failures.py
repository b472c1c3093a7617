"""vLLM's errors become sentences. The texts are captured ones: vLLM 0.32 on a CPU; those of a GPU
are from its source.
"""

from __future__ import annotations

import pytest

from tokenwire.engine.failures import LINE_CHARS, Failure, sentence


PYDANTIC = (
    " [type=value_error, input_value=ArgsKwargs((), {'model': ...nderer_num_workers': 1}), "
    "input_type=ArgsKwargs]\n    For further information visit "
    "https://errors.pydantic.dev/2.14/v/value_error"
)
KV = (
    "To serve at least one request with the model's max seq len (1024), (2.5 GiB KV cache is "
    "needed, which is larger than the available KV cache memory (0.5 GiB). {}Try increasing "
    "`gpu_memory_utilization` (which also controls CPU memory on the CPU backend) or decreasing "
    "`max_model_len` when initializing the engine. See https://docs.vllm.ai/en/latest/ for more "
    "details."
)
CAUSES = [
    pytest.param(
        "ValueError",
        "Following weights were not initialized from checkpoint: {'model.norm.weight'}",
        "Its weights are incomplete: model.norm.weight is not there.",
    ),
    pytest.param(
        "ValueError",
        "Following weights were not initialized from checkpoint: {'b.weight', 'a.weight', 'c'}",
        "Its weights are incomplete: a.weight and 2 more are not there.",
    ),
    pytest.param(
        "ValueError",
        "There is no module or parameter named 'layers.7' in LlamaModel. The available parameters "
        "belonging to layers (ModuleList) are: {'layers.0.input_layernorm.weight'}",
        "It has weights that its config.json has no place for: layers.7 (LlamaModel).",
    ),
    pytest.param(
        "AssertionError",
        "Attempted to load weight (torch.Size([10])) into parameter (torch.Size([64]))",
        "A weight has the shape [10], and its config.json asks for [64].",
    ),
    pytest.param(
        "SafetensorError",
        "Error while deserializing header: incomplete metadata, file not fully covered",
        "A file of weights is broken (Error while deserializing header: incomplete metadata, file "
        "not fully covered). Fetch the model again.",
    ),
    pytest.param(
        "ValidationError",
        "1 validation error for ModelConfig\n  Value error, Model architectures ['FooForCausalLM'] "
        "are not supported for now. Supported architectures: dict_keys(['AfmoeForCausalLM'])"
        + PYDANTIC,
        "vLLM doesn't know its architecture, FooForCausalLM.",
    ),
    pytest.param(
        "ValidationError",
        "1 validation error for ModelConfig\n  Value error, Model architectures "
        "['LlavaForConditionalGeneration'] failed to be inspected. Please check the logs for more "
        "details." + PYDANTIC,
        "vLLM can't run its architecture, LlavaForConditionalGeneration, here; a package that it "
        "needs may be missing.",
    ),
    pytest.param(
        "ValidationError",
        "1 validation error for ModelConfig\n  Value error, The checkpoint you are trying to load "
        "has model type `foo` but Transformers does not recognize this architecture. This could be "
        "because of an issue with the checkpoint" + PYDANTIC,
        "Its kind of model, foo, is unknown here; it may be newer than this server.",
    ),
    pytest.param(
        "ValidationError",
        "1 validation error for ModelConfig\n  Value error, The repository /m contains custom code "
        "which must be executed to correctly load the model.\nPlease pass the argument "
        "`trust_remote_code=True` to allow custom code to be run." + PYDANTIC,
        "It brings its own code. If you trust that, set trust_remote_code = true in its "
        "`engine_args`.",
    ),
    pytest.param(
        "ValidationError",
        "1 validation error for ModelConfig\n  Value error, Unknown quantization method: "
        "bitsandbytes. Must be one of ['awq', 'auto_awq']." + PYDANTIC,
        "It is quantized with bitsandbytes, which vLLM can't read on this device.",
    ),
    pytest.param(
        "ValueError",
        "gguf quantization is currently not supported in cpu.",
        "It is quantized with gguf, which this device can't compute.",
    ),
    pytest.param(
        "ValueError",
        "The quantization method fp8 is not supported for the current GPU. Minimum capability: 75. "
        "Current capability: 70.",
        "It is quantized with fp8, which this device can't compute.",
    ),
    pytest.param(
        "RuntimeError",
        "Quantization scheme is not supported for the current GPU. Min capability: 80. Current "
        "capability: 75.",
        "It is quantized in a way that this device can't compute.",
    ),
    pytest.param(
        "ValidationError",
        "1 validation error for VllmConfig\n  Value error, Cannot find the config file for awq"
        + PYDANTIC,
        "Its `engine_args` say that it is quantized with awq, and its folder doesn't.",
    ),
    pytest.param(
        "AssertionError",
        "Not enough allowed NUMA nodes to bind threads of 2 local CPUWorkers. Allowed NUMA nodes "
        "are [0].",
        "On a CPU, 2 ranks need a NUMA node each; VLLM_CPU_OMP_THREADS_BIND in its `environment` "
        "says which cores each takes.",
    ),
    pytest.param(
        "ValueError",
        KV.format("Based on the available memory, the estimated maximum model length is 224. "),
        "Its KV cache has no room for one context of 1024 tokens (it would take 2.5 GiB, and there "
        "are 0.5): lower `max_model_len` to 224, or raise `kv_cache_bytes`.",
    ),
    pytest.param(
        "ValueError",
        KV.format(""),
        "Its KV cache has no room for one context of 1024 tokens (it would take 2.5 GiB, and there "
        "are 0.5): lower `max_model_len`, or raise `kv_cache_bytes`.",
    ),
    pytest.param(
        "ValueError",
        "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when "
        "initializing the engine.",
        "Its weights leave no memory for a KV cache: set `kv_cache_bytes`, or raise "
        "gpu_memory_utilization in `engine_args`.",
    ),
    pytest.param(
        "ValueError",
        "Available memory on node 0 (6.21/7.59 GiB) on kv cache allocation is less than requested "
        "memory for kv (4096.0 GiB). Decrease --kv-cache-memory-bytes, VLLM_CPU_KVCACHE_SPACE, or "
        "reduce CPU memory used by other processes.",
        "Its KV cache would take 4096.0 GiB, and 6.21 GiB are free: lower `kv_cache_bytes`.",
    ),
    pytest.param(
        "ValueError",
        "Available memory on node 0 (6.27/7.59 GiB) on startup is less than desired CPU memory "
        "utilization (0.999, 7.58 GiB). On the CPU backend, the `--gpu-memory-utilization` flag",
        "It would take 7.58 GiB, and 6.27 GiB are free: lower gpu_memory_utilization in "
        "`engine_args`, or unload another model.",
    ),
    pytest.param(
        "ValueError",
        "Free memory on device cuda:0 (30.1/79.2 GiB) on startup is less than desired GPU memory "
        "utilization (0.9, 71.3 GiB). Decrease GPU memory utilization or reduce GPU memory used by "
        "other processes.",
        "It would take 71.3 GiB, and 30.1 GiB are free: lower gpu_memory_utilization in "
        "`engine_args`, or unload another model.",
    ),
    pytest.param(
        "OutOfMemoryError",
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.18 GiB "
        "of which 1.25 GiB is free.",
        "The GPU's memory is full (2.00 GiB more were needed): unload another model, or lower "
        "`max_model_len` or gpu_memory_utilization in `engine_args`.",
    ),
    pytest.param(
        "AcceleratorError",
        "CUDA error: out of memory\nSearch for `cudaErrorMemoryAllocation'",
        "The GPU's memory is full: unload another model.",
    ),
    pytest.param(
        "RuntimeError",
        "[enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 4398046511104 bytes. Error code 12 (Cannot allocate memory)",
        "The machine is out of memory (4398046511104 bytes more were needed).",
    ),
    ("MemoryError", "", "The machine is out of memory."),
    pytest.param(
        "ValidationError",
        "1 validation error for ModelConfig\n  Value error, User-specified max_model_len (5000) is "
        "greater than the derived max_model_len (max_position_embeddings=1024.0 or "
        "model_max_length=None in model's config.json)." + PYDANTIC,
        "`max_model_len` is 5000, and the model's own context is 1024 tokens.",
    ),
    pytest.param(
        "TypeError",
        "AsyncEngineArgs.__init__() got an unexpected keyword argument 'foo_bar'",
        "Its `engine_args` have a setting that vLLM doesn't know: foo_bar.",
    ),
    pytest.param(
        "ValidationError",
        "1 validation error for SchedulerConfig\nmax_num_seqs\n  Input should be a valid integer, "
        "unable to parse string as an integer [type=int_parsing, input_value='many', "
        "input_type=str]\n    For further information visit https://errors.pydantic.dev/",
        "Its `engine_args` are refused: max_num_seqs is many. Input should be a valid integer, "
        "unable to parse string as an integer.",
    ),
    # What nobody has foreseen.
    pytest.param(
        "StrictDataclassClassValidationError",
        "Class validation error for validator 'validate_architecture':\n    ValueError: The hidden "
        "size (64) is not a multiple of the number of attention heads (3).",
        "The hidden size (64) is not a multiple of the number of attention heads (3).",
    ),
    ("KeyError", "'added_tokens'", "KeyError: 'added_tokens'"),
    ("ZeroDivisionError", "", "ZeroDivisionError"),
    pytest.param(
        "ValidationError",
        "1 validation error for VllmConfig\n  Value error, Something new is wrong" + PYDANTIC,
        "Something new is wrong",
    ),
    pytest.param(
        "Exception",
        "WorkerProc initialization failed due to an exception in a background process. See stack "
        "trace for root cause.",
        "WorkerProc initialization failed due to an exception in a background process.",
    ),
]


@pytest.mark.parametrize(("type_", "text", "said"), CAUSES)
def test_an_error_of_vllm_is_said_in_our_words(type_: str, text: str, said: str) -> None:
    assert sentence("m", Failure(type_, text)) == f"m could not be loaded: {said}"


def test_a_line_that_is_too_long_is_cut() -> None:
    said = sentence("m", Failure("ValueError", "so " * 1000))

    assert said.endswith("…")
    assert len(said) == len("m could not be loaded: ") + LINE_CHARS


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(
            -9,
            "The engine process was killed while it loaded m (signal 9); the machine may be out of "
            "memory.",
        ),
        (-11, "The engine process ended while it loaded m (signal 11, SIGSEGV)."),
        (1, "The engine process ended while it loaded m (status 1)."),
    ],
)
def test_a_process_that_said_nothing_is_told_by_its_end(status: int, said: str) -> None:
    text = (
        "Engine core initialization failed. See root cause above. Failed core proc(s): "
        f"{{'EngineCore': {status}}}"
    )

    assert sentence("m", Failure("RuntimeError", text)) == said
