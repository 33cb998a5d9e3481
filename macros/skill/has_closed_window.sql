{#- A unit test has no table to ask, and sets it to true. -#}
{% macro has_closed_window(scored, measured, window_end) -%}
    {%- if execute and is_incremental() -%}
        {{ run_query(
            "select 1 from " ~ scored ~ " as scored left anti join " ~ measured ~ " as measured"
            ~ " on scored.scored_at = measured.scored_at"
            ~ " where scored." ~ window_end ~ " <= " ~ as_of() ~ " limit 1"
        ).rows | length > 0 }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
