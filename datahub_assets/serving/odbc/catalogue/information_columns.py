"""The relations of ``information_schema`` with their columns, as PostgreSQL 15 has them. Written as ``pg_columns``."""

INFORMATION_SCHEMA = """
applicable_roles 0 v: grantee=t role_name=t is_grantable=t
character_sets 0 v: character_set_catalog=t character_set_schema=t character_set_name=t character_repertoire=t
  form_of_use=t default_collate_catalog=t default_collate_schema=t default_collate_name=t
check_constraints 0 v: constraint_catalog=t constraint_schema=t constraint_name=t check_clause=t
collations 0 v: collation_catalog=t collation_schema=t collation_name=t pad_attribute=t
column_privileges 0 v: grantor=t grantee=t table_catalog=t table_schema=t table_name=t column_name=t
  privilege_type=t is_grantable=t
columns 0 v: table_catalog=t table_schema=t table_name=t column_name=t ordinal_position=i column_default=t
  is_nullable=t data_type=t character_maximum_length=i character_octet_length=i numeric_precision=i
  numeric_precision_radix=i numeric_scale=i datetime_precision=i interval_type=t interval_precision=i
  character_set_catalog=t character_set_schema=t character_set_name=t collation_catalog=t collation_schema=t
  collation_name=t domain_catalog=t domain_schema=t domain_name=t udt_catalog=t udt_schema=t udt_name=t
  scope_catalog=t scope_schema=t scope_name=t maximum_cardinality=i dtd_identifier=t is_self_referencing=t
  is_identity=t identity_generation=t identity_start=t identity_increment=t identity_maximum=t identity_minimum=t
  identity_cycle=t is_generated=t generation_expression=t is_updatable=t
constraint_column_usage 0 v: table_catalog=t table_schema=t table_name=t column_name=t constraint_catalog=t
  constraint_schema=t constraint_name=t
constraint_table_usage 0 v: table_catalog=t table_schema=t table_name=t constraint_catalog=t constraint_schema=t
  constraint_name=t
domain_constraints 0 v: constraint_catalog=t constraint_schema=t constraint_name=t domain_catalog=t domain_schema=t
  domain_name=t is_deferrable=t initially_deferred=t
domains 0 v: domain_catalog=t domain_schema=t domain_name=t data_type=t character_maximum_length=i
  character_octet_length=i character_set_catalog=t character_set_schema=t character_set_name=t collation_catalog=t
  collation_schema=t collation_name=t numeric_precision=i numeric_precision_radix=i numeric_scale=i
  datetime_precision=i interval_type=t interval_precision=i domain_default=t udt_catalog=t udt_schema=t udt_name=t
  scope_catalog=t scope_schema=t scope_name=t maximum_cardinality=i dtd_identifier=t
element_types 0 v: object_catalog=t object_schema=t object_name=t object_type=t collection_type_identifier=t
  data_type=t character_maximum_length=i character_octet_length=i character_set_catalog=t character_set_schema=t
  character_set_name=t collation_catalog=t collation_schema=t collation_name=t numeric_precision=i
  numeric_precision_radix=i numeric_scale=i datetime_precision=i interval_type=t interval_precision=i
  domain_default=t udt_catalog=t udt_schema=t udt_name=t scope_catalog=t scope_schema=t scope_name=t
  maximum_cardinality=i dtd_identifier=t
enabled_roles 0 v: role_name=t
information_schema_catalog_name 0 v: catalog_name=t
key_column_usage 0 v: constraint_catalog=t constraint_schema=t constraint_name=t table_catalog=t table_schema=t
  table_name=t column_name=t ordinal_position=i position_in_unique_constraint=i
parameters 0 v: specific_catalog=t specific_schema=t specific_name=t ordinal_position=i parameter_mode=t is_result=t
  as_locator=t parameter_name=t data_type=t character_maximum_length=i character_octet_length=i
  character_set_catalog=t character_set_schema=t character_set_name=t collation_catalog=t collation_schema=t
  collation_name=t numeric_precision=i numeric_precision_radix=i numeric_scale=i datetime_precision=i
  interval_type=t interval_precision=i udt_catalog=t udt_schema=t udt_name=t scope_catalog=t scope_schema=t
  scope_name=t maximum_cardinality=i dtd_identifier=t parameter_default=t
referential_constraints 0 v: constraint_catalog=t constraint_schema=t constraint_name=t unique_constraint_catalog=t
  unique_constraint_schema=t unique_constraint_name=t match_option=t update_rule=t delete_rule=t
role_table_grants 0 v: grantor=t grantee=t table_catalog=t table_schema=t table_name=t privilege_type=t
  is_grantable=t with_hierarchy=t
routines 0 v: specific_catalog=t specific_schema=t specific_name=t routine_catalog=t routine_schema=t routine_name=t
  routine_type=t module_catalog=t module_schema=t module_name=t udt_catalog=t udt_schema=t udt_name=t data_type=t
  character_maximum_length=i character_octet_length=i character_set_catalog=t character_set_schema=t
  character_set_name=t collation_catalog=t collation_schema=t collation_name=t numeric_precision=i
  numeric_precision_radix=i numeric_scale=i datetime_precision=i interval_type=t interval_precision=i
  type_udt_catalog=t type_udt_schema=t type_udt_name=t scope_catalog=t scope_schema=t scope_name=t
  maximum_cardinality=i dtd_identifier=t routine_body=t routine_definition=t external_name=t external_language=t
  parameter_style=t is_deterministic=t sql_data_access=t is_null_call=t sql_path=t schema_level_routine=t
  max_dynamic_result_sets=i is_user_defined_cast=t is_implicitly_invocable=t security_type=t
  to_sql_specific_catalog=t to_sql_specific_schema=t to_sql_specific_name=t as_locator=t created=z last_altered=z
  new_savepoint_level=t is_udt_dependent=t result_cast_from_data_type=t result_cast_as_locator=t
  result_cast_char_max_length=i result_cast_char_octet_length=i result_cast_char_set_catalog=t
  result_cast_char_set_schema=t result_cast_char_set_name=t result_cast_collation_catalog=t
  result_cast_collation_schema=t result_cast_collation_name=t result_cast_numeric_precision=i
  result_cast_numeric_precision_radix=i result_cast_numeric_scale=i result_cast_datetime_precision=i
  result_cast_interval_type=t result_cast_interval_precision=i result_cast_type_udt_catalog=t
  result_cast_type_udt_schema=t result_cast_type_udt_name=t result_cast_scope_catalog=t result_cast_scope_schema=t
  result_cast_scope_name=t result_cast_maximum_cardinality=i result_cast_dtd_identifier=t
schemata 0 v: catalog_name=t schema_name=t schema_owner=t default_character_set_catalog=t
  default_character_set_schema=t default_character_set_name=t sql_path=t
sequences 0 v: sequence_catalog=t sequence_schema=t sequence_name=t data_type=t numeric_precision=i
  numeric_precision_radix=i numeric_scale=i start_value=t minimum_value=t maximum_value=t increment=t cycle_option=t
table_constraints 0 v: constraint_catalog=t constraint_schema=t constraint_name=t table_catalog=t table_schema=t
  table_name=t constraint_type=t is_deferrable=t initially_deferred=t enforced=t nulls_distinct=t
table_privileges 0 v: grantor=t grantee=t table_catalog=t table_schema=t table_name=t privilege_type=t
  is_grantable=t with_hierarchy=t
tables 0 v: table_catalog=t table_schema=t table_name=t table_type=t self_referencing_column_name=t
  reference_generation=t user_defined_type_catalog=t user_defined_type_schema=t user_defined_type_name=t
  is_insertable_into=t is_typed=t commit_action=t
triggers 0 v: trigger_catalog=t trigger_schema=t trigger_name=t event_manipulation=t event_object_catalog=t
  event_object_schema=t event_object_table=t action_order=i action_condition=t action_statement=t
  action_orientation=t action_timing=t action_reference_old_table=t action_reference_new_table=t
  action_reference_old_row=t action_reference_new_row=t created=z
user_defined_types 0 v: user_defined_type_catalog=t user_defined_type_schema=t user_defined_type_name=t
  user_defined_type_category=t is_instantiable=t is_final=t ordering_form=t ordering_category=t
  ordering_routine_catalog=t ordering_routine_schema=t ordering_routine_name=t reference_type=t data_type=t
  character_maximum_length=i character_octet_length=i character_set_catalog=t character_set_schema=t
  character_set_name=t collation_catalog=t collation_schema=t collation_name=t numeric_precision=i
  numeric_precision_radix=i numeric_scale=i datetime_precision=i interval_type=t interval_precision=i
  source_dtd_identifier=t ref_dtd_identifier=t
view_column_usage 0 v: view_catalog=t view_schema=t view_name=t table_catalog=t table_schema=t table_name=t
  column_name=t
view_table_usage 0 v: view_catalog=t view_schema=t view_name=t table_catalog=t table_schema=t table_name=t
views 0 v: table_catalog=t table_schema=t table_name=t view_definition=t check_option=t is_updatable=t
  is_insertable_into=t is_trigger_updatable=t is_trigger_deletable=t is_trigger_insertable_into=t
"""
