"""Messages to prompts: chat templates, in a process of their own, and what a prompt says of thinking and tools."""
