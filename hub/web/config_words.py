"""What the keys of the configuration files of transformers and peft mean."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

FILES = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "adapter_config.json",
    }
)

_COMMON: dict[str, Any] = {
    "transformers_version": _("The version of transformers that wrote this file."),
    "bos_token_id": _("The token that begins a text."),
    "eos_token_id": _("The token, or tokens, that end a text."),
    "pad_token_id": _("The token that fills short texts up to the length of the longest."),
    "_name_or_path": _("Where the model was loaded from when this was written."),
    "auto_map": _("Code in this repository that would have to be run; this hub never runs it."),
}
_CONFIG: dict[str, Any] = {
    "architectures": _("The class of transformers that these weights are for."),
    "model_type": _("The family; transformers picks its code by it."),
    "hidden_size": _("The width of the hidden states."),
    "n_embd": _("The width of the hidden states."),
    "d_model": _("The width of the hidden states."),
    "num_hidden_layers": _("How many layers there are."),
    "n_layer": _("How many layers there are."),
    "num_attention_heads": _("How many heads attention has in a layer."),
    "n_head": _("How many heads attention has in a layer."),
    "num_key_value_heads": _(
        "How many key and value heads; fewer than heads is grouped-query attention."
    ),
    "head_dim": _(
        "The width of one head; the hidden size divided by the heads where it is absent."
    ),
    "intermediate_size": _("The width inside the feed-forward part."),
    "n_inner": _(
        "The width inside the feed-forward part; four times the hidden size where it is null."
    ),
    "hidden_act": _("The function between the two feed-forward matrices."),
    "activation_function": _("The function between the two feed-forward matrices."),
    "vocab_size": _("How many tokens the embeddings have rows for."),
    "max_position_embeddings": _("The most tokens the model was made to read at once."),
    "n_positions": _("The most tokens the model was made to read at once."),
    "n_ctx": _("The most tokens the model was made to read at once."),
    "type_vocab_size": _("How many kinds of segments the model tells apart."),
    "rms_norm_eps": _("Keeps the norms from dividing by zero."),
    "layer_norm_eps": _("Keeps the norms from dividing by zero."),
    "layer_norm_epsilon": _("Keeps the norms from dividing by zero."),
    "rope_theta": _("The base of the rotary frequencies; larger reaches further."),
    "rope_scaling": _("How positions are stretched beyond the length of training."),
    "rope_parameters": _("How positions turn queries and keys."),
    "rope_interleaved": _("Whether pairs that are turned lie side by side."),
    "partial_rotary_factor": _("How much of a head is turned by the position."),
    "sliding_window": _("How many tokens back a token looks."),
    "use_sliding_window": _("Whether attention looks back only so far."),
    "max_window_layers": _("Layers below this one look back all the way."),
    "layer_types": _("Of each layer, how its attention looks back."),
    "attention_bias": _("Whether the attention's projections add a bias."),
    "attention_dropout": _("The share of attention that is dropped in training."),
    "mlp_bias": _("Whether the feed-forward matrices add a bias."),
    "tie_word_embeddings": _("Whether the output uses the same matrix as the input embeddings."),
    "torch_dtype": _("The type of numbers that the weights were saved in."),
    "dtype": _("The type of numbers that the weights were saved in."),
    "initializer_range": _("The spread of the random numbers that training began with."),
    "use_cache": _("Whether keys and values of earlier tokens are kept while text is written."),
    "pretraining_tp": _("Over how many machines matrices were split in pretraining."),
    "is_llama_config": _("A mark of conversion scripts without effect."),
    "num_local_experts": _("How many experts a layer has."),
    "num_experts": _("How many experts a layer has."),
    "num_experts_per_tok": _("How many experts each token goes through."),
    "router_aux_loss_coef": _("How strongly training spreads tokens over the experts."),
    "output_router_logits": _("Whether the choice of experts is returned."),
    "moe_intermediate_size": _("The width inside one expert."),
    "hidden_dropout_prob": _("The share of hidden states that is dropped in training."),
    "attention_probs_dropout_prob": _("The share of attention that is dropped in training."),
    "resid_pdrop": _("The share that is dropped in training after each part."),
    "embd_pdrop": _("The share of embeddings that is dropped in training."),
    "attn_pdrop": _("The share of attention that is dropped in training."),
    "position_embedding_type": _("How positions enter: learned, or by distance."),
    "id2label": _("What each output of a classifier means."),
    "label2id": _("The output that each label has."),
    "num_labels": _("How many labels a classifier tells apart."),
    "problem_type": _("Whether one label, several, or a number is predicted."),
    "quantization_config": _("How the weights were made smaller."),
    "quantization_config.quant_method": _("The method: bitsandbytes, GPTQ, AWQ and so on."),
    "quantization_config.bits": _("Bits a weight."),
    "quantization_config.group_size": _("How many weights share a scale."),
    "text_config": _("The part of the model that reads text."),
    "vision_config": _("The part of the model that sees."),
    "audio_config": _("The part of the model that hears."),
    "is_encoder_decoder": _("Whether one half reads and the other writes."),
    "is_decoder": _("Whether tokens look back only."),
    "summary_type": _("How a classifier sums up a text."),
    "logits_soft_cap": _("The bound that logits are bent to."),
    "final_logit_softcapping": _("The bound that logits are bent to."),
    "attn_logit_softcapping": _("The bound that attention's scores are bent to."),
}
_GENERATION: dict[str, Any] = {
    "do_sample": _("Whether the next token is drawn; the likeliest is taken otherwise."),
    "temperature": _("How daring the draw is: below 1 keeps to the likely, above 1 strays."),
    "top_p": _("Draws among the fewest tokens that together have this probability."),
    "top_k": _("Draws among so many of the likeliest tokens."),
    "min_p": _("Draws only tokens at least this likely against the likeliest."),
    "typical_p": _("Draws among tokens about as likely as is typical here."),
    "repetition_penalty": _("Makes tokens that were said already less likely, above 1."),
    "no_repeat_ngram_size": _("Never says the same so many tokens in a row twice."),
    "max_new_tokens": _("The most tokens that are written."),
    "max_length": _("The most tokens of question and answer together."),
    "min_length": _("The fewest tokens of question and answer together."),
    "num_beams": _("How many continuations are followed at once."),
    "num_return_sequences": _("How many answers come back."),
    "length_penalty": _("Prefers longer answers above 0, with beams."),
    "early_stopping": _("Whether beams end as soon as there are enough answers."),
    "_from_model_config": _("Whether this was derived from config.json."),
    "use_cache": _("Whether keys and values of earlier tokens are kept while text is written."),
    "suppress_tokens": _("Tokens that are never written."),
    "forced_bos_token_id": _("The token that every answer begins with."),
}
_TOKENS: dict[str, Any] = {
    "bos_token": _("The token that begins a text."),
    "eos_token": _("The token that ends a text."),
    "unk_token": _("The token for what the vocabulary does not know."),
    "pad_token": _("The token that fills short texts up to the length of the longest."),
    "sep_token": _("The token between two texts."),
    "cls_token": _("The token whose hidden state stands for the whole text."),
    "mask_token": _("The token that stands for a hidden word."),
    "additional_special_tokens": _("More tokens that are never split."),
}
_TOKENIZER: dict[str, Any] = _TOKENS | {
    "tokenizer_class": _("The class of transformers that reads this tokenizer."),
    "model_max_length": _("The most tokens a text is cut to; a huge number means no limit."),
    "chat_template": _("How a conversation becomes text: a Jinja template, shown below."),
    "add_bos_token": _("Whether a text gets its first token by itself."),
    "add_eos_token": _("Whether a text gets its last token by itself."),
    "add_prefix_space": _("Whether a text is read as if a space came before it."),
    "added_tokens_decoder": _("Tokens beside the vocabulary, by their ids."),
    "clean_up_tokenization_spaces": _(
        "Whether spaces before punctuation go when text is put together."
    ),
    "padding_side": _("On which side short texts are filled up."),
    "truncation_side": _("On which side long texts are cut."),
    "legacy": _("Whether an old fault around special tokens is kept."),
    "use_default_system_prompt": _("Whether a system prompt is put before a conversation."),
    "do_lower_case": _("Whether text is read in lower case."),
    "strip_accents": _("Whether accents are dropped."),
    "tokenize_chinese_chars": _("Whether Chinese characters stand alone."),
    "split_special_tokens": _("Whether special tokens in a text are split as other words."),
    "extra_special_tokens": _("More named special tokens."),
    "errors": _("What happens to bytes that are no text."),
}
_ADAPTER: dict[str, Any] = {
    "base_model_name_or_path": _("The model that this adapter changes."),
    "peft_type": _("The kind of adapter."),
    "task_type": _("What the adapted model is for."),
    "r": _("The rank: how many directions each change has."),
    "lora_alpha": _("The scale: the change is multiplied by alpha / r."),
    "lora_dropout": _("The share of inputs that is dropped in training."),
    "target_modules": _("The modules that are changed."),
    "modules_to_save": _("Modules that are saved whole, not as a change."),
    "bias": _("Which biases were trained too."),
    "fan_in_fan_out": _("Whether weights are stored turned, as in GPT-2."),
    "use_rslora": _("Whether the scale is alpha / √r."),
    "use_dora": _("Whether size and direction are trained apart."),
    "init_lora_weights": _("What the adapter began with."),
    "layers_to_transform": _("The layers that are changed; all where it is null."),
    "layers_pattern": _("How layers are named."),
    "rank_pattern": _("Modules with another rank."),
    "alpha_pattern": _("Modules with another scale."),
    "inference_mode": _("Whether the adapter is for use and not for training."),
    "revision": _("The revision of the base that the adapter was trained on."),
    "megatron_config": _("Settings of Megatron, where it was used."),
    "loftq_config": _("Settings of LoftQ, where it was used."),
    "peft_version": _("The version of peft that wrote this file."),
    "auto_mapping": _("Classes of the base, where peft does not know them."),
    "trainable_token_indices": _("Tokens whose embeddings were trained too."),
}
_BY_FILE: dict[str, dict[str, Any]] = {
    "config.json": _CONFIG,
    "generation_config.json": _GENERATION,
    "tokenizer_config.json": _TOKENIZER,
    "special_tokens_map.json": _TOKENS,
    "adapter_config.json": _ADAPTER,
}


def meaning(file: str, path: str) -> Any:
    """What a key means, by its path below the file's object; "" of one that is not known here."""
    own = _BY_FILE.get(file, {})
    last = path.rpartition(".")[2]
    for table in (own, _COMMON):
        if said := table.get(path) or (table.get(last) if "_config." in path else None):
            return said
    return ""
