"""The language: pure values of the protocol. No I/O, no asyncio, no clock."""
