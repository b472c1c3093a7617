"""The work: one answer's life. asyncio only; no sockets, no SQL, no vLLM."""
