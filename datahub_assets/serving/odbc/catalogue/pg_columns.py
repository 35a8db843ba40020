"""The relations of ``pg_catalog`` with their columns, as PostgreSQL 15 has them; those that only a server's operator needs are
left out. A line is a name, its OID, its kind, and columns with a letter for their type (see ``declared``).
"""

PG_CATALOG = """
pg_aggregate 2600 r: aggfnoid=t aggkind=t aggnumdirectargs=h aggtransfn=t aggfinalfn=t aggcombinefn=t aggserialfn=t
  aggdeserialfn=t aggmtransfn=t aggminvtransfn=t aggmfinalfn=t aggfinalextra=b aggmfinalextra=b aggfinalmodify=t
  aggmfinalmodify=t aggsortop=o aggtranstype=o aggtransspace=i aggmtranstype=o aggmtransspace=i agginitval=t
  aggminitval=t
pg_am 2601 r: oid=o amname=t amhandler=t amtype=t
pg_amop 2602 r: oid=o amopfamily=o amoplefttype=o amoprighttype=o amopstrategy=h amoppurpose=t amopopr=o
  amopmethod=o amopsortfamily=o
pg_attrdef 2604 r: oid=o adrelid=o adnum=h adbin=t
pg_attribute 1249 r: attrelid=o attname=t atttypid=o attstattarget=i attlen=h attnum=h attndims=i attcacheoff=i
  atttypmod=i attbyval=b attalign=t attstorage=t attcompression=t attnotnull=b atthasdef=b atthasmissing=b
  attidentity=t attgenerated=t attisdropped=b attislocal=b attinhcount=i attcollation=o attacl=T attoptions=T
  attfdwoptions=T attmissingval=T
pg_auth_members 1261 r: roleid=o member=o grantor=o admin_option=b
pg_authid 1260 r: oid=o rolname=t rolsuper=b rolinherit=b rolcreaterole=b rolcreatedb=b rolcanlogin=b
  rolreplication=b rolbypassrls=b rolconnlimit=i rolpassword=t rolvaliduntil=z
pg_available_extensions 12081 v: name=t default_version=t installed_version=t comment=t
pg_cast 2605 r: oid=o castsource=o casttarget=o castfunc=o castcontext=t castmethod=t
pg_class 1259 r: oid=o relname=t relnamespace=o reltype=o reloftype=o relowner=o relam=o relfilenode=o
  reltablespace=o relpages=i reltuples=f relallvisible=i reltoastrelid=o relhasindex=b relisshared=b
  relpersistence=t relkind=t relnatts=h relchecks=h relhasrules=b relhastriggers=b relhassubclass=b relrowsecurity=b
  relforcerowsecurity=b relispopulated=b relreplident=t relispartition=b relrewrite=o relfrozenxid=o relminmxid=o
  relacl=T reloptions=T relpartbound=t
pg_collation 3456 r: oid=o collname=t collnamespace=o collowner=o collprovider=t collisdeterministic=b
  collencoding=i collcollate=t collctype=t colliculocale=t collversion=t
pg_constraint 2606 r: oid=o conname=t connamespace=o contype=t condeferrable=b condeferred=b convalidated=b
  conrelid=o contypid=o conindid=o conparentid=o confrelid=o confupdtype=t confdeltype=t confmatchtype=t
  conislocal=b coninhcount=i connoinherit=b conkey=H confkey=H conpfeqop=O conppeqop=O conffeqop=O confdelsetcols=H
  conexclop=O conbin=t
pg_conversion 2607 r: oid=o conname=t connamespace=o conowner=o conforencoding=i contoencoding=i conproc=t
  condefault=b
pg_cursors 12077 v: name=t statement=t is_holdable=b is_binary=b is_scrollable=b creation_time=z
pg_database 1262 r: oid=o datname=t datdba=o encoding=i datlocprovider=t datistemplate=b datallowconn=b
  datconnlimit=i datfrozenxid=o datminmxid=o dattablespace=o datcollate=t datctype=t daticulocale=t datcollversion=t
  datacl=T
pg_db_role_setting 2964 r: setdatabase=o setrole=o setconfig=T
pg_default_acl 826 r: oid=o defaclrole=o defaclnamespace=o defaclobjtype=t defaclacl=T
pg_depend 2608 r: classid=o objid=o objsubid=i refclassid=o refobjid=o refobjsubid=i deptype=t
pg_description 2609 r: objoid=o classoid=o objsubid=i description=t
pg_enum 3501 r: oid=o enumtypid=o enumsortorder=f enumlabel=t
pg_event_trigger 3466 r: oid=o evtname=t evtevent=t evtowner=o evtfoid=o evtenabled=t evttags=T
pg_extension 3079 r: oid=o extname=t extowner=o extnamespace=o extrelocatable=b extversion=t extconfig=O
  extcondition=T
pg_foreign_data_wrapper 2328 r: oid=o fdwname=t fdwowner=o fdwhandler=o fdwvalidator=o fdwacl=T fdwoptions=T
pg_foreign_server 1417 r: oid=o srvname=t srvowner=o srvfdw=o srvtype=t srvversion=t srvacl=T srvoptions=T
pg_foreign_table 3118 r: ftrelid=o ftserver=o ftoptions=T
pg_group 12010 v: groname=t grosysid=o grolist=O
pg_index 2610 r: indexrelid=o indrelid=o indnatts=h indnkeyatts=h indisunique=b indnullsnotdistinct=b indisprimary=b
  indisexclusion=b indimmediate=b indisclustered=b indisvalid=b indcheckxmin=b indisready=b indislive=b
  indisreplident=b indkey=v indcollation=v indclass=v indoption=v indexprs=t indpred=t
pg_indexes 12043 v: schemaname=t tablename=t indexname=t tablespace=t indexdef=t
pg_inherits 2611 r: inhrelid=o inhparent=o inhseqno=i inhdetachpending=b
pg_language 2612 r: oid=o lanname=t lanowner=o lanispl=b lanpltrusted=b lanplcallfoid=o laninline=o lanvalidator=o
  lanacl=T
pg_locks 12073 v: locktype=t database=o relation=o page=i tuple=h virtualxid=t transactionid=o classid=o objid=o
  objsubid=h virtualtransaction=t pid=i mode=t granted=b fastpath=b waitstart=z
pg_matviews 12038 v: schemaname=t matviewname=t matviewowner=t tablespace=t hasindexes=b ispopulated=b definition=t
pg_namespace 2615 r: oid=o nspname=t nspowner=o nspacl=T
pg_opclass 2616 r: oid=o opcmethod=o opcname=t opcnamespace=o opcowner=o opcfamily=o opcintype=o opcdefault=b
  opckeytype=o
pg_operator 2617 r: oid=o oprname=t oprnamespace=o oprowner=o oprkind=t oprcanmerge=b oprcanhash=b oprleft=o
  oprright=o oprresult=o oprcom=o oprnegate=o oprcode=t oprrest=t oprjoin=t
pg_opfamily 2753 r: oid=o opfmethod=o opfname=t opfnamespace=o opfowner=o
pg_partitioned_table 3350 r: partrelid=o partstrat=t partnatts=h partdefid=o partattrs=t partclass=t partcollation=t
  partexprs=t
pg_policies 12018 v: schemaname=t tablename=t policyname=t permissive=t roles=T cmd=t qual=t with_check=t
pg_policy 3256 r: oid=o polname=t polrelid=o polcmd=t polpermissive=b polroles=O polqual=t polwithcheck=t
pg_prepared_statements 12095 v: name=t statement=t prepare_time=z parameter_types=T from_sql=b generic_plans=l
  custom_plans=l
pg_proc 1255 r: oid=o proname=t pronamespace=o proowner=o prolang=o procost=f prorows=f provariadic=o prosupport=t
  prokind=t prosecdef=b proleakproof=b proisstrict=b proretset=b provolatile=t proparallel=t pronargs=h
  pronargdefaults=h prorettype=o proargtypes=v proallargtypes=O proargmodes=T proargnames=T proargdefaults=t
  protrftypes=O prosrc=t probin=t prosqlbody=t proconfig=T proacl=T
pg_publication 6104 r: oid=o pubname=t pubowner=o puballtables=b pubinsert=b pubupdate=b pubdelete=b pubtruncate=b
  pubviaroot=b
pg_publication_namespace 6237 r: oid=o pnpubid=o pnnspid=o
pg_publication_rel 6106 r: oid=o prpubid=o prrelid=o prqual=t prattrs=t
pg_publication_tables 12068 v: pubname=t schemaname=t tablename=t attnames=T rowfilter=t
pg_range 3541 r: rngtypid=o rngsubtype=o rngmultitypid=o rngcollation=o rngsubopc=o rngcanonical=t rngsubdiff=t
pg_rewrite 2618 r: oid=o rulename=t ev_class=o ev_type=t ev_enabled=t is_instead=b ev_qual=t ev_action=t
pg_roles 12000 v: rolname=t rolsuper=b rolinherit=b rolcreaterole=b rolcreatedb=b rolcanlogin=b rolreplication=b
  rolconnlimit=i rolpassword=t rolvaliduntil=z rolbypassrls=b rolconfig=T oid=o
pg_rules 12023 v: schemaname=t tablename=t rulename=t definition=t
pg_seclabels 12099 v: objoid=o classoid=o objsubid=i objtype=t objnamespace=o objname=t provider=t label=t
pg_sequence 2224 r: seqrelid=o seqtypid=o seqstart=l seqincrement=l seqmax=l seqmin=l seqcache=l seqcycle=b
pg_sequences 12048 v: schemaname=t sequencename=t sequenceowner=t data_type=t start_value=l min_value=l max_value=l
  increment_by=l cycle=b cache_size=l last_value=l
pg_settings 12104 v: name=t setting=t unit=t category=t short_desc=t extra_desc=t context=t vartype=t source=t
  min_val=t max_val=t enumvals=T boot_val=t reset_val=t sourcefile=t sourceline=i pending_restart=b
pg_shdepend 1214 r: dbid=o classid=o objid=o objsubid=i refclassid=o refobjid=o deptype=t
pg_shdescription 2396 r: objoid=o classoid=o description=t
pg_stat_activity 12222 v: datid=o datname=t pid=i leader_pid=i usesysid=o usename=t application_name=t client_addr=t
  client_hostname=t client_port=i backend_start=z xact_start=z query_start=z state_change=z wait_event_type=t
  wait_event=t state=t backend_xid=o backend_xmin=o query_id=l query=t backend_type=t
pg_stat_all_tables 12142 v: relid=o schemaname=t relname=t seq_scan=l seq_tup_read=l idx_scan=l idx_tup_fetch=l
  n_tup_ins=l n_tup_upd=l n_tup_del=l n_tup_hot_upd=l n_live_tup=l n_dead_tup=l n_mod_since_analyze=l
  n_ins_since_vacuum=l last_vacuum=z last_autovacuum=z last_analyze=z last_autoanalyze=z vacuum_count=l
  autovacuum_count=l analyze_count=l autoanalyze_count=l
pg_stat_database 12266 v: datid=o datname=t numbackends=i xact_commit=l xact_rollback=l blks_read=l blks_hit=l
  tup_returned=l tup_fetched=l tup_inserted=l tup_updated=l tup_deleted=l conflicts=l temp_files=l temp_bytes=l
  deadlocks=l checksum_failures=l checksum_last_failure=z blk_read_time=d blk_write_time=d session_time=d
  active_time=d idle_in_transaction_time=d sessions=l sessions_abandoned=l sessions_fatal=l sessions_killed=l
  stats_reset=z
pg_stat_user_tables 12161 v: relid=o schemaname=t relname=t seq_scan=l seq_tup_read=l idx_scan=l idx_tup_fetch=l
  n_tup_ins=l n_tup_upd=l n_tup_del=l n_tup_hot_upd=l n_live_tup=l n_dead_tup=l n_mod_since_analyze=l
  n_ins_since_vacuum=l last_vacuum=z last_autovacuum=z last_analyze=z last_autoanalyze=z vacuum_count=l
  autovacuum_count=l analyze_count=l autoanalyze_count=l
pg_statistic_ext 3381 r: oid=o stxrelid=o stxname=t stxnamespace=o stxowner=o stxstattarget=i stxkeys=t stxkind=T
  stxexprs=t
pg_stats 12053 v: schemaname=t tablename=t attname=t inherited=b null_frac=f avg_width=i n_distinct=f
  most_common_vals=T most_common_freqs=F histogram_bounds=T correlation=f most_common_elems=T
  most_common_elem_freqs=F elem_count_histogram=F
pg_subscription 6100 r: oid=o subdbid=o subskiplsn=t subname=t subowner=o subenabled=b subbinary=b substream=b
  subtwophasestate=t subdisableonerr=b subconninfo=t subslotname=t subsynccommit=t subpublications=T
pg_tables 12033 v: schemaname=t tablename=t tableowner=t tablespace=t hasindexes=b hasrules=b hastriggers=b
  rowsecurity=b
pg_tablespace 1213 r: oid=o spcname=t spcowner=o spcacl=T spcoptions=T
pg_timezone_names 12126 v: name=t abbrev=t utc_offset=t is_dst=b
pg_trigger 2620 r: oid=o tgrelid=o tgparentid=o tgname=t tgfoid=o tgtype=h tgenabled=t tgisinternal=b
  tgconstrrelid=o tgconstrindid=o tgconstraint=o tgdeferrable=b tginitdeferred=b tgnargs=h tgattr=v tgargs=t
  tgqual=t tgoldtable=t tgnewtable=t
pg_type 1247 r: oid=o typname=t typnamespace=o typowner=o typlen=h typbyval=b typtype=t typcategory=t
  typispreferred=b typisdefined=b typdelim=t typrelid=o typsubscript=t typelem=o typarray=o typinput=t typoutput=t
  typreceive=t typsend=t typmodin=t typmodout=t typanalyze=t typalign=t typstorage=t typnotnull=b typbasetype=o
  typtypmod=i typndims=i typcollation=o typdefaultbin=t typdefault=t typacl=T
pg_user 12014 v: usename=t usesysid=o usecreatedb=b usesuper=b userepl=b usebypassrls=b passwd=t valuntil=z
  useconfig=T
pg_user_mapping 1418 r: oid=o umuser=o umserver=o umoptions=T
pg_user_mappings 12327 v: umid=o srvid=o srvname=t umuser=o usename=t umoptions=T
pg_views 12028 v: schemaname=t viewname=t viewowner=t definition=t
"""
