"""Keys that trainers know and that say nothing of time or memory; by trainer.

From the documentation of transformers (TrainingArguments), TRL, LLaMA-Factory, axolotl and the scripts of
diffusers. What is in none of these lists and read by none of the readers is told as unknown.
"""

from __future__ import annotations


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRAINER = _names(
    """
    _n_gpu accelerator_config adam_beta1 adam_beta2 adam_epsilon auto_find_batch_size
    average_tokens_across_devices batch_eval_metrics bf16_full_eval data_seed dataloader_drop_last
    dataloader_num_workers dataloader_persistent_workers dataloader_pin_memory
    dataloader_prefetch_factor ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb
    ddp_find_unused_parameters ddp_timeout debug disable_tqdm do_eval do_predict do_train
    eval_accumulation_steps eval_delay eval_do_concat_batches eval_on_start eval_steps eval_strategy
    eval_use_gather_object evaluation_strategy fp16_backend fp16_full_eval fp16_opt_level
    fsdp_min_num_params fsdp_transformer_layer_cls_to_wrap full_determinism
    gradient_checkpointing_kwargs greater_is_better group_by_length half_precision_backend
    hub_always_push hub_model_id hub_private_repo hub_revision hub_strategy hub_token
    ignore_data_skip include_for_metrics include_inputs_for_metrics include_num_input_tokens_seen
    include_tokens_per_second jit_mode_eval label_names label_smoothing_factor learning_rate
    length_column_name load_best_model_at_end local_rank log_level log_level_replica
    log_on_each_node logging_dir logging_first_step logging_nan_inf_filter logging_steps
    logging_strategy lr_scheduler_kwargs lr_scheduler_type max_grad_norm metric_for_best_model
    mp_parameters neftune_noise_alpha no_cuda no_deprecation_warnings optim_args
    optim_target_modules output_dir overwrite_output_dir past_index
    per_device_eval_batch_size per_gpu_eval_batch_size per_gpu_train_batch_size prediction_loss_only
    project push_to_hub push_to_hub_model_id push_to_hub_organization push_to_hub_token ray_scope
    remove_unused_columns report_to restore_callback_states_from_checkpoint resume_from_checkpoint
    run_name save_on_each_node save_only_model save_safetensors save_steps save_strategy
    save_total_limit seed skip_memory_metrics split_batches tf32 torch_compile_backend
    torch_compile_mode torchdynamo tpu_metrics_debug tpu_num_cores trackio_space_id
    train_sampling_strategy use_cpu use_legacy_prediction_loop use_mps_device warmup_ratio
    warmup_steps weight_decay xpu_backend
    """
)

MODEL = _names(
    """
    base_model_revision bnb_4bit_compute_dtype bnb_4bit_quant_storage bnb_4bit_quant_type cache_dir
    config_name init_lora_weights lora_alpha lora_bias lora_dropout lora_task_type low_cpu_mem_usage
    model_code_revision model_revision revision token tokenizer_name tokenizer_name_or_path
    trust_remote_code use_auth_token use_fast_tokenizer use_rslora variant
    """
)

TRL = _names(
    """
    assistant_only_loss beta center_rewards_coefficient chat_template_path
    completion_only_loss config dataset_batch_size dataset_config dataset_kwargs dataset_num_proc
    dataset_streaming dataset_test_split dataset_text_field dataset_train_split desirable_weight
    disable_dropout eos_token eval_packing f_divergence_type generate_during_eval
    gradient_checkpointing_kwargs ignore_bias_columns is_encoder_decoder label_pad_token_id
    label_smoothing loss_weights max_completion_length max_prompt_length model_adapter_name
    model_init_kwargs num_proc packing_strategy pad_to_multiple_of pad_token padding_value
    ref_adapter_name ref_model_mixup_alpha ref_model_sync_steps reference_free rpo_alpha
    sanity_check shuffle_dataset splits subset sync_ref_model truncation_mode undesirable_weight
    """
)

LLAMA_FACTORY = _names(
    """
    adapter_folder adapter_name_or_path add_special_tokens add_tokens audio_sampling_rate
    buffer_size compute_accuracy create_new_adapter dataset_dir default_system disable_shuffling
    do_predict dpo_label_smoothing early_stopping_steps enable_thinking eval_dataset eval_num_beams
    eval_on_each_dataset fp8_backend freeze_multi_modal_projector freeze_vision_tower hf_hub_token
    ignore_pad_token_for_loss image_max_pixels image_min_pixels include_effective_tokens_per_second
    infer_backend infer_dtype init_special_tokens interleave_probs kto_chosen_weight
    kto_rejected_weight ld_alpha loraplus_lr_embedding loraplus_lr_ratio mask_history master_addr
    master_port media_dir mix_strategy moe_aux_loss_coef ms_hub_token new_special_tokens_config
    offload_folder om_hub_token overwrite_cache pissa_convert pissa_init pissa_iter
    placement_strategy plot_loss predict_with_generate pref_bco_weight pref_beta pref_ftx
    preprocessing_batch_size preprocessing_num_workers print_param_status quantization_device_map
    quantization_method quantization_type ray_init_kwargs ray_num_workers ray_run_name
    ray_storage_path resize_vocab resources_per_worker rope_scaling simpo_gamma split_special_tokens
    streaming swanlab_api_key swanlab_logdir swanlab_mode swanlab_project swanlab_run_name
    swanlab_workspace template tokenized_path tool_format train_from_scratch train_on_prompt
    trust_remote_code upcast_layernorm use_kv_cache use_reentrant_gc use_swanlab val_size video_fps
    video_max_pixels video_maxlen video_min_pixels
    """
)

