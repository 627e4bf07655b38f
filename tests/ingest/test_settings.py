"""What a run's configuration says: names of many frameworks, and values that say nothing."""

from typing import Any

import pytest

from ecoaudit.ingest.training.settings import facts, notice


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model/num_parameters": 124439808}, {"params": 124439808.0}),
        ({"model/num_parameters": 0}, {}),  # partitioned by ZeRO-3: counted on no rank
        ({"block_size": "1024"}, {"sequence_length": 1024}),
        (
            {"train": {"global_batch_size": 512, "max_seq_length": 64}},
            {"global_batch_size": 512, "sequence_length": 64},
        ),
        ({"max_length": 20, "max_position_embeddings": 4096}, {}),  # of generation, and of the architecture
        ({"n_layer": 12, "n_embd": 768}, {"layers": 12, "hidden_size": 768}),
        ({"n_layer": 12}, {}),
        ({"bf16": True, "fp16": False, "torch_dtype": "float16"}, {"precision": "bf16"}),
        ({"bf16": "False", "fp16": "False", "torch_dtype": "torch.bfloat16"}, {"precision": "bf16"}),
        ({"precision": "bf16-mixed"}, {"precision": "bf16"}),
        ({"precision": "16-mixed"}, {"precision": "fp16"}),
        ({"precision": "amp_bf16"}, {"precision": "bf16"}),
        ({"precision": 32}, {"precision": "fp32"}),
        ({"mixed_precision": "no", "dtype": "float32"}, {"precision": "fp32"}),
        ({"precision": "high"}, {}),
        ({"_attn_implementation": "sdpa"}, {"attention": "sdpa"}),
        ({"flash_attn": "disabled"}, {}),
        ({"flash_attention": True}, {"attention": "flash_attention"}),
        ({"seq_len": {"value": 1024, "desc": None}, "_wandb": {"value": {"bf16": True}}}, {"sequence_length": 1024}),
        ({"model": {"seq_len": 128}, "seq_len": 2048}, {"sequence_length": 2048}),
        ({"n_params": 8e9, "peft_config": {"default": {"r": 8}}}, {}),
        ({"n_params": 8e9, "adapter": "qlora"}, {}),
        ({"n_params": 8e9, "finetuning_type": "full", "lora_enable": "False", "lora_r": 64}, {"params": 8e9}),
        ({"model_type": "chatglm", "seq_length": 32768, "cutoff_len": 1024}, {"sequence_length": 1024}),
        ({"seq_len": -1, "world_size": float("nan"), "n_params": "many"}, {}),
        ({}, {}),
    ],
)
def test_a_configuration_tells_what_its_names_say(config: dict[str, Any], told: dict[str, Any]) -> None:
    assert facts(config) == told


@pytest.mark.parametrize(
    "line",
    [
        '  "sequence_len": 4096,',
        "sequence_len: 4096",
        "sequence_len=4096,",
        "    'sequence_len': 4096,",
        "{'sequence_len': 4096,",
    ],
)
def test_a_printed_setting_is_read_in_every_notation(line: str) -> None:
    into: dict[str, Any] = {}
    notice(line, into)
    notice("sequence_len: 1", into)
    assert facts(into) == {"sequence_length": 4096}


@pytest.mark.parametrize("line", ["sequence_len: 4096 or so", "my_sequence_len: 4096", "loss: 4.0", "sequence_len"])
def test_other_lines_are_no_settings(line: str) -> None:
    into: dict[str, Any] = {}
    notice(line, into)
    assert into == {}
