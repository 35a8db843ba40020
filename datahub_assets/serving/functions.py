"""The functions a statement may call: those that compute a value from their arguments and nothing else.

Left out, and so refused: what reads files, settings, the server's state or a catalogue; what runs SQL given as text;
what waits, logs or keeps state; and what makes a large value from small arguments (``repeat``, lists of a given length,
lambdas), because memory limits of DuckDB 2.0 do not count single values and such a call cannot be interrupted. Functions
of bounded growth are allowed with constant bounds (``bounded``). A test judges every function that DuckDB has.
"""

import re
from collections.abc import Mapping, Sequence

_OPERATORS = """
    != !~~ !~~* !~ % & * ** + - ->> -> / // < << <= <> = == > >= >> ^ ^@ | || ~ ~* ~~ ~~* ~~~ @ && <@ @> !__postfix
"""
_NUMBERS = """
    abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees divide even exp
    factorial fdiv floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm least
    least_common_multiple lgamma ln log log10 log2 mod multiply nextafter pi pow power radians random round round_even
    roundbankers sign signbit sin sinh sqrt subtract tan tanh trunc xor
"""
_TEXTS = """
    ascii bit_length char_length character_length chr concat concat_ws contains ends_with
    from_base64 base64 to_base64 from_hex hex to_hex
    unhex hash ilike_escape instr jaccard jaro_similarity jaro_winkler_similarity lcase left left_grapheme len length
    length_grapheme like_escape lower lpad ltrim md5 nfc_normalize not_ilike_escape not_like_escape octet_length ord
    overlay position prefix regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches
    regexp_replace regexp_split_to_array replace reverse right right_grapheme rpad rtrim sha1 sha256 split split_part
    starts_with str_split str_split_regex string_split string_split_regex string_to_array strip_accents strlen strpos
    substr substring substring_grapheme suffix translate trim ucase unicode upper url_decode url_encode format printf
    encode decode format_bytes formatreadablesize formatreadabledecimalsize
"""
_TIMES = """
    age ago century current_date current_localtime current_localtimestamp date_add date_diff date_part date_sub
    date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch
    epoch_ms epoch_ns epoch_us era get_current_time get_current_timestamp hour isodow isoyear julian last_day make_date
    make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond
    minute month monthname nanosecond normalized_interval now quarter second strftime strptime time_bucket timezone
    timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_millennia to_milliseconds
    to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp try_strptime
    week weekday weekofyear year yearweek
"""
_CONDITIONS = """
    coalesce constant_or_null if ifnull nullif typeof pg_typeof current_user session_user user current_catalog
    current_database current_schema current_role version uuid gen_random_uuid
"""
_LISTS = """
    array_aggr array_aggregate array_append array_cat array_concat array_contains array_distinct array_extract array_has
    array_has_all array_has_any array_indexof array_intersect array_length array_pop_back array_pop_front array_position
    array_prepend array_push_back array_push_front array_reverse array_reverse_sort array_slice array_sort
    array_to_string array_unique array_value cardinality element_at flatten generate_subscripts list_aggr list_aggregate
    list_any_value list_append list_avg list_bool_and list_bool_or list_cat list_concat list_contains list_count
    list_distinct list_element list_extract list_first list_has list_has_all list_has_any list_indexof list_intersect
    list_last list_max list_median list_min list_mode list_pack list_position list_prepend list_reverse
    list_reverse_sort list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum list_unique
    list_value list_var_pop list_var_samp map map_concat map_contains map_entries map_extract map_extract_value
    map_from_entries map_keys map_values row struct_concat struct_contains struct_extract struct_extract_at struct_has
    struct_insert struct_keys struct_pack struct_position struct_update struct_values union_extract union_tag
    union_value unnest unpivot_list
"""
_JSON = """
    array_to_json from_json json json_array json_array_length json_contains json_exists json_extract json_extract_path
    json_extract_path_text json_extract_string json_group_array json_group_object json_keys json_object json_quote
    json_structure json_transform json_type json_valid json_value row_to_json to_json
"""
_AGGREGATES = """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null arg_max_nulls_last
    arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and bit_or bit_xor bool_and bool_or corr
    count count_if count_star countif covar_pop covar_samp entropy favg first fsum geomean geometric_mean group_concat
    histogram kahan_sum kurtosis kurtosis_pop last list listagg mad max max_by mean median min min_by mode product
    quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
    regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp string_agg sum sum_no_overflow sumkahan var_pop
    var_samp variance wavg weighted_avg
"""
_WINDOWS = """
    cume_dist dense_rank fill first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number
"""
ALLOWED = frozenset(
    " ".join((_OPERATORS, _NUMBERS, _TEXTS, _TIMES, _CONDITIONS, _LISTS, _JSON, _AGGREGATES, _WINDOWS)).split()
)
"""Names in lower case; DuckDB's are without regard to case."""
TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest"})
"""What may stand in FROM, besides ``as_of``."""


def bounded(name: str, arguments: Sequence[Mapping[str, object]]) -> str | None:
    """What is wrong with a call whose result may be much larger than its arguments; None: nothing.

    Args:
        name: in lower case.
        arguments: for each its literal as the syntax tree has it (``kind``, ``text``), empty where it is no literal.
    """
    place, fits, expected = _BOUNDS.get(name, (len(arguments), "", ""))
    if place >= len(arguments) or arguments[place].get("kind") == "NULL_LITERAL":
        return None
    return None if re.fullmatch(fits, str(arguments[place].get("text", "\0")), re.DOTALL) else expected


_LENGTH = (1, r"\d{1,4}", "a constant length of at most 4 digits")
_REPLACEMENT = (2, r"[^\0]{0,20}", "a constant replacement of at most 20 characters")
_FORMAT = (0, r"(?!.*(\d{4}|\*|\{[^}]*\{))[^\0]*", "a constant format, widths of at most 3 digits")
_BOUNDS = {
    "lpad": _LENGTH, "rpad": _LENGTH, "replace": _REPLACEMENT, "regexp_replace": _REPLACEMENT,
    "format": _FORMAT, "printf": _FORMAT,
}  # fmt: skip
"""Of functions of bounded growth: which argument bounds it, the constants that it may be, and that in words."""
