"""The settings that TRL 1.16 knows, by method, and what their values may be: so that a slip is found before training starts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from character.errors import InputError
from character.training.methods import MethodName

_SHARED = {
    "bool": """
        activation_checkpointing auto_find_batch_size average_tokens_across_devices batch_eval_metrics bf16
        bf16_full_eval dataloader_drop_last dataloader_in_order dataloader_persistent_workers
        dataloader_pin_memory dataset_streaming ddp_broadcast_buffers ddp_find_unused_parameters
        ddp_static_graph disable_tqdm do_eval do_predict do_train enable_jit_checkpoint
        eval_do_concat_batches eval_on_start eval_use_gather_object fp16 fp16_full_eval full_determinism
        gradient_checkpointing greater_is_better hub_always_push hub_private_repo ignore_bias_buffers
        ignore_data_skip load_best_model_at_end load_in_4bit load_in_8bit log_on_each_node
        logging_first_step logging_nan_inf_filter prediction_loss_only push_to_hub remove_unused_columns
        restore_callback_states_from_checkpoint save_on_each_node save_only_model skip_memory_metrics
        streaming tf32 torch_compile trust_remote_code use_bnb_nested_quant use_cache use_cpu use_dora
        use_liger_kernel use_peft use_rslora
    """,
    "int": """
        data_seed dataloader_num_workers dataloader_prefetch_factor ddp_bucket_cap_mb ddp_timeout
        eval_accumulation_steps gradient_accumulation_steps local_rank lora_alpha lora_r max_steps
        per_device_eval_batch_size per_device_train_batch_size save_total_limit seed torch_empty_cache_steps
    """,
    "float": """
        adam_beta1 adam_beta2 adam_epsilon eval_delay eval_steps label_smoothing_factor learning_rate
        logging_steps lora_dropout max_grad_norm neftune_noise_alpha num_train_epochs save_steps
        test_split_size warmup_steps weight_decay
    """,
    "str": """
        attn_implementation bnb_4bit_quant_storage bnb_4bit_quant_type dataloader_multiprocessing_context
        dataset_config dataset_name dataset_test_split dataset_train_split ddp_backend dtype fsdp
        hub_model_id hub_revision hub_token length_column_name log_level log_level_replica lora_task_type
        metric_for_best_model model_name_or_path model_revision optim_args output_dir project
        resume_from_checkpoint run_name torch_compile_backend torch_compile_mode trackio_bucket_id
        trackio_space_id train_sampling_strategy
    """,
    "list": """
        datasets include_for_metrics label_names lora_modules_to_save lora_target_modules
        lora_target_parameters
    """,
    "any": """
        accelerator_config activation_checkpointing_kwargs debug deepspeed eval_strategy fsdp_config
        gradient_checkpointing_kwargs hub_strategy include_num_input_tokens_seen liger_kernel_config
        logging_strategy lr_scheduler_kwargs lr_scheduler_type model_init_kwargs optim optim_target_modules
        pad_to_multiple_of parallelism_config report_to save_strategy trackio_static_space_id
    """,
}
_OWN: dict[str, dict[str, str]] = {
    "dpo": {
        "bool": """
            activation_offloading disable_dropout padding_free precompute_ref_log_probs sync_ref_model
            use_weighting
        """,
        "int": """
            dataset_num_proc max_length precompute_ref_batch_size ref_model_sync_steps
        """,
        "float": """
            beta discopop_tau f_alpha_divergence_coef label_smoothing ld_alpha ref_model_mixup_alpha
            router_aux_loss_coef
        """,
        "str": """
            f_divergence_type pad_token truncation_mode
        """,
        "list": """
            loss_type loss_weights
        """,
    },
    "reward": {
        "bool": """
            activation_offloading disable_dropout
        """,
        "int": """
            dataset_num_proc max_length
        """,
        "float": """
            center_rewards_coefficient
        """,
        "str": """
            chat_template_path eos_token pad_token
        """,
    },
    "grpo": {
        "bool": """
            cast_lm_head_to_fp32 disable_dropout ds3_gather_for_generation log_completions log_multimodal
            log_unique_prompts mask_truncated_completions shuffle_dataset sync_ref_model use_adaptive_entropy
            use_bias_correction_kl use_transformers_continuous_batching use_transformers_paged use_vllm
            vllm_enable_sleep_mode vllm_importance_sampling_correction
        """,
        "int": """
            generation_batch_size max_completion_length max_tool_calling_iterations num_completions_to_print
            num_generations num_generations_eval num_iterations ref_model_sync_steps steps_per_generation top_k
            vllm_group_port vllm_max_model_length vllm_server_port vllm_tensor_parallel_size
        """,
        "float": """
            beta delta entropy_coef entropy_coef_delta entropy_coef_max entropy_coef_min entropy_target epsilon
            epsilon_high min_p off_policy_mask_threshold ref_model_mixup_alpha repetition_penalty
            router_aux_loss_coef sapo_temperature_neg sapo_temperature_pos temperature top_entropy_quantile
            top_p vespo_k_neg vespo_k_pos vespo_lambda_neg vespo_lambda_pos vllm_gpu_memory_utilization
            vllm_importance_sampling_cap vllm_importance_sampling_clip_max vllm_importance_sampling_clip_min
            vllm_server_timeout
        """,
        "str": """
            cache_implementation importance_sampling_level log_completions_hub_repo loss_type
            multi_objective_aggregation reward_model_name_or_path scale_rewards vllm_importance_sampling_mode
            vllm_mode vllm_model_impl vllm_server_base_url vllm_server_host vllm_structured_outputs_regex
        """,
        "list": """
            reward_funcs reward_weights
        """,
        "any": """
            chat_template_kwargs generation_kwargs transformers_continuous_batching_config
        """,
    },
    "sft": {
        "bool": """
            activation_offloading assistant_only_loss completion_only_loss eval_packing packing padding_free
            shuffle_dataset
        """,
        "int": """
            dataset_num_proc max_length
        """,
        "float": """
            router_aux_loss_coef
        """,
        "str": """
            chat_template_path dataset_text_field eos_token loss_type packing_strategy pad_token truncation_mode
        """,
        "any": """
            dataset_kwargs
        """,
    },
    "kto": {
        "bool": """
            activation_offloading disable_dropout precompute_ref_log_probs sync_ref_model
        """,
        "int": """
            dataset_num_proc max_length precompute_ref_batch_size ref_model_sync_steps
        """,
        "float": """
            beta desirable_weight ref_model_mixup_alpha router_aux_loss_coef undesirable_weight
        """,
        "str": """
            loss_type
        """,
    },
}
"""Names of settings by what their values are, those that all methods have and those of each."""
_LAUNCHER = {"accelerate_config": "str", "num_processes": "int", "env": "any"}
_ABOVE_ZERO = frozenset(
    [
        "gradient_accumulation_steps",
        "learning_rate",
        "lora_alpha",
        "lora_r",
        "max_completion_length",
        "max_length",
        "num_generations",
        "num_train_epochs",
        "per_device_eval_batch_size",
        "per_device_train_batch_size",
        "temperature",
    ]
)
_NOT_BELOW_ZERO = frozenset(["beta", "epsilon", "ld_alpha", "max_grad_norm", "warmup_steps", "weight_decay"])
_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "list": "a list, such as [a, b]",
}


def checked_values(method: MethodName, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a method as TRL takes them; a number that YAML reads as a text (1e-5) becomes one.

    None takes a setting out of the recipe, whatever its name. Raises InputError for a name that TRL does not have, and for a value that is not of
    its kind or out of its range.
    """
    known = dict(_known(method))
    for name, value in values.items():
        if name not in known and value is not None:
            raise _unknown(name, method, known)
    return {name: _checked(name, value, known.get(name, "any")) for name, value in values.items()}