AXOLOTL = _names(
    """
    adam_beta1 adam_beta2 adam_beta3 adam_epsilon adam_epsilon2 added_tokens_overrides
    auto_resume_from_checkpoints base_model_config base_model_ignore_patterns batch_flattening
    bf16_full_eval bnb_config_kwargs chat_template chat_template_jinja comet_api_key
    comet_project_name comet_workspace cosine_constant_lr_ratio cosine_min_lr_ratio
    curriculum_sampling dataloader_num_workers dataset_exact_deduplication dataset_keep_in_memory
    dataset_num_proc dataset_prepared_path dataset_processes ddp_broadcast_buffers ddp_bucket_cap_mb
    ddp_timeout debug default_system_message do_bench_eval dpo_beta dpo_label_smoothing
    dpo_use_weighting early_stopping_patience embeddings_skip_upcast eval_batch_size
    eval_causal_lm_metrics eval_max_new_tokens eval_sample_packing eval_strategy eval_table_size
    evals_per_epoch excess_length_strategy flash_attn_cross_entropy flash_attn_fuse_mlp
    flash_attn_fuse_qkv flash_attn_rms_norm flash_optimum fsdp_version gptq gptq_groupsize
    gptq_model_v1 gpu_memory_limit gradient_checkpointing_kwargs group_by_length
    hf_mlflow_log_artifacts hf_use_auth_token hub_model_id hub_strategy is_falcon_derived_model
    is_llama_derived_model is_mistral_derived_model is_qwen_derived_model liger_layer_norm
    liger_rope local_rank logging_steps lora_embedding_kernel lora_fan_in_fan_out lora_mlp_kernel
    lora_model_dir lora_o_kernel lora_on_cpu lora_qkv_kernel loss_watchdog_patience
    loss_watchdog_threshold lr_div_factor lr_scheduler lr_scheduler_kwargs max_grad_norm max_memory
    mlflow_experiment_name mlflow_tracking_uri model_type noisy_embedding_alpha orpo_alpha
    overrides_of_model_config overrides_of_model_kwargs pad_to_sequence_len peft_init_lora_weights
    peft_use_rslora plugins processor_type profiler_steps push_dataset_to_hub remove_unused_columns
    resize_token_embeddings_to_32x revision_of_model rl_beta roles_to_train sample_packing_bin_size
    sample_packing_group_size sample_packing_sequentially saves_per_epoch seed
    shuffle_merged_datasets simpo_gamma skip_prepare_dataset special_tokens strict test_datasets
    tokenizer_config tokenizer_type tokens torchdistx_path train_on_inputs trust_remote_code
    use_comet use_mlflow use_tensorboard use_wandb val_set_size wandb_entity wandb_log_model
    wandb_mode wandb_name wandb_project wandb_run_id wandb_watch warmup_steps xformers_attention
    """
)

DIFFUSERS = _names(
    """
    adam_beta1 adam_beta2 adam_epsilon adam_weight_decay adam_weight_decay_text_encoder allow_tf32
    cache_dir caption_column center_crop checkpointing_steps checkpoints_total_limit class_data_dir
    class_labels_conditioning class_prompt conditioning_dropout_prob conditioning_image_column
    controlnet_model_name_or_path dataloader_num_workers dataset_config_name ddpm_beta_schedule
    ddpm_num_inference_steps ddpm_num_steps debug_loss do_edm_style_training
    enable_npu_flash_attention enable_xformers_memory_efficient_attention eval_batch_size
    guidance_scale hub_model_id hub_private_repo hub_token image_column image_interpolation_mode
    initializer_token input_perturbation instance_prompt learnable_property learning_rate local_rank
    logger logging_dir logit_mean logit_std lora_alpha lora_dropout lora_layers lr_num_cycles
    lr_power lr_scheduler lr_warmup_steps max_grad_norm max_sequence_length mode_scale noise_offset
    non_ema_revision num_class_images num_new_tokens_per_abstraction num_validation_images
    num_vectors offload_ema only_save_embeds output_dir overwrite_output_dir placeholder_token
    pre_compute_text_embeddings prediction_type pretrained_vae_model_name_or_path
    prior_generation_precision prior_loss_weight prodigy_beta3 prodigy_decouple
    prodigy_safeguard_warmup prodigy_use_bias_correction proportion_empty_prompts push_to_hub
    random_crop random_flip repeats report_to resume_from_checkpoint revision sample_batch_size
    save_as_full_pipeline save_images_epochs save_model_epochs save_steps scale_lr seed
    set_grads_to_none skip_final_inference snr_gamma text_encoder_lr text_encoder_use_attention_mask
    timestep_bias_begin timestep_bias_end timestep_bias_multiplier timestep_bias_portion
    timestep_bias_strategy tokenizer_max_length tokenizer_name tracker_project_name
    upcast_before_saving validation_epochs validation_image validation_prompt validation_prompts
    validation_scheduler validation_steps variant weighting_scheme with_prior_preservation
    """
)
