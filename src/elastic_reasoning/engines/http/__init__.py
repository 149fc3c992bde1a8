"""Any server with a completions endpoint, over HTTP."""
