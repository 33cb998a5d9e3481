{#- The run's own facts. They are read at execution only: what parsing reads from the environment becomes part of
    the parsed project, and a changed value would parse all of it again. -#}

{% macro as_of() -%}
    {%- if execute -%}
        timestamp '{{ parsed_time(env_var('SMART_TRADER_AS_OF', ''), run_started_at) }}'
    {%- else -%}
        timestamp '1970-01-01T00:00:00Z'
    {%- endif -%}
{%- endmacro %}


{% macro run_id() -%}
    {%- if execute -%}
        '{{ env_var('SMART_TRADER_RUN_ID', '') or invocation_id }}'
    {%- else -%}
        ''
    {%- endif -%}
{%- endmacro %}


{% macro code_version() -%}
    {%- if execute -%}
        '{{ adapter.call_python(
            'smart_trader.fingerprints.formula_version', invocation_args_dict.get('vars') or {}
        ) }}'
    {%- else -%}
        ''
    {%- endif -%}
{%- endmacro %}


{% macro data_source() -%}
    (select max(data_source) from {{ ref('fetches') }})
{%- endmacro %}


{#- Spells a point in time the one way Spark's literal takes it, to the microsecond -#}
{% macro parsed_time(text, default) -%}
    {%- set text = text | trim -%}
    {%- set utc = modules.pytz.utc -%}
    {%- if not text -%}
        {%- set moment = default -%}
    {%- elif modules.re.fullmatch('[0-9]{1,11}([.][0-9]+)?', text) -%}
        {%- set epoch = modules.datetime.datetime(1970, 1, 1, tzinfo=utc) -%}
        {%- set moment = epoch + modules.datetime.timedelta(seconds=text | float) -%}
    {%- elif modules.re.fullmatch(
        '[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])'
        '([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?', text
    ) -%}
        {%- set moment = modules.datetime.datetime.fromisoformat(text) -%}
        {%- set moment = moment.astimezone(utc) if moment.tzinfo else moment.replace(tzinfo=utc) -%}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "SMART_TRADER_AS_OF='" ~ text ~ "' is no time; write it as 2026-01-31T09:00:00Z (UTC) or in unix seconds"
        ) }}
    {%- endif -%}
    {{ moment.strftime('%Y-%m-%dT%H:%M:%S.%f') }}Z
{%- endmacro %}
