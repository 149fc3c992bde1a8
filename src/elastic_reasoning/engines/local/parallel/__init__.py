"""Tensor parallel: a model whose layers are shared out over several devices, each with a process of its own (a rank).

Rank 0 is this process. It has the batch and draws tokens; the others do, with their shares of the weights, what its
store is told. How layers are shared out is the plan that transformers has of a model.
"""
