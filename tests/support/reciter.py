"""A checkpoint that recites: after each token of a chain it says the next, whatever came before.

A real model for the real engine, with a chat template that knows tools and a switch for thinking,
written in a second. It thinks, says something and calls a tool twice, in the format of the Hermes
and Qwen3 families.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


THOUGHT = "\nThe user asks for the weather, so I look.\n"
SPOKEN = "\n\nLet me see: naïve, 日本.\n"
CALLS = [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]
AFTER = "It is sunny in both."

END = "<|end|>"
ROLES = [f"<|{role}|>" for role in ("system", "user", "assistant", "tool")]
# The last token of a prompt, and with it the chain that follows.
THINK, DIRECT, REPORT = "<|think|>", "<|direct|>", "<|report|>"

_CALL = [
    "<tool_call>",
    '\n{"name": "get',
    '_weather", "arg',
    'uments": {"ci',
    'ty": "Par',
    'is"}}',
    "\n</tool",
    "_call>",
    # Each token says only one next one, so the second call is cut at other places.
    "\n<tool_",
    'call>\n{"name"',
    ': "get_weat',
    'her", "arguments"',
    ': {"city": "Ro',
    'me"}}\n',
    "</tool_call>",
    END,
]
_SPEECH = ["\n\nLet", " me see", ":", " naïve", ", 日", "本.\n"]
CHAINS = [
    [THINK, "<think>", "\nThe user", " asks for", " the weather", ", so I look.\n", "</think>"],
    ["</think>", *_SPEECH, *_CALL],
    [DIRECT, *_SPEECH],
    [REPORT, "It is", " sunny", " in both.", END],
]
SPECIAL = [END, *ROLES, THINK, DIRECT, REPORT]

TEMPLATE = """
{%- if tools %}<|system|>{{ tools | tojson }}{% endif %}
{%- for message in messages %}<|{{ message.role }}|>
{%- if message.reasoning_content %}<think>{{ message.reasoning_content }}</think>{% endif %}
{{- message.content }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}{% endfor %}
{%- if add_generation_prompt %}<|assistant|>
{%- if messages[-1].role == "tool" %}<think>

</think><|report|>
{%- elif enable_thinking is defined and not enable_thinking %}<think>

</think><|direct|>
{%- else %}<|think|>{% endif %}{% endif %}
""".strip()


# Told not to think, it says a token that is no text, and that again.
MUTE = [*CHAINS[:2], [DIRECT, DIRECT], CHAINS[3]]


def make_reciter(
    folder: Path, *, context: int = 2048, chains: Sequence[Sequence[str]] = CHAINS
) -> Path:
    """Write it to `folder`. `chains` are made of the tokens of `CHAINS`."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    size = 512
    assert len(tokenizer) <= size
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=size,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=8,
        num_key_value_heads=1,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        bos_token_id=None,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        model.model.norm.weight.fill_(1)
        for chain in chains:
            for now, then in pairwise(map(tokenizer.convert_tokens_to_ids, chain)):
                model.lm_head.weight[then, now] = 1
    model.save_pretrained(folder)
    (folder / "generation_config.json").write_text(
        json.dumps({"eos_token_id": config.eos_token_id})
    )
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and every piece of every chain."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bare.decoder = decoders.ByteLevel()
    pieces = dict.fromkeys(piece for chain in CHAINS for piece in chain)
    bare.add_special_tokens([AddedToken(text, special=True) for text in SPECIAL])
    bare.add_tokens(
        [
            AddedToken(text, special=False, normalized=False)
            for text in pieces
            if text not in SPECIAL
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bare,
        eos_token=END,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
