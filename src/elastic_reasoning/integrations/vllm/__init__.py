"""The vLLM plug-in: exact separate budgets in one pass, for `vllm serve` and for `LLM(...)`.

vLLM finds `processor.BudgetProcessor` by itself where this package is installed. A request asks for a budget beside its
prompt:

    SamplingParams(max_tokens=1024, extra_args={"thinking_budget": 512, "solution_budget": 256})
    {"prompt": ..., "max_tokens": 1024, "vllm_xargs": {"thinking_budget": 512, "solution_budget": 256}}
"""
