"""The SGLang plug-in: exact separate budgets in one pass, on a server that allows logit processors.

SGLang finds `plugin.register` by itself where this package is installed, and keeps budgets where it was started with
`--enable-custom-logit-processor`. A request asks for one beside its prompt:

    {"input_ids": ..., "sampling_params": {"max_new_tokens": 1024,
        "custom_params": {"elastic": {"thinking_budget": 512, "solution_budget": 256}}}}
"""
