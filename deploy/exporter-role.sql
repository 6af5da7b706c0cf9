-- The role of `sluice exporter` on Postgres: it reads the figures, and neither records nor your tables.
-- Run it as the owner of the ingest_ tables, once a pipeline has made them and after each upgrade:
--     psql "$SINK" --set ON_ERROR_STOP=1 --file deploy/exporter-role.sql
--     \password sluice_exporter
DO $$
DECLARE
    readable record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_exporter') THEN
        CREATE ROLE sluice_exporter LOGIN CONNECTION LIMIT 5;
    END IF;
    FOR readable IN
        SELECT table_name, string_agg(quote_ident(column_name), ', ') AS names
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name LIKE 'ingest\_%'
            -- Whatever may hold a part of a record.
            AND column_name NOT IN ('raw', 'message', 'stack', 'errors', 'key', 'headers', 'payload')
        GROUP BY table_name
    LOOP
        EXECUTE format('GRANT SELECT (%s) ON %I TO sluice_exporter', readable.names, readable.table_name);
    END LOOP;
END
$$;