def _known(method: MethodName) -> Iterator[tuple[str, str]]:
    yield from _LAUNCHER.items()
    for table in (_SHARED, _OWN[method]):
        for kind, names in table.items():
            yield from ((name, kind) for name in names.split())


def _unknown(name: str, method: MethodName, known: Mapping[str, str]) -> InputError:
    near = get_close_matches(name, known, n=3)
    meant = f"did you mean {' or '.join(near)}?" if near else "look at the recipe for the names it has."
    return InputError(
        f"the setting {name!r} is not known for {method}.",
        expected="a setting of TRL's",
        fix=f"{meant} What a newer TRL has can be written into recipe.yaml by hand.",
    )


def _checked(name: str, value: Any, kind: str) -> Any:
    if value is None or kind == "any":
        return value
    if kind == "float" and isinstance(value, str):
        value = _number(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "bool": isinstance(value, bool),
        "int": is_number and isinstance(value, int),
        "float": is_number and math.isfinite(value),
        "str": isinstance(value, str),
        "list": isinstance(value, list | str),
    }[kind]
    if not fits:
        raise InputError(f"the setting {name} is {value!r}.", expected=_KINDS[kind])
    if is_number and (value < 0 if name in _NOT_BELOW_ZERO else name in _ABOVE_ZERO and value <= 0):
        bound = "not below 0" if name in _NOT_BELOW_ZERO else "above 0"
        raise InputError(f"the setting {name} is {value!r}.", expected=f"{_KINDS[kind]} {bound}")
    return value


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
