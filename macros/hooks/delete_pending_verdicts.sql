{% macro delete_pending_verdicts() -%}
    {#- Calculations that gold had not evaluated when they were written. The model writes them again, evaluated or not,
        so a kill in between loses nothing. There are none as a rule, which Delta sees without reading a row. -#}
    {%- if is_incremental() -%}
        delete from {{ this }} where gold_processing_status = 'pending'
    {%- endif -%}
{%- endmacro %}
