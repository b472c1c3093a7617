"""What an engine is asked for: how a CPU computes, by what it can do and by what fits."""

from __future__ import annotations

import pytest

from tokenwire.engine.arguments import cpu_dtype
from tokenwire.engine.models import ModelInfo


@pytest.mark.parametrize(
    ("flags", "size_bytes", "dtype"),
    [
        ("flags : fpu avx512f avx512_bf16 amx_tile", 1 << 20, "bfloat16"),
        ("Features : fp asimd i8mm bf16 sme", 1 << 20, "bfloat16"),
        ("flags : fpu avx512f avx512_vnni", 1 << 20, "float32"),
        ("flags : fpu avx512f avx512_vnni", None, "float32"),
        ("", 1 << 20, "float32"),
        # Twice as large in memory, it would not fit.
        ("flags : fpu avx512f avx512_vnni", 1 << 50, "bfloat16"),
    ],
)
def test_a_cpu_without_bfloat16_computes_in_float32_where_that_fits(
    flags: str, size_bytes: int | None, dtype: str
) -> None:
    assert cpu_dtype(ModelInfo(id="m", path="nowhere", size_bytes=size_bytes), flags) == dtype
