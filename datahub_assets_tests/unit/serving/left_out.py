"""Functions of DuckDB that were looked at and left out of what a statement may call."""

import re

_NAMES = """
    <-> add_parquet_key alias apply array_apply array_cosine_distance array_cosine_similarity
    array_cross_product array_distance array_dot_product array_filter array_grade_up array_inner_product
    array_negative_dot_product array_negative_inner_product array_reduce array_resize array_select
    array_to_string_comma_default array_transform array_value_at array_where array_zip arrow_scan
    arrow_scan_dumb assert_true bar bin binom bit_position bitstring bitstring_agg bitstring_byte_comparable
    can_cast_implicitly cast_to_type checkpoint col_description collations combine combine_aggr copy_database
    create_external_resource create_sort_key current_connection_id current_query current_query_id
    current_schemas current_setting current_transaction_id currval damerau_levenshtein database_list
    database_size decimal_average decimal_division deregister_external_resource destroy_external_resource
    editdist3 enum_code enum_first enum_last enum_range enum_range_boundary equi_width_bins error
    extension_versions filter finalize force_checkpoint format_pg_type format_type from_binary from_json_strict
    functions get_bit get_block_size get_type getvariable glob grade_up hamming histogram_exact
    histogram_values hive_partition_component import_database in_search_path index_key invoke
    is_histogram_other_bin json_deep_merge json_deserialize_sql json_each json_execute_serialized_sql
    json_group_structure json_insert json_merge_patch json_merge_patch_diff json_normalize json_pretty
    json_remove json_replace json_serialize_plan json_serialize_sql json_set json_strip_nulls
    json_transform_strict json_tree levenshtein list_apply list_approx_count_distinct list_bit_and list_bit_or
    list_bit_xor list_cosine_distance list_cosine_similarity list_distance list_dot_product list_entropy
    list_filter list_grade_up list_histogram list_inner_product list_kurtosis list_kurtosis_pop list_mad
    list_negative_dot_product list_negative_inner_product list_product list_reduce list_resize list_select
    list_sem list_skewness list_transform list_where list_zip lttb make_type map_contains_entry
    map_contains_value map_to_pg_oid md5_number md5_number_lower md5_number_upper metadata_info mismatches
    nextval obj_description pandas_scan parquet_bloom_probe parquet_file_metadata parquet_full_metadata
    parquet_kv_metadata parquet_metadata parquet_scan parquet_schema parse_dirname parse_dirpath
    parse_duckdb_log_message parse_filename parse_formatted_bytes parse_path path_join platform
    python_arrow_scan python_map_function query query_table reduce regexp_split_to_table
    register_external_resource register_external_resource_type remap_struct repeat repeat_row replace_type
    reservoir_quantile seq_scan set_bit setseed setval shobj_description show show_databases show_tables
    show_tables_expanded sleep_ms sniff_csv stats storage_info struct_indexof summary switch table_info
    timetz_byte_comparable to_aggregate_state to_base to_binary truncate_duckdb_logs txid_current unbin
    user_agent uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 vector_type verify_parallelism
    vertex_extract which_secret write_log
    <=> aggregate
"""
LEFT_OUT = frozenset(_NAMES.split()) | {"is distinct from", "is not distinct from"}
"""State, files, settings, SQL as text, waiting, growth without bounds, or of no use to a reader."""
LEFT_OUT_PATTERN = re.compile(
    r"(__|collate_|icu_|pg_(?!typeof)|has_|inet_|duckdb_|read_|st_|variant_|test_|pragma_|enable_|disable_|json_copy_)"
)
